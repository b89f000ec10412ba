"""Another device is asked for while the run goes on: it takes over, or the old one stays."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.sound import RATE, assert_accounted, noise, seam, virtual_loop
from support.stages import Ends, Recorder
from voicepipe import (
    AudioFormat,
    BotStoppedSpeakingFrame,
    DeviceBusyError,
    DeviceLostFrame,
    DeviceNotFoundError,
    DeviceRestoredFrame,
    ErrorFrame,
    FrameProcessor,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
)
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.devices.names import name_means
from voicepipe.devices.port import StreamRequest
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard
from voicepipe_devices.wav import WavBackend

MIC, SPEAKER = "MicrophoneInput device", "SpeakerOutput device"
TONE = OutputAudioFrame.from_array(np.full(RATE // 50, 1_000, np.int16))
NOBODY_TOLD: list[object] = []


class Cards(FakeBackend):
    """Two cards, found by name; the first is the default one. Each device has one stream at a time."""

    def __init__(self, *cards: SimulatedCard) -> None:
        super().__init__(cards[0])
        self.cards = cards
        self.asked: list[str] = []

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        card = self._find(request.device, "mic")
        return await FakeBackend(card).open_capture(request, callback, finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        card = self._find(request.device, "speaker")
        return await FakeBackend(card).open_render(request, callback, finished)

    def _find(self, name: str, which: str) -> SimulatedCard:
        self.asked.append(name)
        for card in self.cards:
            if name_means(getattr(card, which).name, name):
                return card
        raise DeviceNotFoundError(f"there is no device {name!r}")


class Talks(FrameProcessor):
    """Makes sound for as long as the run goes on."""

    async def on_running(self) -> None:
        self.create_task(self._talk())

    async def _talk(self) -> None:
        while True:
            await self.push_frame(TONE)
            await asyncio.sleep(0.02)


class Run:
    """A microphone that hears noise, a stage that talks, and a speaker, over two cards."""

    def __init__(self, **arguments: Any) -> None:
        self.old, self.new = SimulatedCard("old"), SimulatedCard("new")
        self.sound = Cards(self.old, self.new)
        for card in self.sound.cards:
            card.mic.hear(noise(20.0))
        self.timers: list[asyncio.TimerHandle] = []
        self.behind = Recorder()
        self.mic = MicrophoneInput(self.sound, **arguments)
        self.speaker = SpeakerOutput(self.sound, **arguments)
        self.task = PipelineTask(Pipeline([self.mic, self.behind, Talks(), self.speaker]))
        self.ends = Ends(self.task)

    def at(self, seconds: float, do: Callable[..., object], *arguments: Any) -> None:
        self.timers.append(virtual_loop().call_later(seconds, do, *arguments))

    def change(self, which: str, seconds: float, name: str) -> None:
        self.at(seconds, setattr, getattr(self.task, which), "device", name)

    async def run(self, seconds: float = 4.0) -> RunReport:
        self.at(seconds, self.task.end)
        report = assert_accounted(await self.task.run(), MIC, "recorder")
        for timer in self.timers:
            timer.cancel()
        return report

    @property
    def frames(self) -> list[InputAudioFrame]:
        return [frame for frame in self.behind.frames if isinstance(frame, InputAudioFrame)]

    @property
    def missing(self) -> int:
        return sum(b.position - a.position - a.num_samples for a, b in itertools.pairwise(self.frames))

    def losses(self) -> list[object]:
        both = (*self.ends.up, *self.ends.down)
        return [frame for frame in both if isinstance(frame, DeviceLostFrame | DeviceRestoredFrame)]

    def errors(self) -> list[str]:
        return [frame.message for frame in self.ends.up if isinstance(frame, ErrorFrame)]

    def played_s(self, card: SimulatedCard) -> float:
        return int(np.count_nonzero(np.frombuffer(card.speaker.played(), np.int16))) / RATE


def assert_positions_are_times(frames: list[InputAudioFrame]) -> None:
    for frame in frames:
        assert frame.captured_s is not None
        assert frames[0].captured_s is not None
        since_s = frame.captured_s - frames[0].captured_s
        assert frame.position - frames[0].position == pytest.approx(since_s * RATE, abs=3)


@pytest.mark.parametrize("name", ["new", "new microphone", "NEW"])
async def test_another_microphone_takes_over_and_positions_stay_times(name: str) -> None:
    run = Run()
    run.change("microphone", 2.0, name)
    report = await run.run()
    assert_positions_are_times(run.frames)
    assert seam(report, MIC).dropped.get("device_lost", 0) == run.missing < 0.1 * RATE
    assert (run.losses(), run.errors()) == (NOBODY_TOLD, NOBODY_TOLD)
    (device, _) = report.devices
    assert (device.device, device.reconnections, device.lost) == ("new microphone", 0, False)
    assert run.task.microphone.device == name  # after the run: what a next run asks for


@pytest.mark.parametrize("name", ["new", "new speaker"])
async def test_another_speaker_takes_over(name: str) -> None:
    run = Run()
    run.change("speaker", 2.0, name)
    report = await run.run()
    assert "device_lost" not in seam(report, SPEAKER).dropped
    assert run.played_s(run.old) == pytest.approx(2.0, abs=0.2)
    assert run.played_s(run.old) + run.played_s(run.new) == pytest.approx(4.0, abs=0.1)
    assert (run.losses(), run.errors()) == (NOBODY_TOLD, NOBODY_TOLD)


class Says(FrameProcessor):
    """Says four seconds in one go."""

    sounds = np.arange(1, 4 * RATE // 4 + 1, dtype=np.int16).repeat(4)

    async def on_running(self) -> None:
        for part in np.split(self.sounds, 8):
            await self.push_frame(OutputAudioFrame.from_array(part))


@pytest.mark.parametrize("at_s", [0.0, 0.51, 1.5, 3.99])
async def test_a_sentence_goes_on_at_the_other_speaker_where_it_was(at_s: float) -> None:
    sound = Cards(SimulatedCard("old"), SimulatedCard("new"))
    task = PipelineTask(Pipeline([Says(), SpeakerOutput(sound)]))
    ends = Ends(task)
    virtual_loop().call_later(at_s, setattr, task.speaker, "device", "new")
    virtual_loop().call_later(4.5, task.end)
    report = await task.run()
    old, new = (np.frombuffer(card.speaker.played(), np.int16) for card in sound.cards)
    heard = np.concatenate([old[old != 0], new[new != 0]])
    assert np.array_equal(heard, Says.sounds)
    assert new.any() is np.True_
    assert report.dropped == {}
    stopped = [frame for frame in ends.up if isinstance(frame, BotStoppedSpeakingFrame)]
    assert [(frame.position, frame.interrupted) for frame in stopped] == [(4 * RATE, False)]


async def test_a_sentence_for_which_no_speaker_is_left_is_counted() -> None:
    sound = Cards(SimulatedCard("old"), SimulatedCard("new"))
    sound.cards[1].speaker.fail_start()
    task = PipelineTask(Pipeline([Says(), SpeakerOutput(sound)]))
    ends = Ends(task)

    def change() -> None:
        task.speaker.device = "new"
        sound.cards[0].speaker.fail_start()

    virtual_loop().call_later(1.0, change)
    virtual_loop().call_later(3.0, task.end)
    report = assert_accounted(await task.run())
    assert seam(report, SPEAKER).dropped["device_lost"] == pytest.approx(3 * RATE, abs=0.1 * RATE)
    assert [frame for frame in ends.up if isinstance(frame, DeviceLostFrame)]
    stopped = [frame for frame in ends.up if isinstance(frame, BotStoppedSpeakingFrame)]
    assert [frame.interrupted for frame in stopped] == [True]


@pytest.mark.parametrize("which", ["microphone", "speaker"])
async def test_a_wrong_name_changes_nothing_and_is_told(which: str, caplog: pytest.LogCaptureFixture) -> None:
    run = Run()
    run.change(which, 2.0, "no such thing")
    with caplog.at_level(logging.WARNING, "voicepipe"):
        report = await run.run()
    said = (
        f'the {which} "old {which}" was not changed to "no such thing" '
        "(there is no device 'no such thing'); it stays in use"
    )
    assert said in [record.getMessage() for record in caplog.records]
    assert run.errors() == [said]
    assert [error.message for error in report.errors] == [said]
    assert (report.state, run.missing) == (RunState.ENDED, 0)
    assert "device_lost" not in report.dropped
    assert run.played_s(run.old) == pytest.approx(4.0, abs=0.1)
    assert getattr(run.task, which).device == ""


@pytest.mark.parametrize("which", ["mic", "speaker"])
@pytest.mark.parametrize("trouble", ["fail_start", "busy", "forbid", "unplug"])
async def test_what_does_not_open_or_start_goes_back_to_the_old_one(which: str, trouble: str) -> None:
    run = Run()
    getattr(getattr(run.new, which), trouble)()
    kind = {"mic": "microphone", "speaker": "speaker"}[which]
    run.change(kind, 2.0, "new")
    report = await run.run(6.0)
    assert report.state is RunState.ENDED
    assert len(run.errors()) == 1
    assert run.errors()[0].startswith(f'the {kind} "old {kind}" was not changed to "new" (')
    assert run.losses() == NOBODY_TOLD
    assert_positions_are_times(run.frames)
    assert run.missing < 0.2 * RATE
    assert run.played_s(run.old) > 5.5
    assert [device.device for device in report.devices] == ["old microphone", "old speaker"]


@pytest.mark.parametrize("which", ["microphone", "speaker"])
async def test_another_name_of_the_same_device_opens_it_again(which: str) -> None:
    """Most hardware has one stream at a time: the present one is closed first."""

    class OneAtATime(Cards):
        def _find(self, name: str, which: str) -> SimulatedCard:
            card = super()._find(name, which)
            side = getattr(card, which)
            if side.is_open:
                raise DeviceBusyError(f"{side.name} is busy")
            return card

    run = Run()
    run.sound.__class__ = OneAtATime
    run.change(which, 2.0, "old")
    report = await run.run()
    assert (run.errors(), run.losses()) == (NOBODY_TOLD, NOBODY_TOLD)
    assert run.sound.asked.count("old") == 2
    assert [device.device for device in report.devices] == ["old microphone", "old speaker"]


@pytest.mark.parametrize("which", ["mic", "speaker"])
async def test_a_lost_device_is_replaced_by_the_one_that_is_asked_for(which: str) -> None:
    run = Run()
    kind = {"mic": "microphone", "speaker": "speaker"}[which]
    run.at(1.0, getattr(run.old, which).unplug)
    run.change(kind, 3.3, "new")
    report = await run.run(6.0)
    told = [type(frame) for frame in run.losses() if isinstance(frame, DeviceLostFrame | DeviceRestoredFrame)]
    assert told == [DeviceLostFrame, DeviceRestoredFrame] * 2  # up and down
    assert run.errors() == NOBODY_TOLD
    assert_positions_are_times(run.frames)
    device = next(device for device in report.devices if device.kind == kind)
    assert (device.device, device.lost, device.reconnections) == (f"new {kind}", False, 1)


@pytest.mark.parametrize("which", ["mic", "speaker"])
async def test_a_wrong_name_for_a_lost_device_leaves_the_search_as_it_was(which: str) -> None:
    run = Run()
    kind = {"mic": "microphone", "speaker": "speaker"}[which]
    side = getattr(run.old, which)
    run.at(1.0, side.unplug)
    run.change(kind, 3.3, "no such thing")
    run.at(4.0, side.replug)
    report = await run.run(9.0)
    device = next(device for device in report.devices if device.kind == kind)
    assert (device.device, device.lost, device.reconnections) == (f"old {kind}", False, 1)
    assert len(run.errors()) == 1


@pytest.mark.parametrize("which", ["microphone", "speaker"])
async def test_the_last_of_several_requests_counts(which: str) -> None:
    run = Run()
    for number, name in enumerate(("new", "old", "new", "nothing", "new")):
        run.change(which, 2.0 + 1e-6 * number, name)
    report = await run.run()
    device = next(device for device in report.devices if device.kind == which)
    assert device.device == f"new {which}"


@pytest.mark.parametrize("which", ["microphone", "speaker"])
async def test_before_the_run_the_name_is_the_one_that_is_opened(which: str) -> None:
    run = Run()
    handle = getattr(run.task, which)
    handle.device = "new"
    assert handle.device == "new"
    report = await run.run()
    device = next(device for device in report.devices if device.kind == which)
    assert device.device == f"new {which}"
    assert run.sound.asked.count("new") == 1


@pytest.mark.parametrize("at_s", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("which", ["mic", "speaker"])
async def test_a_change_during_the_start_takes_effect_after_it(which: str, at_s: float) -> None:
    run = Run()
    getattr(run.old, which).slow_open(0.2)
    kind = {"mic": "microphone", "speaker": "speaker"}[which]
    run.change(kind, at_s, "new")
    report = await run.run()
    device = next(device for device in report.devices if device.kind == kind)
    assert (device.device, report.state) == (f"new {kind}", RunState.ENDED)


async def test_the_next_run_begins_with_the_device_that_was_chosen() -> None:
    run = Run()
    run.change("microphone", 2.0, "new")
    await run.run()
    again = PipelineTask(Pipeline([run.mic]))
    virtual_loop().call_later(1.0, again.end)
    (device,) = (await again.run()).devices
    assert device.device == "new microphone"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("how", ["end", "cancel"])
async def test_the_end_may_come_at_any_moment_of_a_change(seed: int, how: str) -> None:
    draw = random.Random(seed)
    run = Run()
    for card in run.sound.cards:
        card.mic.slow_open(draw.choice((0.0, 0.2)))
        card.speaker.slow_open(draw.choice((0.0, 0.2)))
    run.change("microphone", 1.0, draw.choice(("new", "old", "none")))
    run.change("speaker", 1.0, draw.choice(("new", "old", "none")))
    run.at(1.0 + draw.choice((0.0, 0.001, 0.02, 0.1, 0.21, 0.3)), getattr(run.task, how))
    report = await run.run(60.0)
    assert report.state is (RunState.ENDED if how == "end" else RunState.CANCELLED)
    assert report.seconds < 3.0
    assert (report.forced, report.abandoned, report.slow) == ((), (), ())


@pytest.mark.parametrize("name", [3, None, 1.5, b"usb", ["usb"]])
async def test_what_is_no_name_is_refused_at_once(name: Any) -> None:
    run = Run()
    for handle in (run.task.microphone, run.task.speaker):
        with pytest.raises(TypeError, match="device must be a device's name"):
            handle.device = name


@pytest.mark.parametrize("name", ["3", " ", "-1"])
async def test_a_number_and_a_blank_are_no_names(name: str) -> None:
    run = Run()
    for handle in (run.task.microphone, run.task.speaker):
        with pytest.raises(ValueError, match="device must be a name"):
            handle.device = name


async def test_a_file_has_no_other_device(tmp_path: Path) -> None:
    with WavWriter(str(tmp_path / "in.wav"), AudioFormat()) as file:
        file.write(noise(0.5).tobytes())
    sound = WavBackend(str(tmp_path / "in.wav"), str(tmp_path / "out.wav"))
    task = PipelineTask(Pipeline([MicrophoneInput(sound), SpeakerOutput(sound)]))
    for handle in (task.microphone, task.speaker):
        with pytest.raises(ValueError, match="wav has files, not devices"):
            handle.device = "usb"
