"""What the user said in one piece, sample for sample."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from speech.test_vad import CUTS, LoudIsSpeech, babble, cut, sample, tone
from support.stages import DOWN, UP, Ends
from voicepipe import (
    Frame,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    TextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.speech.utterance import UtteranceCollector
from voicepipe.speech.vad import LOOK_BACK_S, VADProcessor

Ints = npt.NDArray[np.int16]
RATE = 8_000


def started(position: int) -> Frame:
    return UserStartedSpeakingFrame(position)


def stopped(position: int) -> Frame:
    return UserStoppedSpeakingFrame(position)


def numbered(begin: int, end: int) -> Ints:
    """Samples that say where they are."""
    return (np.arange(begin, end) % 32_749).astype(np.int16)


def heard(begin: int, end: int, size: int = 80) -> list[InputAudioFrame]:
    return list(cut(numbered(begin, end), [size], RATE, at=begin))


def collecting(**options: Any) -> UtteranceCollector:
    """Half a second before the speech, where nothing else is asked for."""
    return UtteranceCollector(**{"preroll_s": 0.5, **options})


def process(stage: UtteranceCollector, frames: Iterable[Frame]) -> list[UtteranceFrame]:
    out = [out for frame in frames for out in stage.process(frame, DOWN)]
    return [frame for frame in out if isinstance(frame, UtteranceFrame)]


def bounds(utterances: Iterable[Frame]) -> list[tuple[int, int]]:
    """From where to where; every sample of it must be the right one."""
    found = []
    for utterance in utterances:
        assert isinstance(utterance, UtteranceFrame)
        begin, end = utterance.position, utterance.position + utterance.num_samples
        assert np.array_equal(utterance.array[:, 0], numbered(begin, end))
        assert utterance.captured_s == pytest.approx(100 + begin / RATE)
        found.append((begin, end))
    return found


# What passes, and where the utterance comes


def test_every_frame_passes_as_it_is() -> None:
    stage = collecting()
    frames: list[Frame] = [
        *heard(0, 160),
        TextFrame("a"),
        OutputAudioFrame(bytes(20)),
        InputAudioFrame(b"", RATE, position=160),
        stopped(3),
        started(100),
    ]
    for frame in frames:
        for direction in (UP, DOWN):
            assert list(stage.process(frame, direction)) == [frame]


def test_an_utterance_comes_right_behind_the_end_of_the_speech() -> None:
    stage = collecting()
    process(stage, [*heard(0, 16_000), started(8_000), *heard(16_000, 32_000)])
    end = stopped(20_000)
    out = list(stage.process(end, DOWN))
    assert out[0] is end
    # 0.5 s before the speech, 0.3 s behind it.
    assert bounds(out[1:]) == [(4_000, 22_400)]


def test_what_travels_up_and_what_others_say_is_not_collected() -> None:
    stage = collecting()
    audio = heard(0, 1_600)[0]
    stage.process(audio, UP)
    assert stage.held == 0
    process(stage, heard(0, 1_600))
    process(stage, [OutputAudioFrame.of(audio)])
    assert stage.held == 1_600
    stage.process(started(0), UP)
    assert not stage.collecting
    process(stage, [started(0)])
    stage.process(stopped(800), UP)
    assert stage.collecting


@pytest.mark.parametrize("size", [1, 7, 80, 1_000, 32_000])
def test_it_has_the_same_samples_however_they_came(size: int) -> None:
    stage = collecting()
    frames = heard(5_000, 37_000, size)
    middle = (16_000 + size - 1) // size
    out = process(stage, [*frames[:middle], started(14_000), *frames[middle:], stopped(20_001)])
    assert bounds(out) == [(10_000, 22_401)]


# Its edges


def test_there_is_no_more_before_the_speech_than_was_heard() -> None:
    stage = collecting()
    assert bounds(process(stage, [*heard(700, 16_000), started(1_500), stopped(3_000)])) == [(700, 5_400)]


def test_there_is_no_more_behind_the_speech_than_was_heard() -> None:
    stage = collecting(tail_s=10)
    assert bounds(process(stage, [*heard(0, 16_000), started(8_000), stopped(9_000)])) == [(4_000, 16_000)]


def test_without_preroll_and_tail_it_is_the_speech_alone() -> None:
    stage = collecting(preroll_s=0, tail_s=0)
    assert bounds(process(stage, [*heard(0, 16_000), started(8_001), stopped(9_003)])) == [(8_001, 9_003)]


def test_utterances_do_not_overlap() -> None:
    stage = collecting()
    out = process(
        stage,
        [
            *heard(0, 16_000),
            started(8_000),
            stopped(9_000),
            started(12_000),
            *heard(16_000, 24_000),
            stopped(20_000),
        ],
    )
    assert bounds(out) == [(4_000, 11_400), (11_400, 22_400)]


def test_a_start_outside_of_what_is_kept_is_taken_at_its_edge() -> None:
    stage = collecting(preroll_s=0, tail_s=0)
    frames = [*heard(4_000, 8_000), started(1), stopped(5_000), started(10**9), *heard(8_000, 12_000)]
    # What is said to begin in a billion samples has not begun when it ends.
    assert bounds(process(stage, [*frames, stopped(11_000)])) == [(4_000, 5_000)]


def test_speech_of_no_length_is_no_utterance() -> None:
    stage = collecting(preroll_s=0, tail_s=0)
    assert not process(
        stage, [*heard(0, 8_000), started(5_000), stopped(5_000), started(6_000), stopped(100)]
    )
    assert not stage.collecting


def test_facts_out_of_turn_change_nothing() -> None:
    stage = collecting(preroll_s=0, tail_s=0)
    assert not process(stage, [stopped(100), stopped(200)])
    assert not stage.collecting
    frames = [*heard(0, 8_000), stopped(700), started(1_000), started(3_000), stopped(5_000), stopped(7_000)]
    assert bounds(process(stage, frames)) == [(1_000, 5_000)]


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (RATE, 2)])
def test_a_gap_or_another_format_ends_an_utterance_before_it(rate: int, channels: int) -> None:
    for behind in (
        InputAudioFrame(bytes(80), RATE, 1, 20_000),
        InputAudioFrame(bytes(80), RATE, 1, 0),
        InputAudioFrame(bytes(80), rate, channels, 16_000),
    ):
        stage = collecting()
        assert not process(stage, [*heard(0, 16_000), started(8_000)])
        utterance, last = stage.process(behind, DOWN)
        assert bounds([utterance]) == [(4_000, 16_000)]
        assert last is behind
        assert not stage.collecting
        assert not process(stage, [stopped(12_000)])


def test_an_utterance_does_not_reach_back_across_a_gap() -> None:
    stage = collecting()
    frames = [*heard(0, 8_000), *heard(9_000, 16_000), started(9_500), stopped(12_000)]
    assert bounds(process(stage, frames)) == [(9_000, 14_400)]


def test_it_has_the_format_of_what_was_heard() -> None:
    random = np.random.default_rng(1)
    audio = random.integers(-30_000, 30_000, (48_000, 2)).astype(np.int16)
    stage = collecting(preroll_s=0.1, tail_s=0)
    (utterance,) = process(stage, [*cut(audio, [480], 48_000, 2), started(9_600), stopped(20_000)])
    assert (utterance.rate, utterance.channels, utterance.position) == (48_000, 2, 4_800)
    assert utterance.captured_s == pytest.approx(100.1)
    assert np.array_equal(utterance.array, audio[4_800:20_000])


def test_where_nobody_knows_when_it_was_captured_an_utterance_says_so() -> None:
    stage = collecting()
    frame = InputAudioFrame(bytes(1_600), RATE)
    assert [u.captured_s for u in process(stage, [frame, started(100), stopped(300)])] == [None]


# Long speech


def with_a_hush(begin: int, end: int, *hushes: int) -> Ints:
    """Loud audio that says where it is, but for 60 ms of quiet around each hush."""
    audio = 8_000 + numbered(begin, end) % 1_000
    for hush in hushes:
        audio[hush - begin - 240 : hush - begin + 240] //= 100
    return audio.astype(np.int16)


@pytest.mark.parametrize("size", [7, 80, 5_000, 80_000])
def test_long_speech_comes_in_parts_with_nothing_lost_and_nothing_twice(size: int) -> None:
    stage = collecting(max_s=1, preroll_s=0.25)
    frames = [*heard(0, 4_000, size), started(3_000), *heard(4_000, 84_000, size)]
    parts = [*process(stage, frames), *process(stage, [stopped(83_000)])]
    found = bounds(parts)
    assert found[0][0] == 1_000
    assert found[-1][1] == 84_000
    assert all(end == begin for (_, end), (begin, _) in pairwise(found))
    assert all(5_333 <= end - begin <= 8_000 for begin, end in found[:-1])


@pytest.mark.parametrize("size", [7, 80, 5_000])
@pytest.mark.parametrize("hush", [5_600, 6_500, 7_600])
def test_long_speech_is_cut_at_its_quietest_place(hush: int, size: int) -> None:
    stage = collecting(max_s=1, preroll_s=0)
    audio = with_a_hush(0, 16_000, 2_000, hush)
    frames = list(cut(audio, [size], RATE))
    first, *_ = process(stage, [frames[0], started(0), *frames[1:]])
    assert first.position == 0
    assert abs(first.num_samples - hush) <= 160


def test_a_part_comes_as_soon_as_there_is_more() -> None:
    stage = collecting(max_s=1, preroll_s=0)
    assert not process(stage, [*heard(0, 800), started(0), *heard(800, 8_000)])
    assert not process(stage, heard(8_000, 8_001))  # a fact about this frame may still come behind it
    (more,) = heard(8_001, 8_002)
    utterance, frame = stage.process(more, DOWN)
    assert frame is more
    ((begin, end),) = bounds([utterance])
    assert begin == 0
    assert 5_333 <= end <= 8_000


def test_audio_of_no_length_changes_nothing_wherever_it_claims_to_be() -> None:
    stage = collecting()
    process(stage, [*heard(0, 8_000), started(4_000)])
    for empty in (InputAudioFrame(b"", RATE, position=77), InputAudioFrame(b"", 48_000, 2, position=8_000)):
        assert list(stage.process(empty, DOWN)) == [empty]
    assert bounds(stage.on_end()) == [(0, 8_000)]


def test_parts_that_went_beyond_the_end_of_the_speech_are_all_there_is() -> None:
    stage = collecting(max_s=1, preroll_s=0, tail_s=0)
    audio = with_a_hush(0, 8_800, 7_600)
    first, *others = cut(audio, [80], RATE)
    (part,) = process(stage, [first, started(0), *others])
    assert not process(stage, [stopped(7_000)])
    assert not stage.collecting
    (utterance,) = process(stage, [started(7_300), stopped(8_500)])
    assert utterance.position == part.num_samples


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000])
def test_a_minute_is_the_longest_that_one_utterance_can_be(rate: int) -> None:
    stage = collecting(max_s=60, tail_s=0)
    frames = [InputAudioFrame(bytes(2 * rate), rate, 1, n * rate) for n in range(70)]
    out = process(stage, [frames[0], started(0), *frames[1:], stopped(70 * rate)])
    assert sum(u.num_samples for u in out) == 70 * rate
    assert all(u.duration_s <= 60 for u in out)


# Somebody who is not finished


EARLIER = pytest.mark.filterwarnings("ignore:Knows.is_finished:DeprecationWarning")


class Knows:
    """Says what it was told to, and remembers what it was asked."""

    def __init__(self, *finished: bool) -> None:
        self.answers = [*finished]
        self.asked: list[tuple[int, int]] = []

    def is_finished(self, utterance: UtteranceFrame) -> bool:
        self.asked += bounds([utterance])
        return self.answers.pop(0)


@EARLIER
@pytest.mark.parametrize("size", [1, 80, 3_000])
def test_somebody_who_is_not_finished_is_waited_for(size: int) -> None:
    knows = Knows(False, True)
    stage = collecting(end_of_turn=knows, tail_s=0.1, patience_s=2)
    said = [*heard(0, 16_000, size), started(8_000), stopped(12_000), *heard(16_000, 26_000, size)]
    assert not process(stage, said)
    assert stage.collecting
    assert bounds(process(stage, [started(20_000), stopped(24_000)])) == [(4_000, 24_800)]
    assert knows.asked == [(4_000, 12_800), (4_000, 24_800)]


@EARLIER
@pytest.mark.parametrize("size", [1, 80, 3_000])
def test_the_wait_has_a_limit_in_samples_and_the_silence_is_not_kept(size: int) -> None:
    stage = collecting(end_of_turn=Knows(False), tail_s=0.1, patience_s=2)
    frames = [*heard(0, 16_000), started(8_000), stopped(12_000), *heard(16_000, 27_999, size)]
    assert not process(stage, frames)
    assert not process(stage, heard(27_999, 28_000))  # a fact about this frame may still come behind it
    assert bounds(process(stage, heard(28_000, 28_001))) == [(4_000, 12_800)]
    assert not stage.collecting


@EARLIER
def test_speech_behind_the_limit_is_an_utterance_of_its_own() -> None:
    stage = collecting(end_of_turn=Knows(False, True), tail_s=0.1, patience_s=1)
    frames = [*heard(0, 16_000), started(8_000), stopped(12_000), *heard(16_000, 30_000)]
    assert bounds(process(stage, frames)) == [(4_000, 12_800)]
    assert bounds(process(stage, [started(26_000), stopped(28_000)])) == [(22_000, 28_800)]


@EARLIER
def test_the_end_and_a_gap_do_not_wait() -> None:
    for last in ("end", "gap"):
        stage = collecting(end_of_turn=Knows(False), tail_s=0.1)
        assert not process(stage, [*heard(0, 16_000), started(8_000), stopped(12_000)])
        out = list(stage.on_end()) if last == "end" else process(stage, heard(90_000, 90_080))
        assert bounds(out) == [(4_000, 12_800)]


@EARLIER
def test_without_patience_nobody_is_waited_for() -> None:
    stage = collecting(end_of_turn=Knows(False), tail_s=0, patience_s=0)
    assert bounds(process(stage, [*heard(0, 16_000), started(8_000), stopped(12_000)])) == [(4_000, 12_000)]


# What is kept


def test_while_nobody_speaks_only_the_last_seconds_are_kept() -> None:
    stage = collecting(preroll_s=0.5)
    most = 0
    for frame in heard(0, 100 * RATE):
        process(stage, [frame])
        most = max(most, stage.held)
    assert (0.5 + LOOK_BACK_S) * RATE <= most <= (0.5 + LOOK_BACK_S) * RATE + 2 * 80


def test_after_an_utterance_nothing_of_it_is_kept() -> None:
    stage = collecting()
    process(stage, [*heard(0, 8_000), started(0), *heard(8_000, 80_000), stopped(70_000)])
    assert stage.held == 80_000 - 72_400


def test_a_start_as_far_back_as_it_can_be_still_has_its_preroll() -> None:
    vad = VADProcessor(LoudIsSpeech(8_000, 800), start_s=1.0, stop_s=0.5)
    stage = collecting(tail_s=0)
    audio = tone((24_050, False), (8_000, True), (8_000, False))
    frames = [out for frame in cut(audio, [80]) for out in vad.process(frame, DOWN)]
    (start,) = [frame for frame in frames if isinstance(frame, UserStartedSpeakingFrame)]
    (utterance,) = process(stage, frames)
    assert utterance.position == start.position - 4_000 == 24_000 - 4_000


# The End, and several runs


def test_at_the_end_what_is_in_progress_is_given_out() -> None:
    stage = collecting()
    process(stage, [*heard(0, 16_000), started(8_000)])
    assert stage.collecting
    assert bounds(stage.on_end()) == [(4_000, 16_000)]
    assert not stage.collecting
    assert not list(stage.on_end())


def test_at_the_end_of_silence_there_is_nothing_to_give_out() -> None:
    stage = collecting()
    process(stage, heard(0, 16_000))
    assert not list(stage.on_end())


async def test_in_a_run_all_speech_arrives_even_where_the_end_cuts_it_off() -> None:
    vad, collector = VADProcessor(LoudIsSpeech(), start_s=0.05, stop_s=0.2), collecting(tail_s=0.1)
    audio = tone((8_000, False), (1_600, True), (8_000, False), (800, True))
    for _ in range(2):
        task = PipelineTask(Pipeline([vad, collector]))
        ends = Ends(task)
        for frame in cut(audio, [160]):
            await task.queue_frame(frame)
        task.end()
        report = await task.run()
        first, last = (frame for frame in ends.down if isinstance(frame, UtteranceFrame))
        assert np.array_equal(first.array[:, 0], audio[4_000:10_400])
        assert np.array_equal(last.array[:, 0], audio[13_600:])
        assert ends.down[ends.down.index(last) - 1].__class__ is UserStoppedSpeakingFrame
        assert not report.dropped_frames
        assert (collector.held, collector.collecting) == (0, False)


async def test_a_cancelled_run_leaves_nothing_to_the_next() -> None:
    stage = collecting()
    process(stage, [*heard(0, 8_000), started(4_000)])
    task = PipelineTask(Pipeline([stage]))
    ends = Ends(task)
    for frame in heard(8_000, 9_600):
        await task.queue_frame(frame)
    task.end()
    await task.run()
    assert not [frame for frame in ends.down if isinstance(frame, UtteranceFrame)]


# Behind a VADProcessor


def utterances(frames: Iterable[Frame], engine: Any = None, **options: Any) -> list[tuple[int, bytes]]:
    vad, collector = VADProcessor(engine, **options), collecting(preroll_s=0.2, tail_s=0.05)
    passed = [out for frame in frames for out in vad.process(frame, DOWN)]
    out = [*process(collector, [*passed, *vad.on_end()])]
    assert not list(collector.on_end())
    return [(frame.position, frame.data) for frame in out]


@pytest.mark.heavy
@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 1), (48_000, 2)])
def test_utterances_do_not_depend_on_how_the_audio_is_cut(rate: int, channels: int) -> None:
    audio = babble(rate, channels, 1)

    def found(sizes: list[int]) -> list[tuple[int, bytes]]:
        frames = cut(audio, sizes, rate, channels)
        return utterances(frames, LoudIsSpeech(16_000, 320), start_s=0.06, stop_s=0.1)

    expected = found([rate // 100])
    assert expected
    for sizes in CUTS:
        assert found(sizes) == expected, sizes
    for position, data in expected:
        count = len(data) // (2 * channels)
        assert data == audio[position : position + count].tobytes()


def test_the_sample_gives_its_two_sentences() -> None:
    audio = sample()
    vad, collector = VADProcessor(), collecting()
    passed = [out for frame in cut(audio, [160], 16_000) for out in vad.process(frame, DOWN)]
    facts = [f for f in passed if isinstance(f, (UserStartedSpeakingFrame, UserStoppedSpeakingFrame))]
    found = process(collector, passed)
    assert len(found) == 2
    for utterance, start, stop in zip(found, facts[::2], facts[1::2], strict=True):
        end = utterance.position + utterance.num_samples
        assert utterance.position == max(0, start.position - 8_000)
        assert end == stop.position + 4_800
        assert np.array_equal(utterance.array[:, 0], audio[utterance.position : end])


# What it is made with


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"preroll_s": -0.1}, ValueError, "^preroll_s must be a finite number from 0 to 10, not -0.1$"),
        ({"preroll_s": 10.1}, ValueError, "^preroll_s must be"),
        ({"preroll_s": "1"}, TypeError, "^preroll_s must be a number, not '1'$"),
        ({"tail_s": math.nan}, ValueError, "^tail_s must be a finite number from 0 to 10, not nan$"),
        ({"tail_s": None}, TypeError, "^tail_s must be a number"),
        ({"max_s": 0.9}, ValueError, "^max_s must be a finite number from 1 to 60, not 0.9$"),
        ({"max_s": 60.1}, ValueError, "^max_s must be"),
        ({"max_s": math.inf}, ValueError, "^max_s must be"),
        ({"max_s": True}, TypeError, "^max_s must be a number, not True$"),
    ],
)
def test_a_time_out_of_its_bounds_is_refused_by_name(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        UtteranceCollector(**wrong)


def test_it_has_a_name() -> None:
    names = (UtteranceCollector().name, UtteranceCollector(name="memory").name)
    assert names == ("UtteranceCollector", "memory")
