"""A device that is absent at the start: a patient run waits for it, another one fails at once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from support.manager import Manager
from support.sound import noise, samples
from voicepipe import (
    DeviceNotFoundError,
    DeviceStage,
    Limits,
    Loopback,
    MicrophoneInput,
    Pipeline,
    PipelineRunner,
    PipelineStartError,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
    StartParams,
    TextFrame,
)
from voicepipe.cli.arguments.sound_source import choose_sound
from voicepipe.endpoints.kept_device import OnLoss
from voicepipe.service.heartbeat import devices_of
from voicepipe_devices.fake import SimulatedCard


def a_run(card: SimulatedCard, *, patient: bool | None = True, on_loss: OnLoss = "wait") -> PipelineTask:
    """Sound straight through."""
    mic = MicrophoneInput(card.backend(), device="simulated microphone", on_loss=on_loss)
    speaker = SpeakerOutput(card.backend())
    return PipelineTask(Pipeline([mic, Loopback(), speaker]), patient=patient)


def without(*sides: str) -> SimulatedCard:
    """A card with these unplugged, which hears something."""
    card = SimulatedCard()
    card.mic.hear(noise(60.0))
    for side in sides:
        getattr(card, side).unplug()
    return card


@pytest.mark.parametrize("sides", [("mic",), ("speaker",), ("mic", "speaker")])
async def test_what_is_absent_is_waited_for_beyond_the_start_limit(
    sides: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    card = without(*sides)
    task = a_run(card)
    running = asyncio.create_task(task.run())
    for count, side in enumerate(reversed(sides)):  # the speaker is opened first
        await asyncio.sleep(20.0)
        assert task.state is RunState.OPENING
        waiting = [device for device in devices_of(task) if device.absent]
        assert [device.kind for device in waiting] == ["microphone" if side == "mic" else "speaker"]
        assert waiting[0].lost_s is not None
        assert 15.0 < waiting[0].lost_s <= 20.0
        assert caplog.text.count("is absent") == count + 1
        getattr(card, side).replug()
    await asyncio.sleep(5.0)
    assert task.state is RunState.RUNNING
    assert [device.lost_s for device in devices_of(task)] == [None, None]
    task.end()
    report = await running
    assert report.state is RunState.ENDED
    assert len(samples(card.speaker.played()).nonzero()[0]) > 16_000
    assert [device.reconnections for device in report.devices] == [0, 0]


@pytest.mark.parametrize("side", ["mic", "speaker"])
@pytest.mark.parametrize("patient", [None, False])
async def test_a_run_that_is_not_patient_fails_at_once(side: str, patient: bool | None) -> None:
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(PipelineStartError) as caught:
        await a_run(without(side), patient=patient).run()
    assert isinstance(caught.value.__cause__, DeviceNotFoundError)
    assert asyncio.get_running_loop().time() - began_s < 0.1


@pytest.mark.parametrize("policy", ["end", "fail"])
async def test_a_device_that_would_not_be_waited_for_later_is_not_at_the_start(policy: OnLoss) -> None:
    with pytest.raises(PipelineStartError):
        await a_run(without("mic"), on_loss=policy).run()


async def ended(task: PipelineTask, request: str) -> tuple[RunReport, float]:
    """Its report, and how long it took to end what waits."""
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("never seen"))
    await asyncio.sleep(20.0)
    asked_s = asyncio.get_running_loop().time()
    getattr(task, request)()
    return await running, asyncio.get_running_loop().time() - asked_s


@pytest.mark.parametrize("side", ["mic", "speaker"])
@pytest.mark.parametrize(("request_", "state"), [("end", RunState.ENDED), ("cancel", RunState.CANCELLED)])
async def test_it_ends_at_once_while_it_waits(side: str, request_: str, state: RunState) -> None:
    report, took_s = await ended(a_run(without(side)), request_)
    assert report.state is state
    assert report.never_started == 1
    assert took_s < 0.1
    assert not report.forced
    assert not report.abandoned


async def test_a_device_that_is_there_at_last_and_hangs_meets_the_start_limit() -> None:
    card = without("mic")
    task = a_run(card)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(20.0)
    card.mic.slow_open(12.0)
    card.mic.replug()
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(PipelineStartError, match="start limit of 5 s"):
        await running
    assert asyncio.get_running_loop().time() - began_s < Limits().start_s + 5.0
    await asyncio.sleep(12.0)  # it comes back, and is closed


async def test_a_stage_that_cannot_say_what_it_waits_for_fails_the_start() -> None:
    class Confused(DeviceStage):
        async def on_start(self, params: StartParams) -> None:
            await asyncio.sleep(3.0)

        def waits_for(self) -> str:
            raise LookupError("who am I?")

    with pytest.raises(PipelineStartError, match=r"Confused did not start: .*who am I") as caught:
        await PipelineTask(Pipeline([Confused()]), patient=True).run()
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("wrong", [0, 1, "yes"])
def test_patience_is_a_truth_or_nothing(wrong: object) -> None:
    with pytest.raises(TypeError, match="patient must be True, False or None"):
        PipelineTask(Pipeline([Loopback()]), patient=wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: no service manager listens there")
async def test_a_service_waits_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "15000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    card = without("mic")
    task = a_run(card, patient=None)
    loop = asyncio.get_running_loop()
    timers = [loop.call_at(300.0, card.mic.replug), loop.call_at(330.0, task.end)]
    async with manager:
        assert await PipelineRunner(blocked_s=0, handle_signals=False).serve(task) == 0
    for timer in timers:
        timer.cancel()
    (ready,) = manager.times("READY")
    assert 300.0 < ready < 304.0
    extended = [0.0, *(at for at in manager.times("EXTEND_TIMEOUT_USEC") if at < ready)]
    assert max(b - a for a, b in zip(extended, [*extended[1:], ready], strict=True)) < 6.0
    waits = manager.times("STATUS", lambda text: text.startswith("waiting for the microphone simulated"))
    assert waits[0] < 1.0
    assert waits[-1] > 290.0


def test_a_service_whose_task_said_otherwise_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody listens"))
    task = a_run(without("mic"), patient=False)
    assert PipelineRunner(blocked_s=0, handle_signals=False).run(task) == 1


def test_the_echo_program_as_a_service_takes_no_simulated_card_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person would be told so; of a service nobody would know that it hears a bundled voice."""
    said: list[str] = []
    monkeypatch.setenv("NOTIFY_SOCKET", "@somebody")
    assert choose_sound("auto", said.append).backend.name == "portaudio"
    assert said == []
