"""The times of the turns: from the user's last sound to the program's first, and who had them meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from voicepipe.log import logger_of
from voicepipe.report import TURN_BOUNDS_S, Turn, TurnCounts

__all__ = ["TurnClock"]

STEP_S = 0.01
"""The time between two looks at the stages. It grows with the age of the turn, so a long wait is cheap."""
GROWTH, LONGEST_STEP_S = 0.02, 0.1
IDLE_S = 10.0
"""The seconds without work on an answer after which none is expected."""
LONGEST_S = 600.0
_KEEP = 1_000
_log = logger_of("voicepipe")


@dataclass(slots=True)
class _Open:
    """A turn that was not answered yet."""

    ended_s: float
    certain_s: float
    looked_s: float
    worked_s: float
    """The last time at which somebody was at work."""
    judged_s: float
    """The seconds of the silence that a judge of the pause took."""
    label: str = "other"
    """The stage that was at work at the last look."""
    parts: dict[str, float] = field(default_factory=dict)


class TurnClock:
    """Measures one turn after another. In the loop's thread.

    It costs nothing but between the user's stop and the answer: it then looks every 10 ms which stages
    are at work. Of several, the one nearest to the speaker has the turn.

    Args:
        at_work: returns the labels of the stages at work, from the microphone to the speaker.
        run_id: the name of the run, for the log.
    """

    def __init__(self, at_work: Callable[[], Sequence[str]], run_id: str) -> None:
        self._at_work = at_work
        self._run_id = run_id
        self._loop = asyncio.get_running_loop()
        self._open: _Open | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turns: deque[Turn] = deque(maxlen=_KEEP)
        self._count, self._seconds = 0, 0.0
        self._up_to = dict.fromkeys(TURN_BOUNDS_S, 0)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The last turns that were answered."""
        return tuple(self._turns)

    @property
    def counts(self) -> TurnCounts:
        """The counts of all turns that were answered."""
        return TurnCounts(self._count, self._seconds, dict(self._up_to))

    def begin(self, ended_s: float | None, judged_s: float = 0.0) -> None:
        """Begin a turn: the user has stopped speaking.

        Args:
            ended_s: the time of the last sound; None: now, for nobody knows.
            judged_s: the seconds that a judge of the pause took.
        """
        self.forget()
        now_s = self._loop.time()
        self._open = _Open(now_s if ended_s is None else ended_s, now_s, now_s, now_s, judged_s)
        self._wait(STEP_S)

    def answer(self) -> None:
        """End the turn: the program begins to speak."""
        turn = self._open
        if turn is not None:
            last_s = self._loop.time() - turn.looked_s
            turn.parts[turn.label] = turn.parts.get(turn.label, 0.0) + last_s
            self.forget()
            self._note(turn)

    def forget(self) -> None:
        """Give the turn up: the user goes on, or is not answered."""
        self._open = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        turn, now_s = self._open, self._loop.time()
        if turn is None:
            return
        self._look_at_work(turn, now_s)
        age_s = now_s - turn.certain_s
        if now_s - turn.worked_s > IDLE_S or age_s > LONGEST_S:
            self.forget()
        else:
            self._wait(min(max(STEP_S, GROWTH * age_s), LONGEST_STEP_S))

    def _look_at_work(self, turn: _Open, now_s: float) -> None:
        """Give the time since the last look to the stage that is at work, or was then."""
        labels = self._at_work()
        if labels:
            turn.label, turn.worked_s = labels[-1], now_s
        turn.parts[turn.label] = turn.parts.get(turn.label, 0.0) + now_s - turn.looked_s
        turn.looked_s = now_s
        if not labels:
            turn.label = "other"

    def _note(self, turn: _Open) -> None:
        seconds = self._loop.time() - turn.ended_s
        silent_s = turn.certain_s - turn.ended_s
        judged_s = min(turn.judged_s, silent_s)
        parts = {"silence": silent_s - judged_s, "judge": judged_s}
        for name, part in turn.parts.items():  # a stage may have any name
            parts[name] = parts.get(name, 0.0) + part
        done = Turn(turn.ended_s, seconds, {name: part for name, part in parts.items() if part > 0.0})
        self._turns.append(done)
        self._count, self._seconds = self._count + 1, self._seconds + seconds
        for bound in self._up_to:
            self._up_to[bound] += seconds <= bound
        _log.debug("%s: turn %d: %s", self._run_id, self._count, done)
