"""A tap shows what passes, and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.stages import DOWN, UP, Does, Ends
from voicepipe import (
    AudioFrame,
    DataFrame,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    StartFrame,
    SystemFrame,
    Tap,
    TextFrame,
    UserStartedSpeakingFrame,
)

Seen = list[tuple[Frame, FrameDirection]]


class Alarm(SystemFrame):
    pass


def frames() -> list[Frame]:
    return [
        TextFrame("a"),
        AudioFrame(bytes(4)),
        InputAudioFrame(bytes(4)),
        OutputAudioFrame(bytes(4)),
        UserStartedSpeakingFrame(),
        Alarm(),
    ]


def names_of_seen(*kind: Any) -> list[str]:
    seen: Seen = []
    tap = Tap(lambda frame, direction: seen.append((frame, direction)), *kind)
    for frame in frames():
        assert tuple(tap.process(frame, DOWN)) == (frame,)
    return [type(frame).__name__ for frame, _ in seen]


def test_a_tap_shows_everything_by_default() -> None:
    assert names_of_seen() == [type(frame).__name__ for frame in frames()]


def test_a_tap_shows_one_class_and_its_subclasses() -> None:
    assert names_of_seen(InputAudioFrame) == ["InputAudioFrame"]
    assert names_of_seen(AudioFrame) == ["AudioFrame", "InputAudioFrame", "OutputAudioFrame"]
    assert names_of_seen(SystemFrame) == ["UserStartedSpeakingFrame", "Alarm"]


def test_a_tap_shows_several_classes() -> None:
    assert names_of_seen((TextFrame, OutputAudioFrame)) == ["TextFrame", "OutputAudioFrame"]
    assert names_of_seen(()) == []


def test_a_tap_tells_the_direction_and_passes_the_same_object_on() -> None:
    seen: Seen = []
    tap = Tap(lambda *what: seen.append(what))
    frame = TextFrame("a")
    for direction in (DOWN, UP):
        (out,) = tap.process(frame, direction)
        assert out is frame
    assert seen == [(frame, DOWN), (frame, UP)]


def test_what_the_function_returns_is_of_no_interest() -> None:
    frame = TextFrame("a")
    assert tuple(Tap(lambda *_: (TextFrame("other"),)).process(frame, DOWN)) == (frame,)


@pytest.mark.parametrize("look", [None, 3, "print", [print]])
def test_a_look_that_cannot_be_called_is_refused_by_name(look: Any) -> None:
    with pytest.raises(TypeError, match=r"^look must be callable, not "):
        Tap(look)


@pytest.mark.parametrize(
    "kind",
    [3, "AudioFrame", None, [AudioFrame], TextFrame("a"), int, object, (AudioFrame, int), (AudioFrame, None)],
)
def test_a_kind_that_is_no_class_of_frames_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"^kind must be a class of frames or a tuple of them, not "):
        Tap(print, kind)


async def test_in_a_run_a_tap_shows_data_in_both_directions_and_no_life_cycle() -> None:
    seen: Seen = []
    answer = TextFrame("answer")

    async def echo(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame)
        await stage.push_frame(answer, UP)

    task = PipelineTask(Pipeline([Tap(lambda *what: seen.append(what)), Does(echo)]))
    ends = Ends(task)
    hello = TextFrame("hello")
    await task.queue_frame(hello)
    asyncio.get_running_loop().call_later(1, task.end)
    await task.run()
    assert seen == [(hello, DOWN), (answer, UP)]
    assert ends.up == [answer]
    assert [type(frame) for frame in ends.down] == [StartFrame, TextFrame, EndFrame]


async def test_an_exception_in_the_function_is_an_error_of_the_tap() -> None:
    def look(frame: Frame, direction: FrameDirection) -> None:
        raise LookupError("blind")

    task = PipelineTask(Pipeline([Tap(look, DataFrame, name="window")]))
    await task.queue_frame(TextFrame("hello"))
    with pytest.raises(PipelineError, match="blind") as failed:
        await task.run()
    assert failed.value.stage.endswith("window")
