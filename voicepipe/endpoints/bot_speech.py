"""The program's speech, as a speaker knows it: its start, its end, and the frames that tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voicepipe.endpoints.playback import Playback
from voicepipe.frames import BotStartedSpeakingFrame, BotStoppedSpeakingFrame, Frame
from voicepipe.speakers import Speakers

__all__ = ["BotSpeech"]

PAUSE_S = 0.3
"""The silence in seconds that ends the program's speech. A shorter one is a gap between two frames."""
ROOM_S = 0.3
"""The seconds after the last sample until the room is quiet.

They also cover a latency that the device reported too short."""


class BotSpeech:
    """The program's speech, one period after another. One owner; in the loop's thread.

    Args:
        playback: the playback of the speaker.
        speakers: the record of the times at which speakers sound.
        tell: sends a frame in both directions.
        wake: wakes the owner when a pause may be over.
    """

    def __init__(
        self,
        playback: Playback,
        speakers: Speakers,
        *,
        tell: Callable[[Frame], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._playback = playback
        self._speakers = speakers
        self._tell = tell
        self._wake = wake
        self._clock = asyncio.get_running_loop().time
        self.is_on = False
        """True while the program speaks."""
        self.cut = False
        """True after an interruption, until a frame has told how much was played."""
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Send `BotStartedSpeakingFrame`, if speech has not begun yet."""
        if self._playback.pending and not self.is_on:
            self.is_on = True
            self._speakers.begin(self, self._clock())
            await self._tell(BotStartedSpeakingFrame(self._playback.next_position))

    def note_audio(self) -> None:
        """Note that the device got audio. The pause then begins anew."""
        self._quiet_since = None

    async def pause(self) -> bool:
        """End the speech if no audio has waited for the length of a pause; return True if it ended."""
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
        """Send `BotStoppedSpeakingFrame`, if speech has begun."""
        if self.is_on:
            self.is_on = False
            self._leave_room()
            await self._tell(BotStoppedSpeakingFrame(self._playback.position, interrupted))

    async def end_if_cut(self) -> None:
        """End the speech after an interruption, as soon as the device has dropped the waiting audio.

        No audio is written before that, so the position in the frame is exact. Raises: DeviceError.
        """
        if self.cut:
            await self._playback.settle()
            self.cut = False
            await self.end(interrupted=True)

    def lose(self, silent_s: float) -> None:
        """Treat the loss of the device as an interruption; it has been silent for `silent_s` seconds."""
        self.cut = self.is_on
        self._leave_room(silent_s)

    def _leave_room(self, silent_s: float = 0.0) -> None:
        """Note the end of sound. The device got its last sample `silent_s` seconds ago at the latest."""
        quiet_s = self._quiet_since
        last_s = self._clock() - silent_s if quiet_s is None else quiet_s
        self._speakers.end(self, last_s + self._playback.latency_s + ROOM_S)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
