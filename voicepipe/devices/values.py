"""The values that cross the port: a stream as it is wanted and as it was opened, devices, captured blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from voicepipe.audio.format import MOST_CHANNELS, AudioFormat
from voicepipe.checks import check_count, check_seconds
from voicepipe.devices.names import fold, is_number
from voicepipe.text import printable, quote

__all__ = ["Block", "DeviceInfo", "LibraryInfo", "Stamps", "StreamInfo", "StreamRequest"]

Stamps = Literal["", "good", "missing", "absurd", "unsteady", "early"]
"""The worth of a device's time stamps, which tell when a block was captured, or sounds.

Those that are "missing" or "absurd" are not used: then the callbacks are timed, and of a speaker the reported
latency counts. Those of a microphone that are "early" tell that its audio is older than it is, as PipeWire's
do: its callbacks are timed. Of those that are "unsteady" the middle one of a second counts. Empty: nobody
looks at them.
"""


def _check_device(device: object) -> None:
    """Raises: TypeError, ValueError: it can be no device's name, nor empty."""
    advice = "`voicepipe devices` lists the names; an empty one means the default device"
    if not isinstance(device, str):
        number = ", which moves when devices come and go" if type(device) in (int, float) else ""
        raise TypeError(f"device must be a device's name, not {quote(device)}{number}; {advice}")
    if is_number(device):
        raise ValueError(
            f"device must be a name, not the number {quote(device)}, which moves when devices come and go; "
            f"{advice}"
        )
    if device and not fold(device):
        raise ValueError(f"device must be a name, not {quote(device)}, which is blank; {advice}")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A stream as it is wanted. Checked here, before any device is touched.

    Raises:
        TypeError, ValueError: a field is not of its kind, or out of its bounds.
    """

    format: AudioFormat = field(default_factory=AudioFormat)
    """The format of what is read from it or written to it; the back end converts."""
    device: str = ""
    """A device's name, a unique part of it, or a steady one as "card:Device"; empty: the default one."""
    block_s: float = 0.02
    """Seconds of audio in a block."""
    latency: str | float = "low"
    """The latency to ask for: "low", "high", or seconds. PipeWire's "low" is 0.04: less crackles."""
    channel: int | None = None
    """The one of a microphone's channels that is heard, counted from 1; None: all of them, mixed."""
    tap: bool = False
    """True if the record of what a speaker's device took is wanted: see `OutputStream.heard`."""

    def __post_init__(self) -> None:
        if not isinstance(self.format, AudioFormat):
            raise TypeError(f"format must be an AudioFormat, not {quote(self.format)}")
        _check_device(self.device)
        check_seconds("block_s", self.block_s, at_most=1.0)
        check_count("samples in a block", self.block, at_least=1)
        if self.channel is not None:
            check_count("channel", self.channel, at_least=1, at_most=MOST_CHANNELS)
        if isinstance(self.latency, str):
            if self.latency not in ("low", "high"):
                raise ValueError(f"latency must be 'low', 'high' or seconds, not {quote(self.latency)}")
        else:
            check_seconds("latency", self.latency, at_most=10.0)

    @property
    def block(self) -> int:
        """Samples in a block."""
        return self.format.samples(self.block_s)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream as it was opened."""

    device: str
    format: AudioFormat
    """The format of what is read from it or written to it."""
    block: int
    """Samples in a block."""
    latency_s: float
    """From the callback to the air, or from the air to the callback, in seconds, as the device reports it."""
    device_rate: int = 0
    """The rate at which the device itself was opened, where the stream converts; otherwise 0."""
    device_channels: int = 0
    """The same of its channels."""
    why: str = ""
    """The formats that the device refused before, and why; empty where it took the first."""
    note: str = ""
    """A remark on the choice of the device, where several have that name; otherwise empty."""

    @property
    def taken(self) -> AudioFormat:
        """The format in which the device itself is open."""
        return AudioFormat(self.device_rate or self.format.rate, self.device_channels or self.format.channels)

    @property
    def how(self) -> str:
        """A line on the formats in which it was opened, and why; safe to print."""
        converted = f", and converted to {self.format}" if self.taken != self.format else ""
        why = f"; it refused {self.why}" if self.why else ""
        latency = f"; it reports {1e3 * self.latency_s:.0f} ms of latency"
        note = f"; it is {self.note}" if self.note else ""
        return f'"{printable(self.device)}" opened at {self.taken}{converted}{latency}{why}{note}'

    @property
    def sounded_s(self) -> float:
        """The time from a callback until the last sample of its block has surely sounded, in seconds.

        The reported latency is short by up to a period of the device: PortAudio cuts ALSA's buffer into four,
        and reports three, with any block of ours.
        """
        return self.latency_s + max(self.format.seconds(self.block), self.latency_s / 3)


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """The sound library under a back end."""

    version: str = ""
    """The sound library and its version; empty where there is none, or nobody knows."""
    priority: str = "ordinary"
    """The priority of the process that moves the samples: real-time, raised or ordinary."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device of a back end."""

    name: str
    inputs: int
    """Channels it can capture; 0: it is no microphone."""
    outputs: int
    """Channels it can play; 0: it is no speaker."""
    default_rate: int
    default_input: bool = False
    """True of the microphone that is taken where none is named."""
    default_output: bool = False
    """True of the speaker that is taken where none is named."""
    host: str = ""
    """The host API that it belongs to; empty where there is but one way to it."""
    card: str = ""
    """A name by its card that stays when numbers move, such as "card:Device"; empty: there is none."""
    socket: str = ""
    """A name by the socket of its card, such as "usb-0000:00:14.0-1"; empty: there is none."""


class Block(NamedTuple):
    """Captured audio."""

    data: bytes
    """Interleaved int16."""
    position: int
    """The first sample's place since the stream began; a jump is a loss."""
    captured_s: float
    """The time at which the first sample was captured, by the loop's clock."""
