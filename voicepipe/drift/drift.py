"""A microphone's clock and a speaker's are not the same: how a speaker keeps its queue from creeping.

Audio that is played as it is captured comes at the microphone's rate and goes at the speaker's.
Crystals differ by up to 150 parts in a million (ppm), which is half a second in an hour: without
more ado the queue before the speaker grows for ever, or runs dry. So its fill is held by playing
a little faster or slower: at most 500 ppm, 0.87 cents of pitch, which nobody hears.
"""

from __future__ import annotations

import math

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number, check_seconds
from voicepipe.drift.stretch import MOST_PPM, Stretcher

__all__ = ["DriftCompensator", "FillController"]

GAP_S = 0.5
"""After a longer pause a new stretch of sound begins."""
BEGIN_S = 5.0
"""It is only watched at first, for so long."""
SMOOTH_S = 8.0
"""The fill is smoothed over so long. Jitter and the beat of two block sizes take milliseconds to
seconds and vanish; the loop below is ten times slower, so that it remains stable."""
PPM_PER_S = 500.0 / 0.030
"""Correction for each second of fill too much: it closes a gap with a time constant of 60 s."""
PPM_PER_S_S = PPM_PER_S**2 * 1e-6 / 4
"""And for each second of it each second: critical damping. It learns what the clocks differ by."""
CALM_S = 60.0
CALM_PPM = 2.0
"""Clocks agree that on average need so little over that time."""


class FillController:
    """From how full the speaker's queue is, how much faster to play live audio.

    It is silent while the fill stays within a band around the target. When it leaves it, a PI
    controller on the smoothed fill leads it back to the target and holds it there, until the
    clocks are seen to agree again. What a standstill has made late is left out (`voicepipe.drift.surplus`);
    it is no drift.

    A device may take several blocks at once, and then none for a while: the fill jumps with it, and
    slides to and fro, as the clocks do, between a write just before and one just behind such a jump.
    So what counts is the fill less what it would have taken since, had it gone on evenly.

    Args:
        block_s: seconds of audio in a block of the device.
        target_s: the even fill to hold, in seconds, as it is just before a write. By default a block
            and 25 ms: enough for a writer that is up to 10 ms late.
    """

    def __init__(self, block_s: float = 0.02, *, target_s: float | None = None) -> None:
        self._block_s = block_s = check_number("block_s", block_s, at_least=0.0, at_most=1.0)
        # The fill moves by half a block with the phase between the clocks: that is no drift.
        self.band_s = block_s / 2 + 0.008
        """The distance of the fill from the target up to which it is silent."""
        self.target_s = block_s + 0.025 if target_s is None else check_seconds("target_s", target_s)
        """The fill to hold."""
        self.level_s = 0.0
        """The even fill, smoothed."""
        self.ppm = 0.0
        """The present correction: positive plays faster. From -500 to 500."""
        self.engaged = False
        """True while it corrects."""
        self._learned_ppm = 0.0
        """The difference between the clocks. Kept over pauses: the clocks stay the same."""
        self._average_ppm = 0.0
        self.after_pause = False
        """The last piece was the first after a pause."""
        self._last_s = -math.inf
        self._began_s = -math.inf
        self._smoothed_since_s = -math.inf

    def even_s(self, fill_s: float, since_s: float | None) -> float:
        """Return the fill, less what the device would have taken evenly since it last took some. For one that
        takes single blocks it is the fill, on average. None: it is not known since when.
        """
        return fill_s if since_s is None else fill_s - since_s + self._block_s / 2

    def observe(self, now_s: float, fill_s: float, *, since_s: float | None = None) -> float:
        """Say how to play a piece of live audio that is to be written now. Returns the correction in ppm.

        Args:
            now_s: any clock that runs evenly, in seconds.
            fill_s: seconds of audio that wait before it.
            since_s: how long ago the device last took some; None: that is not known.
        """
        passed_s = now_s - self._last_s
        self._last_s = now_s
        self.after_pause = passed_s > GAP_S
        if self.after_pause:
            self._begin(now_s)
        elif passed_s > 0.0:  # of pieces that come at once, the first counts: it says how long nothing came
            even_s = self.even_s(fill_s, since_s)
            since_begin_s = now_s - self._smoothed_since_s
            weight = passed_s / min(SMOOTH_S, since_begin_s) if since_begin_s > 0.0 else 1.0
            self.level_s += min(1.0, weight) * (even_s - self.level_s)
            if now_s - self._began_s >= BEGIN_S:
                self.ppm = self._steer(passed_s)
        return self.ppm

    def hold(self, now_s: float) -> float:
        """Go on as before, for the fill is in a jump that is no drift; look anew at the fill behind it."""
        self.after_pause = False
        self._last_s = self._smoothed_since_s = now_s
        return self.ppm

    def pause(self) -> None:
        """Look anew at what comes next."""
        self._last_s = -math.inf
        self._begin(-math.inf)

    def _begin(self, now_s: float) -> None:
        self._began_s = self._smoothed_since_s = now_s
        self.engaged = False
        self.ppm = 0.0

    def _engage(self, error_s: float) -> None:
        if not self.engaged:
            self.engaged = True
            self._average_ppm = math.copysign(MOST_PPM, error_s)

    def _steer(self, passed_s: float) -> float:
        error_s = self.level_s - self.target_s
        if not self.engaged:
            if abs(error_s) <= self.band_s:
                return 0.0
            self._engage(error_s)
        wish = PPM_PER_S * error_s + self._learned_ppm
        ppm = max(-MOST_PPM, min(MOST_PPM, wish))
        if ppm == wish:  # at its limit it learns nothing about the clocks
            self._learned_ppm += PPM_PER_S_S * error_s * passed_s
        self._average_ppm += (ppm - self._average_ppm) * min(1.0, passed_s / CALM_S)
        if self._is_calm(error_s):
            self.engaged = False
            return 0.0
        return ppm

    def _is_calm(self, error_s: float) -> bool:
        small = abs(self._average_ppm) < CALM_PPM and abs(self._learned_ppm) < CALM_PPM
        return small and abs(error_s) < self.band_s / 2


