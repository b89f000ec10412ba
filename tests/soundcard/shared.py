"""What lies in the card's first page, which the plugin has mapped too: `struct vc_card` in vcard.c.

Each access goes straight to the shared memory, and holds nothing of it.
"""

from __future__ import annotations

import mmap
import struct
from typing import ClassVar

__all__ = ["Direction", "Head"]


class _Field:
    """One number, as C lays it out: `kind` is its letter in the module struct."""

    def __init__(self, kind: str) -> None:
        self._struct = struct.Struct(kind)
        self._offset = 0

    def __set_name__(self, owner: type[_Fields], name: str) -> None:
        self._offset = owner.size
        owner.size += self._struct.size
        owner.names = (*owner.names, name)

    def __get__(self, fields: _Fields, owner: type[_Fields]) -> int:
        (value,) = self._struct.unpack_from(fields.memory, fields.offset + self._offset)
        return int(value)

    def __set__(self, fields: _Fields, value: int) -> None:
        self._struct.pack_into(fields.memory, fields.offset + self._offset, value)


class _Fields:
    """Numbers without gaps between them, from `offset` on."""

    size: ClassVar[int] = 0
    """Bytes."""
    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self.memory = memory
        self.offset = offset

    def as_dict(self) -> dict[str, int]:
        """Every number as it is now, by name."""
        return {name: getattr(self, name) for name in self.names}


class Direction(_Fields):
    """The microphone or the speaker: `struct vc_dir`."""

    channels = _Field("I")
    ppm = _Field("i")
    """Error of this direction's clock."""
    fault = _Field("I")
    wake_delay_us = _Field("I")
    """Added to each wake-up."""
    grain = _Field("I")
    """The position is told in steps of so many frames; 0: of a period."""
    lose = _Field("I")
    """Frames to lose once, without a word."""
    epoch_ns = _Field("q")
    """When frame 0 was, by CLOCK_MONOTONIC."""
    lo = _Field("Q")
    hi = _Field("Q")
    """Frames from `lo` to before `hi` are in the ring."""
    # From here on the plugin writes.
    pid = _Field("I")
    running = _Field("I")
    period = _Field("I")
    buffer = _Field("I")
    opens = _Field("Q")
    starts = _Field("Q")
    xruns = _Field("Q")
    """Overruns or underruns."""
    late = _Field("Q")
    """Frames that were written after their time, and so not heard."""
    base = _Field("Q")
    """The card's frame at the start of the stream."""
    appl = _Field("Q")
    """Frames the program has moved since."""
    loss = _Field("I")
    """Frames lost ..."""
    loss_every = _Field("I")
    """... every so many, without a word; 0: none."""
    lost = _Field("Q")
    """Frames that were lost so."""


class _Numbers(_Fields):
    magic = _Field("I")
    rate = _Field("I")
    ring = _Field("I")
    exclusive = _Field("I")
    taps = _Field("I")
    impulse = _Field("I")
    """Taps of the impulse response."""
    changes = _Field("I")
    """Changes of it; odd while it is being written."""
    drive = _Field("I")
    """Of the loudspeaker's clipping, in thousandths; 0: it does not clip."""


class Head(_Numbers):
    """The whole page: numbers, the taps of the echo, both directions."""

    MAGIC: ClassVar[int] = 0x33434356
    BYTES: ClassVar[int] = 4096
    TAPS: ClassVar[int] = 16
    """Most reflections there can be."""
    IMPULSE: ClassVar[int] = 1 << 17
    """Most taps of an impulse response: the floats behind both rings."""
    _TAP: ClassVar[struct.Struct] = struct.Struct("If")

    def __init__(self, memory: mmap.mmap) -> None:
        super().__init__(memory, 0)
        directions = self.size + self.TAPS * self._TAP.size
        self.mic = Direction(memory, directions)
        self.speaker = Direction(memory, directions + Direction.size)

    @property
    def echo(self) -> list[tuple[int, float]]:
        """From speaker to microphone: delay in frames, and gain."""
        return [self._TAP.unpack_from(self.memory, self._tap(i)) for i in range(self.taps)]

    @echo.setter
    def echo(self, taps: list[tuple[int, float]]) -> None:
        self.taps = 0
        for i, tap in enumerate(taps):
            self._TAP.pack_into(self.memory, self._tap(i), *tap)
        self.taps = len(taps)

    def _tap(self, number: int) -> int:
        return self.size + number * self._TAP.size
