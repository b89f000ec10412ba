"""The stage that tells of a user who has been silent since the program spoke."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from voicepipe.checks import check_number
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    FactFrame,
    Frame,
    FrameDirection,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.params import StartParams
from voicepipe.pipeline.processor import FrameProcessor

__all__ = ["IdleTimer", "UserIdleFrame"]


@dataclass(frozen=True, slots=True, eq=False)
class UserIdleFrame(FactFrame):
    """The fact that the user has been silent for a time since the program spoke."""

    silent_s: float = 0.0
    """The seconds since the last sound of the program's speech was heard, or of the user's."""


class IdleTimer(FrameProcessor):
    """Pushes a `UserIdleFrame` in both directions when the user stays silent after the program's speech.

    It counts from the heard end of the speech: the last sample that left the loudspeaker. While the user
    or the program speaks, or a stage works on an answer, it does not count. It tells once per silence;
    the next speech of the program begins another. Put it anywhere in the pipeline.

    Args:
        idle_s: the seconds of silence, 0.1 to 86,400.

    Raises:
        TypeError, ValueError: `idle_s` is no number, or is out of its bounds.
    """

    takes = ()

    def __init__(self, idle_s: float, *, name: str = "") -> None:
        super().__init__(name=name)
        self._idle_s = check_number("idle_s", idle_s, at_least=0.1, at_most=86_400.0)
        self._reset(StartParams())

    def _reset(self, params: StartParams) -> None:
        self._params = params
        self._timer: asyncio.TimerHandle | None = None
        self._is_armed = self._user_speaks = False
        self._quiet_s = 0.0
        """The time from which on nobody has spoken, and no stage has worked on an answer."""

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run."""
        self._reset(params)

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        """Count from the end of speech; stop at its start."""
        match fact:
            case BotStoppedSpeakingFrame():
                self._is_armed = True
                self._count_from(self._params.clock() if fact.ended_s is None else fact.ended_s)
            case BotStartedSpeakingFrame():
                self._stop()
            case UserStartedSpeakingFrame():
                self._user_speaks = True
                self._stop()
            case UserStoppedSpeakingFrame():
                self._user_speaks = False
                self._count_from(self._params.clock() if fact.captured_s is None else fact.captured_s)
            case _:
                pass

    def _count_from(self, quiet_s: float) -> None:
        self._stop()
        self._quiet_s = quiet_s
        if self._is_armed and not self._user_speaks:
            wait_s = quiet_s + self._idle_s - self._params.clock()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Tell of the silence, unless the program speaks or thinks."""
        params = self._params
        if params.speakers.is_speaking or params.conversation.at_work():
            self._count_from(params.clock())
            return
        self._is_armed = False
        self.create_task(self._tell(UserIdleFrame(params.clock() - self._quiet_s)), name="idle")

    async def _tell(self, fact: UserIdleFrame) -> None:
        await self.push_frame(fact, FrameDirection.UPSTREAM)
        await self.push_frame(fact)

    async def cleanup(self) -> None:
        """Cancel the timer."""
        self._stop()
