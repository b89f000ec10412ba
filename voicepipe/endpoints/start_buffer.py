"""The start buffer of a speaker: after silence, a voice waits until enough of it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepipe.endpoints.source import Source

__all__ = ["StartBuffer"]


class StartBuffer:
    """The start of a voice that comes at about its own pace. In the loop's thread.

    Args:
        voice: the voice.
        begin_s: the duration of audio to wait for, in seconds, beside the frame that comes.
        rate: samples a second.
        begin: called when the voice begins, with the seconds that it has waited.
        wake: called when it begins although not enough has come.
    """

    def __init__(
        self,
        voice: Source,
        begin_s: float,
        rate: int,
        *,
        begin: Callable[[float], None],
        wake: Callable[[], None],
    ) -> None:
        self._voice = voice
        self._begin_s = begin_s
        self._enough = round(begin_s * rate)
        self._tell_begin = begin
        self._wake = wake
        self._clock = asyncio.get_running_loop().time
        self._since_s = self._came_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, samples: int, *, live: bool, silent: bool) -> None:
        """Hold the voice back, or let it begin, before so many samples of it are taken.

        Args:
            samples: the samples that come.
            live: they are live audio, which waits for nothing.
            silent: nothing of the voice sounds or is about to.
        """
        voice = self._voice
        self._came_s = self._clock()
        if silent and not voice.is_gathering:
            self._since_s = self._came_s
            voice.gather()
        if not voice.is_gathering:
            return
        # The next frame is due when this one has sounded: what waits before it is the time it may be late.
        if live or voice.waiting + samples >= self._enough + min(samples, self._enough):
            self.begin()
        elif self._timer is None:
            self._look_at(self._came_s + self._begin_s)

    def begin(self) -> None:
        """Let the voice begin with what has come."""
        self.close()
        if self._voice.is_gathering:
            self._voice.begin()
            self._tell_begin(self._clock() - self._since_s)

    def _look_at(self, at_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(at_s, self._look)

    def _look(self) -> None:
        """Begin if nothing came for so long that it may be all; else look again."""
        self._timer = None
        due_s = self._came_s + self._begin_s
        if not self._voice.is_gathering:
            return
        if self._clock() < due_s:
            self._look_at(due_s)
        else:
            self.begin()
            self._wake()

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
