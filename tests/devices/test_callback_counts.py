"""How a device is doing: callbacks counted and timed, losses, what waits; while it runs and in the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, fields

import pytest

from support.backends import inside, outside
from support.sound import BLOCK, BLOCK_S, LATENCY_S, RATE, noise, speech, talk
from voicepipe import (
    DeviceStatistics,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
)
from voicepipe.devices.callback_counts import CallbackCounter, CallbackCounts
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.in_process import InsideBackend
from voicepipe_devices.sound_process.backend import OutsideBackend

Verb = Callable[[SimulatedCard], object]


async def ran(verbs: dict[float, Verb], card: SimulatedCard | None = None) -> RunReport:
    """Two seconds of live echo, with what happens to the card at which time."""
    card = card or SimulatedCard()
    task = talk(card)
    loop = asyncio.get_running_loop()
    card.mic.hear(noise(60.0))
    for at_s, verb in verbs.items():
        loop.call_later(at_s, verb, card)
    loop.call_later(2.0 + BLOCK_S / 2, task.end)
    return await task.run()


async def devices_of(verbs: dict[float, Verb]) -> tuple[DeviceStatistics, DeviceStatistics]:
    microphone, speaker = (await ran(verbs)).devices
    return microphone, speaker


async def test_devices_that_are_well_have_no_troubles() -> None:
    report = await ran({})
    microphone, speaker = report.devices
    assert microphone == DeviceStatistics(
        stage="MicrophoneInput",
        kind="microphone",
        device="simulated microphone",
        lost=False,
        rate=RATE,
        channels=1,
        blocks=microphone.blocks,
        samples=100 * BLOCK,
        overflow=0,
        underflow=0,
        late=0,
        longest_wait_s=microphone.longest_wait_s,
        reconnections=0,
        fill_s=0.0,
        latency_s=LATENCY_S,
    )
    assert 100 <= microphone.blocks <= 110, "it is called while the speaker plays the rest, too"
    assert microphone.longest_wait_s == pytest.approx(BLOCK_S)
    assert (speaker.stage, speaker.kind, speaker.samples) == ("SpeakerOutput", "speaker", 100 * BLOCK)
    assert speaker.blocks >= 100
    assert microphone.troubles == speaker.troubles == ""
    assert "microphone" not in str(report), "who is well is not mentioned"


async def test_they_are_numbers_and_texts_for_machines() -> None:
    report = await ran({})
    for device in report.devices:
        plain = json.loads(json.dumps(asdict(device)))
        assert DeviceStatistics(**plain) == device
        assert all(isinstance(plain[field.name], str | int | float | None) for field in fields(device))


async def test_what_the_microphone_lost_is_its_overflow() -> None:
    microphone, speaker = await devices_of({1.0: lambda card: card.mic.xrun(700)})
    assert (microphone.overflow, microphone.troubles) == (700, "lost samples 700, late 1")
    assert speaker.overflow == 0


async def test_a_speaker_that_ran_dry_says_so() -> None:
    _, speaker = await devices_of({at: lambda card: card.speaker.xrun(10) for at in (0.5, 1.0)})
    assert (speaker.underflow, speaker.troubles) == (2, "underflow 2")


async def test_a_callback_that_no_flag_tells_of_is_late_by_our_clock() -> None:
    microphone, speaker = await devices_of(
        {1.0: lambda card: card.speaker.stall(), 1.5: lambda card: card.speaker.stall(False)}
    )
    assert (speaker.late, speaker.underflow) == (1, 0)
    assert speaker.longest_wait_s == pytest.approx(0.5 + BLOCK_S)
    assert microphone.late == 0


async def test_a_device_that_was_lost_and_came_back_has_one_line_of_counts() -> None:
    report = await ran({0.5: lambda card: card.mic.unplug(), 0.6: lambda card: card.mic.replug()})
    microphone, _ = report.devices
    assert (microphone.reconnections, microphone.lost) == (1, False)
    assert microphone.samples == 75 * BLOCK, "those of both streams, and the time between had none"
    assert 75 <= microphone.blocks < 80
    assert "  microphone simulated microphone: " in str(report)
    assert "reconnected 1" in str(report)


async def test_a_device_that_is_lost_keeps_its_name_and_counts() -> None:
    microphone, _ = await devices_of({1.0 + BLOCK_S / 2: lambda card: card.mic.unplug()})
    assert (microphone.lost, microphone.device) == (True, "simulated microphone")
    assert microphone.blocks == 50
    assert microphone.reconnections == 0


async def test_they_can_be_asked_for_while_it_runs() -> None:
    card = SimulatedCard()
    microphone, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([microphone, speaker]))
    assert microphone.device_statistics() is None
    assert speaker.device_statistics() is None
    asked: list[DeviceStatistics | None] = []

    def ask() -> None:
        asked.extend([microphone.device_statistics(), speaker.device_statistics()])
        assert task.report is not None
        assert list(task.report.devices) == asked
        task.end()

    await task.queue_frame(speech(1.5))
    asyncio.get_running_loop().call_later(1.0 + BLOCK_S / 2, ask)
    await task.run()

    heard, said = asked
    assert heard is not None
    assert said is not None
    assert (heard.samples, heard.fill_s) == (RATE, 0.0)
    assert said.samples == pytest.approx(RATE, abs=2 * BLOCK)
    assert said.fill_s == pytest.approx(0.5, abs=3 * BLOCK_S)


@pytest.mark.real_time
@pytest.mark.parametrize(
    "backend",
    [
        outside("well"),
        inside("well"),
    ],
    ids=["outside", "inside"],
)
async def test_a_library_in_a_process_of_its_own_is_counted_over_there(
    backend: OutsideBackend | InsideBackend,
) -> None:
    microphone = MicrophoneInput(backend, block_s=0.01)
    task = PipelineTask(Pipeline([microphone, SpeakerOutput(backend, block_s=0.01)]))
    frames: list[InputAudioFrame] = []

    def count(frame: object, direction: object) -> None:
        if isinstance(frame, InputAudioFrame):
            frames.append(frame)
            if len(frames) == 30:
                task.end()

    task.subscribe(count)
    heard, said = (await task.run()).devices
    assert len(frames) <= heard.blocks <= len(frames) + 20
    assert heard.samples == sum(frame.num_samples for frame in frames)
    assert said.blocks >= 20
    assert 0.009 < heard.longest_wait_s < 5.0
    assert heard.latency_s == said.latency_s == 0.01


def test_a_callback_is_late_when_the_buffer_had_time_to_run_dry() -> None:
    times = iter([5.0, 5.01, 5.0399, 5.08, 5.08, 9.0])
    counter = CallbackCounter(lambda: next(times))
    counter.expect(block_s=0.01, latency_s=0.025)
    late: list[int] = []
    for _ in range(6):
        counter.note_call()
        late.append(counter.counts().late)
    assert late == [0, 0, 0, 1, 1, 2]
    assert counter.counts(underflows=3)[:3] == (6, 2, 3)
    assert counter.counts().longest_wait_s == pytest.approx(3.92)


def test_without_a_latency_two_blocks_are_late() -> None:
    times = iter([0.0, 0.0199, 0.0399 + 0.0003])
    counter = CallbackCounter(lambda: next(times))
    counter.expect(block_s=0.01, latency_s=0.0)
    for _ in range(3):
        counter.note_call()
    assert counter.counts().late == 1


def test_the_counts_of_two_streams_one_after_the_other() -> None:
    first, second = CallbackCounts(10, 1, 2, 0.5), CallbackCounts(5, 0, 1, 0.7)
    assert first.and_then(second) == CallbackCounts(15, 1, 3, 0.7)
