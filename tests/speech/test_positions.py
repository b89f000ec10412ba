"""Where audio lies, and from which microphone it is: frames without a position, facts with their origin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speech.test_vad import LoudIsSpeech, cut, tone
from support.stages import DOWN, Ends
from voicepipe import (
    Frame,
    FrameProcessor,
    InputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.speech.positions import StreamPositions
from voicepipe.speech.utterance import UtteranceCollector
from voicepipe.speech.vad import VADProcessor

FACTS = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
AUDIO = tone((2_400, False), (4_000, True), (4_000, False), (2_400, True), (4_000, False))


def vad() -> VADProcessor:
    return VADProcessor(LoudIsSpeech(), start_s=0.05, stop_s=0.2)


def facts_of(stage: VADProcessor, frames: Iterable[Frame]) -> list[UserStartedSpeakingFrame]:
    out = [out for frame in frames for out in stage.process(frame, DOWN)] + list(stage.on_end())
    return [frame for frame in out if isinstance(frame, FACTS)]  # type: ignore[misc]


def without_positions(frames: Iterable[InputAudioFrame]) -> list[Frame]:
    return [InputAudioFrame(frame.data, frame.rate, frame.channels) for frame in frames]


# Frames without a position


@pytest.mark.parametrize("size", [7, 80, 160, 479, 4_800])
def test_frames_without_a_position_follow_one_another(size: int) -> None:
    frames = list(cut(AUDIO, [size]))
    expected = facts_of(vad(), frames)
    found = facts_of(vad(), without_positions(frames))
    assert len(expected) == 4
    assert [(type(f), f.position, f.decided) for f in found] == [
        (type(f), f.position, f.decided) for f in expected
    ]


@pytest.mark.parametrize("where", ["queued", "pushed by a stage", "in a branch"])
async def test_what_a_program_feeds_without_a_position_is_speech(where: str) -> None:
    """Before, each frame was a gap to the one before, and nothing was ever speech."""
    frames = without_positions(cut(AUDIO, [160]))
    ear = [vad(), UtteranceCollector(preroll_s=0.1, tail_s=0.1)]
    match where:
        case "queued":
            pipeline = Pipeline(ear)
        case "in a branch":
            pipeline = Pipeline([ParallelPipeline([ear[0]], []), ear[1]])
        case _:
            pipeline = Pipeline([Feeds(frames), *ear])
    task = PipelineTask(pipeline)
    ends = Ends(task)
    if where != "pushed by a stage":
        for frame in frames:
            await task.queue_frame(frame)
    task.end()
    await task.run()
    utterances = [frame for frame in ends.down if isinstance(frame, UtteranceFrame)]
    assert [(u.position, u.num_samples) for u in utterances] == [(1_600, 5_600), (9_600, 4_000)]
    for utterance in utterances:
        begin = utterance.position
        assert np.array_equal(utterance.array[:, 0], AUDIO[begin : begin + utterance.num_samples])


class Feeds(FrameProcessor):
    def __init__(self, frames: list[Frame]) -> None:
        super().__init__()
        self._frames = frames

    async def on_end(self) -> None:
        for frame in self._frames:
            await self.push_frame(frame)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([0, 0, 0, 0], [0, 160, 320, 480]),
        ([0, 160, 320, 480], [0, 160, 320, 480]),
        ([0, 160, 5_000, 5_160], [0, 160, 5_000, 5_160]),
        ([0, 160, 320, 0], [0, 160, 320, 0]),  # a second recording begins
        ([700, 860, 0, 160], [700, 860, 0, 160]),
        ([0, 0, 0, 7_000, 7_160], [0, 160, 320, 7_000, 7_160]),
    ],
)
def test_a_position_that_is_there_is_taken_as_it_is(positions: list[int], expected: list[int]) -> None:
    stream = StreamPositions()
    frames = [InputAudioFrame(bytes(320), position=position) for position in positions]
    assert [stream.place(frame) for frame in frames] == expected


@pytest.mark.parametrize(
    "change",
    [{"rate": 8_000}, {"channels": 2}, {"origin": "desk"}],
    ids=["rate", "channels", "origin"],
)
def test_another_format_and_a_microphone_at_position_0_begin_anew(change: dict[str, Any]) -> None:
    stream = StreamPositions()
    frame = InputAudioFrame(bytes(320))
    assert [stream.place(frame) for _ in range(3)] == [0, 160, 320]
    assert stream.place(replace(frame, **change)) == 0


# Origins


def test_a_fact_says_from_which_microphone_it_is_and_how_far_it_was_judged() -> None:
    frames = [replace(frame, origin="desk") for frame in cut(AUDIO, [80])]
    found = facts_of(vad(), frames)
    # Of windows of 10 ms, the fourth of speech makes a start certain, the twentieth of silence a stop.
    assert [(f.position, f.decided) for f in found] == [
        (2_400, 2_720),
        (6_400, 8_000),
        (10_400, 10_720),
        (12_800, 14_400),
    ]
    assert {f.origin for f in found} == {"desk"}


def test_the_end_of_the_audio_decides_a_turn_that_it_cuts_off() -> None:
    found = facts_of(vad(), cut(tone((800, False), (1_640, True)), [80]))
    assert [(f.position, f.decided) for f in found] == [(800, 1_120), (2_440, 2_440)]


def test_another_microphone_ends_a_turn_as_a_gap_does() -> None:
    first = [replace(frame, origin="desk") for frame in cut(tone((2_400, True)), [80])]
    then = [replace(frame, origin="door") for frame in cut(tone((2_400, True)), [80], at=2_400)]
    found = facts_of(vad(), [*first, *then])
    assert [(f.position, f.origin) for f in found] == [
        (0, "desk"),
        (2_400, "desk"),
        (2_400, "door"),
        (4_800, "door"),
    ]


@pytest.mark.parametrize(
    ("origin", "of_fact", "counts"),
    [
        ("desk", "desk", True),
        ("desk", "door", False),
        ("desk", "", True),
        ("", "door", True),
        ("", "", True),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_a_collector_ignores_facts_of_another_microphone(
    origin: str, of_fact: str, counts: bool, early: bool
) -> None:
    stage = UtteranceCollector(preroll_s=0.0, tail_s=0.0)
    audio: list[Frame] = [replace(frame, origin=origin) for frame in cut(AUDIO, [160])]
    facts: list[Frame] = [
        UserStartedSpeakingFrame(2_400, None, 2_720, of_fact),
        UserStoppedSpeakingFrame(6_400, None, 8_000, of_fact),
    ]
    frames = [*facts, *audio] if early else [*audio, *facts]
    out = [out for frame in frames for out in stage.process(frame, DOWN)] + list(stage.on_end())
    given = [(f.position, f.num_samples, f.origin) for f in out if isinstance(f, UtteranceFrame)]
    assert given == ([(2_400, 4_000, origin)] if counts else [])


# Facts whose audio never comes, and facts without a position


def collected(frames: Iterable[Frame]) -> list[tuple[int, int]]:
    stage = UtteranceCollector(preroll_s=0.1, tail_s=0.1)
    out = [out for frame in frames for out in stage.process(frame, DOWN)] + list(stage.on_end())
    return [(f.position, f.position + f.num_samples) for f in out if isinstance(f, UtteranceFrame)]


def started(position: int, decided: int) -> Frame:
    return UserStartedSpeakingFrame(position, None, decided)


def stopped(position: int, decided: int) -> Frame:
    return UserStoppedSpeakingFrame(position, None, decided)


def heard(begin: int, end: int) -> list[Frame]:
    return list(cut(np.zeros(end - begin, np.int16), [80], at=begin))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # The audio ends before the fact counts: the utterance has what there is.
        ([started(1_000, 9_000), *heard(0, 4_000)], [(200, 4_000)]),
        ([started(1_000, 1_200), stopped(3_900, 9_000), *heard(0, 4_000)], [(200, 4_000)]),
        ([started(1_000, 1_200), stopped(2_000, 9_000), *heard(0, 4_000)], [(200, 2_800)]),
        # The speech itself never comes.
        ([started(5_000, 6_000), stopped(7_000, 8_000), *heard(0, 4_000)], []),
        ([started(5_000, 6_000), stopped(7_000, 8_000)], []),
        # It is lost on the way from the voice detector, in the middle of a turn: both parts are there.
        (
            [started(1_000, 1_200), *heard(0, 4_000), *heard(6_000, 9_000), stopped(7_000, 8_600)],
            [(200, 4_000), (6_000, 7_800)],
        ),
        # Its beginning is lost: what is left of it is there.
        (
            [started(4_500, 5_500), stopped(7_000, 8_000), *heard(0, 4_000), *heard(6_000, 9_000)],
            [(6_000, 7_800)],
        ),
        # A whole turn is lost, and the next one is whole.
        (
            [
                *(started(4_500, 4_600), stopped(5_000, 5_500), started(7_000, 7_200), stopped(8_000, 8_900)),
                *heard(0, 4_000),
                *heard(6_000, 9_600),
            ],
            [(6_200, 8_800)],
        ),
    ],
)
def test_a_fact_whose_audio_never_comes_ends_with_what_there_is(
    frames: list[Frame], expected: list[tuple[int, int]]
) -> None:
    assert collected(frames) == expected


def test_facts_of_audio_that_never_comes_do_not_pile_up() -> None:
    stage = UtteranceCollector()
    for n in range(5_000):
        list(stage.process(started(1_000 * n, 1_000 * n + 200), DOWN))
        list(stage.process(stopped(1_000 * n + 500, 1_000 * n + 900), DOWN))
    assert len(stage._facts) <= 256
    assert isinstance(stage._facts.first, UserStartedSpeakingFrame)


def test_a_button_without_positions_tells_of_now() -> None:
    frames = [
        *heard(0, 80_000),
        UserStartedSpeakingFrame(),
        *heard(80_000, 90_000),
        UserStoppedSpeakingFrame(),
        *heard(90_000, 95_000),
    ]
    assert collected(frames) == [(79_200, 90_000)]
