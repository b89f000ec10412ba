"""The program's speech, as a speaker knows it: its start, its end, and the frames that tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepipe.endpoints.playback import Playback
from voicepipe.frames import BotStartedSpeakingFrame, BotStoppedSpeakingFrame, FactFrame
from voicepipe.speakers import Speakers

__all__ = ["BackgroundSound", "BotSpeech"]

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
        tell: sends a fact in both directions.
        wake: wakes the owner when a pause may be over.
    """

    def __init__(
        self,
        playback: Playback,
        speakers: Speakers,
        *,
        tell: Callable[[FactFrame], None],
        wake: Callable[[], None],
    ) -> None:
        self._playback = playback
        self._speakers = speakers
        self._tell = tell
        self._wake = wake
        self._clock = asyncio.get_running_loop().time
        self.is_on = False
        """True while the program speaks."""
        self._cut = False
        """True after an interruption, until a frame has told how much was played."""
        self._began = 0
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def note_audio(self) -> None:
        """Tell the start of the speech, if audio of the voice was written and it has not begun yet."""
        position = self._playback.voice.first
        if position is None:
            return
        self._quiet_since = None
        self._speakers.begin(self, self._clock())
        if not self.is_on:
            self.is_on = True
            self._began = position
            self._tell(BotStartedSpeakingFrame(position))

    def cut(self) -> None:
        """End the speech as soon as the device has dropped what waited: its position is exact then."""
        self._cut = self.is_on
        if self.is_on:
            self._playback.sentences.begin_cut()

    def update(self) -> None:
        """Tell the end of the speech, if it was cut, or if no audio came for the length of a pause."""
        playback = self._playback
        if self._cut and not playback.queue.is_flushing and not playback.voice.is_fading:
            self.end(interrupted=True)
        if not self.is_on or playback.voice.is_with_device:
            return
        if playback.has_finished:
            self.end(interrupted=True)
        elif playback.is_speaking:
            self._hush()
        else:
            self._pause()

    def _hush(self) -> None:
        """Note that nothing sounds during a hold, although the speech goes on."""
        self._speakers.hush(self, self._last_s() + self._playback.latency_s + ROOM_S)

    def _pause(self) -> None:
        if self._quiet_since is None:
            self._quiet_since = self._playback.quiet_since_s(self._clock())
        over_s = self._quiet_since + self._playback.latency_s + PAUSE_S
        if self._clock() >= over_s:
            self.end()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(over_s, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._wake()

    def end(self, *, interrupted: bool = False, silent_s: float = 0.0) -> None:
        """Tell the end of the speech, if it has begun, and of its sentences.

        Args:
            interrupted: it was cut short.
            silent_s: the device got its last sample so many seconds ago at the latest.
        """
        interrupted = interrupted or self._cut
        self._cut = False
        sentences = self._playback.sentences
        if interrupted:
            sentences.cut()
        else:
            sentences.close()
        sentences.update()
        text = sentences.take_heard()
        self._playback.end_finishing()
        if self.is_on:
            self.is_on = False
            ended_s = self._last_s(silent_s) + self._playback.latency_s
            self._speakers.end(self, ended_s + ROOM_S)
            position = max(self._began, self._playback.voice.sounded_to)
            self._tell(BotStoppedSpeakingFrame(position, interrupted, self._began, text, ended_s))

    def _last_s(self, silent_s: float = 0.0) -> float:
        quiet_s = self._quiet_since
        return self._clock() - silent_s if quiet_s is None else quiet_s

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()


class BackgroundSound:
    """All that sounds beside the voice, for the record of the speakers. In the loop's thread."""

    def __init__(self, playback: Playback, speakers: Speakers) -> None:
        self._playback = playback
        self._speakers = speakers
        self._clock = asyncio.get_running_loop().time
        self.is_on = False
        """True while there is any."""

    def update(self, silent_s: float = 0.0) -> None:
        """Note that it begins or ends; the device got no sample for `silent_s` seconds at least."""
        if not self._playback.has_sounds:
            return
        sounds = any(source.is_with_device for source in self._playback.sounds)
        if sounds and not self.is_on:
            self._speakers.begin(self, self._clock(), speech=False)
        elif self.is_on and not sounds:
            self._speakers.end(self, self._clock() - silent_s + self._playback.latency_s + ROOM_S)
        self.is_on = sounds
