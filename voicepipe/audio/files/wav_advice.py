"""The names of encodings, and the commands that convert files."""

from __future__ import annotations

import os
import re
import shlex

__all__ = ["AGAIN", "ending_of_others", "ffmpeg_command", "kind_is_known", "kind_of_encoding", "sox_command"]

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
_OTHERS = re.compile(
    r"\.(aac|ac3|aif[cf]?|aiff|amr|ape|au|avi|caf|flac|m[ko]v|m4[abv]|mk[av]|mp[1234cg]|og[agv]|opus|ra|snd|spx|"
    r"voc|w64|web[am]|wm[av]|wv)",
    re.IGNORECASE,
)
"""Endings of the names of sound files that are none of WAV."""


def ending_of_others(path: str) -> str:
    """Return the ending of a name that promises another kind of sound file; "" where it does not."""
    ending = os.path.splitext(path)[1]
    return ending if _OTHERS.fullmatch(ending) else ""


def kind_of_encoding(tag: int) -> str:
    """Return the name of an encoding by its number in a WAV file."""
    return _ENCODINGS.get(tag, f"encoding {tag:#06x}")


def kind_is_known(tag: int) -> bool:
    """Return True for an encoding that other programs read."""
    return tag in _ENCODINGS and tag != 0xFFFE


def ffmpeg_command(path: str) -> str:
    """Return the command that converts a file with ffmpeg, which reads nearly all there are."""
    name = _name(path)
    # Before a colon it looks for the name of a protocol, and - is its standard input.
    plain = ":" not in name and name != "-"
    return f"`ffmpeg -i {shlex.quote(name if plain else f'file:{name}')} {_target(name)}`"


def sox_command(path: str, *, reading: str = "", writing: str = "", effect: str = "") -> str:
    """Return the command that converts a file with sox.

    Args:
        path: of the file.
        reading: options of the old file.
        writing: options of the new file.
        effect: behind both.
    """
    name = _name(path)
    # Behind | it would run a program.
    safe = f"./{name}" if name.startswith(("-", "|")) else name
    words = [reading, shlex.quote(safe), writing, _target(name), effect]
    return f"`{' '.join(['sox', *filter(None, words)])}`"


def _name(path: str) -> str:
    """Return a name that can be typed."""
    return path if path.isprintable() else "in.wav"


def _target(name: str) -> str:
    """Return the name of the new file: sox would empty its own source."""
    return "new.wav" if os.path.basename(name) == "out.wav" else "out.wav"
