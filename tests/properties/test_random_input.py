"""Whatever comes from outside, nothing but the documented errors comes of it."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from support.hypothesis_settings import ODD, anything, repeatable
from voicepipe import (
    AudioFormat,
    AudioFormatError,
    AudioFrame,
    BackendMissingError,
    CensusMonitor,
    FrameFilter,
    Gain,
    InputAudioFrame,
    LevelMeter,
    Limits,
    MicrophoneInput,
    OutputAudioFrame,
    PipelineRunner,
    PipelineTask,
    SpeakerOutput,
    Tap,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
    WebRTCEngine,
    open_backend,
)
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.cli.commands import devices, doctor, echo, latency, level, play, record, vad
from voicepipe.devices.port import StreamRequest
from voicepipe.testing import SimulatedCard, frames_of, noise, tone
from voicepipe_devices.fake import FakeBackend
from voicepipe_devices.wav import WavBackend

pytestmark = pytest.mark.heavy  # many examples, of what has tests of its own

# -- configuration ---------------------------------------------------------------------------

BACKEND = FakeBackend()
CONFIGURED: dict[Callable[..., Any], tuple[str, ...]] = {
    AudioFormat: ("rate", "channels"),
    StreamRequest: ("format", "device", "block_s", "latency"),
    Limits: ("start_s", "stall_s", "drain_s", "cancel_s", "close_s"),
    lambda **given: MicrophoneInput(**{"backend": BACKEND, **given}): (
        *("backend", "device", "block_s", "latency", "mute", "on_loss", "name"),
    ),
    lambda **given: SpeakerOutput(**{"backend": BACKEND, **given}): (
        *("backend", "device", "block_s", "latency", "max_queue_s", "steady", "begin_s", "on_loss", "name"),
    ),
    VADProcessor: ("engine", "start_s", "stop_s"),
    WebRTCEngine: ("mode", "high_pass_hz", "window_ms"),
    UtteranceCollector: ("preroll_s", "tail_s", "max_s"),
    lambda db: Gain(db): ("db",),
    lambda kind: LevelMeter(kind): ("kind",),
    lambda look: Tap(look): ("look",),
    lambda **given: FrameFilter(**given): ("drop", "direction"),
    PipelineTask: ("pipeline", "input", "output", "limits"),
    PipelineRunner: ("blocked_s", "monitor_s"),
    CensusMonitor: ("every_s",),
    SimulatedCard: ("drift_ppm", "jitter_s", "keep_s"),
    WavBackend: ("input_path", "output_path", "paced"),
    open_backend: ("name",),
    tone: ("seconds", "hz", "level_db", "rate"),
    noise: ("seconds", "color", "seed"),
}
CASES = [(make, field) for make, names in CONFIGURED.items() for field in names]
REQUIRED: dict[Callable[..., Any], dict[str, Any]] = {
    PipelineTask: {"pipeline": Gain(0)},
    tone: {"seconds": 0.01},
    noise: {"seconds": 0.01},
    WavBackend: {"input_path": "speech.wav"},
}
OTHER_WORDS = {"look", "drop", "kind", "pipeline", "engine", "backend", "name", "input_path", "output_path"}
"""Where the error says what would be right in other words than the field's name."""


@pytest.mark.parametrize(
    ("make", "field"), CASES, ids=[f"{getattr(make, '__name__', '')}-{field}" for make, field in CASES]
)
def test_a_value_of_a_configuration_field_is_taken_or_refused_by_name(
    make: Callable[..., Any], field: str
) -> None:
    def is_taken_or_refused(value: Any) -> None:
        if field in ("seconds", "keep_s") and isinstance(value, float | int) and 10 < value < 1e6:
            return  # right, and large
        try:
            make(**{**REQUIRED.get(make, {}), field: value})
        except (TypeError, ValueError, BackendMissingError) as error:
            assert_names(str(error), field)

    for value in ODD:
        is_taken_or_refused(value)
    repeatable(15)(given(anything())(is_taken_or_refused))()


def assert_names(said: str, field: str) -> None:
    """The error's text names the field, and is fit for a terminal."""
    assert field in OTHER_WORDS or field in said or "samples in a block" in said, said
    assert_harmless(said)


