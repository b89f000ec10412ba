"""A device whose rate changes while it is open, as a Bluetooth headset's: its pace tells; it is reopened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.sound import Samples, assert_accounted, virtual_loop
from support.stages import InlineRecorder, Loopback
from voicepipe import (
    AudioFormat,
    DeviceLostFrame,
    DeviceRestoredFrame,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.devices.port import DeviceInfo, StreamRequest
from voicepipe.errors import DeviceFormatError
from voicepipe_devices.device_watch import RateWatch
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard
from voicepipe_devices.streams import DriverBackend

BLOCK_S = 0.02


def told(watch: RateWatch, *looks: tuple[float, int]) -> list[float | None]:
    return [watch.look(when, calls) for when, calls in looks]


def test_a_clock_that_is_right_is_not_remarked_on() -> None:
    watch = RateWatch(BLOCK_S)
    assert not any(told(watch, *((n * 0.25, round(n * 0.25 / BLOCK_S)) for n in range(1_000))))


@pytest.mark.parametrize("factor", [1 / 3, 1 / 2, 2 / 3, 1.5, 3.0])
def test_another_rate_is_certain_after_three_seconds(factor: float) -> None:
    watch = RateWatch(BLOCK_S)
    looks = [(n * 0.25, round(factor * n * 0.25 / BLOCK_S)) for n in range(14)]
    answers = told(watch, *looks)
    assert answers[:12] == [None] * 12
    assert answers[12] == pytest.approx(factor, rel=0.05)


def test_a_stall_and_its_end_are_no_other_rate() -> None:
    watch, calls = RateWatch(BLOCK_S), 0
    for second in range(60):
        calls += 25 if second % 3 < 2 else 100  # what was missing comes at once
        assert watch.look(float(second), calls) is None


def test_what_passed_while_this_process_stood_still_proves_nothing() -> None:
    watch = RateWatch(BLOCK_S)
    assert not any(told(watch, (0.0, 0), (2.0, 10), (4.0, 20), (6.0, 30), (8.0, 40), (10.0, 50)))


class Headset(DriverBackend):
    """Opens at what it is asked for, or at 16 kHz."""

    name = "headset"
    shares_air = False

    def __init__(self) -> None:
        self.card = SimulatedCard("headset")
        self._fake = FakeBackend(self.card)

    async def devices(self) -> list[DeviceInfo]:
        return await self._fake.devices()

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        try:
            return await self._fake.open_capture(request, callback, finished)
        except DeviceFormatError:
            return await self._fake.open_capture(telephone(request), callback, finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        try:
            return await self._fake.open_render(request, callback, finished)
        except DeviceFormatError:
            return await self._fake.open_render(telephone(request), callback, finished)


def telephone(request: StreamRequest) -> StreamRequest:
    return replace(request, format=AudioFormat(16_000))


@pytest.mark.virtual_time
@pytest.mark.parametrize("device", ["mic", "speaker"])
async def test_a_device_whose_rate_changes_is_opened_again_and_sounds_right(device: str) -> None:
    headset, heard = Headset(), InlineRecorder()
    side = headset.card.mic if device == "mic" else headset.card.speaker
    wide = AudioFormat(48_000)
    stages = [MicrophoneInput(headset), heard, Loopback(), SpeakerOutput(headset)]
    task = PipelineTask(Pipeline(stages), input=wide, output=wide)
    facts = list[DeviceLostFrame | DeviceRestoredFrame]()
    task.subscribe(
        lambda frame, _: (
            facts.append(frame) if isinstance(frame, DeviceLostFrame | DeviceRestoredFrame) else None
        )
    )
    loop = virtual_loop()
    loop.call_later(2.0, side.run_at, 16_000)
    times = 440 * np.arange(16_000) / 16_000
    tone = np.rint(9_000 * np.sin(2 * np.pi * times)).astype(np.int16)
    loop.call_later(10.0, headset.card.mic.hear, tone if device == "mic" else np.repeat(tone, 3))
    loop.call_later(15.0, task.end)
    report = await task.run()
    assert_accounted(report)
    lost = facts[0]
    assert isinstance(lost, DeviceLostFrame)
    assert "runs at about 16000 Hz, and was opened at 48000 Hz: its rate has changed" in lost.reason
    assert [statistics.reconnections for statistics in report.devices] == (
        [1, 0] if device == "mic" else [0, 1]
    )
    if device == "mic":
        captured = [frame.array[:, 0] for frame in heard.frames if isinstance(frame, InputAudioFrame)]
        assert_a_second_of_440_hz(np.concatenate(captured), 48_000)
    else:
        played = np.frombuffer(headset.card.speaker.played(), np.int16)
        assert_a_second_of_440_hz(played[-6 * 16_000 :], 16_000)


def assert_a_second_of_440_hz(sound: Samples, rate: int) -> None:
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 1_000)
    sound = sound[loud[0] : loud[-1] + 1]
    assert len(sound) == pytest.approx(rate, abs=0.05 * rate), "at the right speed"
    strongest = np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound)
    assert strongest == pytest.approx(440, abs=3)


@pytest.mark.virtual_time
@pytest.mark.heavy
async def test_drift_and_jitter_are_no_change_of_rate() -> None:
    card = SimulatedCard(drift_ppm=5_000, jitter_s=0.03, seed=4)
    facts = list[DeviceLostFrame]()
    task = PipelineTask(
        Pipeline([MicrophoneInput(card.backend()), Loopback(), SpeakerOutput(card.backend())])
    )
    task.subscribe(lambda frame, _: facts.append(frame) if isinstance(frame, DeviceLostFrame) else None)
    virtual_loop().call_later(120.0, task.end)
    await task.run()
    assert facts == []
