"""The kinds of files, told by their first bytes: a name may say anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

__all__ = ["FLAC", "MP3", "OGG", "UNKNOWN", "WAV", "Kind", "find_kind", "kind_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file."""

    name: str
    """With its article, as in "it is a FLAC file"."""
    reader: Literal["wav", "soundfile", "ffmpeg", "nothing"] = "ffmpeg"
    """`wav` and the package `soundfile` read it here, ffmpeg converts it; or it holds no sound."""


UNKNOWN = Kind("no sound file that is known here")
WAV = Kind("a WAV file", "wav")
FLAC, MP3, OGG = (
    Kind("a FLAC file", "soundfile"),
    Kind("an MP3 file", "soundfile"),
    Kind("an Ogg file", "soundfile"),
)
_MOVIE, _WINDOWS = Kind("an MP4 or M4A file"), Kind("a WMA or ASF file")
_FILES = (
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (0, b"riff\x2e\x91", Kind("a Wave64 file", "soundfile")),
    (0, b".snd", Kind("an AU file", "soundfile")),
    (0, b"caff", Kind("a CAF file", "soundfile")),
    (0, b"NIST_1A", Kind("a SPHERE file", "soundfile")),
    (0, b"Creative Voice File", Kind("a VOC file", "soundfile")),
    (0, b"#!AMR", Kind("an AMR file")),
    (0, b"\x1aE\xdf\xa3", Kind("a WebM or Matroska file")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _WINDOWS),
    (0, b"wvpk", Kind("a WavPack file")),
    (0, b"MAC ", Kind("a Monkey's Audio file")),
    (0, b"MPCK", Kind("a Musepack file")),
    (0, b"TTA1", Kind("a TTA file")),
    (0, b"DSD ", Kind("a DSD file")),
    (0, b".RMF", Kind("a RealMedia file")),
    (0, b"FLV\x01", Kind("a Flash video")),
    (0, b"\0\0\x01\xba", Kind("an MPEG video")),
    (4, b"ftyp", _MOVIE),
    (4, b"moov", _MOVIE),
    (4, b"mdat", _MOVIE),
    (8, b"AVI ", Kind("an AVI file")),
    (0, b"MThd", Kind("a MIDI file, which holds notes and no sound", "nothing")),
    (0, b"<!DOCTYPE", Kind("a web page", "nothing")),
    (0, b"<html", Kind("a web page", "nothing")),
    (0, b"PK\x03\x04", Kind("a ZIP archive: unpack it", "nothing")),
    (0, b"\x1f\x8b", Kind("a gzip archive: unpack it", "nothing")),
    (0, b"%PDF", Kind("a PDF document", "nothing")),
    (0, b"\x89PNG", Kind("a picture", "nothing")),
    (0, b"\xff\xd8\xff", Kind("a picture", "nothing")),
)
"""The place and the bytes of each kind."""
_IFF = {
    b"AIFF": Kind("an AIFF file", "soundfile"),
    b"AIFC": Kind("an AIFF file", "soundfile"),
    b"8SVX": Kind("an 8SVX file", "soundfile"),
}
_HEAD = 32
_TAG = 10
"""Bytes of the header of an ID3 tag, as music programs write it before MP3, AAC, FLAC and even WAV."""


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of file that begins like this; None: unknown."""
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return WAV
    if head[:4] == b"FORM":
        return _IFF.get(head[8:12])
    for at, magic, kind in _FILES:
        if head[at:].startswith(magic):
            return kind
    return _kind_of_frame(head)


def _kind_of_frame(head: bytes) -> Kind | None:
    """Return the kind of a file without a header, by its first frame: MP3, or AAC with an ADTS header.

    The mark of text in UTF-16 would be a frame of MPEG Layer I, which nobody has.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return Kind("an AAC file") if version & 2 else None
    is_frame = version != 1 and layer != 3 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3
    return MP3 if is_frame else None


def find_kind(file: BinaryIO) -> tuple[Kind, int]:
    """Return the kind of a file from its beginning, and the place where it begins, behind an ID3 tag.

    Raises:
        OSError: the disk fails.
    """
    head = file.read(_HEAD)
    start = 0
    while head[:3] == b"ID3" and len(head) >= _TAG:  # there may be two
        start += _TAG + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:_TAG])))
        file.seek(start)
        head = file.read(_HEAD)
    kind = kind_of(head)
    if kind is None and start:
        return MP3, start  # with something between the tag and the first frame
    return kind or UNKNOWN, start