def assert_harmless(text: str) -> None:
    """No control characters, ANSI or bidirectional marks."""
    assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}, repr(text)


@repeatable(100)
@given(st.fixed_dictionaries({}, optional={field.name: anything() for field in fields(StreamRequest)}))
def test_a_stream_request_that_is_taken_is_one_that_can_be_opened(given_: dict[str, Any]) -> None:
    with contextlib.suppress(TypeError, ValueError):
        request = StreamRequest(**given_)
        assert 1 <= request.block <= request.format.rate
        assert request.latency in ("low", "high") or 0 <= float(request.latency) <= 10


@repeatable(150)
@given(st.one_of(anything(), st.text(), st.builds("wav:{},{}".format, st.text(), st.text())))
def test_a_back_ends_name_is_taken_or_refused(name: Any) -> None:
    with contextlib.suppress(TypeError, ValueError, BackendMissingError):
        open_backend(name)


# -- the command line ---------------------------------------------------------------------------

FLAGS = (
    *("--backend", "--live", "--mic", "--speaker", "--rate", "--block", "--latency", "--seconds"),
    *("--mute", "--no-mute", "--steady", "--debug", "--json", "--help", "--"),
)
WORDS = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(["fake", "wav:a.wav", "wav:,b.wav", "nan", "inf", "-1", "16000", "0.5", "1e400", "low"]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=10),
    st.builds("{}={}".format, st.sampled_from(FLAGS), st.text(max_size=10)),
)


@pytest.mark.heavy
@repeatable(200)
@given(st.lists(WORDS, max_size=5))
def test_a_command_line_is_taken_or_refused_in_one_line(arguments: list[str]) -> None:
    for program in (echo, devices, level, vad, doctor, latency, record, play):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                program.read_options(arguments, "voicepipe")
            except SystemExit as left:
                told = left.code, out.getvalue(), err.getvalue()
            else:
                continue
        code, usage, complaint = told
        assert code in (0, 2)
        assert bool(usage) is (code == 0)
        assert complaint.count("\n") == (0 if code == 0 else 1)
        assert_harmless(complaint.removesuffix("\n"))
        assert len(complaint) < 500


# -- WAV files ---------------------------------------------------------------------------------------

SIZES = st.one_of(st.integers(0, 64), st.sampled_from([0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]))