class DriftCompensator:
    """Takes every piece of live audio on its way into a speaker's queue, and corrects it.

    Idle it gives back what it got. Its books: `taken == given + held + discarded + removed`.

    Args:
        format: of the audio.
        block_s: as for `FillController`.
        target_s: as for `FillController`.
    """

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002
        block_s: float = 0.02,
        *,
        target_s: float | None = None,
    ) -> None:
        self.controller = FillController(block_s, target_s=target_s)
        self._stretcher = Stretcher(format)
        self._told = 0
        self._cushions = 0
        """Samples of silence that were put before live sound."""

    def process(
        self, data: bytes, now_s: float, fill_s: float, *, since_s: float | None = None, jumped: bool = False
    ) -> bytes:
        """Return what to write in place of `data`, now.

        Where nothing is being played, silence goes before it: what the even fill lacks of the target. Without
        it the queue would be filled up by playing slower, which takes a minute.

        Args:
            data: one frame's audio.
            now_s: as for `FillController.observe`.
            fill_s: as for `FillController.observe`.
            since_s: as for `FillController.observe`.
            jumped: the fill has grown by a standstill, which is no drift.
        """
        controller = self.controller
        if jumped:
            return self._stretcher.process(data, controller.hold(now_s))
        ppm = controller.observe(now_s, fill_s, since_s=since_s)
        if controller.after_pause and fill_s <= 0.0:
            lacks_s = controller.target_s - controller.even_s(fill_s, since_s)
            return self._before(max(0.0, lacks_s)) + self._stretcher.process(data, ppm)
        return self._stretcher.process(data, ppm)

    def flush(self) -> bytes:
        """Return what is still inside, when nothing more comes: at most 16 samples."""
        return self._stretcher.flush()

    def finish(self, data: bytes) -> bytes:
        """Return what to write in place of the last piece, and of what is inside."""
        return (self._stretcher.process(data, self.controller.ppm) if data else b"") + self.flush()

    def take_removed(self) -> int:
        """Return the samples removed since the last call; negative: that were made."""
        removed, self._told = self.removed - self._told, self.removed
        return removed

    def reset(self) -> int:
        """Forget what is inside, for the queue was emptied. Returns the number of samples."""
        self.controller.pause()
        return self._stretcher.reset()

    def _before(self, silence_s: float) -> bytes:
        """Return what goes before the first piece of a stretch."""
        audio = self._stretcher.format
        samples = audio.samples(silence_s)
        self._cushions += samples
        return self._stretcher.flush() + bytes(samples * audio.sample_bytes)

    @property
    def engaged(self) -> bool:
        """Audio goes through the resampler; else it passes as it is."""
        return self._stretcher.engaged

    @property
    def ppm(self) -> float:
        """The present correction of what is played: positive plays faster."""
        return self._stretcher.ppm

    @property
    def taken(self) -> int:
        """Samples that came in."""
        return self._stretcher.taken

    @property
    def given(self) -> int:
        """Samples that went out."""
        return self._stretcher.given + self._cushions

    @property
    def held(self) -> int:
        """Samples inside."""
        return self._stretcher.held

    @property
    def discarded(self) -> int:
        """Samples that `reset` took."""
        return self._stretcher.discarded

    @property
    def removed(self) -> int:
        """Samples that were taken out of the sound so far; negative: that were made."""
        return self.taken - self.given - self.held - self.discarded
