"""What a service manager hears of programs that run: the simulated card's faults, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from support.manager import Manager
from support.sound import noise, seam, speech, talk
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineRunner,
    PipelineTask,
    RunState,
    SpeakerOutput,
    TextFrame,
)
from voicepipe.service.heartbeat import devices_of
from voicepipe_devices.fake import SimulatedCard

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="allowed skip: Windows has no service manager that listens to a socket"
)
WATCHDOG_S = 15.0


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """As systemd would start us."""
    manager = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_S * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return manager


async def serve(manager: Manager, task: PipelineTask, *script: tuple[float, Callable[[], object]]) -> int:
    """Run it, and do what the script says at those times."""
    loop = asyncio.get_running_loop()
    timers = [loop.call_at(when, call) for when, call in script]
    async with manager:
        status = await PipelineRunner(blocked_s=0, handle_signals=False).serve(task)
    for timer in timers:
        timer.cancel()
    return status


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(times)]


async def test_any_program_that_uses_the_runner_says_ready_pings_and_says_that_it_stops(
    manager: Manager,
) -> None:
    card = SimulatedCard()
    task = talk(card)
    assert await serve(manager, task, (60.0, task.end)) == 0
    (ready,), (stopping,) = manager.times("READY"), manager.times("STOPPING")
    assert ready < 1.0
    assert 59.9 <= stopping < 61.0
    assert max(gaps(manager.times("WATCHDOG"))) < 6.0
    assert manager.times("STATUS", lambda text: text.startswith("sound flows"))


async def test_ready_waits_for_the_first_block_and_the_first_callback(manager: Manager) -> None:
    card = SimulatedCard()
    card.speaker.stall()
    task = talk(card)
    await serve(manager, task, (0.8, lambda: card.speaker.stall(False)), (20.0, task.end))
    assert 0.8 <= manager.times("READY")[0] < 2.0


@pytest.mark.heavy
@pytest.mark.parametrize("device", ["mic", "speaker"])
async def test_a_stall_whose_recovery_fails_stops_the_pings_within_30_s_and_its_end_resumes_them(
    manager: Manager, device: str
) -> None:
    card = SimulatedCard()
    side = getattr(card, device)
    task = talk(card)
    await serve(manager, task, (60.0, side.stall), (150.0, lambda: side.stall(False)), (200.0, task.end))
    pings = manager.times("WATCHDOG")
    last = max(ping for ping in pings if ping < 150.0)
    assert 80.0 < last <= 90.1
    assert min(ping for ping in pings if ping > last) < 160.0
    assert manager.times("STATUS", lambda text: "1 reconnections" in text)


@pytest.mark.heavy
@pytest.mark.parametrize("device", ["mic", "speaker"])
async def test_an_unplugged_device_is_waited_for_and_the_pings_go_on(manager: Manager, device: str) -> None:
    card = SimulatedCard()
    side = getattr(card, device)
    task = talk(card)
    await serve(manager, task, (60.0, side.unplug), (660.0, side.replug), (700.0, task.end))
    assert max(gaps(manager.times("WATCHDOG"))) < 6.0
    waited = manager.times("STATUS", lambda text: text.startswith("waiting for the") and "plug it in" in text)
    assert 60.0 <= waited[0] < 66.0
    assert 655.0 < waited[-1] < 670.0


class Thinks(FrameProcessor):
    """Waits for a service elsewhere, once, whenever it is given such a frame."""

    def __init__(self, kind: type[Frame], seconds: float) -> None:
        super().__init__()
        self._kind, self._seconds, self._thought = kind, seconds, False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, self._kind) and not self._thought:
            self._thought = True
            await asyncio.sleep(self._seconds)
        await self.push_frame(frame, direction)


async def test_a_stage_that_holds_the_microphone_up_stops_the_pings_until_it_gets_on(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    card = SimulatedCard()
    task = talk(card, Thinks(InputAudioFrame, 100.0))
    await serve(manager, task, (150.0, task.end))
    pings = manager.times("WATCHDOG")
    last = max(ping for ping in pings if ping < 100.0)
    assert 25.0 < last < 34.0
    assert min(ping for ping in pings if ping > last) < 101.0
    assert manager.times("STATUS", lambda text: text.startswith("deaf: held up by Thinks at "))[0] < 10.0
    assert "held up by Thinks" in caplog.text


class Answers(InlineProcessor):
    """Answers the first sound with so many seconds; the microphone's audio goes no further."""

    def __init__(self, seconds: int = 0) -> None:
        super().__init__()
        self._left = seconds

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if not isinstance(frame, InputAudioFrame):
            return (frame,)
        seconds, self._left = self._left, 0
        return tuple(speech(1.0, second) for second in range(seconds))


