"""Streams in a process of their own: the port's promises, and what becomes of a process that is not well."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.test_port import every_check
from support import blocking_drivers
from support.backends import inside, outside
from support.sound import assert_accounted, seam, until
from voicepipe import (
    AudioFormat,
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceLostFrame,
    DeviceRestoredFrame,
    DeviceTimeoutError,
    Frame,
    FrameDirection,
    InputAudioFrame,
    Limits,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.census.census import assert_nothing_left, take_census
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import Block, InputStream, StreamRequest
from voicepipe.testing.backend_checks import BackendCheck, Bell
from voicepipe_devices.in_process import OPEN_S, InsideBackend
from voicepipe_devices.portaudio.place import OUTSIDE_BY_DEFAULT
from voicepipe_devices.sound_process.backend import OutsideBackend
from voicepipe_devices.sound_process.parent import SoundProcess
from voicepipe_devices.sound_process.pipes import Noise, Pipe

pytestmark = pytest.mark.real_time

REQUEST = StreamRequest(AudioFormat(16_000), block_s=0.01)


@every_check
@pytest.mark.parametrize("backend", [outside, inside])
@pytest.mark.parametrize("library", ["well", "card"])
@pytest.mark.heavy(after=4)
async def test_the_ports_promises(
    check: BackendCheck, backend: Callable[[str], OutsideBackend | InsideBackend], library: str
) -> None:
    await check(backend(library))


@pytest.mark.parametrize("library", ["well", "card_that_vanishes"])
async def test_a_close_that_is_cancelled_leaves_no_descriptor(library: str) -> None:
    """As at the end of a run, which does not wait for the close of a stream that is lost."""
    before = take_census()
    stream = await outside(library).open_input(REQUEST, lambda: None)
    await stream.start()
    closing = asyncio.create_task(stream.close())
    while not closing.done():
        await asyncio.sleep(0.001)
        closing.cancel()
    await until(lambda: not take_census().since(before))


def test_a_sound_process_loads_little_and_so_starts_soon() -> None:
    code = (
        "import sys, voicepipe_devices.sound_process.child, voicepipe_devices.portaudio; "
        "from voicepipe.audio.format import AudioFormat; from voicepipe_devices.conversion import Renderer; "
        "Renderer(AudioFormat(48_000, 2), AudioFormat(16_000), lambda n: bytes(2 * n)).render(480); "
        "print(*{'asyncio', 'numpy', 'soxr', 'difflib', 'voicepipe.frames'} & {*sys.modules})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


async def test_the_devices_are_listed_afresh_by_another_process() -> None:
    names = [[device.name for device in await outside("well").devices()] for _ in range(2)]
    assert names[0][0] == names[1][0] == "library"
    assert names[0][1] != names[1][1] != f"pid {os.getpid()}"
    assert not take_census().children


def stand_still(seconds: float) -> None:
    """Nothing else of this process runs meanwhile."""
    time.sleep(seconds)


async def captured(stream: InputStream, bell: Bell, seconds: float) -> list[Block]:
    blocks: list[Block] = []
    size = REQUEST.format.samples(seconds)

    def enough() -> bool:
        while (block := stream.read()) is not None:
            blocks.append(block)
        return bool(blocks) and blocks[-1].position >= size

    await bell.until(enough)
    return blocks


def counts(blocks: list[Block]) -> list[int]:
    data = b"".join(block.data for block in blocks)
    return [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]


@pytest.mark.heavy
async def test_what_is_heard_while_the_program_stands_still_arrives_late_and_whole() -> None:
    bell = Bell()
    stream = await outside("well").open_input(REQUEST, bell)
    await stream.start()
    blocks = await captured(stream, bell, 0.1)
    stand_still(0.7)
    frozen_until_s = time.monotonic()
    blocks += await captured(stream, bell, 0.9)
    heard = counts(blocks)
    assert heard == [n % 30_000 + 1 for n in range(len(heard))]
    assert [b.position for b in blocks] == list(range(0, 160 * len(blocks), 160))
    meanwhile = [block for block in blocks if block.captured_s < frozen_until_s - 0.05]
    assert len(meanwhile) > 60, "the times are those of the capture, not of the arrival"
    await stream.finish()
    rest = []
    while (block := stream.read()) is not None:
        rest.append(block)
    assert stream.seam("mic", {}).taken == sum(len(b.data) // 2 for b in blocks + rest)
    await stream.close()


@pytest.mark.heavy
async def test_finish_brings_what_was_captured_before_it() -> None:
    bell = Bell()
    stream = await outside("well").open_input(REQUEST, bell)
    await stream.start()
    await captured(stream, bell, 0.05)
    stand_still(0.3)
    stopped_s = time.monotonic()
    await stream.finish()
    blocks = []
    while (block := stream.read()) is not None:
        blocks.append(block)
    assert blocks[-1].captured_s > stopped_s - 0.05, "to the last block before the stop"
    await asyncio.sleep(0.05)
    assert stream.read() is None
    await stream.close()


@pytest.mark.heavy
async def test_what_is_queued_is_played_while_the_program_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "played"
    monkeypatch.setenv(blocking_drivers.PLAYED, str(path))
    stream = await outside("well").open_output(REQUEST, Bell())
    await stream.start()
    said = b"".join((n % 30_000 + 1).to_bytes(2, "little") for n in range(12_000))
    stream.write(said)
    await asyncio.sleep(0.02)
    stand_still(0.6)
    await stream.drain()
    await stream.close()
    assert said in path.read_bytes(), "no gap"
    assert (stream.position, stream.queued, stream.dropped) == (12_000, 0, 0)


@pytest.mark.heavy
async def test_a_flush_is_not_behind_the_sound_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "played"
    monkeypatch.setenv(blocking_drivers.PLAYED, str(path))
    stream = await outside("well").open_output(REQUEST, Bell())
    await stream.start()
    written = 0
    for _ in range(2):
        stream.write(b"\1\0" * 8_000_000)  # 16 MB: long on its way, for the pipe holds 64 kB
        written += 8_000_000
        stream.flush()
        began_s = time.monotonic()
        await stream.settle()
        assert time.monotonic() - began_s < 0.15
        assert stream.position + stream.dropped == written
        assert stream.queued == 0
    played_by_then = stream.position
    stream.write(b"\2\0" * 8_000)  # behind all that is still on its way
    await stream.drain()
    assert stream.position == played_by_then + 8_000
    await stream.close()
    heard = path.read_bytes()
    assert played_by_then <= 2 * 8 * 160, "a few blocks each, until the flush was there"
    assert heard.count(b"\2\0" * 8_000) == 1
    assert len(heard.replace(b"\0\0", b"")) <= 2 * (played_by_then + 8_000)


@pytest.mark.parametrize(
    ("library", "error", "says"),
    [
        ("card_that_is_busy", DeviceBusyError, r"simulated (microphone|speaker) is in use by another"),
        ("fails_oddly", DeviceError, r"the sound process failed: ZeroDivisionError: odd"),
        ("no_library", DeviceError, r"the sound process failed: ModuleNotFoundError: no such thing"),
        ("not_there", DeviceError, r"the sound process failed: AttributeError"),
        ("crashes_when_opened", DeviceLostError, r"the sound process has ended \(status -6\)"),
    ],
)
@pytest.mark.heavy(after=1)
async def test_an_opening_that_fails_says_why_and_leaves_nothing(
    library: str, error: type[DeviceError], says: str
) -> None:
    for opening in (outside(library).open_input, outside(library).open_output):
        with pytest.raises(error, match=says):
            await opening(REQUEST, Bell())
        assert not take_census().children


async def test_an_opening_that_hangs_is_cancelled_at_once_and_its_process_is_gone() -> None:
    opening = asyncio.create_task(outside("card_that_hangs_when_opened").open_input(REQUEST, Bell()))
    await until(lambda: bool(take_census().children))
    await asyncio.sleep(0.3)
    opening.cancel()
    began_s = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert time.monotonic() - began_s < 1.0
    assert not take_census().children


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("library", "within_s", "says"),
    [
        ("card_that_is_unplugged", 0.5, "simulated (microphone|speaker) was unplugged"),
        ("card_that_crashes", 1.0, r"the sound process has ended \(status -11\): Assertion `sound' failed\."),
        (
            "spins",
            2.0,
            r"the sound process has ended \(status -24\)|no sign of it for",
        ),  # by right, or without
        ("card_that_vanishes", 2.0, r"simulated (microphone|speaker) is lost: no sign of it for \d\.\d s"),
        ("card_that_stalls", 2.0, r"simulated (microphone|speaker) is lost: no sign of it for \d\.\d s"),
        ("card_whose_server_dies", 2.0, r"simulated (microphone|speaker) is lost: no sign of it for"),
        ("is_frozen", 2.0, r"library is lost: no sign of it for \d\.\d s"),
        ("raises_in_its_callback", 0.5, "the callback failed"),
        ("exits", 1.0, r"the sound process has ended \(status 0\)"),
        ("talks_nonsense", 0.5, "the sound process sent an invalid message: a message of kind 255"),
    ],
)
@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.heavy
async def test_a_process_that_is_not_well_is_noticed_within_two_seconds_and_closes(
    library: str, within_s: float, says: str, direction: str
) -> None:
    bell, backend = Bell(), outside(library)
    opening = backend.open_input if direction == "input" else backend.open_output
    stream = await opening(REQUEST, bell)
    await stream.start()
    began_s = time.monotonic()
    await bell.until(lambda: stream.error is not None)
    assert time.monotonic() - began_s < within_s + 0.1
    assert re.search(says, str(stream.error))
    assert isinstance(stream.error, DeviceLostError), "so it is waited for"
    began_s = time.monotonic()
    await stream.close()
    assert time.monotonic() - began_s < 1.0
    assert not take_census().children


@pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: there is no other scheduling policy")
@pytest.mark.parametrize(("when", "real_time"), [("before", False), ("after", True)])
async def test_a_microphone_takes_real_time_with_its_first_block(when: str, real_time: bool) -> None:
    """A library that spins until then would keep a core from who has the block."""
    granted = (await outside("well").library()).priority == "real-time"
    bell = Bell()
    stream = await outside(f"is_asked_{when}_its_first_block").open_input(REQUEST, bell)
    await stream.start()
    await bell.until(lambda: stream.error is not None)
    expected = os.SCHED_FIFO if real_time and granted else os.SCHED_OTHER
    assert f"scheduled by {expected}" in str(stream.error)
    await stream.close()


@pytest.mark.parametrize("where", [outside, inside])
async def test_an_error_of_a_callback_is_a_loss_too(
    where: Callable[[str], OutsideBackend | InsideBackend],
) -> None:
    bell = Bell()
    stream = await where("raises_in_its_callback").open_input(REQUEST, bell)
    await stream.start()
    await bell.until(lambda: stream.error is not None)
    assert isinstance(stream.error, DeviceLostError)
    assert str(stream.error) == "the callback failed"
    await stream.close()


@pytest.mark.parametrize(
    "library",
    ["card_that_crashes", "card_that_is_unplugged", "exits", "talks_nonsense", "raises_in_its_callback"],
)
@pytest.mark.heavy(after=1)
async def test_whatever_ends_an_established_stream_the_run_goes_on_and_opens_another(library: str) -> None:
    told = set[type[Frame]]()

    def tell(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, DeviceLostFrame | DeviceRestoredFrame):
            told.add(type(frame))

    task = PipelineTask(Pipeline([MicrophoneInput(outside(library))]))
    task.subscribe(tell)
    running = asyncio.create_task(task.run())
    await until(lambda: len(told) == 2)
    task.end()
    assert_accounted(await running)
    assert not take_census().children


async def test_a_kill_from_outside_is_news_too() -> None:
    bell = Bell()
    stream = await outside("well").open_input(REQUEST, bell)
    await stream.start()
    (child,) = take_census().children
    os.kill(int(child.split()[0]), signal.SIGKILL)
    await bell.until(lambda: stream.error is not None)
    assert "status -9" in str(stream.error)
    await stream.finish()
    await stream.close()


@pytest.mark.heavy
async def test_shouting_is_a_few_lines_in_the_log_and_costs_little(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "voicepipe.sound")
    bell = Bell()
    stream = await outside("shouts").open_input(REQUEST, bell)
    await stream.start()
    cpu_s = time.process_time()
    await captured(stream, bell, 1.0)
    assert time.process_time() - cpu_s < 0.5
    lines = [record.getMessage() for record in caplog.records if record.name == "voicepipe.sound"]
    assert 1 < len(lines) < 80
    assert lines[0] == "a library prints here"
    assert all("\x1b" not in line for line in lines)
    await stream.close()


async def test_noise_that_comes_after_the_close_has_begun_leaves_no_timer() -> None:
    receiving, sending = os.pipe()
    loop, before = asyncio.get_running_loop(), take_census()
    noise = Noise(loop)
    pipe = Pipe(noise.take, lambda: None)
    with os.fdopen(receiving, "rb", buffering=0) as file, os.fdopen(sending, "wb", buffering=0) as shouting:
        pipe.transport, _ = await loop.connect_read_pipe(lambda: pipe, file)
        noise.read_from(pipe)
        noise.stop()
        shouting.write(b"x" * 60_000)
        await asyncio.sleep(0.05)
        assert not take_census().since(before).timers
        pipe.transport.close()
        await pipe.gone.wait()


async def test_a_whole_pipeline_over_two_processes() -> None:
    backend = outside("well")

    heard: list[InputAudioFrame] = []
    task = PipelineTask(Pipeline([MicrophoneInput(backend), SpeakerOutput(backend)]))
    task.subscribe(lambda frame, _: heard.append(frame) if isinstance(frame, InputAudioFrame) else None)
    running = asyncio.create_task(task.run())
    await until(lambda: len(heard) > 10)
    await task.queue_frame(OutputAudioFrame(b"\1\0" * 8_000))
    task.end()
    report = await running
    assert_accounted(report)
    assert seam(report, "SpeakerOutput device").given == 8_000
    positions = [frame.position for frame in heard]
    assert positions == list(range(0, positions[-1] + 320, 320))
    assert not take_census().children


@pytest.mark.parametrize("step", range(8))
@pytest.mark.heavy(after=2)
async def test_a_process_that_is_given_up_at_any_step_leaves_no_descriptor(step: int) -> None:
    """It is there, and its pipes become pipes of the loop one by one."""
    before = take_census()
    process = SoundProcess(lambda kind, body: None, lambda error: None)
    starting = asyncio.create_task(process.start("blocking_drivers:well"))
    while not hasattr(process, "_process"):  # noqa: ASYNC110  # step by step: a rest would miss it
        await asyncio.sleep(0)
    for _ in range(step):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    if not starting.cancelled():
        await process.close()
    assert_nothing_left(before)


@pytest.mark.heavy
async def test_a_start_that_hangs_is_cancelled_at_once() -> None:
    stream = await outside("well").open_input(REQUEST, Bell())
    (child,) = take_census().children
    os.kill(int(child.split()[0]), signal.SIGSTOP)
    starting = asyncio.create_task(stream.start())
    await asyncio.sleep(0.1)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await stream.close()


@pytest.mark.heavy
async def test_a_library_that_hangs_when_it_is_loaded_fails_the_start_within_its_limit_and_says_so() -> None:
    assert Limits().start_s > OPEN_S, "the device says what is wrong before the run gives up"
    patient = Limits(start_s=60)  # a busy machine may not let the run's own limit come first
    microphone = MicrophoneInput(outside("card_that_hangs_when_opened"))
    task = PipelineTask(Pipeline([microphone]), limits=patient)
    with pytest.raises(
        PipelineStartError, match=r"opening the microphone: no answer within 4\.5 s; restart the"
    ) as e:
        await task.run()
    assert isinstance(e.value.__cause__, DeviceTimeoutError)
    assert not take_census().children


def test_the_back_end_by_name() -> None:
    assert isinstance(open_backend("portaudio:inside"), InsideBackend)
    assert isinstance(open_backend("portaudio:outside"), OutsideBackend)
    assert isinstance(open_backend("portaudio"), OutsideBackend if OUTSIDE_BY_DEFAULT else InsideBackend)
    with pytest.raises(ValueError, match=r"^unknown back end 'portaudio:beside'; choose portaudio:outside"):
        open_backend("portaudio:beside")
    for name in ("portaudio", "portaudio:inside"):
        assert open_backend(name).shares_air
