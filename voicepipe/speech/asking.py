"""The questions to a judge of pauses: one at a time, each with one answer, however the judge behaves."""

from __future__ import annotations

import asyncio

from voicepipe.awaitables import awaitable
from voicepipe.frames import (
    EndOfTurnFrame,
    FrameDirection,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UtteranceFrame,
)
from voicepipe.pipeline.processor import InlineProcessor, Seat
from voicepipe.speech.end_of_turn import EAGERNESS, Eagerness, EndOfTurn, check_verdict
from voicepipe.text import class_name, printable

__all__ = ["LONGEST_S", "Asking"]

LONGEST_S = 3.0
"""The seconds for which a source that can wait does so for a verdict. It is less than a drain allows."""
_SLOW_S = 0.1
"""A judge that is cut short sooner than this was not too slow: the turn ended by other means."""


class Asking:
    """The questions of one collector to its judge. In the loop's thread.

    Each pause that is expected gets one answer, upstream: an `EndOfTurnFrame` or an `UnfinishedTurnFrame`.
    Where the judge fails, the answer says nothing, and the silence decides. Until then a source that can
    wait does so.

    Args:
        judge: the judge.
        stage: the stage that asks.
        eagerness: the use of the verdicts.
        wait_s: the longest silence after a "no", in seconds. None: that of the eagerness.
    """

    def __init__(
        self, judge: EndOfTurn, stage: InlineProcessor, eagerness: Eagerness, wait_s: float | None
    ) -> None:
        self.eagerness: Eagerness = eagerness
        self._judge = judge
        self._name = f"{class_name(judge)}.finished()"
        self._stage = stage
        self._wait_s = wait_s
        self._forget(None)

    def _forget(self, seat: Seat | None) -> None:
        self._seat = seat
        self._alone = asyncio.Lock()
        """Held while the judge works: one that resists its cancel is not asked again meanwhile."""
        self._pause: UserPausedFrame | None = None
        """The pause that has no answer yet."""
        self._task: asyncio.Task[None] | None = None
        self._asked_s = 0.0
        self._holds = False
        """True while sources wait for the answer."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_slow = False
        """True once a judge that was too slow is told of."""

    # -- the run ---------------------------------------------------------------

    async def start(self, seat: Seat | None) -> None:
        """Get the judge ready. Raises: whatever its `start()` raises."""
        self._forget(seat)
        start = getattr(self._judge, "start", None)
        if start is not None:
            await awaitable(f"{class_name(self._judge)}.start()", start())

    async def close(self) -> None:
        """Stop asking, and let the judge close what it has opened."""
        self.stop()
        self._seat = None
        close = getattr(self._judge, "close", None)
        if close is not None:
            await awaitable(f"{class_name(self._judge)}.close()", close())

    # -- one pause -------------------------------------------------------------

    def expect(self, pause: UserPausedFrame, *, live: bool) -> None:
        """Note a pause that `ask` or `pass_over` will follow, as soon as its audio is there.

        Args:
            pause: the pause.
            live: nobody can wait for the answer.
        """
        self.stop()
        seat = self._seat
        if seat is None:
            return
        self._pause = pause
        if not live:
            self._holds = True
            seat.hold_sources()
            self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self._give_up)

    def ask(self, pause: UserPausedFrame, utterance: UtteranceFrame) -> None:
        """Ask the judge, unless the pause is over."""
        if pause is self._pause:
            self._asked_s = asyncio.get_running_loop().time()
            self._task = self._stage.create_task(self._ask(pause, utterance), name="end_of_turn")

    def pass_over(self, pause: UserPausedFrame) -> None:
        """Answer without the judge: there is nothing to judge."""
        if pause is self._pause:
            self._answer(pause, None)

    def stop(self, *, by_silence: bool = False) -> None:
        """Stop asking: the user goes on, or the turn has ended. No answer follows.

        Args:
            by_silence: the turn has ended; a judge that still works may be too slow.
        """
        task = self._end_question()
        if task is None:
            return
        task.cancel()
        asked_s = asyncio.get_running_loop().time() - self._asked_s
        if by_silence and asked_s >= _SLOW_S and not self._is_slow:
            self._is_slow = True
            self._report(f"{self._name} still worked when the turn ended, {asked_s:.2f} s later")

    def _give_up(self) -> None:
        """Let the silence decide: a source has waited for long enough."""
        pause, task = self._pause, self._task
        if pause is None:
            return
        if task is not None:
            self._report(f"{self._name} gave no verdict within {LONGEST_S:g} s")
        self._answer(pause, None)
        if task is not None:
            task.cancel()

    def _end_question(self) -> asyncio.Task[None] | None:
        """Forget the pause, and let the sources go on; return the task that asks, if it still does."""
        task, self._task, self._pause = self._task, None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._holds and self._seat is not None:
            self._holds = False
            self._seat.release_sources()
        return task

    # -- the judge ---------------------------------------------------------------

    async def _ask(self, pause: UserPausedFrame, utterance: UtteranceFrame) -> None:
        async with self._alone:
            verdict = await self._verdict_on(utterance)
        if pause is self._pause:
            self._answer(pause, verdict)

    async def _verdict_on(self, utterance: UtteranceFrame) -> float | None:
        """Return the verdict of the judge; None if it has failed, which is reported."""
        try:
            verdict = await awaitable(self._name, self._judge.finished(utterance))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._report_failure(error)
        except Exception as error:  # a judge that fails leaves the decision to the silence
            self._report_failure(error)
        else:
            try:
                return check_verdict(verdict)
            except (TypeError, ValueError) as error:
                self._report(f"{class_name(self._judge)}.{error}")
        return None

    def _answer(self, pause: UserPausedFrame, verdict: float | None) -> None:
        """Send the answer, and let the sources go on, unless it has led to the next question."""
        seat, holds, asked = self._seat, self._holds, self._task is not None
        judged_s = asyncio.get_running_loop().time() - self._asked_s if asked else 0.0
        self._holds = False
        self._end_question()
        self._stage.push_fact(self._fact(pause, verdict, judged_s), FrameDirection.UPSTREAM)
        if holds and seat is not None:
            seat.release_sources()

    def _fact(
        self, pause: UserPausedFrame, verdict: float | None, judged_s: float
    ) -> EndOfTurnFrame | UnfinishedTurnFrame:
        patience = EAGERNESS[self.eagerness]
        if verdict is not None and verdict >= patience.threshold:
            return EndOfTurnFrame(pause.position, pause.origin, judged_s=judged_s)
        wait_s = patience.wait_s if self._wait_s is None else self._wait_s
        wait_s = 0.0 if verdict is None else wait_s
        return UnfinishedTurnFrame(pause.position, pause.origin, wait_s=wait_s, judged_s=judged_s)

    # -- errors --------------------------------------------------------------------

    def _report_failure(self, error: BaseException) -> None:
        words = printable(error)
        self._report(f"{self._name} raised {class_name(error)}{words and ': '}{words}", error)

    def _report(self, words: str, error: BaseException | None = None) -> None:
        """Report an error of the judge in one line. The run goes on."""
        failure = RuntimeError(f"{words}; the silence decides")
        if error is not None:
            failure.__cause__ = error
            failure.__traceback__ = error.__traceback__
        if self._seat is not None:
            self._seat.report_error(failure)