async def test_a_stage_that_thinks_long_and_is_not_in_the_way_of_the_audio_stops_no_pings(
    manager: Manager,
) -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Answers(), Thinks(TextFrame, 100.0)]))
    await task.queue_frame(TextFrame("hm"))
    await serve(manager, task, (150.0, task.end))
    assert max(gaps(manager.times("WATCHDOG"))) < 6.0


@pytest.mark.heavy
async def test_an_answer_of_75_s_stops_no_pings(manager: Manager) -> None:
    card = SimulatedCard()
    mouth = SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend(), mute=False), Answers(75), mouth]))
    await serve(manager, task, (150.0, task.end))
    assert max(gaps(manager.times("WATCHDOG"))) < 6.0
    assert seam(task.report, "SpeakerOutput device").given == 75 * 16_000
    assert task.report is not None
    assert task.report.dropped == {}, "the microphone does not wait for the answer"


async def test_a_task_that_fails_to_start_never_was_ready(manager: Manager) -> None:
    card = SimulatedCard()
    card.mic.fail_start()
    assert await serve(manager, talk(card)) == 1
    assert manager.times("READY") == []
    assert len(manager.times("STOPPING")) == 1


async def test_the_last_sentence_is_heard_behind_stopping(manager: Manager) -> None:
    card = SimulatedCard()
    said = noise(3.0)
    card.mic.hear(said)
    task = talk(card)
    await serve(manager, task, (2.0, task.end))
    assert task.state is RunState.ENDED
    assert len(manager.times("STOPPING")) == 1


async def test_ready_is_said_again_where_the_manager_was_too_busy_to_hear_it(manager: Manager) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"STATUS=noise", manager.address)
    card = SimulatedCard()
    task = talk(card)
    runner = PipelineRunner(blocked_s=0, handle_signals=False)
    loop = asyncio.get_running_loop()
    loop.call_at(10.0, task.end)
    running = loop.create_task(runner.serve(task))
    await asyncio.sleep(5.0)  # nobody has listened so far
    async with manager:
        assert await running == 0
    assert 5.0 <= manager.times("READY")[0] < 6.0


async def test_without_a_notify_socket_nothing_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    card = SimulatedCard()
    task = talk(card)
    names: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_at(1.0, lambda: names.extend(t.get_name() for t in asyncio.all_tasks()))
    loop.call_at(2.0, task.end)
    await PipelineRunner(blocked_s=0, handle_signals=False).serve(task)
    assert names
    assert "voicepipe:heartbeat" not in names


async def test_a_device_s_state_counts_over_all_its_streams() -> None:
    card = SimulatedCard()
    task = talk(card)
    loop = asyncio.get_running_loop()
    counted: list[int] = []

    def count() -> None:
        counted.extend(state.callbacks or 0 for state in devices_of(task))

    for when, call in ((1.0, count), (2.0, card.mic.crash), (20.0, count), (21.0, task.end)):
        loop.call_at(when, call)
    await task.run()
    assert counted[0] in range(40, 52)
    assert counted[2] > 800
    assert counted[2] < counted[3]
