"""The names of other sound files, and the commands that convert them."""

from __future__ import annotations

import shlex

__all__ = ["AGAIN", "ffmpeg_command", "kind_is_known", "kind_of_encoding", "kind_of_file", "sox_command"]

AGAIN = "copy, record or export it again"
"""The cure for what no program can read."""

_ENCODINGS = {
    0x0001: "PCM",
    0x0002: "ADPCM",
    0x0003: "floats",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM",
    0x0045: "G.726",
    0x0050: "MPEG audio",
    0x0055: "MP3",
    0x0083: "G.729",
    0x00FF: "AAC",
    0x028F: "G.722",
    0xFFFE: "WAVE_FORMAT_EXTENSIBLE without a known sub-format",
}
_FILES = (
    (0, b"RF64", "an RF64 file (WAV for more than 4 GiB)"),
    (0, b"BW64", "a BW64 file (WAV for more than 4 GiB)"),
    (0, b"riff\x2e\x91", "a Wave64 file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "an MP3 file"),
    (0, b"FORM", "an AIFF file"),
    (0, b".snd", "an AU file"),
    (0, b"caff", "a CAF file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (4, b"ftyp", "an MP4 or M4A file"),
    (8, b"AVI ", "an AVI file"),
)
"""Where and with which bytes other files begin."""


def kind_of_encoding(tag: int) -> str:
    """Return the name of an encoding by its number in a WAV file."""
    return _ENCODINGS.get(tag, f"encoding {tag:#06x}")


def kind_of_file(head: bytes) -> str | None:
    """Return the name of the kind of file that begins like this; None: unknown."""
    for at, magic, kind in _FILES:
        if head[at:].startswith(magic):
            return kind
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        return "an AAC file" if head[1] & 0xF6 == 0xF0 else "an MP3 file"
    return None


def kind_is_known(tag: int) -> bool:
    """Return True for an encoding that other programs read."""
    return tag in _ENCODINGS and tag != 0xFFFE


def ffmpeg_command(path: str) -> str:
    """Return the command that converts a file with ffmpeg, which reads nearly all there are."""
    name = path if path.isprintable() else "in.wav"
    # Before a colon it looks for the name of a protocol.
    return f"`ffmpeg -i {shlex.quote(f'file:{name}' if ':' in name else name)} out.wav`"


def sox_command(path: str, *, reading: str = "", writing: str = "", effect: str = "") -> str:
    """Return the command that converts a file with sox.

    Args:
        path: of the file.
        reading: options of the old file.
        writing: options of the new file.
        effect: behind both.
    """
    name = path if path.isprintable() else "in.wav"
    words = [reading, shlex.quote(f"./{name}" if name.startswith("-") else name), writing, "out.wav", effect]
    return f"`{' '.join(['sox', *filter(None, words)])}`"
