"""The text of the settings file, as editors of any system save it."""

from __future__ import annotations

import codecs

__all__ = ["text_of"]

_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE = "save it as UTF-8"


def text_of(raw: bytes) -> str:
    """Return the text of a file, without the mark that Windows puts before it.

    Raises:
        ValueError: it is not UTF-8; the message has the line and what to do.
    """
    if raw.startswith(_WIDE) or b"\0" in raw[:2]:
        raise ValueError(f'it is UTF-16 or UTF-32, as Notepad\'s "Unicode" is: {_SAVE}')
    if b"\0" in raw:
        raise ValueError(f"line {_line(raw, raw.index(0))} has a NUL byte: remove it, or {_SAVE}")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        byte, line = raw[error.start], _line(raw, error.start)
        raise ValueError(f"line {line} is not UTF-8 (byte 0x{byte:02X}): {_SAVE}") from None


def _line(raw: bytes, place: int) -> int:
    return raw.count(b"\n", 0, place) + 1
