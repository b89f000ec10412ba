"""WAV files made byte by byte, right ones and wrong ones, without the programs that write such."""

from __future__ import annotations

import struct

__all__ = [
    "EXTENSIBLE",
    "FLOAT",
    "GUID_TAIL",
    "PCM",
    "UNKNOWN",
    "chunk",
    "extensible_chunk",
    "format_chunk",
    "riff",
]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
UNKNOWN = 0xFFFFFFFF


def chunk(
    kind: bytes, body: bytes, size: int | None = None, *, padded: bool = True, order: str = "<"
) -> bytes:
    """Return a chunk, padded to an even size; `size`: the length that its header claims."""
    head = kind + struct.pack(order + "I", len(body) if size is None else size)
    return head + body + b"\0" * (len(body) % 2 if padded else 0)


def format_chunk(
    tag: int = PCM, bits: int = 16, rate: int = 16_000, channels: int = 1, align: int | None = None
) -> bytes:
    width = channels * bits // 8 if align is None else align
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * width & UNKNOWN, width & 0xFFFF, bits)
    )


def extensible_chunk(tag: int, bits: int, channels: int = 1, tail: bytes = GUID_TAIL) -> bytes:
    width = channels * bits // 8
    plain = struct.pack("<HHIIHH", EXTENSIBLE, channels, 16_000, 16_000 * width, width, bits)
    return chunk(b"fmt ", plain + struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", tag) + tail)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body
