"""A microphone that gives nothing but zeros for long is opened again, and nobody is told."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.sound import BLOCK_S, RATE, assert_accounted, noise, seam, speech, virtual_loop
from support.stages import Ends, Recorder
from voicepipe import (
    AudioFormat,
    DeviceLostFrame,
    DeviceRestoredFrame,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
)
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.devices.port import InputStream, StreamRequest
from voicepipe.endpoints.kept_device import OnLoss
from voicepipe_devices.driver import CaptureCallback, Finished, Handle
from voicepipe_devices.fake import FakeBackend, SimulatedCard
from voicepipe_devices.wav import WavBackend

MIC = "MicrophoneInput device"
HOUR_S = 3_600.0


class Opened(FakeBackend):
    """Notes when its microphone is opened, and does something before the n-th time, counted from 0."""

    def __init__(self, card: SimulatedCard, before: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(card)
        self.at: list[float] = []
        self._before = before

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        self._before(len(self.at))
        self.at.append(round(asyncio.get_running_loop().time(), 1))
        return await super().open_capture(request, callback, finished)


class Listening:
    """A run of one microphone."""

    def __init__(
        self, card: SimulatedCard, before: Callable[[int], None] = lambda _: None, **arguments: Any
    ) -> None:
        self.card, self.sound, self.behind = card, Opened(card, before), Recorder()
        self.mic = MicrophoneInput(self.sound, **arguments)
        self.task = PipelineTask(Pipeline([self.mic, self.behind]))
        self.ends = Ends(self.task)

    async def run(self, seconds: float) -> RunReport:
        virtual_loop().call_later(seconds, self.task.end)
        return assert_accounted(await self.task.run(), MIC, "recorder")

    @property
    def frames(self) -> list[InputAudioFrame]:
        return [frame for frame in self.behind.frames if isinstance(frame, InputAudioFrame)]

    @property
    def missing(self) -> int:
        """The samples between the frames."""
        return sum(b.position - a.position - a.num_samples for a, b in itertools.pairwise(self.frames))

    def losses(self) -> list[object]:
        both = (*self.ends.up, *self.ends.down)
        return [frame for frame in both if isinstance(frame, DeviceLostFrame | DeviceRestoredFrame)]


def zeros(seconds: float) -> bytes:
    return bytes(2 * round(RATE * seconds))


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    records = [record for record in caplog.records if record.name == "voicepipe"]
    return [record.getMessage() for record in records if record.levelno >= level]


@pytest.mark.parametrize("heard", [True, False])
async def test_zeros_for_half_a_minute_open_the_device_again_and_nobody_is_told(heard: bool) -> None:
    run = Listening(SimulatedCard())
    run.card.mic.hear(noise(2.0) if heard else zeros(2.0))
    report = await run.run(100.0)
    assert run.sound.at == ([0.0, 32.0, 92.0] if heard else [0.0, 30.0, 90.0])
    assert run.losses() == []
    (device,) = report.devices
    assert device.reconnections == 0
    assert not device.lost


@pytest.mark.parametrize("opens_s", [0.0, 0.13, 1.0])
async def test_the_samples_missing_meanwhile_are_counted_and_positions_are_exact(opens_s: float) -> None:
    run = Listening(SimulatedCard())
    run.card.mic.hear(noise(2.0))
    virtual_loop().call_later(1.0, run.card.mic.slow_open, opens_s)
    report = await run.run(40.0)
    assert seam(report, MIC).dropped == ({"device_lost": run.missing} if opens_s else {})
    assert run.missing == pytest.approx(opens_s * RATE, abs=3)
    first, *_, last = run.frames
    assert first.captured_s is not None
    assert last.captured_s is not None
    assert last.position == pytest.approx((last.captured_s - first.captured_s) * RATE, abs=3)


async def test_a_stream_that_a_restarted_server_left_dead_is_revived() -> None:
    """The old stream lives on, and gives zeros until it is replaced."""
    card = SimulatedCard()
    run = Listening(card, lambda nth: card.mic.mute(False))
    card.mic.hear(noise(120.0))
    for at in (5.0, 50.0):
        virtual_loop().call_later(at, card.mic.mute)
    report = await run.run(90.0)
    assert run.sound.at == [0.0, 35.0, 80.0]
    assert [bool(frame.data.strip(b"\0")) for frame in (run.frames[-1], run.frames[-300])] == [True, True]
    assert report.state is RunState.ENDED
    assert run.losses() == []


async def test_nothing_is_opened_again_while_somebody_speaks_however_slow_the_pipeline_is() -> None:
    class Slow(Recorder):
        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, InputAudioFrame) and 29.19 < (frame.captured_s or 0.0) < 29.21:
                virtual_loop().freeze(2.0)

    card, slow = SimulatedCard(), Slow()
    sound = Opened(card)
    card.mic.hear(zeros(30.1))
    card.mic.hear(noise(3.0))  # it begins while the blocks before it still wait
    task = PipelineTask(Pipeline([MicrophoneInput(sound), slow]))
    virtual_loop().call_later(50.0, task.end)
    await task.run()
    assert sound.at == [0.0]
    said = b"".join(frame.data for frame in slow.frames if isinstance(frame, InputAudioFrame))
    assert noise(3.0).tobytes() in said


@pytest.mark.parametrize("level", [1, -1])
async def test_dither_is_no_zeros(level: int, caplog: pytest.LogCaptureFixture) -> None:
    run = Listening(SimulatedCard())
    run.card.mic.hear(
        b"".join((0, 0, level)[n % 3].to_bytes(2, "little", signed=True) for n in range(RATE)) * 60
    )
    with caplog.at_level(logging.INFO, "voicepipe"):
        await run.run(59.0)
    assert run.sound.at == [0.0]
    assert lines(caplog, logging.WARNING) == []


@pytest.mark.heavy
async def test_what_the_pipeline_mutes_itself_does_not_count() -> None:
    card = SimulatedCard()
    sound = Opened(card)
    stages = [MicrophoneInput(sound, mute=True), SpeakerOutput(sound)]
    task = PipelineTask(Pipeline(stages))
    for nth in range(5):
        await task.queue_frame(speech(10.0, nth))
    virtual_loop().call_later(45.0, task.cancel)
    report = await task.run()
    assert report.dropped["muted"] > 44 * RATE
    assert sound.at == [0.0]


async def test_sound_while_it_is_muted_shows_that_the_stream_lives() -> None:
    card = SimulatedCard()
    sound = Opened(card)
    task = PipelineTask(Pipeline([MicrophoneInput(sound, mute=True), SpeakerOutput(sound)]))
    card.mic.hear(zeros(20.0))
    card.mic.hear(noise(5.0))
    virtual_loop().call_later(20.0, lambda: asyncio.ensure_future(task.queue_frame(speech(5.0))))
    virtual_loop().call_later(50.0, task.end)
    await task.run()
    assert sound.at == [0.0]


async def test_of_two_microphones_only_the_gated_one_is_opened_again() -> None:
    gated, steady = Listening(SimulatedCard("gated")), Listening(SimulatedCard("steady"))
    gated.card.mic.hear(noise(1.0))
    steady.card.mic.hear(noise(60.0))
    await asyncio.gather(gated.run(50.0), steady.run(50.0))
    assert gated.sound.at == [0.0, 31.0]
    assert steady.sound.at == [0.0]


@pytest.mark.heavy
async def test_a_switch_that_unmutes_after_25_minutes_is_heard_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = Listening(SimulatedCard(), block_s=0.1)
    run.card.mic.hear(noise(1.0))
    run.card.mic.hear(zeros(1_500.0))
    run.card.mic.hear(noise(5.0))
    with caplog.at_level(logging.INFO, "voicepipe"):
        await run.run(1_510.0)
    assert run.sound.at == pytest.approx([0.0, 31.0, 91.0, 211.0, 451.0, 931.0], abs=0.3)
    assert any(frame.data.strip(b"\0") for frame in run.frames[-100:])
    assert lines(caplog, logging.WARNING) == []
    assert sum("is opened again" in line for line in lines(caplog, logging.INFO)) == 1


@pytest.mark.heavy
async def test_a_muted_microphone_is_one_warning_in_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    run = Listening(SimulatedCard(), block_s=0.5)
    with caplog.at_level(logging.INFO, "voicepipe"):
        await run.run(HOUR_S)
    assert len(run.sound.at) == 10
    (warning,) = lines(caplog, logging.WARNING)
    assert "has delivered only zeros for 5 s" in warning
    assert sum("is opened again" in line for line in lines(caplog, logging.INFO)) == 1


@pytest.mark.heavy
async def test_a_gated_microphone_of_a_long_day_is_opened_again_seldom_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, word = Listening(SimulatedCard(), block_s=1.0), noise(2.0)
    for minute in range(12 * 60):
        virtual_loop().call_later(60.0 * minute, run.card.mic.hear, word)
    with caplog.at_level(logging.INFO, "voicepipe"):
        report = await run.run(12 * HOUR_S)
    assert len(run.sound.at) == 4
    assert run.losses() == []
    assert report.devices[0].troubles == ""
    assert lines(caplog, logging.WARNING) == []
    assert len(lines(caplog, logging.INFO)) == 2  # that it opened, and that it was opened again


# -- where opening it again does not work ----------------------------------------------


FAULTS: dict[str, tuple[Callable[[SimulatedCard], None], Callable[[SimulatedCard], None]]] = {
    "busy": (lambda card: card.mic.busy(), lambda card: card.mic.busy(False)),
    "forbidden": (lambda card: card.mic.forbid(), lambda card: card.mic.forbid(False)),
    "does not start": (lambda card: card.mic.fail_start(), lambda card: card.mic.fail_start(False)),
}
every_fault = pytest.mark.parametrize("fault", FAULTS)


@every_fault
async def test_a_device_that_does_not_open_again_is_lost_and_waited_for(fault: str) -> None:
    card = SimulatedCard()
    go, come = FAULTS[fault]
    run = Listening(card)
    card.mic.hear(noise(1.0))
    virtual_loop().call_later(5.0, go, card)
    virtual_loop().call_later(40.0, come, card)
    report = await run.run(60.0)
    assert [type(frame) for frame in run.losses()] == [DeviceLostFrame, DeviceRestoredFrame] * 2
    assert report.devices[0].reconnections == 1
    assert report.dropped == {"device_lost": run.missing}
    assert 9.0 * RATE <= run.missing <= 13.0 * RATE


@every_fault
@pytest.mark.parametrize("on_loss", ["end", "fail"])
async def test_the_policy_for_a_loss_applies_where_it_does_not_open_again(
    fault: str, on_loss: OnLoss
) -> None:
    card = SimulatedCard()
    run = Listening(card, on_loss=on_loss)
    virtual_loop().call_later(5.0, FAULTS[fault][0], card)
    if on_loss == "end":
        report = assert_accounted(await run.task.run())
        assert report.state is RunState.ENDED
        assert report.reason.endswith("is lost")
    else:
        with pytest.raises(PipelineError, match="simulated microphone"):
            await run.task.run()
    assert virtual_loop().time() == pytest.approx(30.0, abs=0.2)
    assert not card.mic.is_open


@pytest.mark.parametrize("closes_s", [0.0, 0.1, 1.0, 2.0])
@pytest.mark.heavy(after=1)
async def test_the_old_stream_is_closed_before_the_device_is_opened_again(closes_s: float) -> None:
    run = Listening(SimulatedCard())
    virtual_loop().call_later(1.0, run.card.mic.stuck_close, closes_s)
    virtual_loop().call_later(40.0, run.card.mic.stuck_close, 0.0)
    report = await run.run(50.0)
    assert run.sound.at == pytest.approx([0.0, 30.0 + closes_s], abs=0.1)
    assert run.losses() == []
    assert seam(report, MIC).dropped.get("device_lost", 0) == pytest.approx(closes_s * RATE, abs=3)


async def test_a_close_that_does_not_return_holds_nothing_up_for_long() -> None:
    card = SimulatedCard()
    run = Listening(card)
    card.mic.stuck_close(8.0)  # until then it is busy
    virtual_loop().call_later(50.0, card.mic.stuck_close, 0.0)
    report = await run.run(60.0)
    assert report.state is RunState.ENDED
    assert [type(frame) for frame in run.losses()] == [
        DeviceLostFrame,
        DeviceRestoredFrame,
    ] * 2
    assert run.sound.at[1] == pytest.approx(32.5, abs=0.1)


@pytest.mark.parametrize("asks", ["end", "cancel"])
@pytest.mark.parametrize("after", [0.0, 0.001, 0.3, 0.5, 0.7, 1.4, 1.6, 2.4])
@pytest.mark.heavy(after=8)
async def test_the_run_ends_in_time_at_any_moment_of_it(asks: str, after: float) -> None:
    card = SimulatedCard()
    run = Listening(card)
    card.mic.slow_open(0.0)
    virtual_loop().call_later(1.0, card.mic.stuck_close, 0.6)
    virtual_loop().call_later(1.0, card.mic.slow_open, 0.9)
    virtual_loop().call_later(30.0 + after, getattr(run.task, asks))
    report = assert_accounted(await run.task.run())
    assert virtual_loop().time() - 30.0 - after <= 2.0
    assert report.state is (RunState.ENDED if asks == "end" else RunState.CANCELLED)
    assert report.abandoned == ()
    assert not card.mic.is_open
    assert run.losses() == []


async def test_while_it_is_opened_again_the_device_is_not_reported_as_lost() -> None:
    card = SimulatedCard()
    run = Listening(card)
    virtual_loop().call_later(1.0, card.mic.slow_open, 2.0)
    running = asyncio.ensure_future(run.run(40.0))
    await asyncio.sleep(31.0)
    assert run.mic.device_state() is not None
    state, statistics = run.mic.device_state(), run.mic.device_statistics()
    assert state is not None
    assert statistics is not None
    assert (state.device, state.lost_s, state.absent) == ("simulated microphone", None, "")
    assert state.callbacks == pytest.approx(30.0 / BLOCK_S, abs=1)
    assert not statistics.lost
    await running


async def test_a_file_of_zeros_is_never_opened_again(tmp_path: Path) -> None:
    class Counting(WavBackend):
        opened = 0

        async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
            self.opened += 1
            return await super().open_input(request, wake)

    with WavWriter(tmp_path / "zeros.wav", AudioFormat()) as file:
        file.write(zeros(120.0))
    backend = Counting(tmp_path / "zeros.wav")
    report = await PipelineTask(Pipeline([MicrophoneInput(backend)])).run()
    assert backend.opened == 1
    assert seam(report, MIC).taken == 120 * RATE
    assert report.dropped == {}
