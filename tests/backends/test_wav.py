"""Files in place of devices: every sample of the input is heard, and the output holds what was played."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from devices.test_port import every_check
from support.sound import RATE, THROUGH, Samples, assert_accounted, noise, samples, seam, virtual_loop
from support.stages import Loopback
from voicepipe import (
    AudioFormat,
    AudioFormatError,
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    Frame,
    FrameProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunState,
    SpeakerOutput,
)
from voicepipe.audio.files.wav_file import WavReader, WavWriter
from voicepipe.devices.port import Block, DeviceInfo, InputStream, StreamRequest
from voicepipe.testing import backend_checks
from voicepipe.testing.backend_checks import BackendCheck, Bell
from voicepipe_devices.wav import WavBackend, open_backend

REQUEST = StreamRequest(AudioFormat(RATE, 1), block_s=0.02)
MIC, _, SPEAKER = THROUGH
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs what Linux has")
at_either_pace = pytest.mark.parametrize("paced", [False, True], ids=["at once", "paced"])


def said(path: Path, audio: Samples, rate: int = RATE, channels: int = 1) -> Path:
    """A file that says it."""
    with WavWriter(path, AudioFormat(rate, channels)) as writer:
        writer.write(audio.tobytes())
    return path


def content(path: Path) -> Samples:
    with WavReader(path) as reader:
        return samples(reader.read(10**9))


def files(tmp_path: Path, audio: Samples, *, paced: bool = False) -> WavBackend:
    """A back end whose microphone hears that."""
    return WavBackend(said(tmp_path / "in.wav", audio), tmp_path / "out.wav", paced=paced)


@pytest.mark.parametrize("cut", [1_000, 3_000])
async def test_a_file_that_is_cut_off_is_a_warning_of_the_run(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    backend = files(tmp_path, noise(1))
    os.truncate(tmp_path / "in.wav", 44 + 32_000 - cut)
    await talk(backend).run()
    has = (32_000 - cut) / 32_000
    remark = f"it is cut off: its header says 1.00 s, it has {has:.2f} s"
    assert caplog.messages == [f"{tmp_path / 'in.wav'}: {remark}"]
    assert len(content(tmp_path / "out.wav")) == 16_000 - cut // 2


@pytest.mark.parametrize(("kind", "spoilt"), [("FLAC", False), ("FLAC", True), ("CAF", False), ("MP3", True)])
async def test_a_file_of_another_kind_is_heard_as_it_is(
    tmp_path: Path, kind: str, spoilt: bool, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "in", noise(2), 16_000, format=kind)
    if spoilt:
        os.truncate(tmp_path / "in", (tmp_path / "in").stat().st_size // 2)
    task = talk(WavBackend(tmp_path / "in", tmp_path / "out.wav"))
    await task.run()
    heard = content(tmp_path / "out.wav")
    assert len(heard) < 32_000 if spoilt else len(heard) == 32_000
    if kind != "MP3":
        assert np.array_equal(heard, noise(2)[: len(heard)])
    assert [f"{len(heard) / 16_000:.2f} s can be read" in message for message in caplog.messages] == [
        True
    ] * spoilt
    assert task.report is not None
    assert task.report.dropped == {}


@pytest.mark.parametrize("name", ["out.mp3", "out.FLAC", "a.b.ogg", "out.m4a", "out.opus"])
def test_an_output_whose_name_says_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"only \.wav can be written, not \."):
        WavBackend(None, tmp_path / name)
    for fine in ("out", "out.1", "out.WAV"):
        WavBackend(tmp_path / name, tmp_path / fine)


def talk(backend: WavBackend, *between: Processor) -> PipelineTask:
    return PipelineTask(Pipeline([MicrophoneInput(backend), *between, Loopback(), SpeakerOutput(backend)]))


async def read_all(stream: InputStream, bell: Bell) -> list[Block]:
    """Everything, from the start until it is exhausted."""
    blocks: list[Block] = []

    def is_over() -> bool:
        while (block := stream.read()) is not None:
            blocks.append(block)
        return stream.exhausted

    await stream.start()
    await bell.until(is_over)
    return blocks


def sound(blocks: list[Block]) -> Samples:
    return samples(b"".join(block.data for block in blocks))


# -- the port --------------------------------------------------------------------------------


@every_check
async def test_the_port_paced_in_virtual_time(tmp_path: Path, check: BackendCheck) -> None:
    await check(files(tmp_path, noise(3.0), paced=True))


@every_check
@pytest.mark.real_time
async def test_the_port_paced_in_real_time(tmp_path: Path, check: BackendCheck) -> None:
    await check(files(tmp_path, noise(3.0), paced=True))


@pytest.mark.parametrize(
    "name", ["check_close_without_start", "check_open_again", "check_nothing_after_close"]
)
async def test_what_the_port_promises_without_a_clock(tmp_path: Path, name: str) -> None:
    await getattr(backend_checks, name)(files(tmp_path, noise(3.0)))


# -- input -----------------------------------------------------------------------------------


@at_either_pace
@pytest.mark.parametrize("count", [0, 1, 319, 320, 321, 12_345])
async def test_a_file_is_heard_sample_for_sample_and_runs_out(
    tmp_path: Path, paced: bool, count: int
) -> None:
    audio = noise(1.0)[:count]
    loop, bell = asyncio.get_running_loop(), Bell()
    stream = await files(tmp_path, audio, paced=paced).open_input(REQUEST, bell)
    await asyncio.sleep(1.0)
    began_s = loop.time()
    blocks = await read_all(stream, bell)
    assert np.array_equal(sound(blocks), audio)
    assert [len(block.data) for block in blocks[:-1]] == [640] * (len(blocks) - 1)
    assert [block.position for block in blocks] == [320 * n for n in range(len(blocks))]
    assert [block.captured_s for block in blocks] == [began_s + block.position / RATE for block in blocks]
    assert loop.time() - began_s == pytest.approx(len(blocks) * 0.02 if paced else 0.0)
    assert stream.read() is None
    ledger = stream.seam("mic", {"muted": 1} if count else {})
    assert ledger.balanced
    assert (ledger.taken, ledger.held) == (count, 0)
    await stream.close()
    assert stream.read() is None


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@at_either_pace
async def test_rate_and_channels_are_converted(tmp_path: Path, rate: int, channels: int, paced: bool) -> None:
    turn = 2 * np.pi * 3_500  # so high that a plainer change of rate would lose it at 8 kHz
    tone = (9_000 * np.sin(np.arange(rate) * turn / rate)).astype(np.int16)
    path = said(tmp_path / "in.wav", np.repeat(tone, channels), rate, channels)
    bell = Bell()
    stream = await WavBackend(path, paced=paced).open_input(REQUEST, bell)
    blocks = await read_all(stream, bell)
    heard = sound(blocks)
    assert len(heard) == pytest.approx(RATE, abs=1)
    expected = 9_000 * np.sin(np.arange(len(heard)) * turn / RATE)
    # The ends of the tone are cut, which no change of rate keeps.
    assert np.abs(heard - expected)[500:-500].max() < 3
    assert {len(block.data) for block in blocks[:-1]} == {640}
    assert stream.seam("mic", {}).taken == len(heard)
    await stream.close()


async def test_one_channel_of_a_file_is_heard(tmp_path: Path) -> None:
    voice, other = noise(0.1, 1), noise(0.1, 2)
    path = said(tmp_path / "in.wav", np.stack([other, voice], axis=1), channels=2)
    with pytest.raises(DeviceFormatError, match=r"in\.wav has 2 channels, and no channel 3; choose 1 to 2$"):
        await WavBackend(path).open_input(replace(REQUEST, channel=3), Bell())
    stream = await WavBackend(path).open_input(replace(REQUEST, channel=2), Bell())
    await stream.start()
    heard = b""
    while (block := stream.read()) is not None:
        heard += block.data
    await stream.close()
    assert heard == voice.tobytes()


@pytest.mark.parametrize(("rate", "wanted"), [(1_000, 384_000), (384_000, 1_000), (44_100, 7_919)])
async def test_rates_that_are_far_apart_are_converted(tmp_path: Path, rate: int, wanted: int) -> None:
    path, bell = said(tmp_path / "in.wav", noise(1.0, rate=rate), rate), Bell()
    stream = await WavBackend(path).open_input(StreamRequest(AudioFormat(wanted, 2)), bell)
    blocks = await read_all(stream, bell)
    assert len(sound(blocks)) == pytest.approx(2 * wanted, abs=2)
    await stream.close()


async def test_a_paced_block_comes_when_its_time_has_come_and_several_after_a_pause(tmp_path: Path) -> None:
    bell = Bell()
    stream = await files(tmp_path, noise(1.0), paced=True).open_input(REQUEST, bell)
    await stream.start()
    await asyncio.sleep(0.019)
    assert stream.read() is None
    await asyncio.sleep(0.002)
    assert stream.read() is not None
    assert stream.read() is None
    await asyncio.sleep(0.1)
    assert stream.seam("mic", {}).held == 5 * 320
    rings = bell.rings
    await asyncio.sleep(0.2)
    assert bell.rings == rings + 10, "a wake-up for every block"
    stream.stop()
    rings = bell.rings
    await asyncio.sleep(0.1)
    assert bell.rings == rings
    assert stream.seam("mic", {}).held == 15 * 320
    count = 0
    while stream.read() is not None:
        count += 1
    assert count == 15
    assert not stream.exhausted
    ledger = stream.seam("mic", {})
    assert (ledger.taken, ledger.given, ledger.held) == (16 * 320, 16 * 320, 0)
    await stream.close()


async def test_blocks_whose_time_came_while_the_loop_was_held_up_are_there_after_a_stop(
    tmp_path: Path,
) -> None:
    stream = await files(tmp_path, noise(1.0), paced=True).open_input(REQUEST, Bell())
    await stream.start()
    virtual_loop().freeze(0.105)
    stream.stop()
    virtual_loop().freeze(0.1)
    assert stream.seam("mic", {}).held == 5 * 320
    assert [stream.read() is not None for _ in range(6)] == [True] * 5 + [False]
    await stream.close()


async def test_what_waits_at_the_end_of_a_paced_file_is_what_is_left_of_it(tmp_path: Path) -> None:
    stream = await files(tmp_path, noise(0.05), paced=True).open_input(REQUEST, Bell())
    await stream.start()
    await asyncio.sleep(10.0)
    assert stream.seam("mic", {}).held == 800
    assert not stream.exhausted, "it was not read"
    await stream.close()


async def test_without_a_clock_nothing_counts_as_captured_that_was_not_read(tmp_path: Path) -> None:
    stream = await files(tmp_path, noise(1.0)).open_input(REQUEST, Bell())
    assert stream.read() is None, "it did not start"
    await stream.start()
    assert [stream.read() is not None for _ in range(3)] == [True] * 3
    stream.stop()
    assert stream.read() is None
    assert not stream.exhausted
    ledger = stream.seam("mic", {})
    assert (ledger.taken, ledger.given, ledger.held) == (960, 960, 0)
    await stream.close()
    assert not stream.exhausted


@at_either_pace
async def test_a_stream_that_was_stopped_does_not_start(tmp_path: Path, paced: bool) -> None:
    bell = Bell()
    stream = await files(tmp_path, noise(1.0), paced=paced).open_input(REQUEST, bell)
    stream.stop()
    await stream.start()
    await asyncio.sleep(0.1)
    assert (stream.read(), stream.exhausted, bell.rings) == (None, False, 0)
    await stream.close()


async def test_the_loop_gets_a_turn_among_blocks_that_come_at_once(tmp_path: Path) -> None:
    bell = Bell()
    stream = await files(tmp_path, noise(3.0)).open_input(REQUEST, bell)
    await stream.start()
    await asyncio.sleep(0)
    for _ in range(3):
        count, rings = 0, bell.rings
        while stream.read() is not None:
            count += 1
        assert 0 < count <= 32
        assert not stream.exhausted
        await bell.until(lambda rings=rings: bell.rings > rings)  # type: ignore[misc]
    await stream.close()


async def test_an_input_begins_again_each_time_it_is_opened(tmp_path: Path) -> None:
    audio = noise(0.1)
    backend = files(tmp_path, audio)
    for _ in range(3):
        bell = Bell()
        stream = await backend.open_input(REQUEST, bell)
        assert np.array_equal(sound(await read_all(stream, bell)), audio)
        await stream.close()


@on_linux
@at_either_pace
async def test_a_disk_that_fails_while_it_is_read_is_an_error_and_no_end(tmp_path: Path, paced: bool) -> None:
    bell = Bell()
    stream = await files(tmp_path, noise(10.0), paced=paced).open_input(REQUEST, bell)
    await stream.start()
    (number,) = [n for n in os.listdir("/proc/self/fd") if link_of(n) == str(tmp_path / "in.wav")]
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, int(number))  # to read a folder fails, as a broken disk does
    os.close(folder)

    def fails() -> bool:
        while stream.read() is not None:
            assert not stream.exhausted
        return stream.error is not None

    await bell.until(fails)
    assert isinstance(stream.error, DeviceLostError)
    assert str(stream.error).startswith(f"{tmp_path / 'in.wav'} cannot be read any more: ")
    assert not stream.exhausted
    assert stream.seam("mic", {}).balanced
    await stream.close()


def link_of(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


# -- output ----------------------------------------------------------------------------------


async def test_without_a_clock_everything_is_in_the_file_at_once(tmp_path: Path) -> None:
    bell, audio = Bell(), noise(1.0)
    stream = await WavBackend(None, tmp_path / "out.wav").open_output(REQUEST, bell)
    await stream.start()
    stream.write(audio[:100].tobytes())
    assert (stream.position, stream.queued, stream.dropped, stream.flushing) == (100, 0, 0, False)
    assert np.array_equal(content(tmp_path / "out.wav"), audio[:100])
    stream.flush()
    assert (stream.position, stream.dropped, stream.flushing) == (100, 0, False)
    stream.write(memoryview(audio[100:].tobytes()))
    await stream.settle()
    await stream.drain()
    assert (stream.position, stream.queued) == (RATE, 0)
    assert asyncio.get_running_loop().time() == 0.0
    await asyncio.sleep(0)
    rings = bell.rings
    stream.notify_at(0)
    assert bell.rings == rings, "not before the loop's next step"
    await asyncio.sleep(0)
    assert bell.rings == rings + 1
    await asyncio.sleep(1.0)
    assert bell.rings == rings + 1
    await stream.close()
    assert np.array_equal(content(tmp_path / "out.wav"), audio)


async def test_paced_it_takes_the_time_of_the_sound_and_writes_no_zeros(tmp_path: Path) -> None:
    loop, audio = asyncio.get_running_loop(), noise(1.01)
    stream = await WavBackend(None, tmp_path / "out.wav", paced=True).open_output(REQUEST, Bell())
    await stream.start()
    for at in range(0, len(audio), len(audio) // 2):
        await asyncio.sleep(5.005)  # silence, of which the file knows nothing
        began_s = loop.time()
        stream.write(audio[at : at + len(audio) // 2].tobytes())
        assert stream.position == at
        await asyncio.sleep(0.2)
        assert stream.position - at == pytest.approx(0.2 * RATE, abs=320)
        await stream.drain()
        assert loop.time() - began_s == pytest.approx(0.505, abs=0.0201)
    await stream.close()
    assert np.array_equal(content(tmp_path / "out.wav"), audio)


async def test_a_paced_flush_leaves_a_fade_in_the_file_and_nothing_of_the_rest(tmp_path: Path) -> None:
    stream = await WavBackend(None, tmp_path / "out.wav", paced=True).open_output(REQUEST, Bell())
    await stream.start()
    stream.write(np.full(RATE, 10_000, np.int16).tobytes())
    await asyncio.sleep(0.101)
    assert stream.position == 5 * 320
    stream.flush()
    assert stream.flushing
    await stream.settle()
    assert (stream.position, stream.queued) == (5 * 320 + 80, 0)
    assert stream.dropped == RATE - stream.position
    await stream.close()
    audio = content(tmp_path / "out.wav")
    assert (audio[: 5 * 320] == 10_000).all()
    fade = audio[5 * 320 :]
    assert len(fade) == 80
    assert (np.diff(fade) < 0).all()


async def test_what_a_closed_stream_held_is_not_in_the_file(tmp_path: Path) -> None:
    stream = await WavBackend(None, tmp_path / "out.wav", paced=True).open_output(REQUEST, Bell())
    stream.write(bytes(2 * RATE))
    await asyncio.sleep(1.0)
    assert stream.position == 0, "it did not start"
    await stream.start()
    await asyncio.sleep(0.1)
    await stream.close()
    assert len(content(tmp_path / "out.wav")) == stream.position < RATE
    with pytest.raises(DeviceError, match=r"out\.wav was closed meanwhile"):
        await stream.drain()
    stream.flush()
    with pytest.raises(DeviceError, match=r"out\.wav was closed meanwhile"):
        await stream.settle()


async def test_a_stream_that_is_closed_does_not_start_and_one_that_runs_does_not_start_anew(
    tmp_path: Path,
) -> None:
    loop = asyncio.get_running_loop()
    stream = await WavBackend(None, tmp_path / "out.wav", paced=True).open_output(REQUEST, Bell())
    await stream.start()
    stream.write(bytes(2 * RATE))
    await asyncio.sleep(0.5)
    await stream.start()
    await stream.drain()
    assert loop.time() == pytest.approx(1.0)
    await stream.close()
    await stream.start()  # the census finds the timer of one that did


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """As a full disk, for this process."""
    import resource  # which Windows has not

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@on_linux
@at_either_pace
async def test_a_full_disk_ends_the_stream_and_its_books_say_what_was_lost(
    tmp_path: Path, paced: bool
) -> None:
    bell = Bell()
    stream = await WavBackend(None, tmp_path / "out.wav", paced=paced).open_output(REQUEST, bell)
    await stream.start()
    with files_no_longer_than(44 + 2_001):
        stream.write(bytes(4_000))
        await bell.until(lambda: stream.error is not None)
        assert isinstance(stream.error, DeviceLostError)
        assert str(stream.error) == (
            f"{tmp_path / 'out.wav'} cannot be written any more: File too large: "
            "make room or see to the disk, and begin again"
        )
        assert (stream.position, stream.queued, stream.dropped) == (1_000, 1_000, 0)
        stream.write(bytes(200))
        assert (stream.position, stream.queued) == (1_000, 1_100)
        with pytest.raises(DeviceLostError):
            await stream.drain()
        await stream.close()
    assert len(content(tmp_path / "out.wav")) == 1_000


@on_linux
async def test_a_full_disk_fails_the_run_and_every_sample_is_accounted_for(tmp_path: Path) -> None:
    task = talk(files(tmp_path, noise(5.0)))
    # The input is longer, but it is there already.
    with files_no_longer_than(44 + 2 * RATE), pytest.raises(PipelineError, match="File too large") as caught:
        await task.run()
    assert isinstance(caught.value.__cause__, DeviceLostError)
    assert caught.value.stage == "SpeakerOutput"
    report = assert_accounted(caught.value.report)
    assert seam(report, SPEAKER).given == RATE
    assert seam(report, SPEAKER).dropped["device_lost"] > 0


# -- a whole pipeline ------------------------------------------------------------------------


@at_either_pace
@pytest.mark.parametrize("count", [0, 1, 320, 100_123])
async def test_a_pipeline_ends_by_itself_and_the_copy_is_identical(
    tmp_path: Path, paced: bool, count: int
) -> None:
    audio = noise(10.0)[:count]
    task = talk(files(tmp_path, audio, paced=paced))
    report = assert_accounted(await task.run(), *THROUGH)
    assert (report.state, report.reason) == (RunState.ENDED, "in.wav has run out")
    assert report.dropped == {}
    assert seam(report, SPEAKER).given == count
    assert np.array_equal(content(tmp_path / "out.wav"), audio)
    elapsed_s = asyncio.get_running_loop().time()
    assert elapsed_s == pytest.approx(count / RATE, abs=0.1) if paced else elapsed_s < 0.1


@pytest.mark.real_time
async def test_a_pipeline_without_a_clock_is_much_faster_than_the_sound(tmp_path: Path) -> None:
    audio = noise(60.0)
    began_s = asyncio.get_running_loop().time()
    await talk(files(tmp_path, audio)).run()
    assert asyncio.get_running_loop().time() - began_s < 10.0
    assert np.array_equal(content(tmp_path / "out.wav"), audio)


class RequestAt(FrameProcessor):
    """Makes a request when it sees that position."""

    def __init__(self, position: int, request: Callable[[], object]) -> None:
        super().__init__()
        self._position, self._request = position, request

    async def process_frame(self, frame: Frame, direction: object) -> None:
        if isinstance(frame, InputAudioFrame) and frame.position == self._position:
            self._request()
        await self.push_frame(frame)


@at_either_pace
async def test_an_end_in_the_middle_writes_what_was_captured_before(tmp_path: Path, paced: bool) -> None:
    audio = noise(60.0)
    tasks: list[PipelineTask] = []
    stage = RequestAt(320 * 500, lambda: tasks[0].end())
    tasks.append(talk(files(tmp_path, audio, paced=paced), stage))
    report = assert_accounted(await tasks[0].run(), *THROUGH[1:])
    assert report.state is RunState.ENDED
    assert report.dropped == {}
    captured = seam(report, MIC).given
    assert 320 * 500 < captured < 320 * 700
    assert np.array_equal(content(tmp_path / "out.wav"), audio[:captured])


@at_either_pace
async def test_a_cancel_in_the_middle_is_accounted_for(tmp_path: Path, paced: bool) -> None:
    audio = noise(60.0)
    tasks: list[PipelineTask] = []
    stage = RequestAt(320 * 500, lambda: tasks[0].cancel())
    tasks.append(talk(files(tmp_path, audio, paced=paced), stage))
    report = assert_accounted(await tasks[0].run())
    assert report.state is RunState.CANCELLED
    written = content(tmp_path / "out.wav")
    assert len(written) == seam(report, SPEAKER).given
    fade = 320 if paced else 0
    whole = written[: len(written) - fade]
    assert np.array_equal(whole, audio[: len(whole)])


@pytest.mark.real_time
async def test_an_end_is_heard_by_a_pipeline_that_never_waits(tmp_path: Path) -> None:
    """An hour of audio, and nothing in the pipeline that would let the loop go."""
    path = tmp_path / "in.wav"
    WavWriter(path, AudioFormat()).close()
    os.truncate(path, 44 + 3_600 * RATE * 2)
    task = PipelineTask(Pipeline([MicrophoneInput(WavBackend(path)), Loopback(), Loopback()]))
    loop = asyncio.get_running_loop()
    asked_s: list[float] = []

    def end() -> None:
        asked_s.append(loop.time())
        task.end()

    timer = loop.call_later(0.2, end)
    report = assert_accounted(await task.run())
    timer.cancel()
    assert report.state is RunState.ENDED
    assert loop.time() - asked_s[0] < 0.5
    assert 0 < seam(report, MIC).given < 3_600 * RATE


async def test_a_pipeline_runs_again_over_the_same_files(tmp_path: Path) -> None:
    backend = files(tmp_path, noise(1.0, seed=1))
    stages = Pipeline([MicrophoneInput(backend), Loopback(), SpeakerOutput(backend)])
    for seed in range(3):
        said(tmp_path / "in.wav", noise(1.0 + 0.5 * (seed % 2), seed))
        assert_accounted(await PipelineTask(stages).run(), *THROUGH)
        assert np.array_equal(content(tmp_path / "out.wav"), content(tmp_path / "in.wav"))


# -- opening ---------------------------------------------------------------------------------


async def test_a_missing_input_is_not_found_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError) as caught:
        await WavBackend(tmp_path / "typo\x1b.wav").open_input(REQUEST, Bell())
    assert str(caught.value) == f"{tmp_path}/typo\\x1b.wav cannot be read: there is no such file"


async def test_a_run_with_a_missing_input_names_it_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"^MicrophoneInput .*nowhere\.wav cannot be read") as caught:
        await talk(WavBackend(tmp_path / "nowhere.wav", tmp_path / "out.wav")).run()
    assert isinstance(caught.value.__cause__, DeviceNotFoundError)
    assert caught.value.stage == "MicrophoneInput"
    assert not (tmp_path / "out.wav").exists()


async def test_a_missing_folder_for_the_output_is_said(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError, match="its folder is not there: make it first"):
        await WavBackend(None, tmp_path / "no" / "out.wav").open_output(REQUEST, Bell())


async def test_a_file_in_place_of_a_folder_is_a_device_error(tmp_path: Path) -> None:
    path = said(tmp_path / "in.wav", noise(0.1)) / "out.wav"
    for opening in (WavBackend(path).open_input, WavBackend(None, path).open_output):
        with pytest.raises(DeviceError, match=r"Not a directory: choose another file"):
            await opening(REQUEST, Bell())


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Root may do everything; somebody else may not."""
    user = os.geteuid()
    os.seteuid(65_534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


@on_linux
async def test_a_file_without_permission_is_said(tmp_path: Path) -> None:
    path = said(tmp_path / "in.wav", noise(0.1))
    path.chmod(0)
    for opening in (WavBackend(path).open_input, WavBackend(None, path).open_output):
        with (
            without_roots_rights(),
            pytest.raises(DevicePermissionError, match=r"in\.wav may not be (read|written) by this user"),
        ):
            await opening(REQUEST, Bell())


async def test_a_mistyped_input_does_not_empty_the_output(tmp_path: Path) -> None:
    precious = said(tmp_path / "out.wav", noise(0.1))
    before = precious.read_bytes()
    with pytest.raises(DeviceNotFoundError, match="there is no such file"):
        await WavBackend(tmp_path / "mistyped.wav", precious).open_output(REQUEST, Bell())
    assert precious.read_bytes() == before


@on_linux
@pytest.mark.real_time
async def test_a_program_that_runs_cannot_be_overwritten(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/sleep", tmp_path / "out.wav"))
    with subprocess.Popen([program, "60"]) as process:  # noqa: ASYNC220  # asyncio's keeps a thread
        try:
            with pytest.raises(DeviceError, match="Text file busy"):
                await WavBackend(None, program).open_output(REQUEST, Bell())
        finally:
            process.kill()


@pytest.mark.parametrize("bad", [b"", b"ID3\4", b"RIFF\0\0\0\0WAVE"])
async def test_an_input_that_is_no_wav_file_is_said_when_it_is_opened(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "in.wav").write_bytes(bad)
    backend = WavBackend(tmp_path / "in.wav")
    assert await backend.devices() == []
    with pytest.raises(AudioFormatError, match=r"in\.wav"):
        await backend.open_input(REQUEST, Bell())


@on_linux
@pytest.mark.parametrize("path", ["/dev/zero", "/dev"])
async def test_only_regular_files_are_opened(path: str) -> None:
    for opening in (WavBackend(path).open_input, WavBackend(None, path).open_output):
        with pytest.raises(AudioFormatError, match=r"; use a WAV file on a disk$"):
            await opening(REQUEST, Bell())


async def test_nothing_is_touched_before_a_stream_is_opened(tmp_path: Path) -> None:
    precious = said(tmp_path / "out.wav", noise(1.0))
    backend = WavBackend(said(tmp_path / "in.wav", noise(0.1)), precious)
    await backend.devices()
    assert np.array_equal(content(precious), noise(1.0))
    stream = await backend.open_output(REQUEST, Bell())
    assert len(content(precious)) == 0
    await stream.close()


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
async def test_the_input_is_never_overwritten(tmp_path: Path, link: str | None) -> None:
    path = said(tmp_path / "in.wav", noise(1.0))
    other = tmp_path / "." / "in.wav"
    if link is not None:
        other = tmp_path / "out.wav"
        backend = WavBackend(path, other)  # there is no such file yet
        getattr(other, link)(path)
        with pytest.raises(ValueError, match=r"out\.wav is the input file too: give the output another name"):
            await backend.open_output(REQUEST, Bell())
    with pytest.raises(ValueError, match="is the input file too"):
        WavBackend(path, other)
    assert np.array_equal(content(path), noise(1.0))


def test_one_name_for_both_is_refused_before_there_is_such_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is the input file too"):
        WavBackend(tmp_path / "a.wav", f"{tmp_path}/b/../a.wav")


async def test_an_output_is_written_by_one_stream_at_a_time(tmp_path: Path) -> None:
    backend = WavBackend(None, tmp_path / "out.wav")
    first = await backend.open_output(REQUEST, Bell())
    first.write(bytes(640))
    with pytest.raises(DeviceBusyError, match=r"out\.wav is being written by another stream"):
        await backend.open_output(REQUEST, Bell())
    await first.close()
    assert len(content(tmp_path / "out.wav")) == 320
    second = await backend.open_output(REQUEST, Bell())
    await second.close()


async def test_the_files_are_the_devices_and_are_found_by_a_part_of_their_name(tmp_path: Path) -> None:
    path = said(tmp_path / "said.wav", noise(0.1), 48_000, 2)
    backend = WavBackend(path, tmp_path / "heard.wav")
    assert await backend.devices() == [
        DeviceInfo("said.wav", 2, 0, 48_000),
        DeviceInfo("heard.wav", 0, 32, 16_000),
    ]
    stream = await backend.open_input(StreamRequest(device="said"), Bell())
    assert (stream.info.device, stream.info.format, stream.info.latency_s) == ("said.wav", AudioFormat(), 0.0)
    assert str(stream) == "FileInput of said.wav"
    await stream.close()
    for opening, there in ((backend.open_input, "said"), (backend.open_output, "heard")):
        with pytest.raises(DeviceNotFoundError, match=rf"no device 'USB': there is '{there}\.wav'"):
            await opening(StreamRequest(device="USB"), Bell())
    with pytest.raises(DeviceNotFoundError, match=r"has no output: 'wav:,OUT\.wav' has one"):
        await WavBackend(path).open_output(REQUEST, Bell())
    with pytest.raises(DeviceNotFoundError, match=r"has no input: 'wav:IN\.wav' has one"):
        await WavBackend(None, path).open_input(REQUEST, Bell())


@pytest.mark.parametrize(
    ("argument", "names"),
    [("a.wav", ["a.wav"]), ("a.wav,b.wav", ["a.wav", "b.wav"]), (",b.wav", ["b.wav"]), ("a.wav,", ["a.wav"])],
)
async def test_a_back_end_is_opened_by_what_stands_behind_the_colon(
    tmp_path: Path, argument: str, names: list[str]
) -> None:
    said(tmp_path / "a.wav", noise(0.1))
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        backend = open_backend(argument)
        assert [device.name for device in await backend.devices()] == names
    finally:
        os.chdir(here)
    assert (backend.name, backend.shares_air) == ("wav", False)


@pytest.mark.parametrize(
    "argument", ["", ",", "a.wav,b.wav,c.wav", ",,", "a.wav\0", "a\ud800.wav", "a.wav,a.wav"]
)
def test_what_is_no_pair_of_files_is_refused_in_one_line(argument: str) -> None:
    with pytest.raises(ValueError, match=r"use wav:|must be the path|another name") as caught:
        open_backend(argument)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", [b"in.wav", 3, True])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(TypeError, match="input_path must be the path of a file"):
        WavBackend(path)
    with pytest.raises(TypeError, match="paced must be True or False, not 'no'"):
        WavBackend("in.wav", paced="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_path must be the path of a file, not ''"):
        WavBackend(None, "")
