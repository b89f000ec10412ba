"""What goes into the core of the canceller comes out, at its own positions, some milliseconds later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from canceller.standing import RATE, Far, LateEngine, cut_frames, sound
from voicepipe import InputAudioFrame
from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.cancelling import Cancelling
from voicepipe.speakers import Sounded, Speakers, Tapped

Ints = npt.NDArray[np.int16]
WAYS: dict[str, tuple[Sequence[int], int, int]] = {
    "blocks": ((320,), 128, 1),
    "no delay": ((320,), 0, 1),
    "small frames": ((37, 1, 90), 128, 1),
    "large frames": ((1_000, 5_000), 128, 1),
    "long delay": ((320,), 700, 1),
    "two channels": ((320, 80), 131, 2),
}


def run(
    core: Cancelling, frames: Sequence[InputAudioFrame]
) -> tuple[list[InputAudioFrame], list[InputAudioFrame]]:
    out = [each for frame in frames for each in core.put(frame)]
    return out, core.end()


def assert_same_audio(out: Sequence[InputAudioFrame], audio: Ints, missing: int = 0) -> None:
    """Check that every sample is there once, at its own position and time."""
    end = 0
    for frame in out:
        assert frame.position >= end
        end = frame.position + frame.num_samples
        assert np.array_equal(frame.array, audio[frame.position : end])
        assert frame.captured_s == pytest.approx(50.0 + frame.position / RATE)
        assert (frame.live, frame.origin, frame.num_samples > 0) == (True, "mic", True)
        if frame.ear is not None:
            assert frame.ear == replace(frame, ear=None).for_ear
    assert sum(frame.num_samples for frame in out) == len(audio) - missing


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sounding", [(), ((0, 99_999),), ((3_000, 9_000), (12_000, 13_000))], ids=str)
@pytest.mark.parametrize("gaps", [(), ((4_000, 4_321), (10_000, 14_000))], ids=str)
def test_all_samples_come_out_at_their_own_positions(
    way: str, sounding: tuple[tuple[int, int], ...], gaps: tuple[tuple[int, int], ...]
) -> None:
    sizes, delay, channels = WAYS[way]
    audio = sound(17_001, channels)
    engine = LateEngine(delay, channels)
    core = Cancelling(engine, Far(*sounding), Speakers())
    frames = cut_frames(audio, sizes, gaps)
    out, rest = run(core, frames)
    assert_same_audio([*out, *rest], audio, sum(end - begin for begin, end in gaps))
    assert core.held == 0
    assert bool(engine.calls) is bool(sounding)
    assert sum(frame.num_samples for frame in rest) < delay + engine.block


def test_frames_come_out_as_large_as_they_go_in_and_late_by_the_delay_alone() -> None:
    core = Cancelling(LateEngine(128), Far((0, 99_999)), Speakers())
    first, *others = [core.put(frame) for frame in cut_frames(sound(3_200), [320])]
    assert [(each.position, each.num_samples) for each in first] == [(0, 192)]
    for turn, made in enumerate(others, 1):
        assert [(each.position, each.num_samples) for each in made] == [(320 * turn - 128, 320)]
    assert core.held == 128


def test_frames_have_an_ear_while_something_sounds_and_the_engine_rests_otherwise() -> None:
    engine = LateEngine()
    core = Cancelling(engine, Far((3_200, 6_400)), Speakers())
    out, rest = run(core, cut_frames(sound(16_000), [320]))
    assert_same_audio([*out, *rest], sound(16_000))
    eared = [each for each in out if each.ear is not None]
    assert eared[0].position <= 3_200
    assert 6_400 - 320 <= eared[-1].position + 320 <= 6_400 + 320
    assert engine.calls <= 20 + 4
    assert not core.is_cancelling


@pytest.mark.parametrize(("known_s", "waits"), [(60.0, False), (50.0, True)])
def test_a_block_waits_for_its_reference_until_the_next_frame_at_most(known_s: float, waits: bool) -> None:
    far = Far((0, 99_999), known_s=known_s)
    core = Cancelling(LateEngine(0), far, Speakers())
    ends = []
    for frame in cut_frames(sound(1_600), [320]):
        made = core.put(frame)
        ends.append(sum(each.num_samples for each in made))
    assert ends == ([0, 320, 320, 320, 320] if waits else [320] * 5)
    assert sum(each.num_samples for each in core.end()) == (320 if waits else 0)


def test_audio_without_a_time_passes_as_it_is() -> None:
    engine = LateEngine()
    core = Cancelling(engine, Far((0, 99_999)), Speakers())
    frame = InputAudioFrame(sound(640).tobytes())
    out = [*core.put(frame), *core.end()]
    assert b"".join(each.data for each in out) == frame.data
    assert [each.captured_s for each in out] == [None] * len(out)
    assert not engine.calls


def test_it_may_be_used_again_after_an_end() -> None:
    engine = LateEngine()
    core = Cancelling(engine, Far((0, 99_999)), Speakers())
    for _ in range(2):
        out, rest = run(core, cut_frames(sound(3_333), [320]))
        assert_same_audio([*out, *rest], sound(3_333))
        assert core.end() == []


def test_the_reference_gets_each_block_of_every_tap_once() -> None:
    class Tap:
        def __init__(self, blocks: list[Tapped]) -> None:
            self.blocks = blocks

        def read(self, after: int) -> list[Tapped]:
            return [block for block in self.blocks if block.number > after]

    class Noted(Far):
        def __init__(self) -> None:
            super().__init__()
            self.got: list[tuple[object, int]] = []

        def put(self, speaker: object, block: Tapped) -> None:
            self.got.append((speaker, block.number))

    blocks = [Tapped(number, 0, RATE, 1, Sounded(bytes(20), 10 * number, 1.0)) for number in range(6)]
    one, other, far = Tap(blocks[:2]), Tap([]), Noted()
    speakers = Speakers()
    speakers.taps = (one,)
    core = Cancelling(LateEngine(), far, speakers)
    frames = cut_frames(sound(960), [320])
    core.put(frames[0])
    one.blocks, other.blocks = blocks[:4], blocks[:1]
    speakers.taps = (one, other)
    core.put(frames[1])
    core.put(frames[2])
    assert far.got == [(one, 0), (one, 1), (one, 2), (one, 3), (other, 0)]


def test_observers_see_every_block_with_its_time() -> None:
    seen: list[CancelledBlock] = []
    core = Cancelling(LateEngine(), Far((320, 640)), Speakers(), observe=seen.append)
    audio = sound(1_600)
    run(core, cut_frames(audio, [320]))
    heard = seen[:10]
    assert [block.position for block in heard] == list(range(0, 1_600, 160))
    assert b"".join(block.mic for block in heard) == audio.tobytes()
    assert [block.captured_s for block in heard] == pytest.approx([50.0 + n / 100 for n in range(10)])
    assert [block.far is not None for block in heard] == [False, False, True, True, *[False] * 6]
    assert [block.ear is not None for block in heard] == [False, False, True, True, *[False] * 6]


# -- engines that fail ---------------------------------------------------------------------


def _raise(ear: Any, words: Any) -> Any:
    raise MemoryError("no room")


FAULTS: dict[str, Callable[[Any, Any], Any]] = {
    "it raises": _raise,
    "not a number": lambda ear, words: (ear * np.nan, words),
    "the words are not a number": lambda ear, words: (ear, words * np.float32("nan")),
    "half a block": lambda ear, words: (ear[:80], words[:80]),
    "the ear has two channels": lambda ear, words: (words, words),
    "nothing": lambda ear, words: None,
    "lists": lambda ear, words: (list(ear), list(words)),
}


class FailingEngine(LateEngine):
    """Fails at its fifth block."""

    def __init__(self, fault: Callable[[Any, Any], Any], at: int = 5) -> None:
        super().__init__()
        self.fault, self.at = fault, at

    def cancel(self, mic: Ints, far: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        """Fail at that block."""
        ear, words = super().cancel(mic, far)
        return self.fault(ear, words) if self.calls == self.at else (ear, words)


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_engine_that_fails_is_told_once_and_the_audio_goes_on(fault: str, at: int) -> None:
    engine, errors = FailingEngine(FAULTS[fault], at), list[Exception]()
    core = Cancelling(engine, Far((0, 99_999)), Speakers(), on_failure=errors.append)
    out, rest = run(core, cut_frames(sound(8_000), [320]))
    assert_same_audio([*out, *rest], sound(8_000))
    assert len(errors) == 1
    assert engine.calls == at
    assert not core.is_cancelling
    assert all(each.ear is None for each in [*out[3:], *rest])


# -- losses that nobody told ---------------------------------------------------------------------


def put_all(core: Cancelling, frames: Sequence[InputAudioFrame]) -> list[int]:
    """The samples that come out with each frame."""
    return [sum(each.num_samples for each in core.put(frame)) for frame in frames]


def test_blocks_wait_while_their_time_is_in_doubt() -> None:
    far = Far((0, 99_999))
    far.doubtful = (640, 960)
    core = Cancelling(LateEngine(0), far, Speakers())
    assert put_all(core, cut_frames(sound(1_920), [320])) == [320, 320, 0, 0, 960, 320]


def test_a_doubt_that_lasts_is_waited_for_once_and_no_longer_than_100_ms() -> None:
    far = Far((0, 99_999))
    far.doubtful = tuple(range(640, 6_400, 320))
    core = Cancelling(LateEngine(0), far, Speakers())
    assert put_all(core, cut_frames(sound(3_520), [320])) == [320, 320, 0, 0, 0, 0, 0, 6 * 320, 320, 320, 320]


def test_blocks_of_before_a_doubt_do_not_wait_for_it() -> None:
    far = Far((0, 99_999), known_s=0.0)
    far.doubtful = (640,)
    core = Cancelling(LateEngine(0), far, Speakers())
    assert put_all(core, cut_frames(sound(1_600), [320])) == [0, 320, 320, 320, 320]


def test_what_waits_in_doubt_comes_out_at_the_end() -> None:
    far = Far((0, 99_999))
    far.doubtful = tuple(range(640, 6_400, 320))
    core = Cancelling(LateEngine(), far, Speakers())
    out, rest = run(core, cut_frames(sound(1_600), [320]))
    assert_same_audio([*out, *rest], sound(1_600))


class PassingEngine(LateEngine):
    """Keeps what it is told of losses."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[tuple[int, int, int]] = []
        self.fails = False

    def pass_over(self, far: npt.NDArray[np.float32], lost: int) -> None:
        """Keep the block at which it is, and the samples; or fail."""
        if self.fails:
            raise RuntimeError("no")
        assert (far == 0.5).all()
        self.passed.append((self.calls, len(far), lost))


