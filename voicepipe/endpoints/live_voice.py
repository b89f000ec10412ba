"""The live audio of a speaker's voice: what has become late is left out, and drift is corrected."""

from __future__ import annotations

import math

from voicepipe.audio.format import AudioFormat
from voicepipe.drift.drift import GAP_S, DriftCompensator
from voicepipe.drift.surplus import Surplus
from voicepipe.endpoints.chunks import crossfade
from voicepipe.frames import OutputAudioFrame

__all__ = ["LiveVoice"]

FADE_S = 0.005
"""The sound on both sides of what is left out is faded into each other for so long."""
STANDS_S = 0.25
"""A device that has taken nothing for so long stands still."""


class LiveVoice:
    """The delay of live audio: one controller with two ranges.

    It says how much has waited for longer than it needs to. With a compensator, the slow difference of two
    clocks is corrected by playing faster or slower, and never by leaving something out.

    Args:
        audio: the format of the speaker.
        block_s: seconds of audio in a block of the device.
        drift: the compensator of steady playback.
    """

    def __init__(self, audio: AudioFormat, block_s: float, drift: DriftCompensator | None = None) -> None:
        self._format = audio
        self._block_s = block_s
        self._drift = drift
        self._target_s = 0.0 if drift is None else drift.controller.target_s
        self._surplus = Surplus(block_s, follows=drift is not None)
        self._position, self._moved_s = 0, 0.0
        self._came_s = -math.inf
        self._owed = 0
        """The samples that are still to be left out of what comes."""
        self._gone = 0
        """The samples that were left out of what came, before what comes next."""
        self._head = b""
        """The first samples that were left out, to be faded into those that come behind."""

    def observe(
        self,
        frame: OutputAudioFrame,
        now_s: float,
        waiting: int,
        spare: int,
        since_s: float | None,
        position: int,
    ) -> int:
        """Look at a live frame that is to be written now; return the number of samples to leave out.

        Args:
            frame: the frame.
            now_s: the loop's time.
            waiting: the samples that wait before it.
            spare: of these, the samples that could be left out.
            since_s: the seconds since the device took a block; None if unknown.
            position: the number of samples that the device has taken.
        """
        if self._owed or self._stands_still(now_s, waiting, position):
            return 0
        wait_s, spare_s = self._format.seconds(waiting), self._format.seconds(spare)
        if since_s is not None:
            wait_s += self._block_s / 2 - since_s
        if self._drift is not None:
            if not waiting and now_s - self._came_s > GAP_S:
                wait_s = self._drift.controller.target_s  # by the silence that goes before it
            # Steady playback fills it up to its target: less than that by half the band is as good.
            spare_s = min(spare_s, wait_s - self._target_s + self._drift.controller.band_s / 2)
        self._came_s = now_s
        # A piece that comes later finds a shorter queue: only both together do not change with jitter.
        age_s = 0.0 if frame.captured_s is None else now_s - frame.captured_s
        surplus_s = self._surplus.observe(now_s, wait_s + age_s, spare_s, frame.duration_s)
        return self._format.samples(surplus_s)

    def _stands_still(self, now_s: float, waiting: int, position: int) -> bool:
        """Return True while the device takes nothing: it may be lost, or come back and take it all."""
        if position != self._position or not waiting:
            self._position, self._moved_s = position, now_s
        stands = now_s - self._moved_s > STANDS_S
        if stands:
            self._surplus.pause()
        return stands

    def correct(self, data: bytes, now_s: float, waiting: int, since_s: float | None) -> bytes:
        """Return the audio to write in place of live audio, as two clocks differ."""
        drift, surplus = self._drift, self._surplus
        if drift is None or not data:
            return data
        drift.controller.target_s = self._target_s + surplus.raised_s
        fill_s = self._format.seconds(waiting)
        return drift.process(data, now_s, fill_s, since_s=since_s, jumped=surplus.is_pending)

    # -- leaving out -----------------------------------------------------------------

    def note_left_out(self, samples: int, of: int) -> None:
        """Note that so many samples of so many were left out. The rest is, of what comes."""
        self._surplus.left_out(self._format.seconds(of))
        self._owed = of - samples

    def leave_out(self, data: bytes) -> tuple[bytes, int]:
        """Return what is left of live audio that comes, and the number of samples that are left out of it."""
        if not self._owed and not self._gone:
            return data, 0
        size = self._format.sample_bytes
        self._head = self._head or data[: self._format.samples(FADE_S) * size]
        gone = min(self._owed, len(data) // size)
        self._owed -= gone
        self._gone += gone
        rest = data[gone * size :]
        fade = min(len(self._head), len(rest))
        return crossfade(self._head[:fade], rest[:fade]) + rest[fade:], gone

    def take_gone(self) -> int:
        """Return the number of samples that `leave_out` took before what it has returned last."""
        gone, self._gone, self._head = self._gone, 0, b""
        return gone

    def adopt(self, block_s: float) -> None:
        """Play through another stream from now on."""
        self._block_s = block_s
        self.pause()

    def pause(self) -> None:
        """Look anew at what comes next: the queue was emptied, or stands still."""
        self._surplus.pause()
        self._owed, self._gone, self._head = 0, 0, b""
