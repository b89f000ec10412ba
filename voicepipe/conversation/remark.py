"""The judge of the user's remark and the frame of one that is not answered; words, and stop words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from voicepipe.frames import FactFrame, UtteranceFrame
from voicepipe.text import quote

__all__ = ["BackchannelFrame", "Heard", "Judge", "StopWords", "Verdict", "words_of"]

Verdict = Literal["turn", "backchannel"] | None


@dataclass(frozen=True, slots=True)
class Heard:
    """The user's remark over the program's speech, so far."""

    text: str
    """All its words until now."""
    stopped: bool
    """True if the user has stopped speaking."""
    utterance: UtteranceFrame | None = field(default=None, repr=False)
    """Its audio, if it was collected already."""


Judge = Callable[[Heard], Verdict | Awaitable[Verdict]]
"""A function that tells a turn from a backchannel ("mhm"). None: it cannot tell yet."""


@dataclass(frozen=True, slots=True, eq=False)
class BackchannelFrame(FactFrame):
    """A remark of the user that did not stop the program and is not answered, such as "mhm"."""

    text: str = ""
    """Its words, if they are known."""
    utterance: UtteranceFrame | None = field(default=None, repr=False)
    """Its audio, if it was collected. No stage got it as a frame of its own, unless for its words."""


class StopWords:
    """The words that cut the program whatever the policy.

    Args:
        words: words or phrases.

    Raises:
        TypeError, ValueError: `words` is a single text, or one of them is no text or has no letters.
    """

    def __init__(self, words: Iterable[str]) -> None:
        if isinstance(words, str) or not isinstance(words, Iterable):
            raise TypeError(f'always must be several words, such as ("stop",), not {quote(words)}')
        self._phrases = [_phrase(word) for word in words]

    def are_in(self, text: str) -> bool:
        """Return True if the text has one of the words, in whatever case and punctuation."""
        said = words_of(text)
        return any(
            said[at : at + len(phrase)] == phrase
            for phrase in self._phrases
            for at in range(len(said) - len(phrase) + 1)
        )


def _phrase(word: object) -> list[str]:
    if not isinstance(word, str):
        raise TypeError(f"each word of always must be a text, not {quote(word)}")
    phrase = words_of(word)
    if not phrase:
        raise ValueError(f"a word of always must have letters, not {quote(word)}")
    return phrase


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case and without punctuation."""
    plain = text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    bare = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in plain)
    return [word for word in (each.strip("'") for each in bare.split()) if word]
