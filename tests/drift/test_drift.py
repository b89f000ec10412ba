"""Two clocks: the controller in a world of two clocks, and what the stretcher does to sound."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from long.drift_day import World, live
from voicepipe.audio.format import AudioFormat
from voicepipe.drift.drift import DriftCompensator, FillController
from voicepipe.drift.stretch import AHEAD, SLEW_PPM_PER_S, Stretcher

Samples = npt.NDArray[np.int16]
RATE = 16_000
BLOCK_S = 0.02
TARGET_S = 0.045
MIXTURES = [(0.02, 0.02, 0.0), (0.01, 0.032, 0.01), (0.032, 0.01, 0.003), (0.01, 0.02, 0.01)]
"""Blocks of the microphone, blocks of the speaker, and how late a write may be, in seconds."""


# -- the controller --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ppm", "mixture"),
    [(ppm, mixture) for ppm in (-150, 150) for mixture in MIXTURES]
    + [(-50, MIXTURES[1]), (50, MIXTURES[2]), (-5, MIXTURES[3]), (5, MIXTURES[0])],
)
@pytest.mark.heavy
def test_for_two_hours_the_fill_is_held(ppm: float, mixture: tuple[float, float, float]) -> None:
    figures = live(World(ppm, *mixture, seed=1), hours=2)
    assert figures.kept, figures
    assert figures.early_underruns == 0
    assert figures.engaged_s > 0


@pytest.mark.heavy
@pytest.mark.parametrize("mixture", MIXTURES)
def test_while_the_clocks_agree_nothing_is_corrected(mixture: tuple[float, float, float]) -> None:
    figures = live(World(0, *mixture, seed=2), hours=1)
    assert figures.kept, figures
    assert figures.engaged_s == 0


@pytest.mark.parametrize("ppm", [-150, 0, 150])
@pytest.mark.heavy(after=1)
def test_without_a_cushion_the_queue_is_filled_up_within_a_minute(ppm: float) -> None:
    figures = live(World(ppm, jitter_s=0.003, cushion=False, seed=3), hours=0.5)
    assert figures.kept, figures


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("writes_s", "reads_s", "blocks"), [(0.06, 0.06, 6), (0.02, 0.06, 3), (0.02, 0.02, 1)]
)
@pytest.mark.parametrize("ppm", [-60, 60])
def test_the_latency_does_not_slide_with_the_phase_of_the_clocks(
    ppm: float, writes_s: float, reads_s: float, blocks: int
) -> None:
    """A device takes several blocks at once: how many wait before a write slides by as much, and back."""
    figures = live(World(ppm, writes_s, reads_s, blocks=blocks, seed=5), hours=1)
    assert figures.kept, figures
    assert figures.most_latency_s - figures.least_latency_s < 0.002, figures


@pytest.mark.heavy
@pytest.mark.parametrize("ppm", [-150, 150])
def test_stalls_leave_the_fill_as_it_was(ppm: float) -> None:
    figures = live(World(ppm, jitter_s=0.003, stall_s=0.1, seed=4), hours=0.5)
    assert figures.early_underruns > 0
    assert figures.held, figures


@pytest.mark.heavy
def test_without_the_controller_the_queue_creeps_or_runs_dry() -> None:
    class Idle(FillController):
        def _steer(self, passed_s: float) -> float:
            return 0.0

    assert live(World(-150), 0.5, Idle()).underruns > 0
    assert live(World(150), 0.5, Idle()).most_level > 2


class Queue:
    """A queue that is written every 20 ms, whose fill moves by the difference of the clocks."""

    def __init__(self, controller: FillController, fill_s: float = TARGET_S) -> None:
        self.controller = controller
        self.now_s = 0.0
        self.fill_s = fill_s

    def run(self, seconds: float, clocks_ppm: float) -> Iterator[float]:
        """The corrections."""
        for _ in range(round(seconds / BLOCK_S)):
            ppm = self.controller.observe(self.now_s, self.fill_s)
            self.now_s += BLOCK_S
            self.fill_s += BLOCK_S * (clocks_ppm - ppm) * 1e-6
            yield ppm


@pytest.mark.parametrize("clocks_ppm", [-150, 0, 150])
@pytest.mark.heavy(after=1)
def test_a_hiccup_of_200_ms_is_steered_back_within_ten_minutes(clocks_ppm: float) -> None:
    queue = Queue(FillController(BLOCK_S))
    list(queue.run(600, clocks_ppm))
    queue.fill_s += 0.2
    assert max(queue.run(600, clocks_ppm)) == 500
    assert queue.fill_s - TARGET_S < 0.02
    list(queue.run(300, clocks_ppm))
    assert abs(queue.fill_s - TARGET_S) < 0.02


def test_when_the_clocks_agree_again_it_lets_go() -> None:
    queue = Queue(FillController(BLOCK_S))
    assert list(queue.run(1200, 150))[-1] == pytest.approx(150, abs=5)
    list(queue.run(1800, 0))
    assert not queue.controller.engaged
    assert set(queue.run(60, 0)) == {0.0}


def test_the_correction_finds_the_difference_and_stays_there() -> None:
    queue = Queue(FillController(BLOCK_S))
    late = list(queue.run(3600, -80))[-10_000:]
    assert queue.fill_s == pytest.approx(TARGET_S, abs=0.001)
    assert min(late) == pytest.approx(-80, abs=1)
    assert max(late) == pytest.approx(-80, abs=1)


def test_what_is_learned_is_kept_over_a_pause() -> None:
    queue = Queue(FillController(BLOCK_S))
    list(queue.run(1200, 150))
    queue.now_s += 10
    queue.fill_s = TARGET_S
    corrections = list(queue.run(300, 150))
    assert corrections[0] == 0.0
    assert corrections[-1] == pytest.approx(150, abs=100)


def test_a_target_may_be_given() -> None:
    queue = Queue(FillController(BLOCK_S, target_s=0.1), fill_s=0.05)
    list(queue.run(3600, 20))
    assert queue.fill_s == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("block_s", [-0.1, 2, math.nan])
def test_a_block_out_of_bounds_is_refused(block_s: float) -> None:
    with pytest.raises(ValueError, match="block_s"):
        FillController(block_s)


# -- the stretcher -----------------------------------------------------------------------


def tone(seconds: float, hz: float = 440.0, amplitude: float = 16_000, rate: int = RATE) -> Samples:
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )


def noise(count: int, channels: int = 1) -> Samples:
    return np.random.default_rng(0).integers(-32_768, 32_768, (count, channels)).astype(np.int16)


def stretched(stretcher: Stretcher, audio: Samples, ppm: float, block: int = 320) -> Samples:
    parts = [stretcher.process(audio[at : at + block].tobytes(), ppm) for at in range(0, len(audio), block)]
    return np.frombuffer(b"".join(parts), np.int16).reshape(-1, stretcher.format.channels)


def sharpest(audio: Samples) -> int:
    """The largest second difference: a click stands out in it."""
    return int(np.abs(np.diff(audio.ravel().astype(np.int64), 2)).max())


@pytest.mark.parametrize("channels", [1, 2])
def test_idle_every_byte_passes_as_it_is_and_at_once(channels: int) -> None:
    stretcher = Stretcher(AudioFormat(RATE, channels))
    audio = noise(5_000, channels)
    for size in (0, 1, 2, 14, 15, 16, 17, 320, 2_000):
        data = audio[:size].tobytes()
        assert stretcher.process(data, 0.0) == data
    assert (stretcher.held, stretcher.removed, stretcher.engaged) == (0, 0, False)


@pytest.mark.parametrize("hz", [100.0, 440.0, 3_000.0])
@pytest.mark.heavy(after=1)
def test_engaging_slewing_and_letting_go_make_no_click(hz: float) -> None:
    audio = tone(40, hz)
    stretcher = Stretcher(AudioFormat())
    second = RATE
    out = [stretched(stretcher, audio[:second], 0.0)]
    for at, ppm in ((1, 300.0), (10, -500.0), (25, 0.0)):
        assert at == 1 or stretcher.engaged
        end = {1: 10, 10: 25, 25: 40}[at]
        out.append(stretched(stretcher, audio[at * second : end * second], ppm))
    assert not stretcher.engaged
    # The tone may be 500 ppm higher, which is 0.1% in the second difference; and there is rounding.
    assert sharpest(np.concatenate(out)) <= sharpest(audio) * 1.001 + 3
    assert len(np.concatenate(out)) == len(audio) - stretcher.removed


def test_after_it_let_go_bytes_pass_as_they_are_again() -> None:
    stretcher = Stretcher(AudioFormat())
    audio = tone(30)
    stretched(stretcher, audio[:RATE], 200.0)
    stretched(stretcher, audio, 0.0)
    data = noise(320).tobytes()
    assert not stretcher.engaged
    assert stretcher.process(data, 0.0) == data


@pytest.mark.parametrize("ppm", [-500.0, -150.0, 5.0, 500.0])
@pytest.mark.heavy(after=1)
def test_pitch_and_length_change_by_what_was_asked_and_nothing_is_added(ppm: float) -> None:
    stretcher = Stretcher(AudioFormat())
    stretched(stretcher, tone(12, 1_000), ppm)  # until it has got there
    assert stretcher.ppm == ppm
    audio = tone(20, 1_000)
    before = stretcher.removed
    out = stretched(stretcher, audio, ppm)[RATE:, 0].astype(np.float64)
    assert stretcher.removed - before == pytest.approx(len(audio) * ppm * 1e-6, abs=1.1)
    at = 2 * np.pi * 1_000 * (1 + ppm * 1e-6) * np.arange(len(out)) / RATE
    waves = np.stack([np.sin(at), np.cos(at)], axis=1)
    rest = out - waves @ np.linalg.lstsq(waves, out, rcond=None)[0]
    assert 20 * np.log10(rest.std() / out.std()) < -85


def test_the_correction_moves_by_50_ppm_a_second() -> None:
    stretcher = Stretcher(AudioFormat())
    data = tone(0.02).tobytes()
    seen = [0.0]
    for ppm in [500.0] * 600 + [-500.0] * 1_100:
        stretcher.process(data, ppm)
        seen.append(stretcher.ppm)
    assert np.abs(np.diff(seen)).max() <= SLEW_PPM_PER_S * 0.021
    assert max(seen) == 500
    assert seen[-1] == -500


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.heavy(after=1)
def test_what_comes_out_hardly_depends_on_how_it_is_cut(channels: int) -> None:
    audio = np.repeat(tone(0.3, 300)[:, None], channels, axis=1)
    whole = stretched(Stretcher(AudioFormat(RATE, channels)), audio, 100.0, 320)
    for block in (1, 2, 7, 16, 480):
        cut = stretched(Stretcher(AudioFormat(RATE, channels)), audio, 100.0, block)
        assert abs(len(cut) - len(whole)) <= 1
        both = min(len(cut), len(whole))
        assert np.abs(cut[:both].astype(int) - whole[:both]).max() <= 20


@pytest.mark.parametrize("block", [1, 17, 320, 100_000])
@pytest.mark.heavy
def test_no_sample_is_lost(block: int) -> None:
    stretcher = Stretcher(AudioFormat(RATE, 2))
    audio = noise(20_000, 2)
    out = [
        stretched(stretcher, audio[:5_000], 0.0, block),
        stretched(stretcher, audio[5_000:], -400.0, block),
    ]
    assert 0 < stretcher.held <= AHEAD + 1
    assert stretcher.taken == stretcher.given + stretcher.held + stretcher.removed
    rest = np.frombuffer(stretcher.flush(), np.int16).reshape(-1, 2)
    given = np.concatenate([*out, rest])
    assert (stretcher.held, stretcher.taken, stretcher.given) == (0, len(audio), len(given))
    assert stretcher.taken == stretcher.given + stretcher.removed
    assert stretcher.flush() == b""


def test_silence_stays_silence_and_channels_stay_apart() -> None:
    audio = np.stack([np.zeros(16_000, np.int16), tone(1)], axis=1)
    out = stretched(Stretcher(AudioFormat(RATE, 2)), audio, 300.0)
    assert not out[:, 0].any()
    assert out[:, 1].any()


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(32_000) // 25 % 2, 32_767, -32_768).astype(np.int16)
    out = stretched(Stretcher(AudioFormat()), square, 500.0)[:, 0]
    assert int(np.max(out)) == 32_767
    assert int(np.min(out)) == -32_768
    # A wrapped sample would stand alone on the other side of its neighbours.
    assert not np.any((out[1:-1] < -20_000) & (out[:-2] > 20_000) & (out[2:] > 20_000))
    assert not np.any((out[1:-1] > 20_000) & (out[:-2] < -20_000) & (out[2:] < -20_000))


def test_reset_forgets_what_is_inside() -> None:
    stretcher = Stretcher(AudioFormat())
    stretched(stretcher, tone(1), 300.0)
    held = stretcher.held
    assert held > 0
    assert stretcher.reset() == stretcher.discarded == held
    assert stretcher.taken == stretcher.given + stretcher.discarded + stretcher.removed
    data = noise(100).tobytes()
    assert stretcher.process(data, 0.0) == data


def test_a_correction_out_of_bounds_is_refused_and_changes_nothing() -> None:
    stretcher = Stretcher(AudioFormat())
    with pytest.raises(ValueError, match=re.escape("ppm must be a finite number from -500 to 500, not 501")):
        stretcher.process(b"\0\0", 501)
    assert (stretcher.taken, stretcher.engaged) == (0, False)


# -- both together -----------------------------------------------------------------------


def test_idle_the_compensator_gives_back_what_it_got() -> None:
    compensator = DriftCompensator(AudioFormat(), BLOCK_S)
    data = noise(320).tobytes()
    assert all(compensator.process(data, n * BLOCK_S, TARGET_S) == data for n in range(1_000))
    assert (compensator.held, compensator.removed, compensator.engaged) == (0, 0, False)


def test_a_cushion_goes_before_live_audio_after_every_pause() -> None:
    compensator = DriftCompensator(AudioFormat(), BLOCK_S)
    data, cushion = noise(320).tobytes(), bytes(2 * 720)
    assert compensator.process(data, 0.0, 0.0) == cushion + data
    assert compensator.process(data, 0.02, 0.045) == data
    assert compensator.process(data, 9.0, 0.0) == cushion + data
    assert compensator.removed == -2 * 720
    compensator.reset()
    assert compensator.process(data, 9.02, 0.0) == cushion + data
    assert compensator.taken == compensator.given + compensator.held + compensator.removed


def test_a_fast_file_gets_one_cushion_at_most() -> None:
    compensator = DriftCompensator(AudioFormat(), BLOCK_S)
    for n in range(1_000):
        compensator.process(bytes(640), n * 0.001, 0.0)
    assert compensator.removed == -720


@pytest.mark.heavy
@pytest.mark.parametrize("clocks_ppm", [-150, 150])
def test_a_tone_between_two_clocks_is_heard_without_a_click(clocks_ppm: float) -> None:
    compensator = DriftCompensator(AudioFormat(8_000), BLOCK_S)
    seconds = 500
    audio, block = tone(seconds, 300, rate=8_000), 160
    fill, least, out = 0.0, math.inf, []
    for at in range(0, len(audio), block):
        # In the microphone's time: of its block the speaker plays a little more or less.
        part = compensator.process(audio[at : at + block].tobytes(), at / 8_000, fill / 8_000)
        fill += len(part) // 2 - block * (1 - clocks_ppm * 1e-6)
        least = min(least, fill)
        out.append(part)
    assert compensator.engaged
    assert compensator.ppm == pytest.approx(clocks_ppm, abs=100)
    assert least / 8_000 > 0.25 * TARGET_S
    assert fill / 8_000 < 2 * TARGET_S
    heard = np.frombuffer(b"".join([*out, compensator.flush()]), np.int16)[360:]
    assert sharpest(heard[:-100]) <= sharpest(audio) * 1.001 + 3
    assert compensator.taken == len(audio) == compensator.given + compensator.removed
