"""Judges hear the ear of a frame; whoever keeps audio keeps the words."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from speech.test_vad import LoudIsSpeech
from support.stages import DOWN
from voicepipe import (
    Frame,
    Gain,
    InputAudioFrame,
    LevelMeter,
    OutputAudioFrame,
    Pipeline,
    StartParams,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
)
from voicepipe.speakers import Speakers
from voicepipe.speech.vad import VADProcessor
from voicepipe.testing import run_processor, run_virtual

RATE, BLOCK = 8_000, 160


def block(level: int, channels: int = 1) -> bytes:
    square = np.where(np.arange(BLOCK) // 8 % 2, level, -level).astype(np.int16)
    return np.repeat(square[:, None], channels, axis=1).tobytes()


def heard(words: str, ear: str | None, channels: int = 1) -> list[InputAudioFrame]:
    """Make a frame for each letter: "s" is sound, "." silence, and "-" of the ear none."""
    ears = ear or "-" * len(words)
    return [
        InputAudioFrame(
            block(8_000 * (word == "s"), channels),
            RATE,
            channels,
            BLOCK * at,
            live=True,
            origin="mic",
            ear=None if told == "-" else block(8_000 * (told == "s")),
        )
        for at, (word, told) in enumerate(zip(words, ears, strict=True))
    ]


def facts(frames: list[InputAudioFrame], vad: VADProcessor) -> list[Frame]:
    made = [each for frame in frames for each in vad.process(frame, DOWN)]
    return [each for each in made if isinstance(each, UserStartedSpeakingFrame | UserStoppedSpeakingFrame)]


def a_vad() -> VADProcessor:
    return VADProcessor(LoudIsSpeech(), start_s=0.1, stop_s=0.2, min_s=0.0)


@pytest.mark.parametrize(
    ("words", "ear", "turns"),
    [
        ("." * 20 + "s" * 30 + "." * 30, "." * 80, 0),
        ("." * 80, "." * 20 + "s" * 30 + "." * 30, 1),
        ("." * 20 + "s" * 60, "." * 20 + "s" * 20 + "." * 40, 1),
        ("s" * 20 + "." * 20 + "s" * 40, "." * 20 + "-" * 60, 1),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_voice_detection_judges_the_ear(words: str, ear: str, turns: int, channels: int) -> None:
    made = facts(heard(words, ear, channels), a_vad())
    assert sum(isinstance(each, UserStartedSpeakingFrame) for each in made) == turns


@pytest.mark.parametrize("channels", [1, 2])
def test_a_turn_goes_on_where_the_ear_comes_and_goes(channels: int) -> None:
    speech = "." * 10 + "s" * 60 + "." * 30
    plain = facts(heard(speech, None, channels), a_vad())
    by_turns = "".join(letter if at // 7 % 2 else "-" for at, letter in enumerate(speech))
    made = facts(heard(speech, by_turns, channels), a_vad())
    assert [(type(a), a.position) for a in made] == [(type(a), a.position) for a in plain]  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # facts have one
    assert len(made) == 2


def test_a_collector_keeps_the_words() -> None:
    ear = "." * 20 + "s" * 30 + "." * 30
    quiet = [replace(frame, data=block(50)) for frame in heard("." * 80, ear)]
    out = run_processor(Pipeline([a_vad(), UtteranceCollector()]), quiet)
    (utterance,) = out.down.of(UtteranceFrame)
    assert set(utterance.data) == set(block(50))


def test_a_meter_measures_the_ear_and_a_gain_holds_for_both() -> None:
    meter, gain = LevelMeter(), Gain(-6.0206)
    (frame,) = heard("s", ".")
    meter.process(frame, DOWN)
    assert meter.level.peak_db < -90
    (softer,) = gain.process(replace(frame, ear=block(2_000)), DOWN)
    assert isinstance(softer, InputAudioFrame)
    assert softer.ear == block(1_000)
    assert softer.data == block(4_000)


@pytest.mark.parametrize(
    ("change", "warns"),
    [
        (lambda frame: frame, False),
        (lambda frame: frame.with_data(bytes(2 * BLOCK)), False),
        (lambda frame: InputAudioFrame.of(frame), False),
        (lambda frame: replace(frame, ear=None), True),
        (lambda frame: InputAudioFrame(frame.data, RATE, 1, frame.position), True),
        (lambda frame: InputAudioFrame.of(OutputAudioFrame.of(frame)), True),
        (lambda frame: InputAudioFrame(frame.data * 2, 2 * RATE, 1, 2 * frame.position, origin="mic"), True),
    ],
    ids=["same", "with data", "of", "without", "new", "by way of output", "other rate"],
)
def test_a_missing_ear_is_told_once(change: object, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    vad, params = a_vad(), StartParams(speakers=Speakers())

    async def open_it() -> None:
        await vad.on_start(params)

    run_virtual(open_it())
    with caplog.at_level(logging.WARNING, "voicepipe"):
        for frame in heard("." * 10 + "s" * 30, "." * 10 + "s" * 10 + "-" * 20):
            if frame.ear is not None:
                end = frame.position + frame.num_samples
                params.speakers.note_ear("mic", frame.position / RATE, end / RATE)
            vad.process(change(frame), DOWN)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]  # a function of a table
    assert len(caplog.records) == warns
    if warns:
        assert "drops InputAudioFrame.ear" in caplog.text


def test_no_ear_is_missing_where_none_was_made(caplog: pytest.LogCaptureFixture) -> None:
    vad, params = a_vad(), StartParams(speakers=Speakers())

    async def open_it() -> None:
        await vad.on_start(params)

    run_virtual(open_it())
    params.speakers.note_ear("mic", 0.0, 0.1)
    params.speakers.note_ear("mic", 0.3, 0.4)
    params.speakers.note_ear("other", 0.0, 9.0)
    for frame in heard("." * 15, None) + heard("." * 30, None)[20:]:
        vad.process(frame, DOWN)
    assert not caplog.records