def mostly(*right: Any, wrong: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of what is right, and now and then of what is wrong."""
    return st.sampled_from([*right * (9 * len(wrong)), *wrong * len(right)])


@st.composite
def wav_files(draw: st.DrawFn) -> bytes:
    """Something like a WAV file: the right structure with odd numbers, then bytes changed, then cut off."""
    channels = draw(mostly(1, 2, wrong=(0, 65_535)))
    bits = draw(mostly(8, 16, 24, 32, 64, wrong=(0, 12)))
    rate = draw(mostly(8_000, 48_000, wrong=(0, 1, 0xFFFFFFFF)))
    align = draw(mostly(channels * bits // 8 & 0xFFFF, wrong=(0, 1, 65_535)))
    kind = draw(mostly(1, 3, 0xFFFE, wrong=(0, 2, 6, 0xFFFF)))
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    if kind == 0xFFFE:
        form += struct.pack("<HHIH", 22, bits, 0, draw(mostly(1, 3, wrong=(0,)))) + GUID
    chunks = [(b"fmt ", form), (b"data", draw(st.binary(min_size=16, max_size=100)))]
    if draw(mostly(False, wrong=(True,))):
        chunks.insert(draw(st.integers(0, 2)), (b"LIST", draw(st.binary(max_size=20))))
    sizes = [draw(mostly(len(data), wrong=(0, 0x7FFFFFFF, 0xFFFFFFFF))) for _, data in chunks]
    body = b"".join(
        name + struct.pack("<I", size) + data + b"\0" * (len(data) % 2)
        for (name, data), size in zip(chunks, sizes, strict=True)
    )
    whole = bytearray(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    for at, byte in draw(mostly([], wrong=([(20, 255)],)) | st.lists(CHANGES, max_size=2)):
        whole[at % len(whole)] = byte
    return bytes(whole[: draw(mostly(len(whole), wrong=(0, 30, 44, len(whole) - 1)))])


GUID = bytes.fromhex("000000001000800000aa00389b71")
CHANGES = st.tuples(st.integers(0, 200), st.integers(0, 255))


@pytest.fixture(scope="module")
def wav_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "odd.wav"


def read_all(path: Path, data: bytes) -> bytes | None:
    """What the reader makes of a file; None where it refuses it as it should."""
    path.write_bytes(data)
    try:
        reader = WavReader(path)
    except AudioFormatError:
        return None
    with reader:
        audio = reader.read(2**40)
        assert len(audio) == reader.num_samples * reader.format.sample_bytes
        assert reader.read(1) == b""
        return audio


def test_a_wav_file_with_a_broken_header_is_read_or_refused(wav_path: Path) -> None:
    read: list[bytes | None] = []

    @repeatable(200)
    @given(wav_files())
    def run(data: bytes) -> None:
        audio = read_all(wav_path, data)
        read.append(audio)
        # Of 8 bits come 16: more cannot come of it, whatever the header says.
        assert audio is None or len(audio) <= 2 * len(data)

    run()
    assert sum(audio is None for audio in read) > 20
    assert sum(bool(audio) for audio in read) > 20


RIFF = b"RIFF\xff\xff\xff\xffWAVE"


@repeatable(100)
@given(data=st.binary(max_size=60) | st.binary(max_size=60).map(RIFF.__add__))
def test_random_bytes_are_no_wav_file(wav_path: Path, data: bytes) -> None:
    assert read_all(wav_path, data) in (None, b"")


# -- arrays and frames ---------------------------------------------------------------------------------

ARRAYS = stnp.arrays(
    dtype=st.one_of(
        stnp.scalar_dtypes(), st.sampled_from(["<i2", ">i2", "f2", "f4", "f8", "g", "O", "U3", "c16"])
    ).map(lambda kind: np.dtype(kind)),
    shape=stnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
)


@repeatable(120)
@given(array=ARRAYS, channels=st.integers(1, 3))
def test_an_array_becomes_a_frame_or_is_refused(array: Any, channels: int) -> None:
    try:
        frame = InputAudioFrame.from_array(array, channels=channels)
    except AudioFormatError:
        return
    assert frame.array.shape == (array.shape[0], channels)
    assert array.dtype == np.int16 or np.issubdtype(array.dtype, np.floating)
    if array.dtype == np.int16:
        assert np.array_equal(frame.array, array.reshape(-1, channels))
    else:
        shown, given_ = frame.array, array.reshape(-1, channels)
        assert not shown[np.isnan(given_)].any()
        assert (shown[given_ >= 1] == 32_767).all()
        assert (shown[given_ <= -1] == -32_767).all()


@repeatable(60)
@given(array=ARRAYS, rate=anything(), block_s=anything())
def test_an_array_becomes_frames_or_is_refused(array: Any, rate: Any, block_s: Any) -> None:
    with contextlib.suppress(TypeError, ValueError):
        frames = frames_of(array, rate=rate, block_s=block_s)
        assert sum(frame.num_samples for frame in frames) == array.shape[0]


@pytest.mark.parametrize("kind", [AudioFrame, OutputAudioFrame, UtteranceFrame])
def test_a_frame_of_anything_is_whole_or_refused(kind: type[AudioFrame]) -> None:
    numbers = {name: anything() for name in ("rate", "channels", "position", "captured_s")}

    @repeatable(100)
    @given(st.one_of(st.binary(max_size=100), anything()), st.fixed_dictionaries({}, optional=numbers))
    def run(data: Any, given_: dict[str, Any]) -> None:
        with contextlib.suppress(TypeError, ValueError):
            frame = kind(data, **given_)
            assert frame.num_samples * frame.channels * 2 == len(frame.data)
            assert 0 <= frame.duration_s <= kind.longest_s
            assert frame.captured_s is None or math.isfinite(frame.captured_s)
            assert sum(part.num_samples for part in kind.parts_of(frame)) == frame.num_samples
            assert repr(frame)

    run()
