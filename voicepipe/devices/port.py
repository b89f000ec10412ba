"""The port: what the pipeline asks of a back end, whatever is behind it.

A back end opens streams. A stream is asked by messages (start, read, write, flush, close)
and answers by numbers (position, queued); no audio callback crosses this line, so a stream
may as well live in another process. Awaited calls may take their time; whoever calls them
sets the limit. The others never wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from voicepipe.audio.format import MOST_CHANNELS, AudioFormat
from voicepipe.checks import check_count, check_seconds
from voicepipe.errors import DeviceError
from voicepipe.text import printable, shown

if TYPE_CHECKING:
    from voicepipe.devices.callback_counts import CallbackCounts
    from voicepipe.report import SeamReport

__all__ = [
    "Backend",
    "Block",
    "DeviceInfo",
    "IN_A_LIBRARY",
    "InputStream",
    "LibraryInfo",
    "OutputStream",
    "StreamInfo",
    "StreamRequest",
]


IN_A_LIBRARY = "voicepipe: "
"""So begin the names of threads in which a back end calls a library, which may never come back."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a stream should be. Checked here, before any device is touched.

    Raises:
        TypeError, ValueError: a field is not of its kind, or out of its bounds.
    """

    format: AudioFormat = field(default_factory=AudioFormat)
    """What is read from it or written to it; the back end converts."""
    device: str = ""
    """A device's name, or a unique part of it; empty: the default one."""
    block_s: float = 0.02
    """Seconds of audio in a block."""
    latency: str | float = "low"
    """What to ask of the device: "low", "high", or seconds. PipeWire's "low" is 0.04: less crackles."""
    channel: int | None = None
    """The one of a microphone's channels that is heard, counted from 1; None: all of them, mixed."""

    def __post_init__(self) -> None:
        if not isinstance(self.format, AudioFormat):
            raise TypeError(f"format must be an AudioFormat, not {shown(self.format)}")
        if not isinstance(self.device, str):
            raise TypeError(f"device must be a device's name, not {shown(self.device)}")
        check_seconds("block_s", self.block_s, at_most=1.0)
        check_count("samples in a block", self.block, at_least=1)
        if self.channel is not None:
            check_count("channel", self.channel, at_least=1, at_most=MOST_CHANNELS)
        if isinstance(self.latency, str):
            if self.latency not in ("low", "high"):
                raise ValueError(f"latency must be 'low', 'high' or seconds, not {shown(self.latency)}")
        else:
            check_seconds("latency", self.latency, at_most=10.0)

    @property
    def block(self) -> int:
        """Samples in a block."""
        return self.format.samples(self.block_s)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream is."""

    device: str
    format: AudioFormat
    """What is read from it or written to it."""
    block: int
    """Samples in a block."""
    latency_s: float
    """From the callback to the air, or from the air to the callback, in seconds, as the device reports it."""
    device_rate: int = 0
    """The rate at which the device itself was opened, where the stream converts; otherwise 0."""
    device_channels: int = 0
    """The same of its channels."""
    why: str = ""
    """Which formats the device refused before, and why; empty where it took the first."""

    @property
    def taken(self) -> AudioFormat:
        """The format in which the device itself is open."""
        return AudioFormat(self.device_rate or self.format.rate, self.device_channels or self.format.channels)

    @property
    def how(self) -> str:
        """How it was opened, and why so, in one line that is safe to print."""
        converted = f", and converted to {self.format}" if self.taken != self.format else ""
        why = f"; it refused {self.why}" if self.why else ""
        latency = f"; it reports {1e3 * self.latency_s:.0f} ms of latency"
        return f"{printable(self.device)} opened at {self.taken}{converted}{latency}{why}"

    @property
    def sounded_s(self) -> float:
        """So long after its callback the last sample of a block has surely sounded, in seconds.

        What is reported is short by up to a period of the device: PortAudio cuts ALSA's buffer into four,
        and reports three, whatever our block.
        """
        return self.latency_s + max(self.format.seconds(self.block), self.latency_s / 3)


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """What a back end stands on."""

    version: str = ""
    """The sound library and its version; empty where there is none, or nobody knows."""
    priority: str = "ordinary"
    """What the system granted to the process that moves the samples: real-time, raised, or ordinary."""


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
    """It is the microphone that is taken where none is named."""
    default_output: bool = False
    """It is the speaker that is taken where none is named."""
    host: str = ""
    """The host API that it belongs to; empty where there is but one way to it."""


class Block(NamedTuple):
    """Captured audio."""

    data: bytes
    """Interleaved int16."""
    position: int
    """The first sample's place since the stream began; a jump is a loss."""
    captured_s: float
    """When the first sample was captured, by the loop's clock."""


