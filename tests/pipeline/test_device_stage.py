"""A device stage of a user's own: it works by itself, and tells the run how its device stands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from support.stages import Recorder
from voicepipe import (
    DeviceStage,
    Frame,
    FrameDirection,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    SeamReport,
    StartParams,
    TextFrame,
)
from voicepipe.report import DeviceState
from voicepipe.service.heartbeat import devices_of

pytestmark = pytest.mark.virtual_time


class Button(DeviceStage):
    """Pushes a frame for each press, whoever presses."""

    def __init__(self) -> None:
        super().__init__(name="button")
        self.presses = 0
        self.looks = 0
        self.audio_s = 0.0

    def press(self) -> None:
        self.presses += 1
        self.wake_up()

    async def work_when_idle(self) -> bool:
        self.looks += 1
        if not self.presses:
            return False
        self.presses -= 1
        await self.push_frame(TextFrame("pressed"))
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, OutputAudioFrame):
            self.take_charge()
            await asyncio.sleep(frame.duration_s)
            self.audio_s += frame.duration_s
            return
        await self.push_frame(frame, direction)

    def seams(self) -> list[SeamReport]:
        return [SeamReport("button's buzzer", 640, 320, 0, {"interrupted": 320})]

    def device_state(self) -> DeviceState:
        return DeviceState("speaker", "a button with a buzzer")


@dataclass
class Patient(DeviceStage):
    """Opens when its device is there."""

    waited_s: float = 0.0
    reasons: list[str] = field(default_factory=list)

    __hash__ = object.__hash__

    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(self.waited_s)

    def waits_for(self) -> str:
        self.reasons.append("nobody has plugged it in")
        return self.reasons[-1]


async def test_it_works_when_it_is_woken_and_only_then() -> None:
    button, recorder = Button(), Recorder()
    task = PipelineTask(Pipeline([button, recorder]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    looks = button.looks
    await asyncio.sleep(60.0)
    assert button.looks == looks, "it is not asked while nothing happens"
    for _ in range(3):
        button.press()
    await asyncio.sleep(0.1)
    assert [type(frame) for frame in recorder.frames] == [TextFrame] * 3
    task.end()
    report = await running
    assert "button's buzzer" in [seam.name for seam in report.seams]


async def test_a_frame_that_it_took_charge_of_is_neither_cut_nor_dropped_by_an_interruption() -> None:
    button = Button()
    task = PipelineTask(Pipeline([button]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(OutputAudioFrame(bytes(32_000)))
    await asyncio.sleep(0.5)
    task.interrupt()
    await asyncio.sleep(0.1)
    task.end()
    report = await running
    seam = next(seam for seam in report.seams if seam.name == "button")
    assert (seam.taken, seam.given, seam.dropped) == (16_000, 16_000, {})
    assert button.audio_s == 1.0


async def test_its_state_is_told_to_a_service() -> None:
    task = PipelineTask(Pipeline([Button(), Recorder()]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    assert [state.device for state in devices_of(task)] == ["a button with a buzzer"]
    task.end()
    await running


async def test_a_patient_run_waits_for_it_and_another_does_not() -> None:
    task = PipelineTask(Pipeline([Patient(waited_s=20.0)]), patient=True)
    task.end()
    report = await task.run()
    assert report.seconds < 20.0, "an end needs no start where a device is waited for"
    with pytest.raises(PipelineStartError, match="start limit of 5 s"):
        await PipelineTask(Pipeline([Patient(waited_s=20.0)])).run()


async def test_it_has_a_default_for_all_that_is_asked() -> None:
    class Plain(DeviceStage):
        pass

    plain, recorder = Plain(), Recorder()
    plain.wake_up()  # in no pipeline: nothing to wake
    task = PipelineTask(Pipeline([plain, recorder]))
    await task.queue_frame(InputAudioFrame(bytes(640)))
    task.end()
    report = await task.run()
    assert len(recorder.frames) == 1
    assert report.devices == ()
    assert devices_of(task) == []
