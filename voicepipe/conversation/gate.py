"""The user's words that wait for a decision: are they a turn?"""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.conversation.remark import words_of

__all__ = ["KeptWords"]


class KeptWords:
    """Words that were kept back, in their order. In the loop's thread."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Callable[[], None]]] = []

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def text(self) -> str:
        """All the words."""
        return " ".join(text for text, _ in self._kept)

    @property
    def count(self) -> int:
        """The number of the words."""
        return len(words_of(self.text))

    def add(self, text: str, send: Callable[[], None]) -> None:
        """Keep words back; `send` is the function that sends them on."""
        self._kept.append((text, send))

    def release(self) -> None:
        """Send all the words on."""
        kept, self._kept = self._kept, []
        for _, send in kept:
            send()

    def drop(self) -> str:
        """Drop all the words, and return them."""
        text, self._kept = self.text, []
        return text