class InputStream(Protocol):
    """A microphone's stream, open."""

    @property
    def info(self) -> StreamInfo:
        """What was opened."""
        ...

    @property
    def error(self) -> DeviceError | None:
        """Why nothing more will come; None while the device is well."""
        ...

    @property
    def counts(self) -> CallbackCounts:
        """The device's callbacks so far; may be asked for at any time, after the close too."""
        ...

    @property
    def exhausted(self) -> bool:
        """The input has run out (a file ended), and everything was read."""
        ...

    async def start(self) -> None:
        """Begin to capture.

        Raises:
            DeviceError: it does not begin.
        """
        ...

    def read(self) -> Block | None:
        """The oldest block that waits, or None."""
        ...

    def stop(self) -> None:
        """Close the intake, at once. What was captured before can still be read, or is on its way."""
        ...

    async def finish(self) -> None:
        """Close the intake, and return when all that was captured before can be read."""
        ...

    def seam(self, name: str, dropped: dict[str, int]) -> SeamReport:
        """The stream's ledger; `dropped`: what its reader dropped after reading it, by reason."""
        ...

    async def close(self) -> None:
        """Give the device back. A second call waits for the first."""
        ...


class OutputStream(Protocol):
    """A speaker's stream, open. It plays zeros where nothing is written."""

    @property
    def info(self) -> StreamInfo:
        """What was opened."""
        ...

    @property
    def error(self) -> DeviceError | None:
        """Why nothing more will be heard; None while the device is well."""
        ...

    @property
    def counts(self) -> CallbackCounts:
        """The device's callbacks so far; may be asked for at any time, after the close too."""
        ...

    @property
    def position(self) -> int:
        """Samples handed to the device so far, of those written. written == position + queued + dropped."""
        ...

    @property
    def queued(self) -> int:
        """Samples written that wait for the device."""
        ...

    @property
    def asked_s(self) -> float | None:
        """When the device last asked for a block, by the loop's clock, as far as `queued` knows of it; None:
        it did not yet, or it has no clock of its own.
        """
        ...

    @property
    def dropped(self) -> int:
        """Samples written that flushes took, so far."""
        ...

    @property
    def flushing(self) -> bool:
        """A flush has not taken effect yet; `position` still moves."""
        ...

    async def start(self) -> None:
        """Begin to play.

        Raises:
            DeviceError: it does not begin.
        """
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        ...

    def notify_at(self, queued: int) -> None:
        """Make the wake-up call once, when so few samples wait, or fewer. The last call counts."""
        ...

    def flush(self) -> None:
        """Fade out within the next block, and forget the rest of what was written until now.

        What is written afterwards is heard whole. Takes effect when the device asks for its
        next block.
        """
        ...

    async def drain(self) -> None:
        """Return when everything written has been heard.

        Raises:
            DeviceLostError: the device is gone, or makes no sign.
            DeviceError: the stream was closed meanwhile.
        """
        ...

    async def settle(self) -> None:
        """Return when no flush is waiting to take effect. Raises as `drain`."""
        ...

    async def close(self) -> None:
        """Give the device back; what it still holds is not heard. A second call waits for the first."""
        ...


class Backend(Protocol):
    """Opens streams. `wake` is called in the loop's thread when a stream has news; never after its close."""

    @property
    def name(self) -> str:
        """As in `open_backend`."""
        ...

    @property
    def shares_air(self) -> bool:
        """Its microphones hear its speakers, as in a room; so they are muted while a speaker sounds."""
        ...

    @property
    def lost_for_good(self) -> bool:
        """What is lost does not come back (a file): to open it again would be another one."""
        ...

    async def devices(self) -> list[DeviceInfo]:
        """The devices there are now."""
        ...

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open a microphone; it does not capture yet.

        Raises:
            DeviceError: it cannot be opened; the class says why.
        """
        ...

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open a speaker; it does not play yet.

        Raises:
            DeviceError: it cannot be opened; the class says why.
        """
        ...
