"""The record of a run's conversation: who said what, and how much of it was heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Conversation", "Ear", "Gate", "Remark"]

_KEEP = 1_000
"""The number of remarks that are kept. An hour of lively talk has fewer."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark of the user or of the program. Times are in seconds on the run's clock."""

    who: Literal["user", "program"]
    text: str
    """The words; empty if no stage told them."""
    began_s: float
    ended_s: float
    heard: str = ""
    """The part that was heard: of the user all, of the program what sounded before it was cut."""
    interrupted: bool = False
    """True if the remark was cut short."""
    position: int = 0
    """The position of its begin: in the microphone's stream, or in the speaker's."""


class Ear(Protocol):
    """A voice detector, as far as a conversation asks it. In the loop's thread."""

    @property
    def speech_s(self) -> float:
        """The duration of the speech in progress, in seconds, without the silence at its end; or 0."""
        ...


Gate = Callable[[Remark, Callable[[], None]], bool]
"""A stage that may keep the user's words back: called with a remark of the user, and with the function
that sends its words on. Returns True if it keeps them; it then calls that function later, or never."""


class Conversation:
    """The record of what was said. A stage has it as `params.conversation`. In the loop's thread.

    Only the speaker's facts and the `TranscriptionFrame`s of a run are written down. The last 1,000
    remarks are kept.
    """

    def __init__(self) -> None:
        self._remarks: deque[Remark] = deque(maxlen=_KEEP)
        self._work: Callable[[object], Sequence[str]] | None = None
        self.gates: list[Gate] = []
        """The stages that may keep words back, in their order."""
        self.ears: list[Ear] = []
        """The voice detectors of the run."""

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """The last remarks, in the order in which they became known."""
        return tuple(self._remarks)

    def note(self, remark: Remark) -> None:
        """Add a remark.

        A transcription of audio that was transcribed before replaces the older one: two utterances that
        became one turn are one remark.
        """
        remarks = self._remarks
        while remark.who == "user" and remark.position and remarks and _is_part(remarks[-1], remark):
            remarks.pop()
        remarks.append(remark)

    def admit(self, remark: Remark, send: Callable[[], None]) -> None:
        """Send the user's words on when every gate lets them pass: usually at once."""
        self._ask(tuple(self.gates), remark, send)

    def _ask(self, gates: tuple[Gate, ...], remark: Remark, send: Callable[[], None]) -> None:
        for place, gate in enumerate(gates, start=1):
            behind = gates[place:]
            if gate(remark, lambda behind=behind: self._ask(behind, remark, send)):  # type: ignore[misc]  # mypy cannot type a lambda's default
                return
        send()

    def at_work(self, behind: object = None) -> tuple[str, ...]:
        """Return the labels of the stages that work on an answer now, in their order.

        Args:
            behind: count only the stages behind this one.
        """
        return () if self._work is None else tuple(self._work(behind))

    def watch(self, work: Callable[[object], Sequence[str]]) -> None:
        """Set the source of `at_work`. The run calls this."""
        self._work = work


def _is_part(old: Remark, new: Remark) -> bool:
    return old.who == "user" and old.position >= new.position > 0
