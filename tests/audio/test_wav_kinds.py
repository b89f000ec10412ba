"""WAV files as sox, ffmpeg, libsndfile and others write them, and as they are found after a mishap."""

from __future__ import annotations

import re
import struct
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

AUDIO = np.concatenate(
    [
        np.array([0, 1, -1, 255, -256, 12_345, 32_766, 32_767, -32_767, -32_768], np.int16),
        np.random.default_rng(1).integers(-32_768, 32_768, 16_000 - 10, np.int16),
    ]
)
"""A second of noise, with int16's edges."""
DATA = AUDIO.tobytes()


def at_left(audio: npt.NDArray[np.int16], width: int) -> bytes:
    """Return the samples as the upper bytes of wider ones."""
    wide = (audio.astype("<i8") << 48).view(np.uint8).reshape(-1, 8)
    return wide[:, 8 - width :].tobytes()


def read(tmp_path: Path, content: bytes) -> tuple[npt.NDArray[np.int16], AudioFormat, tuple[str, ...]]:
    path = tmp_path / "in.wav"
    path.write_bytes(content)
    with WavReader(path) as reader:
        audio = np.frombuffer(reader.read(10**9), np.int16)
        assert len(audio) == reader.num_samples * reader.format.channels
        return audio, reader.format, reader.remarks


# -- headers that are wrong, and are read ------------------------------------------------


@pytest.mark.parametrize("align", [0, 1, 3, 4, 8, 65_535])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [2, 4])
def test_a_wrong_block_align_is_not_believed(tmp_path: Path, align: int, channels: int, width: int) -> None:
    head = format_chunk(bits=8 * width, channels=channels, align=align)
    audio, audio_format, remarks = read(tmp_path, riff(head, chunk(b"data", at_left(AUDIO, width))))
    assert np.array_equal(audio, AUDIO)
    assert audio_format == AudioFormat(16_000, channels)
    assert remarks == ()


@pytest.mark.parametrize("byte_rate", [0, 1, 16_000, UNKNOWN])
def test_a_wrong_byte_rate_is_not_believed(tmp_path: Path, byte_rate: int) -> None:
    head = chunk(b"fmt ", struct.pack("<HHIIHH", PCM, 1, 16_000, byte_rate, 2, 16))
    assert np.array_equal(read(tmp_path, riff(head, chunk(b"data", DATA)))[0], AUDIO)


