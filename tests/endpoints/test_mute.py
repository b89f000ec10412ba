"""Half-duplex: what the microphone hears while a speaker of the run sounds is dropped, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from support.sound import BLOCK, LATENCY_S, RATE, assert_accounted, noise, seam, speech
from support.stages import Does, Ends, InlineRecorder
from voicepipe import (
    Backend,
    DeviceLostFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    SpeakerOutput,
    open_backend,
)
from voicepipe.endpoints.bot_speech import ROOM_S
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe_devices.fake import SimulatedCard

SPOKEN_S = 0.5


def half_duplex(
    card: SimulatedCard, *between: Processor, mute: bool | None = True
) -> tuple[PipelineTask, InlineRecorder]:
    heard = InlineRecorder()
    stages = [MicrophoneInput(card.backend(), mute=mute), heard, *between, SpeakerOutput(card.backend())]
    return PipelineTask(Pipeline(stages)), heard


def positions(heard: InlineRecorder) -> list[int]:
    return [frame.position for frame in heard.frames if isinstance(frame, InputAudioFrame)]


async def speak_for_a_while(task: PipelineTask) -> tuple[float, float]:
    """Let it listen, speak and listen again; returns when it was given what to say, and the run's start."""
    running, ends = asyncio.create_task(task.run()), Ends(task)
    await ends.started.wait()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await asyncio.sleep(0.5)
    spoke_s = loop.time()
    await task.queue_frame(speech(SPOKEN_S))
    await asyncio.sleep(2.0)
    task.end()
    await running
    return spoke_s, began_s


async def test_nothing_is_heard_from_the_first_sample_said_until_the_room_is_quiet() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    task, heard = half_duplex(card)
    spoke_s, began_s = await speak_for_a_while(task)
    there = positions(heard)
    missing = [at for at in range(0, there[-1], BLOCK) if at not in there]
    assert missing == list(range(missing[0], missing[-1] + BLOCK, BLOCK)), "one stretch, and whole"
    first_s, last_s = missing[0] / RATE, (missing[-1] + BLOCK) / RATE
    assert spoke_s - began_s - 0.02 <= first_s <= spoke_s - began_s
    quiet_s = spoke_s - began_s + SPOKEN_S + LATENCY_S + ROOM_S
    assert quiet_s <= last_s <= quiet_s + 0.08
    ledger = seam(assert_accounted(task.report), "MicrophoneInput device")
    assert ledger.dropped == {"muted": len(missing) * BLOCK}


async def test_full_duplex_hears_everything() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    task, heard = half_duplex(card, mute=False)
    await speak_for_a_while(task)
    there = positions(heard)
    assert there == list(range(0, there[-1] + BLOCK, BLOCK))
    assert task.report is not None
    assert task.report.dropped == {}


async def test_a_busy_stage_between_cannot_delay_the_mute() -> None:
    """It answers, and then works on for a second: a fact that travelled as a frame would wait behind that."""
    card = SimulatedCard()
    card.mic.hear(noise(5.0))

    async def answer(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)
        if isinstance(frame, OutputAudioFrame):
            await asyncio.sleep(1.0)

    task, heard = half_duplex(card, Does(answer))
    await speak_for_a_while(task)
    there = positions(heard)
    missing = [at for at in range(0, there[-1], BLOCK) if at not in there]
    assert len(missing) * BLOCK >= (SPOKEN_S + ROOM_S) * RATE
    assert missing[0] <= 0.52 * RATE


async def test_after_an_interruption_it_listens_again_at_once() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    task, heard = half_duplex(card)
    running, ends = asyncio.create_task(task.run()), Ends(task)
    await ends.started.wait()
    await task.queue_frame(speech(3.0))
    await asyncio.sleep(0.5)
    task.interrupt()
    await asyncio.sleep(1.0)
    task.end()
    await running
    there = positions(heard)
    assert min(at for at in there if at > 0) <= (0.5 + LATENCY_S + ROOM_S + 0.1) * RATE


async def test_a_speaker_that_is_lost_does_not_sound() -> None:
    """When its loss is noticed it has been silent for longer than a room sounds."""
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    task, heard = half_duplex(card)
    lost = asyncio.Event()
    lost_s = 0.0

    def notice(frame: Frame, direction: FrameDirection) -> None:
        nonlocal lost_s
        if isinstance(frame, DeviceLostFrame) and not lost.is_set():
            lost_s = asyncio.get_running_loop().time()
            lost.set()

    task.subscribe(notice)
    running, ends = asyncio.create_task(task.run()), Ends(task)
    await ends.started.wait()
    began_s = asyncio.get_running_loop().time()
    await task.queue_frame(speech(3.0))
    await asyncio.sleep(0.5)
    card.speaker.vanish()
    await lost.wait()
    assert lost_s - began_s > 1.5
    await asyncio.sleep(1.0)
    task.end()
    await running
    there = positions(heard)
    assert min(at for at in there if at > 0) <= (lost_s - began_s + 0.05) * RATE


@pytest.mark.parametrize(
    ("backend", "default"), [(SimulatedCard().backend(), False), (open_backend("portaudio"), True)]
)
def test_what_the_back_end_shares_is_the_default(backend: Backend, default: bool) -> None:
    assert MicrophoneInput(backend).cancels_echo is default
    assert MicrophoneInput(backend).mutes is False
    assert MicrophoneInput(backend, cancel=False).mutes is default
    assert MicrophoneInput(backend, cancel=False, mute=False).mutes is False
    assert MicrophoneInput(backend, mute=True).mutes is True


@pytest.mark.parametrize("wrong", [0, 1, "yes", []])
def test_a_mute_is_a_truth_or_none(wrong: Iterable[int]) -> None:
    with pytest.raises(TypeError, match="mute must be True, False, or None"):
        MicrophoneInput("fake", mute=wrong)  # type: ignore[arg-type]
