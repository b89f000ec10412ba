"""The judge of the end of a turn, the eagerness with which its verdicts are used, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard, cast

from voicepipe.awaitables import check_methods
from voicepipe.frames import UtteranceFrame
from voicepipe.text import class_name, quote

__all__ = [
    "EAGERNESS",
    "Eagerness",
    "EndOfTurn",
    "Patience",
    "SilentJudge",
    "check_eagerness",
    "check_judge",
    "check_verdict",
    "is_awaited",
]

Eagerness = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Patience:
    """The use of a verdict: when it ends the turn, and how long the turn stays open otherwise."""

    threshold: float
    """The least probability that counts as the end of the turn."""
    wait_s: float
    """The longest silence after a "no", in seconds."""


EAGERNESS: dict[Eagerness, Patience] = {
    "low": Patience(0.7, 8.0),
    "medium": Patience(0.5, 4.0),
    "high": Patience(0.3, 2.0),
}
"""The values of each eagerness. `low` lets people think, and `high` answers soon."""


class EndOfTurn(Protocol):
    """A judge of pauses: by the words or the tone it knows if the user has finished.

    It may also have the coroutines `start()`, awaited before the run begins, and `close()`, awaited in
    the clean-up. A `start()` that raises fails the start of the run.
    """

    async def finished(self, utterance: UtteranceFrame) -> bool | float:
        """Return the verdict on a pause: True or False, or the probability of the end, 0 to 1.

        Called about 0.2 s into each pause, one call at a time. It is cancelled as soon as the verdict is
        of no use: the user goes on, or the silence has ended the turn.

        Args:
            utterance: the audio of the turn so far, with all its pauses, as the microphone gave it.
        """
        ...


class SilentJudge(Protocol):
    """A judge of the earlier kind, which is asked after the silence. It works for one release more."""

    def is_finished(self, utterance: UtteranceFrame) -> bool:
        """Return True where the turn is over, given its audio so far with all pauses."""
        ...


def check_judge(judge: object) -> EndOfTurn | SilentJudge:
    """Check the methods of a judge, and return it.

    Raises:
        TypeError: it has neither method, or one of its methods is of the wrong kind.
    """
    kind = next((kind for kind in (EndOfTurn, SilentJudge) if _has(judge, kind)), None)
    if kind is None or isinstance(judge, type):
        raise TypeError(
            f"end_of_turn must be an object with async def finished(self, utterance), not {quote(judge)}"
        )
    check_methods(judge, kind, class_name(judge), advice="a judge that awaits has async def finished()")
    check_methods(judge, _Hooks, class_name(judge))
    return cast("EndOfTurn | SilentJudge", judge)


def is_awaited(judge: EndOfTurn | SilentJudge) -> TypeGuard[EndOfTurn]:
    """Return True for a judge that is awaited; False for one of the earlier kind."""
    return _has(judge, EndOfTurn)


def _has(judge: object, kind: type) -> bool:
    method = "finished" if kind is EndOfTurn else "is_finished"
    return callable(getattr(judge, method, None))


class _Hooks(Protocol):
    """The optional methods of a judge."""

    async def start(self) -> None:
        """Get ready."""

    async def close(self) -> None:
        """Close what `start` has opened."""


def check_eagerness(value: object) -> Eagerness:
    """Check the name of an eagerness, and return it.

    Raises:
        ValueError: there is none of that name.
    """
    if not isinstance(value, str) or value not in EAGERNESS:
        raise ValueError(f'eagerness must be "low", "medium" or "high", not {quote(value)}')
    return cast("Eagerness", value)  # type: ignore[redundant-cast]  # pyright needs it


def check_verdict(value: object) -> float:
    """Return a verdict as a probability: 1 and 0 for True and False.

    The numbers and truth values of numpy count as Python's.

    Raises:
        TypeError: it is neither.
        ValueError: it is NaN, or is not between 0 and 1.
    """
    number = _number(value)
    if not 0.0 <= number <= 1.0:  # NaN is not either
        raise ValueError(
            f"finished() must return True, False, or a probability from 0 to 1, not {quote(value)}"
        )
    return number


def _number(value: Any) -> float:
    if hasattr(type(value), "__float__") or type(value).__name__ in ("bool", "bool_"):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"finished() must return True, False, or a probability from 0 to 1, not {quote(value)}")
