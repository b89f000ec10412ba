"""`EchoCanceller` behind a microphone: a canceller of one's choice, its figures, and half-duplex instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from canceller.standing import LateEngine
from support.room_talk import PROGRAM, RATE, Talk, a_card
from support.sound import assert_accounted
from support.stages import DOWN, Ends
from voicepipe import (
    AudioFormat,
    EchoCanceller,
    EngineError,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunReport,
    SeamReport,
    SpeakerOutput,
    StartParams,
    TextFrame,
    VADProcessor,
)
from voicepipe.speakers import Speakers
from voicepipe.testing import SimulatedCard

Ints = npt.NDArray[np.int16]


class Reducing(LateEngine):
    """Makes everything fainter at the ear while something sounds."""

    name = "reducing"

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def cancel(self, mic: Ints, far: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        """Return the ear and the words."""
        ear, words = super().cancel(mic, far)
        return np.rint(ear * self.factor).astype(np.int16), words


def a_talk(seconds: float, canceller: EchoCanceller, **options: Any) -> Talk:
    card = a_card(seconds)
    return Talk(card, MicrophoneInput(card.backend(), **options), [canceller])


def saying(talk: Talk, *seconds: float) -> Callable[[], Coroutine[Any, Any, None]]:
    async def program() -> None:
        for each in seconds:
            await talk.speak(each)

    return program


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == level]


def books_of(report: RunReport | None) -> SeamReport:
    """The ledger of the canceller."""
    assert report is not None
    return next(each for each in report.seams if each.name == "EchoCanceller audio")


def muted_by(talk: Talk) -> int:
    """The samples that the stage's books call muted."""
    return books_of(talk.task.report).dropped.get("muted", 0)


async def test_the_microphone_before_it_neither_cancels_nor_mutes() -> None:
    talk = a_talk(3.0, canceller := EchoCanceller(engine=Reducing(0.1)))
    await talk.run(saying(talk, 1.0))
    assert not talk.microphone.cancels_echo
    assert not talk.microphone.mutes
    assert talk.echo == canceller.echo
    assert talk.echo.reason == "reducing"
    assert any(frame.ear for frame in talk.frames)
    end = 0
    for frame in talk.frames:
        assert frame.position == end
        end += frame.num_samples
    assert talk.task.report is not None
    assert end == next(s for s in talk.task.report.seams if s.name == "MicrophoneInput device").given


@pytest.mark.heavy
async def test_a_canceller_of_no_use_gives_way_to_half_duplex_with_one_warning_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    talk = a_talk(60.0, canceller := EchoCanceller(engine=(engine := Reducing(1.0))))
    states: list[str] = []

    async def program() -> None:
        for factor in (1.0, 0.05, 1.0):
            engine.factor = factor
            for _ in range(2):
                await talk.speak(9.0)
            assert canceller.echo is not None
            states.append(canceller.echo.protection)

    with caplog.at_level(logging.INFO, "voicepipe"):
        await talk.run(program)
    assert states == ["half-duplex", "cancelling", "half-duplex"]
    (warning,) = messages(caplog, logging.WARNING)
    assert warning.startswith("MicrophoneInput: the echo is reduced by 0 dB only, so it is half-duplex now")
    assert "turn the speaker down" in warning
    assert "headphones" in warning
    heard = sum(frame.num_samples for frame in talk.frames)
    last = talk.frames[-1]
    assert muted_by(talk) == last.position + last.num_samples - heard > 9 * RATE
    report = assert_accounted(talk.task.report, "MicrophoneInput device", "EchoCanceller audio")
    assert books_of(report).given == heard


@pytest.mark.heavy
async def test_without_leave_to_fall_back_one_warning_is_all(caplog: pytest.LogCaptureFixture) -> None:
    talk = a_talk(22.0, EchoCanceller(engine=Reducing(1.0), may_fall_back=False))
    with caplog.at_level(logging.INFO, "voicepipe"):
        await talk.run(saying(talk, 9.0, 9.0))
    assert muted_by(talk) == 0
    assert talk.echo.protection == "cancelling"
    (warning,) = messages(caplog, logging.WARNING)
    assert "so the program may hear itself; turn the speaker down" in warning


@pytest.mark.parametrize(
    ("options", "protection", "words"),
    [({}, "half-duplex", "half-duplex from now on"), ({"may_fall_back": False}, "headphones", "hear itself")],
    ids=["half-duplex", "nothing"],
)
async def test_an_engine_that_fails_is_told_once_and_the_run_goes_on(
    options: Any, protection: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Reducing):
        def cancel(self, mic: Ints, far: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
            if self.calls > 50:
                raise RuntimeError("out of order")
            return super().cancel(mic, far)

    talk = a_talk(5.0, EchoCanceller(engine=Failing(0.1), **options))
    with caplog.at_level(logging.INFO, "voicepipe"):
        await talk.run(saying(talk, 2.0, 1.0))
    assert talk.echo.protection == protection
    assert talk.echo.reason == "the echo engine reducing failed: out of order"
    (warning,) = messages(caplog, logging.WARNING)
    assert "the echo engine reducing failed: out of order" in warning
    assert words in warning
    assert bool(muted_by(talk)) is (protection == "half-duplex")


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.51])
async def test_a_cancelled_run_counts_what_was_inside(seconds: float) -> None:
    card = a_card(3.0)
    stages = [MicrophoneInput(card.backend()), EchoCanceller(engine=Reducing(0.1))]
    task = PipelineTask(Pipeline([*stages, SpeakerOutput(card.backend())]))
    asyncio.get_running_loop().call_later(seconds, task.cancel)
    await task.run()
    inside = books_of(assert_accounted(task.report))
    assert inside.dropped == {"cancelled": inside.taken - inside.given}
    assert 0 < inside.taken - inside.given < 1_000


