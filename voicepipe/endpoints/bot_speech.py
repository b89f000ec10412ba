"""The program's speech as a speaker knows it: when it began and ended to sound, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voicepipe.air import Air
from voicepipe.endpoints.playback import Playback
from voicepipe.frames import BotStartedSpeakingFrame, BotStoppedSpeakingFrame, Frame

__all__ = ["BotSpeech"]

PAUSE_S = 0.3
"""Silence for so long ends the program's speech; less is a gap between two frames."""
ROOM_S = 0.3
"""So long after its last sample a room is quiet, and a latency that was reported too short has passed."""


class BotSpeech:
    """One stretch of speech after the other. One owner; in the loop's thread.

    Args:
        playback: what is played.
        air: where it is noted that something sounds.
        tell: sends a fact both ways.
        wake: has the owner look again when a pause has lasted.
    """

    def __init__(
        self,
        playback: Playback,
        air: Air,
        *,
        tell: Callable[[Frame], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._playback = playback
        self._air = air
        self._tell = tell
        self._wake = wake
        self._clock = asyncio.get_running_loop().time
        self.is_on = False
        """The program speaks."""
        self.cut = False
        """What waited was taken away, and nobody has been told yet how much was heard."""
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Tell that it begins, if it has not begun."""
        if self._playback.pending and not self.is_on:
            self.is_on = True
            self._air.begin(self, self._clock())
            await self._tell(BotStartedSpeakingFrame(self._playback.next_position))

    def goes_on(self) -> None:
        """Note that something was handed to the device: the pause begins anew."""
        self._quiet_since = None

    async def pause(self) -> bool:
        """End it if nothing has waited to be heard for the length of a pause; return whether it ended."""
        now = self._clock()
        if self._quiet_since is None:
            self._quiet_since = now
        over_s = self._quiet_since + self._playback.latency_s + PAUSE_S
        if now >= over_s:
            await self.end()
            return True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(over_s, self._look_again)
        return False

    def _look_again(self) -> None:
        self._timer = None
        self._wake()

    async def end(self, *, interrupted: bool = False) -> None:
        """Tell that it has ended, if it had begun."""
        if self.is_on:
            self.is_on = False
            self._leave_air()
            await self._tell(BotStoppedSpeakingFrame(self._playback.position, interrupted))

    async def end_if_cut(self) -> None:
        """Tell how much was heard, after an interruption: when the device has let go of what waited.

        Nothing is written before that, so the position is exact. Raises: DeviceError.
        """
        if self.cut:
            await self._playback.settle()
            self.cut = False
            await self.end(interrupted=True)

    def lose(self, silent_s: float) -> None:
        """Take the loss of the device, which has been silent for so long, for a cut."""
        self.cut = self.is_on
        self._leave_air(silent_s)

    def _leave_air(self, silent_s: float = 0.0) -> None:
        """Note that the last sample was handed to the device by now, or so long ago."""
        quiet_s = self._quiet_since
        last_s = self._clock() - silent_s if quiet_s is None else quiet_s
        self._air.end(self, last_s + self._playback.latency_s + ROOM_S)

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
