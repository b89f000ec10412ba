"""WAV files: what is there is read, whatever the header says; what is no WAV file is refused in one line."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import sys
import tracemalloc
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from support.wav_files import (
    EXTENSIBLE,
    FLOAT,
    PCM,
    UNKNOWN,
    chunk,
    extensible_chunk,
    format_chunk,
    riff,
)
from voicepipe import AudioFormat, AudioFormatError
from voicepipe.audio.files.wav_file import WavReader, WavWriter

MONO = AudioFormat(16_000, 1)
STEREO = AudioFormat(8_000, 2)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs what Linux has")

# int16 at its edges, and around zero.
EDGES = np.array([0, 1, -1, 255, -256, 12_345, 32_766, 32_767, -32_767, -32_768], np.int16)


def made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def read_all(path: Path, samples: int = 10**9) -> npt.NDArray[np.int16]:
    with WavReader(path) as reader:
        return np.frombuffer(reader.read(samples), np.int16)


def noise(samples: int, seed: int = 0) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-32_768, 32_768, samples, np.int16)


def header(data: bytes = EDGES.tobytes()) -> bytes:
    """A plain, good file."""
    return riff(format_chunk(), chunk(b"data", data))


# -- encodings -------------------------------------------------------------------------


def as_24(audio: npt.NDArray[np.int16]) -> bytes:
    return (audio.astype("<i4") << 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


LOSSLESS: dict[str, tuple[int, int, Callable[[npt.NDArray[np.int16]], bytes]]] = {
    "int 16": (PCM, 16, lambda audio: audio.astype("<i2").tobytes()),
    "int 24": (PCM, 24, as_24),
    "int 32": (PCM, 32, lambda audio: (audio.astype("<i4") << 16).tobytes()),
    "float 32": (FLOAT, 32, lambda audio: (audio / 32_768).astype("<f4").tobytes()),
    "float 64": (FLOAT, 64, lambda audio: (audio / 32_768).astype("<f8").tobytes()),
}


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_encoding_that_can_hold_int16_gives_it_back(
    tmp_path: Path, name: str, extensible: bool, channels: int
) -> None:
    tag, bits, encode = LOSSLESS[name]
    audio = np.concatenate([EDGES, noise(20_000)])[: 20_000 // channels * channels]
    head = extensible_chunk(tag, bits, channels) if extensible else format_chunk(tag, bits, channels=channels)
    path = made(tmp_path / "in.wav", riff(head, chunk(b"data", encode(audio))))
    with WavReader(path) as reader:
        assert reader.format == AudioFormat(16_000, channels)
        assert reader.num_samples == len(audio) // channels
        parts = [reader.read(777) for _ in range(30)]
        assert reader.read(1) == b""
    assert np.array_equal(np.frombuffer(b"".join(parts), np.int16), audio)


def test_8_bits_are_unsigned(tmp_path: Path) -> None:
    path = made(
        tmp_path / "in.wav", riff(format_chunk(bits=8), chunk(b"data", bytes([0, 127, 128, 129, 255])))
    )
    assert read_all(path).tolist() == [-32_768, -256, 0, 256, 32_512]


def test_wide_integers_are_rounded_and_do_not_wrap(tmp_path: Path) -> None:
    wide = np.array(
        [0x7FFF_FFFF, 0x7FFF_8000, 0x7FFF_7FFF, 0x8000, 0x7FFF, -0x8000, -0x8001, -(2**31)], "<i4"
    )
    rounded = [32_767, 32_767, 32_767, 1, 0, 0, -1, -32_768]
    path = made(tmp_path / "32.wav", riff(format_chunk(bits=32), chunk(b"data", wide.tobytes())))
    assert read_all(path).tolist() == rounded
    narrow = (wide >> 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    path = made(tmp_path / "24.wav", riff(format_chunk(bits=24), chunk(b"data", narrow)))
    assert read_all(path).tolist() == rounded


@pytest.mark.parametrize(("bits", "dtype"), [(32, "<f4"), (64, "<f8")])
def test_floats_that_are_no_audio_become_some(tmp_path: Path, bits: int, dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    floats = np.array([np.nan, np.inf, -np.inf, 1.5, -1.5, largest, -largest, 1.0, -1.0, 0.5, 5e-324], dtype)
    path = made(tmp_path / "in.wav", riff(format_chunk(FLOAT, bits), chunk(b"data", floats.tobytes())))
    most, least = 32_767, -32_768
    expected = [0, most, least, most, least, most, least, most, least, 16_384, 0]
    assert read_all(path).tolist() == expected


def test_every_kind_of_nan_is_silence(tmp_path: Path) -> None:
    bits = np.array([0x7F80_0001, 0xFFFF_FFFF, 0x7FC0_0000, 0xFF80_0001], "<u4")
    path = made(tmp_path / "in.wav", riff(format_chunk(FLOAT, 32), chunk(b"data", bits.tobytes())))
    assert read_all(path).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("samples", [0, 1, 2, 3, 99_999])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_it_reads_what_the_standard_library_wrote(tmp_path: Path, width: int, samples: int) -> None:
    raw = np.random.default_rng(width).integers(0, 256, samples * 2 * width, np.uint8).tobytes()
    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as writer:
        writer.setparams((2, width, 44_100, 0, "NONE", ""))
        writer.writeframes(raw)
    with WavReader(path) as reader:
        assert reader.format == AudioFormat(44_100, 2)
        assert reader.num_samples == samples
        data = reader.read(samples)
    if width == 2:
        assert data == raw
    assert len(data) == samples * 4


# -- what is around the audio, and what the header says of it ------------------------------


@pytest.mark.parametrize("odd", [b"", b"x", b"ab", b"abc"])
def test_other_chunks_are_passed_over_with_their_padding(tmp_path: Path, odd: bytes) -> None:
    data = chunk(b"data", EDGES.tobytes())
    more = [chunk(b"LIST", odd), chunk(b"fact", b"1234"), chunk(b"\0\xff\0\xff", odd * 99)]
    path = made(tmp_path / "in.wav", riff(*more, format_chunk(), *more, data, *more))
    assert np.array_equal(read_all(path), EDGES)


@pytest.mark.parametrize("riff_size", [0, 36, UNKNOWN, 0x7FFF_FFFF])
@pytest.mark.parametrize("data_size", [0, UNKNOWN, 0x7FFF_FFF0, 1_000])
def test_a_header_that_was_never_finished_hides_nothing(
    tmp_path: Path, riff_size: int, data_size: int
) -> None:
    content = riff(format_chunk(), chunk(b"data", EDGES.tobytes(), data_size), size=riff_size)
    assert np.array_equal(read_all(made(tmp_path / "in.wav", content)), EDGES)


def test_an_empty_file_is_empty_whatever_follows_its_audio(tmp_path: Path) -> None:
    path = made(tmp_path / "in.wav", riff(format_chunk(), chunk(b"data", b""), chunk(b"LIST", b"words")))
    assert len(read_all(path)) == 0


def test_a_size_that_is_less_than_what_is_there_is_believed(tmp_path: Path) -> None:
    content = riff(format_chunk(), chunk(b"data", EDGES.tobytes(), 6))
    assert np.array_equal(read_all(made(tmp_path / "in.wav", content)), EDGES[:3])


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_sample_that_is_not_whole_is_left_out(tmp_path: Path, cut: int) -> None:
    content = riff(format_chunk(channels=2, bits=24), chunk(b"data", as_24(np.arange(10, dtype=np.int16))))
    audio = read_all(made(tmp_path / "in.wav", content[:-cut]))
    assert audio.tolist() == list(range(10 - 2 * -(-cut // 6)))


def test_a_file_that_is_cut_short_while_it_is_read_ends(tmp_path: Path) -> None:
    path = made(tmp_path / "in.wav", header(noise(100_000).tobytes()))
    with WavReader(path) as reader:
        assert len(reader.read(10)) == 20
        os.truncate(path, 44 + 60_001)
        rest = reader.read(10**9)
        assert len(rest) == 60_000 - 20
        assert reader.read(1) == b""


@pytest.mark.parametrize("samples", [-1, True, 1.5, None])
def test_a_count_that_is_none_is_refused(tmp_path: Path, samples: int) -> None:
    with WavReader(made(tmp_path / "in.wav", header())) as reader, pytest.raises((TypeError, ValueError)):
        reader.read(samples)


def test_reading_no_sample_gives_none_and_loses_none(tmp_path: Path) -> None:
    with WavReader(made(tmp_path / "in.wav", header())) as reader:
        assert reader.read(0) == b""
        assert reader.read(99) == EDGES.tobytes()


def test_a_reader_closes_twice_and_reads_no_more(tmp_path: Path) -> None:
    reader = WavReader(made(tmp_path / "in.wav", header()))
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


# -- what is refused -----------------------------------------------------------------------


BAD = {
    "empty": (b"", "is empty"),
    "a byte": (b"R", "no WAV file"),
    "MP3": (b"ID3\4" + bytes(500), "an MP3 file; use a WAV file: `ffmpeg -i in.wav out.wav`"),
    "RF64 without chunks": (b"RF64" + riff()[4:], "no format"),
    "RIFX around RIFF": (b"RIFX" + header()[4:], "encoding 0x0100"),
    "AVI": (header()[:8] + b"AVI " + header()[12:], "an AVI file"),
    "text": (b"hello, \x1b[31mworld", "no WAV file"),
    "no chunks": (riff(), "no format"),
    "only a format": (riff(format_chunk()), "no audio"),
    "cut within a chunk's head": (header()[:40], "no audio"),
    "a chunk that never ends": (riff(chunk(b"LIST", b"", UNKNOWN), format_chunk()), "no format"),
    "audio before its format": (riff(chunk(b"data", b"12"), format_chunk()), "before its format"),
    "a short format": (riff(chunk(b"fmt ", bytes(15)), chunk(b"data", b"")), "15 bytes, not 16"),
    "no format": (riff(chunk(b"fmt ", b""), chunk(b"data", b"")), "0 bytes, not 16"),
    "ADPCM": (riff(format_chunk(2, 4), chunk(b"data", b"1234")), "holds ADPCM; use PCM.*ffmpeg"),
    "GSM": (riff(format_chunk(0x31, 0), chunk(b"data", b"1234")), "holds GSM;"),
    "MP3 within": (riff(format_chunk(0x55, 0), chunk(b"data", b"1234")), "holds MP3;"),
    "an unknown encoding": (riff(format_chunk(0x4242), chunk(b"data", b"1234")), "encoding 0x4242"),
    "0 bits": (riff(format_chunk(bits=0), chunk(b"data", b"1234")), "PCM of 0 bits"),
    "40 bits": (riff(format_chunk(bits=40), chunk(b"data", b"1234")), "PCM of 40 bits"),
    "65,528 bits": (riff(format_chunk(bits=65_528), chunk(b"data", b"1234")), "PCM of 65528 bits"),
    "16-bit floats": (riff(format_chunk(FLOAT, 16), chunk(b"data", b"1234")), "floats of 16 bits"),
    "rate 0": (riff(format_chunk(rate=0), chunk(b"data", b"1234")), "rate must be .* not 0"),
    "rate 4 GHz": (
        riff(format_chunk(rate=UNKNOWN), chunk(b"data", b"1234")),
        "rate must be .* not 4294967295",
    ),
    "no channel": (riff(format_chunk(channels=0), chunk(b"data", b"1234")), "channels must be .* not 0"),
    "33 channels": (riff(format_chunk(channels=33), chunk(b"data", bytes(99))), "channels must be .* not 33"),
    "65,535 channels": (riff(format_chunk(channels=65_535), chunk(b"data", b"")), "channels must be"),
    "extensible without a sub-format": (
        riff(format_chunk(EXTENSIBLE), chunk(b"data", b"12")),
        "without a known",
    ),
    "extensible with a strange one": (
        riff(extensible_chunk(PCM, 16, tail=b"x" * 14), chunk(b"data", b"12")),
        "without a known sub-format",
    ),
    "extensible ADPCM": (riff(extensible_chunk(2, 4), chunk(b"data", b"12")), "holds ADPCM;"),
    "a million chunks": (
        riff(chunk(b"LIST", b"") * 1_000_000, format_chunk(), chunk(b"data", b"")),
        "no format",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_wav_file_is_refused_in_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    content, complaint = BAD[name]
    path = made(tmp_path / "bad\n.wav", content)
    with pytest.raises(AudioFormatError, match=complaint) as caught:
        WavReader(path)
    message = str(caught.value)
    assert "bad\\n.wav" in message
    assert message.isprintable(), message


@pytest.mark.parametrize("make", [WavReader, lambda path: WavWriter(path, MONO)], ids=["read", "write"])
def test_a_missing_folder_is_an_oserror(tmp_path: Path, make: Callable[[Path], object]) -> None:
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "nowhere" / "in.wav")


def not_regular(tmp_path: Path) -> dict[str, Path]:
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    link = tmp_path / "link.wav"
    link.symlink_to(fifo)
    return {
        "FIFO": fifo,
        "link to one": link,
        "folder": tmp_path,
        "zero": Path("/dev/zero"),
        "full": Path("/dev/full"),
    }


@on_linux
@pytest.mark.parametrize("kind", ["FIFO", "link to one", "folder", "zero", "full"])
@pytest.mark.parametrize("make", [WavReader, lambda path: WavWriter(path, MONO)], ids=["read", "write"])
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, kind: str, make: Callable[[Path], object]
) -> None:
    signal.alarm(5)  # a FIFO would wait for its other end for ever
    try:
        with pytest.raises(AudioFormatError, match=r"is a (folder|pipe or a device); use a WAV file"):
            make(not_regular(tmp_path)[kind])
    finally:
        signal.alarm(0)


@on_linux
def test_a_fifo_is_refused_even_with_somebody_at_its_other_end(tmp_path: Path) -> None:
    fifo = not_regular(tmp_path)["FIFO"]
    other_end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(AudioFormatError):
            WavWriter(fifo, MONO)
    finally:
        os.close(other_end)


def test_a_size_in_a_header_allocates_nothing(tmp_path: Path) -> None:
    claims = [
        riff(format_chunk(), chunk(b"data", EDGES.tobytes(), size), size=UNKNOWN)
        for size in (UNKNOWN, 0x7FFF_FFFF, 2**31)
    ]
    claims.append(riff(chunk(b"fmt ", b"", UNKNOWN)))
    path = tmp_path / "in.wav"
    tracemalloc.start()
    try:
        for content in claims:
            path.write_bytes(content)
            try:
                assert np.array_equal(read_all(path, 2**62), EDGES)
            except AudioFormatError:
                assert content is claims[-1]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_large_file_is_decoded_in_pieces(tmp_path: Path) -> None:
    """4 GiB that are there, as a hole: a second of it takes what a second takes."""
    path = made(tmp_path / "in.wav", riff(format_chunk(FLOAT, 64, channels=2), chunk(b"data", b"", UNKNOWN)))
    os.truncate(path, 2**32)
    tracemalloc.start()
    try:
        with WavReader(path) as reader:
            assert reader.num_samples == (2**32 - 44) // 16
            assert reader.read(1_000_000) == bytes(4_000_000)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000 * 2.5 + 65_536 * 16 * 8
    finally:
        tracemalloc.stop()


def mutated(rng: random.Random, content: bytes) -> bytes:
    """A good file, with some of it changed."""
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(len(changed), 80)) if changed else 0
        match rng.randrange(5):
            case 0 if changed:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at : at + 4] = rng.choice([0, 1, UNKNOWN, 2**31, rng.getrandbits(32)]).to_bytes(
                    4, "little"
                )
            case 2:
                del changed[at : at + rng.randrange(1, 20)]
            case 3:
                changed[at:at] = rng.randbytes(rng.randrange(1, 20))
            case _:
                del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


@pytest.mark.heavy
def test_no_mutation_of_a_header_gets_anything_but_audio_or_one_error(tmp_path: Path) -> None:
    rng = random.Random(7)
    audio = noise(60).tobytes()
    goods = [
        header(audio),
        riff(format_chunk(FLOAT, 32, channels=2), chunk(b"LIST", b"odd"), chunk(b"data", audio)),
        riff(extensible_chunk(PCM, 24), chunk(b"data", audio), chunk(b"LIST", b"end")),
        riff(format_chunk(FLOAT, 64), chunk(b"data", audio)),
    ]
    path = tmp_path / "in.wav"
    accepted, complaints = 0, set[str]()
    for _ in range(6_000):
        content = mutated(rng, rng.choice(goods))
        path.write_bytes(content)
        try:
            with WavReader(path) as reader:
                data = reader.read(2**62)
                assert len(data) == reader.num_samples * reader.format.sample_bytes
                assert len(data) <= 2 * len(content)
            accepted += 1
        except AudioFormatError as error:
            complaints.add(str(error))
    assert accepted > 500
    assert len(complaints) > 500
    assert all(complaint.isprintable() for complaint in complaints)


# -- the writer ------------------------------------------------------------------------------


@pytest.mark.parametrize("audio", [MONO, STEREO, AudioFormat(384_000, 32), AudioFormat(1_000, 1)], ids=str)
def test_what_was_written_is_read_by_us_and_by_the_standard_library(
    tmp_path: Path, audio: AudioFormat
) -> None:
    path, data = tmp_path / "out.wav", noise(32 * 1_000).tobytes()
    with WavWriter(path, audio) as writer:
        view = memoryview(data)
        for at in range(0, len(data), 64):
            writer.write(view[at : at + 64])
        assert writer.num_samples == len(data) // audio.sample_bytes
    with WavReader(path) as reader:
        assert (reader.format, reader.num_samples) == (audio, len(data) // audio.sample_bytes)
        assert reader.read(10**9) == data
    with wave.open(str(path), "rb") as standard:
        assert standard.getparams()[:4] == (audio.channels, 2, audio.rate, len(data) // audio.sample_bytes)
        assert standard.readframes(10**9) == data
    assert path.stat().st_size == 44 + len(data)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 3.7])
def test_the_file_is_valid_at_any_time_short_of_the_last_second(tmp_path: Path, seconds: float) -> None:
    path, block = tmp_path / "out.wav", noise(320).tobytes()
    writer = WavWriter(path, MONO)
    for _ in range(round(seconds * 50)):
        writer.write(block)
    with wave.open(str(path), "rb") as standard:  # which believes the header
        assert seconds - 1 < standard.getnframes() / 16_000 <= seconds
    assert path.stat().st_size == 44 + writer.num_samples * 2, "the rest is there too"
    writer.close()
    writer.close()
    with wave.open(str(path), "rb") as standard:
        assert standard.getnframes() == round(seconds * 16_000)
    with pytest.raises(ValueError, match="closed"):
        writer.write(block)


def test_audio_of_a_file_that_crashed_in_its_first_second_is_found(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "out.wav", MONO)
    writer.write(EDGES.tobytes())
    assert np.array_equal(read_all(tmp_path / "out.wav"), EDGES)
    writer.close()


@on_linux
def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_nothing_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    for data in (noise(1_000), EDGES):
        with WavWriter(path, MONO) as writer:
            writer.write(data.tobytes())
        assert np.array_equal(read_all(path), data)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_part_of_a_sample_is_refused_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "out.wav", STEREO) as writer:
        with pytest.raises(AudioFormatError, match=r"6 bytes are no whole number of samples: .* 4 bytes"):
            writer.write(bytes(6))
        assert writer.num_samples == 0
        writer.write(b"")
        writer.write(memoryview(EDGES))  # bytes are counted, whatever the view's items are
        assert writer.num_samples == len(EDGES) // 2
    assert np.array_equal(read_all(tmp_path / "out.wav"), EDGES)


def test_a_file_ends_at_4_gib_with_an_error_that_says_so(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "out.wav", MONO) as writer:
        writer.write(EDGES.tobytes())
        huge = memoryview(np.zeros(2**31 - 20, np.int16))  # never touched, so it takes no memory
        with pytest.raises(OSError, match="ends at 4 GiB") as caught:
            writer.write(huge)
        assert caught.value.errno == errno.EFBIG
        writer.write(EDGES.tobytes())
    assert np.array_equal(read_all(tmp_path / "out.wav"), [*EDGES, *EDGES])


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
def test_a_full_disk_is_said_and_what_was_written_is_valid(tmp_path: Path) -> None:
    path, data = tmp_path / "out.wav", noise(4_000).tobytes()
    writer = WavWriter(path, STEREO)
    with files_no_longer_than(44 + 4_001):  # it is full within a sample
        writer.write(data[:2_000])
        with pytest.raises(OSError, match="File too large"):
            writer.write(data[2_000:])
        assert writer.num_samples == 1_000
    writer.write(data[:400])  # there is room again
    writer.close()
    assert read_all(path).tobytes() == data[:4_000] + data[:400]


@on_linux
def test_a_writer_that_cannot_begin_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with files_no_longer_than(10), pytest.raises(OSError, match="File too large"):
        WavWriter(tmp_path / "out.wav", MONO)
    assert os.listdir("/proc/self/fd") == before