FORMATS = {
    "17 bytes": chunk(b"fmt ", struct.pack("<HHIIHH", PCM, 1, 16_000, 32_000, 2, 16) + b"\0"),
    "18 bytes": chunk(b"fmt ", struct.pack("<HHIIHHH", PCM, 1, 16_000, 32_000, 2, 16, 0)),
    "18 bytes that promise 22 more": chunk(
        b"fmt ", struct.pack("<HHIIHHH", PCM, 1, 16_000, 32_000, 2, 16, 22)
    ),
    "40 bytes, not extensible": chunk(
        b"fmt ", struct.pack("<HHIIHH", PCM, 1, 16_000, 32_000, 2, 16) + bytes(24)
    ),
    "extensible": extensible_chunk(PCM, 16),
    "extensible, Ambisonic B": extensible_chunk(PCM, 16, tail=bytes.fromhex("00002107d3118644c8c1ca000000")),
    "extensible, the rest of the sub-format empty": extensible_chunk(PCM, 16, tail=bytes(14)),
    "twice, the second holds": format_chunk(rate=8_000) + format_chunk(),
    "after JUNK, bext and fact": chunk(b"JUNK", bytes(28))
    + chunk(b"bext", bytes(602))
    + format_chunk()
    + chunk(b"fact", b"1234"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_may_be_written_in_many_ways(tmp_path: Path, name: str) -> None:
    audio, audio_format, remarks = read(tmp_path, riff(FORMATS[name], chunk(b"data", DATA)))
    assert np.array_equal(audio, AUDIO)
    assert (audio_format, remarks) == (AudioFormat(16_000, 1), ())


ODD = {
    "before the format": (chunk(b"LIST", b"INFOx", padded=False), format_chunk()),
    "before the audio": (format_chunk(), chunk(b"LIST", b"INFOx", padded=False)),
    "two in a row": (
        format_chunk(),
        chunk(b"note", b"odd", padded=False),
        chunk(b"LIST", b"x", padded=False),
    ),
    "padded with a letter": (format_chunk(), chunk(b"LIST", b"INFOx")[:-1] + b"p"),
    "padded": (chunk(b"id3 ", b"odd"), format_chunk(), chunk(b"LIST", b"INFOx")),
}


@pytest.mark.parametrize("where", ODD)
def test_a_chunk_of_odd_length_may_lack_its_padding(tmp_path: Path, where: str) -> None:
    audio, _, remarks = read(tmp_path, riff(*ODD[where], chunk(b"data", DATA)))
    assert np.array_equal(audio, AUDIO)
    assert remarks == ()


@pytest.mark.parametrize("version", [3, 4])
def test_a_tag_of_music_programs_before_the_file_is_passed_over(tmp_path: Path, version: int) -> None:
    tag = b"ID3" + bytes([version, 0, 0, 0, 0, 2, 1]) + b"x" * 257
    assert np.array_equal(read(tmp_path, tag + riff(format_chunk(), chunk(b"data", DATA)))[0], AUDIO)


# -- encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"], ids=["RIFF", "RIFX"])
@pytest.mark.parametrize("code", ["i2", "i4", "i8", "f4", "f8"])
def test_either_byte_order_gives_the_same(tmp_path: Path, order: str, code: str) -> None:
    """As sox -B writes it."""
    width = int(code[1])
    wide = AUDIO / 32_768 if code[0] == "f" else AUDIO.astype("i8") << 8 * width - 16
    body = wide.astype(order + code).tobytes()
    tag = FLOAT if code[0] == "f" else PCM
    head = struct.pack(order + "HHIIHH", tag, 1, 16_000, 16_000 * width, width, 8 * width)
    chunks = b"WAVE" + chunk(b"fmt ", head, order=order) + chunk(b"data", body, order=order)
    kind = b"RIFF" if order == "<" else b"RIFX"
    audio, _, remarks = read(tmp_path, kind + struct.pack(order + "I", len(chunks)) + chunks)
    assert np.array_equal(audio, AUDIO)
    assert remarks == ()


def test_three_bytes_of_the_other_byte_order(tmp_path: Path) -> None:
    body = (AUDIO.astype(">i4") << 8).astype(">i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    head = chunk(b"fmt ", struct.pack(">HHIIHH", PCM, 1, 16_000, 48_000, 3, 24), order=">")
    chunks = b"WAVE" + head + chunk(b"data", body, order=">")
    assert np.array_equal(read(tmp_path, b"RIFX" + struct.pack(">I", len(chunks)) + chunks)[0], AUDIO)


@pytest.mark.parametrize(
    ("bits", "width"), [(1, 1), (7, 1), (9, 2), (12, 2), (15, 2), (17, 3), (20, 3), (25, 4), (31, 4)]
)
def test_bits_that_fill_no_byte_are_the_upper_ones(tmp_path: Path, bits: int, width: int) -> None:
    head = format_chunk(bits=bits, align=width)
    audio, _, _ = read(tmp_path, riff(head, chunk(b"data", at_left(AUDIO, width) if width > 1 else DATA)))
    if width > 1:
        assert np.array_equal(audio, AUDIO)
    else:
        assert np.array_equal(audio, (np.frombuffer(DATA, np.uint8).astype(np.int16) - 128) << 8)


FINE = np.random.default_rng(2).integers(-(2**23), 2**23, 20_000, np.int32)
"""Noise of 24 bits."""
ROUNDED = np.minimum((FINE >> 8) + (FINE >> 7 & 1), 32_767).astype(np.int16)


@pytest.mark.parametrize("silence", [0, 100_001], ids=["at once", "after silence"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["at the upper end", "at the lower end", "packed"])
def test_24_bits_in_four_bytes_are_told_by_the_audio(
    tmp_path: Path, kind: str, channels: int, silence: int
) -> None:
    """Of a header that says 24 bits and four bytes a sample, either may be true."""
    fine = np.concatenate([np.zeros(silence // 2 * 2, np.int32), FINE])
    body = {
        "at the upper end": (fine << 8).astype("<i4").tobytes(),
        "at the lower end": fine.astype("<i4").tobytes(),
        "packed": fine.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
    }[kind]
    head = format_chunk(bits=24, channels=channels, align=4 * channels)
    audio, _, _ = read(tmp_path, riff(head, chunk(b"data", body)))
    assert np.array_equal(audio[-len(ROUNDED) :], ROUNDED)
    assert len(audio) == len(fine)


def test_24_valid_bits_of_an_extensible_32_are_the_upper_ones(tmp_path: Path) -> None:
    head = bytearray(extensible_chunk(PCM, 32))
    head[8 + 18 : 8 + 20] = (24).to_bytes(2, "little")
    audio, _, _ = read(tmp_path, riff(bytes(head), chunk(b"data", (FINE << 8).astype("<i4").tobytes())))
    assert np.array_equal(audio, ROUNDED)


# -- lengths that are wrong; what is cut off; what follows ---------------------------------


@pytest.mark.parametrize("riff_size", [0, 36, UNKNOWN, 0x7FFF_FFFF, 0x8000_0024])
@pytest.mark.parametrize("data_size", [0, UNKNOWN, UNKNOWN - 36, 0x7FFF_FFFF, 0x7FFF_F000, 0x8000_0000])
def test_what_was_written_into_a_pipe_is_whole_and_no_remark(
    tmp_path: Path, riff_size: int, data_size: int
) -> None:
    content = riff(format_chunk(), chunk(b"data", DATA, data_size), size=riff_size)
    audio, _, remarks = read(tmp_path, content)
    assert np.array_equal(audio, AUDIO)
    assert remarks == ()


def test_a_length_of_0_is_unfinished_where_no_chunk_follows(tmp_path: Path) -> None:
    """Although the size of the whole is right."""
    assert np.array_equal(read(tmp_path, riff(format_chunk(), chunk(b"data", DATA, 0)))[0], AUDIO)


@pytest.mark.parametrize(
    ("kept", "has"), [(32_000 - 320, "0.99"), (16_000, "0.50"), (15_999, "0.50"), (800, "0.03"), (0, "0.00")]
)
def test_a_file_that_is_cut_off_is_read_and_said(tmp_path: Path, kept: int, has: str) -> None:
    content = riff(format_chunk(), chunk(b"data", DATA))
    audio, _, remarks = read(tmp_path, content[: 44 + kept])
    assert np.array_equal(audio, AUDIO[: kept // 2])
    if kept < 32_000:
        assert remarks == (f"it is cut off: its header says 1.00 s, it has {has} s",)


SECOND = riff(format_chunk(rate=8_000), chunk(b"data", DATA))
FOLLOWING = {
    "the same": riff(format_chunk(), chunk(b"data", DATA)),
    "another format": SECOND,
    "after a chunk": chunk(b"LIST", b"INFOx") + SECOND,
    "RIFX": b"RIFX" + SECOND[4:],
    "RF64": b"RF64" + SECOND[4:],
    "three in all": SECOND * 2,
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_files_joined_with_cat_are_said_and_the_first_is_read(tmp_path: Path, name: str) -> None:
    audio, _, remarks = read(tmp_path, riff(format_chunk(), chunk(b"data", DATA)) + FOLLOWING[name])
    assert np.array_equal(audio, AUDIO)
    assert len(remarks) == 1
    assert re.search("another WAV file follows .* not read.*`sox a.wav b.wav out.wav`", remarks[0])


@pytest.mark.parametrize("samples", [7, 16_000, 49_152, 49_148, 200_000])
def test_joined_files_whose_lengths_nobody_wrote_are_said_too(tmp_path: Path, samples: int) -> None:
    """As a voice in the cloud sends its sentences, and ffmpeg writes into a pipe."""
    sound = np.resize(AUDIO, samples)
    one = riff(format_chunk(), chunk(b"data", sound.tobytes(), UNKNOWN), size=UNKNOWN)
    audio, _, remarks = read(tmp_path, one * 2)
    assert np.array_equal(audio, sound)
    assert remarks[0].startswith("another WAV file follows")


REST = {
    "audio": (DATA, "32000 bytes behind its audio are not read, 1.00 s if they are audio"),
    "a few words": (b"the end, and no chunk", "21 bytes behind"),
    "more audio of its own": (chunk(b"data", DATA), "a second piece of audio, 1.00 s, follows"),
    "a chunk that does not end": (chunk(b"LIST", b"words", 10**6), "14 bytes behind"),
    "a tag of music programs": (b"TAG" + b"x" * 125, "128 bytes behind"),
}


@pytest.mark.parametrize("name", REST)
def test_what_stands_behind_the_audio_is_said(tmp_path: Path, name: str) -> None:
    rest, remark = REST[name]
    audio, _, remarks = read(tmp_path, riff(format_chunk(), chunk(b"data", DATA)) + rest)
    assert np.array_equal(audio, AUDIO)
    assert [remark in said for said in remarks] == [True]


@pytest.mark.parametrize(
    "rest",
    [b"", b"\0", bytes(4_000), chunk(b"LIST", b"INFOx"), chunk(b"bext", bytes(602)) + chunk(b"id3 ", b"odd")],
    ids=["nothing", "a byte", "zeros", "a list", "chunks"],
)
def test_what_often_stands_behind_the_audio_is_no_remark(tmp_path: Path, rest: bytes) -> None:
    assert read(tmp_path, riff(format_chunk(), chunk(b"data", DATA)) + rest)[2] == ()


def test_a_recorder_that_was_killed_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    writer = WavWriter(path, AudioFormat(16_000, 1))
    for at in range(0, len(DATA), 640):
        writer.write(DATA[at : at + 640])
    writer.write(DATA[:16_000])
    with WavReader(path) as reader:  # it was killed here
        assert reader.num_samples == 16_000
        assert "16000 bytes behind its audio are not read, 0.50 s if they are audio" in reader.remarks[0]
        assert f"`sox --ignore-length {path} new.wav` keeps them" in reader.remarks[0]
    writer.close()
    with WavReader(path) as reader:
        assert (reader.num_samples, reader.remarks) == (24_000, ())


# -- other files ----------------------------------------------------------------------------

OTHERS = {
    "FLAC": (b"fLaC\0\0\0\x22", "a FLAC file"),
    "Ogg": (b"OggS\0\2", "an Ogg file"),
    "MP3": (b"\xff\xfb\x90\x44", "an MP3 file"),
    "MP3 with a tag": (b"ID3\4\0\0\0\0\0\n", "an MP3 file"),
    "AAC": (b"\xff\xf1\x6c\x40", "an AAC file"),
    "M4A": (b"\0\0\0\x1cftypM4A ", "an MP4 or M4A file"),
    "AIFF": (b"FORM\0\0>\xaeAIFFCOMM", "an AIFF file"),
    "AU": (b".snd\0\0\0\x20", "an AU file"),
    "WebM": (b"\x1aE\xdf\xa3\x9fB", "a WebM or Matroska file"),
    "Wave64": (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", "a Wave64 file"),
    "WMA": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA or ASF file"),
    "AMR": (b"#!AMR\n", "an AMR file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_named_with_the_command_that_converts_it(tmp_path: Path, name: str) -> None:
    head, kind = OTHERS[name]
    path = tmp_path / "my song: 1.wav"
    path.write_bytes(head + bytes(200))
    with pytest.raises(AudioFormatError) as caught:
        WavReader(path)
    assert str(caught.value) == (
        f"{path} is {kind}; use a WAV file: `ffmpeg -i 'file:{path}' out.wav` makes one"
    )


REFUSED = {
    "G.726": (format_chunk(0x45, 4), "holds G.726; use PCM", "`ffmpeg -i -in.wav out.wav` makes one"),
    "extensible ADPCM": (
        extensible_chunk(2, 4),
        "holds ADPCM; use PCM",
        "`ffmpeg -i -in.wav out.wav` makes one",
    ),
    "GSM": (format_chunk(0x31, 0), "holds GSM;", "`ffmpeg -i -in.wav out.wav` makes one"),
    "nobody reads it": (format_chunk(0x4242), "holds encoding 0x4242;", "copy, record or export it again"),
    "no sub-format": (format_chunk(EXTENSIBLE), "without a known sub-format;", "copy, record or export"),
    "33 channels": (format_chunk(channels=33), "not 33;", "`sox ./-in.wav out.wav remix 1` takes its first"),
    "768 kHz": (format_chunk(rate=768_000), "not 768000;", "`sox ./-in.wav -r 48000 out.wav` makes one"),
    "1 Hz": (format_chunk(rate=1), "not 1;", "`sox ./-in.wav -r 48000 out.wav` makes one"),
    "no channel": (format_chunk(channels=0), "not 0;", "copy, record or export it again"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_comes_with_a_command_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    head, complaint, cure = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    Path("-in.wav").write_bytes(riff(head, chunk(b"data", DATA)))
    with pytest.raises(AudioFormatError) as caught:
        WavReader("-in.wav")
    assert complaint in str(caught.value)
    assert cure in str(caught.value)
