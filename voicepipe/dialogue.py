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


class Work(Protocol):
    """The run, as far as it knows who works on an answer."""

    def find_work(self, behind: object) -> Sequence[str]:
        """Return the labels of the stages at work, behind a stage, if one is given."""
        ...


_NONE: deque[Remark] = deque()
"""An empty deque that all runs share until something was said. It is never changed."""

Gate = Callable[[Remark, Callable[[], None]], bool]
"""A stage that may keep the user's words back: called with a remark of the user, and with the function
that sends its words on. Returns True if it keeps them; it then calls that function later, or never."""


class Conversation:
    """The record of what was said. A stage has it as `params.conversation`. In the loop's thread.

    Only the speaker's facts and the `TranscriptionFrame`s of a run are written down. The last 1,000
    remarks are kept.
    """

    __slots__ = ("_ears", "_gates", "_remarks", "_work")

    def __init__(self) -> None:
        self._remarks = _NONE
        self._work: Work | None = None
        self._gates: list[Gate] | None = None
        self._ears: list[Ear] | None = None

    @property
    def gates(self) -> list[Gate]:
        """The stages that may keep words back, in their order."""
        if self._gates is None:
            self._gates = []
        return self._gates

    @property
    def ears(self) -> list[Ear]:
        """The voice detectors of the run."""
        if self._ears is None:
            self._ears = []
        return self._ears

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
        if remarks is _NONE:
            self._remarks = remarks = deque(maxlen=_KEEP)
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
        return () if self._work is None else tuple(self._work.find_work(behind))

    def watch(self, work: Work) -> None:
        """Set the source of `at_work`. The run calls this."""
        self._work = work


def _is_part(old: Remark, new: Remark) -> bool:
    return old.who == "user" and old.position >= new.position > 0
