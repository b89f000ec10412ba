"""The parts of a stream that a back end may lack, where its classes do not derive from the port."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from voicepipe.devices.port import OutputStream
from voicepipe.devices.values import Stamps
from voicepipe.speakers import Sounded

__all__ = ["stamps_of", "take_heard"]

_MOST_BLOCKS = 10_000
"""More than any record holds, so that no back end can hold up the loop."""


def take_heard(stream: OutputStream) -> Iterator[Sounded]:
    """Take the blocks of `OutputStream.heard` that wait; none where the stream keeps no record."""
    heard = getattr(stream, "heard", None)
    return iter(()) if heard is None else islice(iter(heard, None), _MOST_BLOCKS)


def stamps_of(stream: object) -> Stamps:
    """Return the worth of the device's time stamps; empty where nobody judges them."""
    stamps: Stamps = getattr(stream, "stamps", "")
    return stamps