@pytest.mark.parametrize(("lost", "blocks"), [(320, 2), (321, 3), (1, 1), (-320, 0), (99_999, 30)])
def test_an_engine_hears_what_sounded_during_a_loss_and_before(lost: int, blocks: int) -> None:
    engine, far = PassingEngine(), Far((0, 99_999))
    core = Cancelling(engine, far, Speakers())
    frames = cut_frames(sound(1_600), [160])
    for frame in frames[:4]:
        core.put(frame)
    assert engine.passed == []
    calls, far.lost = engine.calls, lost
    core.put(frames[4])
    assert engine.passed == [(calls, 4_800, blocks * 160)]


def test_an_engine_that_rests_is_told_of_no_loss() -> None:
    engine, far = PassingEngine(), Far((800, 99_999))
    core = Cancelling(engine, far, Speakers())
    far.lost = 320
    for frame in cut_frames(sound(960), [160]):
        core.put(frame)
        far.lost = 0 if frame.position == 800 else 320
    assert engine.passed == []


def test_an_engine_that_fails_at_a_loss_is_told_and_the_audio_goes_on() -> None:
    engine, far, errors = PassingEngine(), Far((0, 99_999)), list[Exception]()
    engine.fails = True
    core = Cancelling(engine, far, Speakers(), on_failure=errors.append)
    frames = cut_frames(sound(8_000), [320])
    out = core.put(frames[0])
    far.lost = 320
    more, rest = run(core, frames[1:])
    assert_same_audio([*out, *more, *rest], sound(8_000))
    assert [str(error) for error in errors] == ["no"]
