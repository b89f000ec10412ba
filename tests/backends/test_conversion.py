"""Devices with a format of their own: the streams convert, and the books and the clock stay true."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

import numpy as np
import numpy.typing as npt
import pytest

from support.sound import assert_accounted, seam
from support.stages import InlineRecorder, Loopback
from voicepipe import (
    AudioFormat,
    DeviceFormatError,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
    UserStartedSpeakingFrame,
    VADProcessor,
)
from voicepipe.audio.convert import Converter, live_delay_s
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.devices.port import Block, DeviceInfo, StreamRequest
from voicepipe.sample import speech
from voicepipe.testing import BACKEND_CHECKS
from voicepipe.testing.backend_checks import BackendCheck
from voicepipe_devices.conversion import BlockConverter, Renderer
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard
from voicepipe_devices.streams import DriverBackend

HARD = AudioFormat(48_000, 2)
SOFT = AudioFormat(16_000)
Samples = npt.NDArray[np.int16]


class StubbornCard(DriverBackend):
    """A card that has one format, whatever is asked of it."""

    name = "stubborn"
    shares_air = False

    def __init__(self, audio: AudioFormat = HARD) -> None:
        self.card = SimulatedCard("stubborn")
        self._fake = FakeBackend(self.card)
        self._audio = audio

    async def devices(self) -> list[DeviceInfo]:
        return await self._fake.devices()

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        return await self._fake.open_capture(replace(request, format=self._audio), callback, finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        return await self._fake.open_render(replace(request, format=self._audio), callback, finished)


def tone(audio: AudioFormat, seconds: float, hz: float = 300.0) -> Samples:
    wave = 9_000 * np.sin(2 * np.pi * hz * np.arange(audio.samples(seconds)) / audio.rate)
    return np.repeat(np.rint(wave).astype(np.int16)[:, None], audio.channels, axis=1)


@pytest.mark.parametrize("check", BACKEND_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("rate", [48_000, 44_100, 8_000])
async def test_a_card_with_another_format_keeps_the_ports_promises(check: BackendCheck, rate: int) -> None:
    await check(StubbornCard(AudioFormat(rate, 1)))


async def echoed(backend: StubbornCard) -> tuple[RunReport, list[InputAudioFrame]]:
    """Run an echo until the microphone has run out; also returns what the microphone pushed."""
    heard = InlineRecorder()
    stages = [MicrophoneInput(backend), heard, Loopback(), SpeakerOutput(backend)]
    report = await PipelineTask(Pipeline(stages)).run()
    return report, [frame for frame in heard.frames if isinstance(frame, InputAudioFrame)]


async def test_what_goes_in_at_48_khz_stereo_comes_out_again_to_the_last_sample() -> None:
    backend = StubbornCard()
    said = tone(HARD, 1.0)
    backend.card.mic.hear(said)
    backend.card.mic.run_out()
    report, heard = await echoed(backend)
    assert_accounted(report, "MicrophoneInput device", "SpeakerOutput", "SpeakerOutput device")
    assert seam(report, "MicrophoneInput device").given == 16_000
    assert report.dropped == {}
    captured = np.concatenate([frame.array[:, 0] for frame in heard])
    assert np.corrcoef(captured[200:-200], tone(SOFT, 1.0)[200:-200, 0])[0, 1] > 0.9999

    played = np.frombuffer(backend.card.speaker.played(), np.int16).reshape(-1, 2)
    loud = np.flatnonzero(np.abs(played[:, 0]) > 4_000)
    out = played[loud[0] : loud[-1] + 1]
    assert len(out) == pytest.approx(48_000, abs=200), "the tail that the converter held was played too"
    np.testing.assert_array_equal(out[:, 0], out[:, 1])


@pytest.mark.parametrize("rate", [48_000, 16_000])
@pytest.mark.parametrize("channel", [1, 2])
async def test_one_channel_of_a_microphone_is_heard_and_the_books_balance(rate: int, channel: int) -> None:
    backend = StubbornCard(AudioFormat(rate, 2))
    voice = tone(AudioFormat(rate), 0.5)
    silence = np.zeros_like(voice)
    backend.card.mic.hear(np.concatenate([voice, silence] if channel == 1 else [silence, voice], axis=1))
    backend.card.mic.channels = 2
    backend.card.mic.run_out()
    heard = InlineRecorder()
    stages = [MicrophoneInput(backend, channel=channel), heard]
    report = await PipelineTask(Pipeline(stages)).run()
    assert_accounted(report, "MicrophoneInput device")
    captured = np.concatenate([f.array[:, 0] for f in heard.frames if isinstance(f, InputAudioFrame)])
    assert len(captured) == 8_000
    assert np.corrcoef(captured[200:-200], tone(SOFT, 0.5)[200:-200, 0])[0, 1] > 0.9999
    assert np.max(captured) > 8_800, "as loud as it is in that channel"


@pytest.mark.parametrize("rate", [48_000, 16_000])
@pytest.mark.parametrize("second", [-1.0, -0.6, 0.0])
async def test_channels_that_should_not_be_mixed_are_not_and_the_books_balance(
    rate: int, second: float, caplog: pytest.LogCaptureFixture
) -> None:
    backend = StubbornCard(AudioFormat(rate, 2))
    voice = np.frombuffer(speech(AudioFormat(rate)), np.int16)
    backend.card.mic.hear(np.stack([voice, np.rint(voice * second).astype(np.int16)], 1))
    backend.card.mic.channels = 2
    backend.card.mic.run_out()
    heard = InlineRecorder()
    report = await PipelineTask(Pipeline([MicrophoneInput(backend), heard])).run()
    assert_accounted(report, "MicrophoneInput device")
    frames = [frame for frame in heard.frames if isinstance(frame, InputAudioFrame)]
    ends = np.cumsum([frame.num_samples for frame in frames]).tolist()
    assert [frame.position for frame in frames] == [0, *ends[:-1]]
    captured = np.concatenate([frame.array[:, 0] for frame in frames])
    said = np.frombuffer(speech(), np.int16)
    assert len(captured) == len(said)
    likeness = np.corrcoef(captured[48_000:-500], said[48_000:-500])[0, 1]
    assert abs(likeness) > 0.99
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert told[0].startswith('the microphone "stubborn')


async def test_a_file_whose_channels_cancel_is_heard(tmp_path: Path) -> None:
    voice = np.frombuffer(speech(), np.int16)
    path = tmp_path / "pair.wav"
    with WavWriter(path, AudioFormat(16_000, 2)) as file:
        file.write(np.stack([voice, -voice], 1).tobytes())
    heard = InlineRecorder()
    stages = [MicrophoneInput(f"wav:{path}"), VADProcessor("webrtc"), heard]
    await PipelineTask(Pipeline(stages)).run()
    assert sum(isinstance(frame, UserStartedSpeakingFrame) for frame in heard.frames) == 2


async def test_a_channel_that_the_device_lacks_is_refused_and_the_device_is_free_again() -> None:
    card = SimulatedCard()
    card.mic.channels = 2
    backend = card.backend()
    with pytest.raises(DeviceFormatError, match="has 2 channels, and no channel 3; choose 1 to 2"):
        await backend.open_input(StreamRequest(channel=3), lambda: None)
    assert not card.mic.is_open
    stream = await backend.open_input(StreamRequest(channel=2), lambda: None)
    assert (stream.info.format, stream.info.taken) == (SOFT, AudioFormat(16_000, 2))
    await stream.close()


async def test_how_a_device_was_opened_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    backend = StubbornCard()
    backend.card.mic.run_out()
    with caplog.at_level("INFO", "voicepipe"):
        await echoed(backend)
    lines = [record.getMessage() for record in caplog.records if "opened at" in record.getMessage()]
    assert lines == [
        f'the {kind} "stubborn {kind}" opened at 48000 Hz, 2 channels, and converted to 16000 Hz, 1 channel; '
        "it reports 41 ms of latency"
        for kind in ("speaker", "microphone")
    ]


async def test_positions_and_times_are_those_of_the_moments_that_were_captured() -> None:
    backend = StubbornCard()
    backend.card.mic.hear(tone(HARD, 0.5))
    backend.card.mic.run_out()
    _, heard = await echoed(backend)
    position, began_s = 0, heard[0].captured_s
    assert began_s is not None
    for frame in heard:
        assert frame.format == SOFT
        assert frame.position == position
        assert frame.captured_s == pytest.approx(began_s + position / 16_000, abs=1e-6)
        position += frame.num_samples
    assert position == 8_000


async def test_a_loss_in_the_device_is_the_same_jump_in_the_pipelines_samples() -> None:
    backend = StubbornCard()
    backend.card.mic.hear(tone(HARD, 0.5))
    backend.card.mic.run_out()
    backend.card.mic.xrun(4_800)
    report, heard = await echoed(backend)
    ends = [frame.position + frame.num_samples for frame in heard]
    jumps = [b.position - a for a, b in zip(ends, heard[1:], strict=False) if b.position != a]
    assert sum(jumps) + heard[0].position == 1_600
    ledger = seam(report, "MicrophoneInput device")
    assert ledger.dropped == {"mic_overflow": 1_600}
    assert ledger.balanced
    assert ledger.taken == pytest.approx(8_000, abs=2)


@pytest.mark.parametrize(
    ("rate", "added_s"), [(16_000, 0.0), (48_000, 0.001), (32_000, 0.001), (8_000, 0.002), (44_100, 0.022)]
)
async def test_the_latency_says_what_the_change_of_rate_adds(rate: int, added_s: float) -> None:
    request = StreamRequest(SOFT, latency=0.03)
    stream = await StubbornCard(AudioFormat(rate, 2)).open_output(request, lambda: None)
    assert stream.info.latency_s == pytest.approx(0.03 + added_s, abs=2e-4)
    assert (stream.info.format, stream.info.block) == (SOFT, 320)
    await stream.close()


@pytest.mark.parametrize(
    ("device", "written", "block"), [(48_000, 16_000, 480), (8_000, 16_000, 80), (32_000, 48_000, 512)]
)
def test_a_renderer_takes_what_it_gives_and_what_the_filter_holds_back(
    device: int, written: int, block: int
) -> None:
    pulled = list[int]()

    def pull(samples: int) -> bytes:
        pulled.append(samples)
        return b"\1\2" * samples

    renderer = Renderer(AudioFormat(device), AudioFormat(written), pull)
    for count in range(1, 30):
        renderer.render(block)
        assert 0 <= sum(pulled) / written - count * block / device <= live_delay_s(written, device) + 1e-9


def test_a_block_converter_ends_a_stretch_before_a_gap() -> None:
    converter = BlockConverter(AudioFormat(48_000), SOFT)
    audio = tone(AudioFormat(48_000), 0.1).tobytes()
    converter.put(Block(audio, 0, 5.0))
    converter.put(Block(audio, 9_600, 5.2))
    converter.finish()
    blocks: list[Block] = []
    while (block := converter.take()) is not None:
        blocks.append(block)
    before = b"".join(b.data for b in blocks if b.position < 3_200)
    after = b"".join(b.data for b in blocks if b.position >= 3_200)
    assert (len(before) // 2, len(after) // 2) == (1_600, 1_600)
    assert before == after, "nothing of what came before the gap is heard after it"
    assert converter.held == 0
    assert not converter.is_begun
    first_after = next(b for b in blocks if b.position >= 3_200)
    assert first_after.captured_s == pytest.approx(5.2)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_device_is_given_silence_without_work_and_what_follows_as_ever(rate: int) -> None:
    said = tone(SOFT, 0.3)[:, 0]
    silence = np.zeros(SOFT.samples(0.5), np.int16)
    written = np.concatenate([said, silence, said, silence]).tobytes()
    device = AudioFormat(rate)
    at = 0

    def pull(samples: int) -> bytes:
        nonlocal at
        at += 2 * samples
        return written[at - 2 * samples : at].ljust(2 * samples, b"\0")

    worked = list[bool]()

    def called(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is Converter.convert.__code__:
            worked[-1] = True

    renderer, rendered = Renderer(device, SOFT, pull), b""
    sys.setprofile(called)
    try:
        for _ in range(80):  # of 20 ms
            worked.append(False)
            rendered += renderer.render(rate // 50)
    finally:
        sys.setprofile(None)
    assert any(worked[:22])
    assert not any(worked[22:36])

    steady = Converter(SOFT, device)
    expected = np.frombuffer(steady.convert(written) + steady.flush(), np.int16).astype(int)
    played = np.frombuffer(rendered, np.int16).astype(int)
    begins, began = (int(np.flatnonzero(audio)[0]) for audio in (played, expected))
    length = len(expected) - began - rate // 10
    difference = played[begins : begins + length] - expected[began : began + length]
    assert np.max(np.abs(difference)) <= 1, "they are rounded at another place"
