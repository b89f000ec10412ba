"""Sound files of every kind: told by their content, read to the sample, and named where they cannot be."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from support.wav_files import EXTENSIBLE, UNKNOWN, chunk, extensible_chunk, format_chunk, riff
from voicepipe import AudioFormat, AudioFormatError
from voicepipe.audio.files.companding import a_law, mu_law
from voicepipe.audio.files.sound_file import open_sound_file
from voicepipe.sample import speech

VOICE = np.frombuffer(speech(), np.int16)[: 3 * 16_000]
"""Three seconds of speech at 16 kHz."""
NOISE = np.random.default_rng(3).integers(-32_768, 32_768, 16_000, np.int16)
DATA = NOISE.tobytes()


def read(path: Path, piece: int = 777) -> tuple[npt.NDArray[np.int16], AudioFormat, tuple[str, ...]]:
    with open_sound_file(path) as reader:
        parts = []
        while data := reader.read(piece):
            parts.append(data)
        return np.frombuffer(b"".join(parts), np.int16), reader.format, reader.remarks


def made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def encoded(path: Path, audio: npt.NDArray[np.int16] = VOICE, rate: int = 16_000, **how: Any) -> Path:
    """Write a file with the package; it is given a name that says nothing."""
    soundfile.write(path, audio, rate, **how)
    return path


# -- telephone audio -------------------------------------------------------------------------


@pytest.mark.parametrize(("tag", "subtype"), [(7, "ULAW"), (6, "ALAW")])
@pytest.mark.parametrize("head", ["plain", "extensible", "of 16 bits", "of 0 bits"])
def test_every_byte_of_telephone_audio_is_as_the_library_decodes_it(
    tmp_path: Path, tag: int, subtype: str, head: str
) -> None:
    every = bytes(range(256))
    chunks = {
        "plain": format_chunk(tag, 8),
        "extensible": extensible_chunk(tag, 8),
        "of 16 bits": format_chunk(tag, 16),
        "of 0 bits": format_chunk(tag, 0),
    }
    audio, audio_format, remarks = read(made(tmp_path / "x", riff(chunks[head], chunk(b"data", every))))
    (tmp_path / "raw").write_bytes(every)
    expected, _ = soundfile.read(
        tmp_path / "raw", dtype="int16", samplerate=8_000, channels=1, subtype=subtype, format="RAW"
    )
    assert np.array_equal(audio, expected)
    assert (audio_format.channels, remarks) == (1, ())


def test_the_tables_of_telephone_audio_have_their_known_values() -> None:
    """After ITU-T G.711: the ends, and the smallest steps."""
    assert [int(mu_law()[code]) for code in (0x00, 0x80, 0xFF, 0x7F, 0xFE)] == [-32_124, 32_124, 0, 0, 8]
    assert [int(a_law()[code]) for code in (0x2A, 0xAA, 0xD5, 0x55)] == [-32_256, 32_256, 8, -8]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_telephone_audio_of_two_channels_and_either_byte_order(
    tmp_path: Path, order: str, channels: int
) -> None:
    head = struct.pack(order + "HHIIHH", 7, channels, 8_000, 8_000 * channels, channels, 8)
    codes = bytes(range(200))
    body = b"WAVE" + chunk(b"fmt ", head, order=order) + chunk(b"data", codes, order=order)
    path = made(tmp_path / "x", (b"RIFX" if order == ">" else b"RIFF") + struct.pack(order + "I", 300) + body)
    audio, audio_format, _ = read(path)
    assert audio_format == AudioFormat(8_000, channels)
    assert np.array_equal(audio, mu_law()[list(codes)])


# -- beyond 4 GiB ----------------------------------------------------------------------------


def wide(
    *chunks: bytes,
    audio: int,
    kind: bytes = b"RF64",
    whole: int = 0,
    sizes: tuple[tuple[bytes, int], ...] = (),
) -> bytes:
    """Return an RF64 file whose `ds64` says these sizes."""
    table = b"".join(name + struct.pack("<Q", size) for name, size in sizes)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", whole, audio, 0, len(sizes)) + table)
    return kind + struct.pack("<I", UNKNOWN) + b"WAVE" + ds64 + b"".join(chunks)


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFO")], ids=["alone", "with a list"])
def test_a_wide_file_is_read(tmp_path: Path, kind: bytes, behind: bytes) -> None:
    content = wide(format_chunk(), chunk(b"data", DATA, UNKNOWN), behind, audio=len(DATA), kind=kind)
    audio, audio_format, remarks = read(made(tmp_path / "x", content))
    assert np.array_equal(audio, NOISE)
    assert (audio_format, remarks) == (AudioFormat(16_000, 1), ())


def test_a_file_of_more_than_4_gib_has_all_its_samples(tmp_path: Path) -> None:
    """5 GiB, as a hole, with a chunk behind them."""
    size = 5 * 2**30
    path = made(tmp_path / "x", wide(format_chunk(), chunk(b"data", b"", UNKNOWN), audio=size))
    start = path.stat().st_size
    os.truncate(path, start + size)
    with path.open("ab") as file:
        file.write(chunk(b"LIST", b"INFO"))
    with open_sound_file(path) as reader:
        assert (reader.num_samples, reader.remarks) == (size // 2, ())
        assert reader.read(10) == bytes(20)


SIZES = {
    "never written": (0, "whole", None),
    "all ones": (2**64 - 1, "whole", None),
    "that of another chunk": (len(DATA), "whole", None),
    "too long": (len(DATA) * 2, "whole", "it is cut off: its header says 2.00 s, it has 1.00 s"),
    "as in a pipe, but in 64 bits": (0x7FFF_F000, "whole", "it is cut off: its header says"),
    "shorter": (len(DATA) // 2, "half", "behind its audio are not read"),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_length_of_a_wide_file_is_held_against_it(tmp_path: Path, name: str) -> None:
    size, kept, remark = SIZES[name]
    content = wide(format_chunk(), chunk(b"data", DATA, UNKNOWN), audio=size)
    audio, _, remarks = read(made(tmp_path / "x", content))
    assert np.array_equal(audio, NOISE if kept == "whole" else NOISE[: len(NOISE) // 2])
    assert len(remarks) == (remark is not None)
    assert remark is None or remark in remarks[0]


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, 10**12])
def test_a_chunk_that_says_it_is_longer_than_any_disk_is_no_audio(tmp_path: Path, size: int) -> None:
    content = wide(chunk(b"junk", b"", UNKNOWN), format_chunk(), audio=9, sizes=((b"junk", size),))
    with pytest.raises(AudioFormatError, match="it has no format"):
        read(made(tmp_path / "x", content))


@pytest.mark.parametrize("length", [0, 7, 27])
def test_a_ds64_chunk_that_is_too_short_says_nothing(tmp_path: Path, length: int) -> None:
    head = b"RF64" + struct.pack("<I", UNKNOWN) + b"WAVE" + chunk(b"ds64", b"\x99" * length)
    assert np.array_equal(
        read(made(tmp_path / "x", head + format_chunk() + chunk(b"data", DATA, UNKNOWN)))[0], NOISE
    )


# -- what the package soundfile decodes --------------------------------------------------------

LOSSLESS = ["FLAC", "AIFF", "AU", "CAF", "W64", "NIST", "VOC"]
LOSSY = {
    "Vorbis": ("OGG", "VORBIS"),
    "Opus": ("OGG", "OPUS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "ADPCM in WAV": ("WAV", "MS_ADPCM"),
    "IMA ADPCM in WAV": ("WAV", "IMA_ADPCM"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_every_lossless_kind_gives_its_samples_back(tmp_path: Path, kind: str) -> None:
    audio, audio_format, remarks = read(encoded(tmp_path / "x", NOISE, format=kind, subtype="PCM_16"))
    assert np.array_equal(audio, NOISE)
    assert (audio_format, remarks) == (AudioFormat(16_000, 1), ())


@pytest.mark.parametrize("name", LOSSY)
def test_every_lossy_kind_is_in_its_place(tmp_path: Path, name: str) -> None:
    kind, subtype = LOSSY[name]
    audio, audio_format, remarks = read(encoded(tmp_path / "x", format=kind, subtype=subtype))
    assert (audio_format, remarks) == (AudioFormat(16_000, 1), ())
    assert len(VOICE) <= len(audio) <= len(VOICE) + 2_000
    size = 1 << 17
    likeness = np.fft.irfft(np.fft.rfft(audio, size) * np.conj(np.fft.rfft(VOICE, size)), size)
    assert int(np.argmax(likeness)) == 0
    assert np.corrcoef(audio[: len(VOICE)], VOICE)[0, 1] > 0.9


def test_24_bits_are_rounded_as_those_of_wav_files(tmp_path: Path) -> None:
    fine = np.random.default_rng(2).integers(-(2**23), 2**23, 20_000, np.int32)
    fine[:4] = [127, 128, -128, -129]
    expected = np.minimum((fine >> 8) + (fine >> 7 & 1), 32_767).astype(np.int16)
    soundfile.write(tmp_path / "x", fine << 8, 48_000, format="FLAC", subtype="PCM_24")
    assert np.array_equal(read(tmp_path / "x")[0], expected)


def test_what_is_louder_than_full_scale_is_clipped(tmp_path: Path) -> None:
    loud = np.array([0.0, 1.5, -1.5, np.nan, 0.5], np.float32)
    soundfile.write(tmp_path / "x", loud, 48_000, format="CAF", subtype="FLOAT")
    assert read(tmp_path / "x")[0].tolist() == [0, 32_767, -32_768, 0, 16_384]


@pytest.mark.parametrize("piece", [97, 5_000, 10**9])
@pytest.mark.parametrize("name", ["FLAC", "Opus", "MP3"])
def test_the_size_of_a_piece_changes_nothing(tmp_path: Path, name: str, piece: int) -> None:
    kind, subtype = LOSSY.get(name, (name, "PCM_16"))
    path = encoded(tmp_path / "x", VOICE[:8_000], format=kind, subtype=subtype)
    assert np.array_equal(read(path, piece)[0], read(path)[0])


def test_reading_takes_memory_for_a_piece_alone(tmp_path: Path) -> None:
    path = encoded(tmp_path / "x", np.tile(NOISE, 60), format="FLAC")
    read(path)  # the imports
    tracemalloc.start()
    try:
        with open_sound_file(path) as reader:
            while reader.read(4_096):
                pass
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def mp3(tmp_path: Path, *, counted: bool = False) -> bytes:
    """Music, then a minute of silence: its first bit rates say that it is short."""
    audio = np.concatenate([NOISE // 4, np.zeros(16_000 * 60, np.int16)])
    encoded(tmp_path / "mp3", audio, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    content = (tmp_path / "mp3").read_bytes()
    assert content[:2] == b"\xff\xf3"
    first = next(at for at in range(4, 9_000) if content[at : at + 2] == b"\xff\xf3")
    return content if counted else content[first:]


@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125)], ids=["plain", "with a tag behind"])
def test_an_mp3_file_that_does_not_count_its_samples_is_read_to_its_end(tmp_path: Path, tag: bytes) -> None:
    """The library guesses its length, and would stop at the guess."""
    path = made(tmp_path / "x", mp3(tmp_path) + tag)
    with open_sound_file(path) as reader:
        assert reader.num_samples is None
    audio, _, remarks = read(path, 16_000)
    assert 61 * 16_000 <= len(audio) < 61.5 * 16_000
    assert remarks == ()


BEFORE = {
    "MP3": "MPEG_LAYER_III",
    "FLAC": "PCM_16",
    "WAV": "PCM_16",
}


@pytest.mark.parametrize("kind", BEFORE)
def test_a_tag_of_music_programs_hides_no_kind(tmp_path: Path, kind: str) -> None:
    encoded(tmp_path / "y", format=kind, subtype=BEFORE[kind])
    tag = b"ID3\4\0\0\0\0\2\1" + b"x" * 257
    audio, _, _ = read(made(tmp_path / "x", tag + (tmp_path / "y").read_bytes()))
    assert len(VOICE) <= len(audio) <= len(VOICE) + 2_000


# -- what is damaged ----------------------------------------------------------------------------


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def damage(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 0x5A for byte in content[half : half + 400]) + content[half + 400 :]


def double(content: bytes) -> bytes:
    return content * 2


FAULTS: dict[str, tuple[str, str, Callable[[bytes], bytes], str]] = {
    "FLAC cut off": ("FLAC", "PCM_16", cut, "it is cut off or damaged: its header says 3.00 s, 1."),
    "FLAC damaged": ("FLAC", "PCM_16", damage, "lost sync"),
    "FLAC joined": (
        "FLAC",
        "PCM_16",
        double,
        "another sound file follows its audio, and is not read: `ffmpeg",
    ),
    "Opus cut off": ("OGG", "OPUS", cut, "it is cut off after "),
    "Opus joined": ("OGG", "OPUS", double, "another sound file follows"),
    "Vorbis cut off": ("OGG", "VORBIS", cut, "it is cut off after "),
    "Vorbis joined": ("OGG", "VORBIS", double, "another sound file follows"),
    "MP3 cut off": ("MP3", "MPEG_LAYER_III", cut, "it is cut off or damaged: its header says 3.00 s, 1."),
    "MP3 joined": ("MP3", "MPEG_LAYER_III", double, "another sound file follows"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_said_and_what_is_there_is_read(tmp_path: Path, name: str) -> None:
    kind, subtype, spoil, remark = FAULTS[name]
    whole = encoded(tmp_path / "whole", format=kind, subtype=subtype)
    audio, _, remarks = read(made(tmp_path / "x", spoil(whole.read_bytes())))
    expected = read(whole)[0]
    assert len(audio) >= (len(VOICE) if spoil is double else 12_000)
    assert np.array_equal(audio[:12_000], expected[:12_000])
    assert [remark in said for said in remarks] == [True]


def test_a_flac_file_from_a_pipe_has_no_length_and_all_its_samples(tmp_path: Path) -> None:
    content = bytearray(encoded(tmp_path / "y", NOISE, format="FLAC").read_bytes())
    content[21] &= 0xF0  # the 36 bits of the number of samples
    content[22:26] = bytes(4)
    path = made(tmp_path / "x", bytes(content))
    with open_sound_file(path) as reader:
        assert reader.num_samples is None
    audio, _, remarks = read(path)
    assert np.array_equal(audio, NOISE)
    assert remarks == ()


def test_a_decoder_closes_twice_and_reads_no_more(tmp_path: Path) -> None:
    reader = open_sound_file(encoded(tmp_path / "x", format="FLAC"))
    assert reader.read(0) == b""
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


KINDS = ["FLAC", "AIFF", "CAF", "W64", "AU"]


@pytest.mark.parametrize("kind", ["OGG", "MP3", "WAV", *KINDS])
def test_a_spoilt_header_is_refused_or_read_and_nothing_else(tmp_path: Path, kind: str) -> None:
    content = encoded(tmp_path / "y", NOISE[:2_000], format=kind).read_bytes()
    chance = random.Random(5)
    said: list[str] = []
    for _ in range(25):
        spoilt = bytearray(content)
        for _ in range(chance.choice([1, 3, 20])):
            spoilt[chance.randrange(min(len(spoilt), 120))] = chance.randrange(256)
        path = made(tmp_path / "x", bytes(spoilt[: chance.choice([len(spoilt), 60, 200])]))
        try:
            audio, _, _ = read(path, 4_096)
        except AudioFormatError as error:
            said.append(str(error))
        else:
            assert len(audio) < 2_000_000
    assert all(map(str.isprintable, said))


# -- what is not read -----------------------------------------------------------------------------

OTHERS = {
    "M4A": (b"\0\0\0\x1cftypM4A ", "is an MP4 or M4A file; use a WAV file: `ffmpeg -i "),
    "WMA": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "is a WMA or ASF file; use a WAV file: `ffmpeg"),
    "AMR": (b"#!AMR\n", "is an AMR file; use a WAV file: `ffmpeg"),
    "AAC": (b"\xff\xf1\x50\x80", "is an AAC file; use a WAV file: `ffmpeg"),
    "WebM": (b"\x1aE\xdf\xa3", "is a WebM or Matroska file; use a WAV file: `ffmpeg"),
    "MIDI": (b"MThd\0\0\0\6", "is a MIDI file, which holds notes and no sound; use a sound file"),
    "a web page": (b"<!DOCTYPE html>", "is a web page; use a sound file"),
    "UTF-16 text": (b"\xff\xfeh\0e\0l\0l\0o\0", "is no WAV file: it begins with"),
    "FLAC that is none": (b"fLaC\0\0\0\x22", "is a FLAC file that libsndfile cannot read"),
    "Ogg with video": (b"OggS\0\2" + bytes(22) + b"\x80theora", "is an Ogg file that libsndfile cannot read"),
    "MP3 that is none": (b"\xff\xfb\x90\x44", "is an MP3 file that libsndfile cannot read"),
    "nothing": (b"", "is empty"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_read_is_one_line_with_a_command_where_there_is_one(tmp_path: Path, name: str) -> None:
    head, complaint = OTHERS[name]
    with pytest.raises(AudioFormatError) as caught:
        open_sound_file(made(tmp_path / "it's \n a song.wav", head + bytes(200 if head else 0)))
    message = str(caught.value)
    assert complaint in message
    assert message.isprintable()


@pytest.mark.parametrize("head", [b"fLaC", b"OggS", b"\xff\xfb\x90\x44", b"caff", b"FORM\0\0\0\0AIFF"])
def test_without_the_package_the_extra_is_named_and_a_command(tmp_path: Path, head: bytes) -> None:
    path = made(tmp_path / "x.wav", head + bytes(99))
    hidden, sys.modules["soundfile"] = sys.modules["soundfile"], None  # type: ignore[assignment]  # hides it
    try:
        with pytest.raises(AudioFormatError) as caught:
            open_sound_file(path)
    finally:
        sys.modules["soundfile"] = hidden
    message = str(caught.value)
    assert "the package soundfile, which reads it, is not installed" in message
    assert "this project with its extra [files]" in message
    assert f"`ffmpeg -i {path} out.wav`" in message


NAMES = ["my song.mp3", "it's.flac", "-n.mp3", "a:b.m4a", "$(x).amr", "out.wav", "|touch x", "-"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_for_a_file_is_safe_in_a_shell(tmp_path: Path, name: str) -> None:
    """The shell runs it with a program `ffmpeg` that tells what it was given."""
    (tmp_path / "ffmpeg").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "ffmpeg").chmod(0o700)
    (tmp_path / name).write_bytes(b"#!AMR\n" + bytes(99))
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(AudioFormatError) as caught:
            open_sound_file(name)
        command = str(caught.value).split("`")[1]
        path = f"{tmp_path}:{os.environ['PATH']}"
        told = subprocess.run(["sh", "-c", command], env={"PATH": path}, capture_output=True, check=True)
    finally:
        os.chdir(here)
    _, source, target = told.stdout.decode().splitlines()
    assert source.removeprefix("file:") == name
    assert target == ("new.wav" if name == "out.wav" else "out.wav")


def test_wav_files_need_no_package(tmp_path: Path) -> None:
    path = made(tmp_path / "x.wav", riff(format_chunk(), chunk(b"data", DATA)))
    script = (
        "import sys; from voicepipe.audio.files.sound_file import open_sound_file; "
        f"open_sound_file({str(path)!r}).close(); print('soundfile' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_encoding_that_nobody_reads_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match="WAVE_FORMAT_EXTENSIBLE without a known sub-format"):
        open_sound_file(made(tmp_path / "x", riff(format_chunk(EXTENSIBLE), chunk(b"data", b"12"))))
