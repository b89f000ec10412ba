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
from voicepipe.drift.lateness import join
from voicepipe.drift.stretch import MOST_PPM, Stretcher

__all__ = ["DriftCompensator", "FillController"]

GAP_S = 0.5
"""After a longer pause a new stretch of sound begins."""
LIVE_S = 5.0
"""A stretch that has kept its queue short for so long is live."""
LONGEST_LIVE_S = 0.25
"""A longer piece of audio was not captured just now."""
PACE_S = 0.6
"""Live audio is never so far ahead of the time, or behind."""
FORGET_PACE_S = 60.0
"""The pace is looked at over so long: over a day, what the clocks differ by comes to 13 s."""
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
DRY_S = 0.001
"""A queue of so little has, as far as anybody can see, run dry."""
LEVEL_S = 0.015
"""A level from which a queue does not run dry unless its writer stalls."""
LONGEST_TARGET_S = 0.15
"""A stall that would need more is suffered: the delay would be worse."""
REMEMBER_S = 900.0
"""The time that a raised target stays, if no other stall needs it."""


class FillController:
    """From how full the speaker's queue is, how much faster to play.

    It is silent while the fill stays within a band around the target. When it leaves it, a PI
    controller on the smoothed fill leads it back to the target and holds it there, until the
    clocks are seen to agree again.

    Only live audio is looked at: that which came without a pause, and with a short queue, for
    five seconds. Anything else (a whole utterance at once, a producer that waits for room in the
    queue, a file that is read as fast as can be) has no drift, and gets 0.

    A queue too full after a hiccup is led back at 500 ppm less what the clocks differ by: 200 ms
    take 7 to 10 minutes, and no sample is dropped. (What is late by more than a quarter of a second a speaker
    leaves out: `voicepipe.lateness`.) A queue that ran dry has been too short for its writer's stalls: the
    target is raised to what the gap has left in it, a block, and 5 ms more, if that is at most 150 ms; it
    falls back when no stall has needed it for 15 minutes.

    A device may take several blocks at once, and then none for a while: the fill jumps with it, and
    slides to and fro, as the clocks do, between a write just before and one just behind such a jump.
    So what counts is the fill less what it would have taken since, had it gone on evenly.

    Args:
        block_s: seconds of audio in a block of the device.
        target_s: the even fill to hold, in seconds, as it is just before a write. By default a block
            and 25 ms: enough for a writer that is up to 10 ms late.
        limit_s: with such a fill, or more, audio is not live. Less than the fill at which a
            waiting writer gets room again.
    """

    def __init__(self, block_s: float = 0.02, *, target_s: float | None = None, limit_s: float = 0.4) -> None:
        block_s = check_number("block_s", block_s, at_least=0.0, at_most=1.0)
        self._block_s = block_s
        self._margin_s = block_s + 0.005
        self._least_target_s = block_s + 0.025 if target_s is None else check_seconds("target_s", target_s)
        # The fill moves by half a block with the phase between the clocks: that is no drift.
        self.band_s = block_s / 2 + 0.008
        """The distance of the fill from the target up to which it is silent."""
        self._limit_s = check_seconds("limit_s", limit_s)
        self.target_s = self._least_target_s
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
        self._ahead_s = 0.0
        self._last_s = -math.inf
        self._began_s = -math.inf
        self._smoothed_since_s = -math.inf
        self._dry_since_s: float | None = None
        self._needed_s = -math.inf
        """The time at which the raised target was last needed."""

    def even_s(self, fill_s: float, since_s: float | None) -> float:
        """Return the fill, less what the device would have taken evenly since it last took some. For one that
        takes single blocks it is the fill, on average. None: it is not known since when.
        """
        return fill_s if since_s is None else fill_s - since_s + self._block_s / 2

    def observe(
        self,
        now_s: float,
        fill_s: float,
        audio_s: float,
        *,
        since_s: float | None = None,
        captured_now: bool = False,
    ) -> float:
        """Say how to play a piece of audio that is to be written now. Returns the correction in ppm.

        Args:
            now_s: any clock that runs evenly, in seconds.
            fill_s: seconds of audio that wait before it.
            audio_s: its length in seconds.
            since_s: how long ago the device last took some; None: that is not known.
            captured_now: it is known to have been captured just now. A queue that is too long to be live,
                after a hiccup, is led back all the same.
        """
        passed_s = now_s - self._last_s
        self._last_s = now_s
        self.after_pause = passed_s > GAP_S
        short = captured_now or fill_s < self._limit_s
        if self.after_pause or not short or not self._may_be_live(passed_s, audio_s):
            self._begin(now_s)
            return 0.0
        if passed_s > 0.0:  # of pieces that come at once, the first counts: it says how long nothing came
            weight = passed_s / min(SMOOTH_S, now_s - self._smoothed_since_s)
            even_s = self.even_s(fill_s, since_s)
            self.level_s += weight * (even_s - self.level_s)
            if now_s - self._began_s >= LIVE_S and not self._learns(now_s, fill_s, even_s):
                self.ppm = self._steer(passed_s)
        return self.ppm

    def pause(self) -> None:
        """Look anew at what comes next."""
        self._last_s = -math.inf
        self._begin(-math.inf)

    def _may_be_live(self, passed_s: float, audio_s: float) -> bool:
        self._ahead_s += audio_s - passed_s - self._ahead_s * passed_s / FORGET_PACE_S
        return passed_s >= 0.0 and audio_s <= LONGEST_LIVE_S and -PACE_S < self._ahead_s < PACE_S

    def _begin(self, now_s: float) -> None:
        self._began_s = self._smoothed_since_s = now_s
        self._ahead_s = 0.0
        self._dry_since_s = None
        self.engaged = False
        self.ppm = 0.0

    def _learns(self, now_s: float, fill_s: float, even_s: float) -> bool:
        """Wait for the new level after the queue ran dry, and make that the target."""
        if self._dry_since_s is not None:
            if now_s - self._dry_since_s < LIVE_S:
                return True
            self._dry_since_s = None
            self._raise_target(now_s, self.level_s + self._margin_s)
        elif fill_s < DRY_S and self.level_s > LEVEL_S:
            self._dry_since_s = self._smoothed_since_s = now_s
            return True
        if self.level_s - even_s > self.target_s / 2:
            self._needed_s = now_s
        elif now_s - self._needed_s > REMEMBER_S:
            self.target_s = self._least_target_s
        return False

    def _raise_target(self, now_s: float, target_s: float) -> None:
        if self.target_s < target_s <= LONGEST_TARGET_S:
            self.target_s = target_s
            self._needed_s = now_s
            self._engage(target_s)

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
    """Takes every piece of audio on its way into a speaker's queue; corrects what is live.

    Idle it gives back what it got. Its books: `taken == given + held + discarded + removed`.

    Args:
        format: of the audio.
        block_s: as for `FillController`.
        target_s: as for `FillController`.
        limit_s: as for `FillController`.
    """

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002
        block_s: float = 0.02,
        *,
        target_s: float | None = None,
        limit_s: float = 0.4,
    ) -> None:
        self.controller = FillController(block_s, target_s=target_s, limit_s=limit_s)
        self._stretcher = Stretcher(format)
        self._bytes_per_s = format.rate * format.sample_bytes
        self._cushions = 0
        """Samples of silence that were put before live sound."""
        self._last = bytes(format.sample_bytes)
        """Of what was taken, while what follows it is left out: the sample to join the next one to."""
        self._skips = False

    def process(
        self, data: bytes, now_s: float, fill_s: float, *, since_s: float | None = None, live: bool = False
    ) -> bytes:
        """Return what to write in place of `data`, now.

        Args:
            data: one frame's audio.
            now_s: as for `FillController.observe`.
            fill_s: as for `FillController.observe`.
            since_s: as for `FillController.observe`.
            live: it is known to have been captured just now. Then silence goes before it, where
                nothing is being played: what the even fill lacks of the target. Without it the queue
                is filled up by playing slower, which takes a minute.
        """
        controller = self.controller
        audio_s = len(data) / self._bytes_per_s
        if self._skips:
            self._skips = False
            data = join(self._last, data, self._stretcher.format)
        self._last = data[-self._stretcher.format.sample_bytes :]
        ppm = controller.observe(now_s, fill_s, audio_s, since_s=since_s, captured_now=live)
        if controller.after_pause and fill_s <= 0.0:
            lacks_s = controller.target_s - controller.even_s(fill_s, since_s) if live else 0.0
            return self._before(max(0.0, lacks_s)) + self._stretcher.process(data, ppm)
        return self._stretcher.process(data, ppm)

    def excess_s(self, fill_s: float, since_s: float | None) -> float:
        """Return the surplus in the queue, in seconds; negative: it lacks. Arguments as for `process`."""
        return max(0.0, self.controller.even_s(fill_s, since_s)) - self.controller.target_s

    def skip(self) -> None:
        """Skip a piece: what comes next begins a new stretch, and is joined without a step."""
        self.controller.pause()
        self._skips = True

    def flush(self) -> bytes:
        """Return what is still inside, when nothing more comes: at most 16 samples."""
        return self._stretcher.flush()

    def reset(self) -> int:
        """Forget what is inside, for the queue was emptied. Returns the number of samples."""
        self.controller.pause()
        self._last = bytes(self._stretcher.format.sample_bytes)
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