async def test_a_run_that_does_not_start_leaves_the_figures_of_the_one_before_in_peace() -> None:
    card = a_card(3.0)
    microphone = MicrophoneInput(card.backend())
    pipeline = Pipeline([microphone, EchoCanceller(), SpeakerOutput(card.backend())])
    first = PipelineTask(pipeline)
    asyncio.get_running_loop().call_later(1.0, first.end)
    await first.run()
    with pytest.raises(PipelineStartError, match="11025"):
        await PipelineTask(pipeline, input=AudioFormat(11_025)).run()
    assert microphone.device_statistics() is not None
    assert microphone.echo is None


async def test_a_voice_detector_before_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    card = a_card(1.0)
    stages: list[Processor] = [VADProcessor(), EchoCanceller(engine=Reducing(0.1)), VADProcessor()]
    talk = Talk(card, MicrophoneInput(card.backend()), stages)
    await talk.run(saying(talk, 0.5))
    assert messages(caplog, logging.WARNING) == [
        "VADProcessor stands before EchoCanceller, so it takes the program's own voice for the user's: put "
        "EchoCanceller between the microphone and VADProcessor"
    ]


async def test_a_missing_ear_behind_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Forgetful(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> tuple[Frame, ...]:
            if isinstance(frame, InputAudioFrame):
                return (InputAudioFrame(frame.data, frame.rate, 1, frame.position, origin=frame.origin),)
            return (frame,)

    card = a_card(3.0)
    stages: list[Processor] = [EchoCanceller(engine=Reducing(0.1)), Forgetful(), VADProcessor()]
    talk = Talk(card, MicrophoneInput(card.backend()), stages)
    await talk.run(saying(talk, 1.0))
    (warning,) = messages(caplog, logging.WARNING)
    assert "VADProcessor hears the words and not the ear" in warning


def test_two_microphones_need_two_cancellers() -> None:
    card = SimulatedCard()
    task = PipelineTask(
        Pipeline([MicrophoneInput(card.backend()), MicrophoneInput(card.backend()), EchoCanceller()])
    )
    with pytest.raises(PipelineStartError, match="two microphones come to one EchoCanceller"):
        asyncio.run(task.run())


@pytest.mark.parametrize(
    ("canceller", "audio", "words"),
    [
        (EchoCanceller(engine=Reducing()), AudioFormat(8_000), "reducing takes 16000 Hz and 1 channels, not"),
        (EchoCanceller(engine=Reducing()), AudioFormat(16_000, 2), "not 16000 Hz, 2 channels"),
        (EchoCanceller(ear="none"), AudioFormat(), "none"),
        (EchoCanceller(words="none"), AudioFormat(), "none"),
        (EchoCanceller(), AudioFormat(11_025), "11025"),
    ],
    ids=str,
)
async def test_what_cannot_work_fails_at_the_start(
    canceller: EchoCanceller, audio: AudioFormat, words: str
) -> None:
    with pytest.raises((EngineError, ValueError), match=words):
        await canceller.on_start(StartParams(input=audio, speakers=Speakers()))


@pytest.mark.parametrize("wrong", [{"ear": 3}, {"words": None}], ids=str)
def test_names_are_texts(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be the name of a canceller"):
        EchoCanceller(**wrong)


async def test_other_frames_and_other_formats_pass(caplog: pytest.LogCaptureFixture) -> None:
    canceller = EchoCanceller(engine=Reducing())
    await canceller.on_start(StartParams(speakers=Speakers()))
    text, other = TextFrame("a"), InputAudioFrame(PROGRAM[:480].tobytes(), 48_000)
    assert [*canceller.process(text, DOWN)] == [text]
    first = [*canceller.process(InputAudioFrame(PROGRAM[:320].tobytes()), DOWN)]
    both = [*first, *canceller.process(other, DOWN), *canceller.process(other, DOWN)]
    assert both[-2:] == [other, other]
    assert sum(each.num_samples for each in both[:-2] if isinstance(each, InputAudioFrame)) == 320
    assert len(messages(caplog, logging.WARNING)) == 1


async def test_it_works_without_a_speaker() -> None:
    card = a_card(1.0)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), EchoCanceller(engine=Reducing())]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await asyncio.sleep(1.0)
    task.end()
    await running
    frames = [each for each in ends.down if isinstance(each, InputAudioFrame)]
    assert frames
    assert not any(frame.ear for frame in frames)


def test_a_speaker_keeps_no_record_for_nobody() -> None:
    card = SimulatedCard()
    taps: list[Any] = []

    class Looking(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            self.speakers = params.speakers

        async def on_running(self) -> None:
            taps.append((self.speakers.are_there, self.speakers.are_tapped, len(self.speakers.taps)))

    async def run(*stages: Any) -> None:
        task = PipelineTask(Pipeline([*stages, SpeakerOutput(card.backend()), Looking()]))
        task.end()
        await task.run()

    asyncio.run(run(MicrophoneInput(card.backend())))
    asyncio.run(run(MicrophoneInput(card.backend(), cancel=True)))
    asyncio.run(run(MicrophoneInput(card.backend()), EchoCanceller(engine=Reducing())))
    assert taps == [(True, False, 0), (True, True, 1), (True, True, 1)]
