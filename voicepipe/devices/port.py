"""The port: what the pipeline asks of a back end, whatever is behind it.

A back end opens streams. A stream is asked by messages (start, read, write, flush, close)
and answers by numbers (position, queued); no audio callback crosses this line, so a stream
may as well live in another process. Awaited calls may take their time; whoever calls them
sets the limit. The others never wait.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from voicepipe.devices.trial import DeviceTrial
from voicepipe.devices.values import Block, DeviceInfo, LibraryInfo, Stamps, StreamInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe.speakers import Sounded

if TYPE_CHECKING:
    from voicepipe.devices.callback_counts import CallbackCounts
    from voicepipe.report import SeamReport
    from voicepipe.settings.sound import SoundSettings

__all__ = [
    "Backend",
    "Block",
    "DeviceInfo",
    "IN_A_LIBRARY",
    "InputStream",
    "LibraryInfo",
    "OutputStream",
    "Stream",
    "StreamInfo",
    "StreamRequest",
]


IN_A_LIBRARY = "voicepipe: "
"""The beginning of the names of threads in which a back end calls a library, which may never come back."""


class Stream(Protocol):
    """An open stream of either direction."""

    @property
    def info(self) -> StreamInfo:
        """The stream as it was opened."""
        ...

    @property
    def error(self) -> DeviceError | None:
        """The reason why nothing more will come or be heard; None while the device is well."""
        ...

    @property
    def counts(self) -> CallbackCounts:
        """The device's callbacks so far. Can be read at any time, after the close too."""
        ...

    @property
    def callbacks(self) -> int | None:
        """The number of callbacks so far, the device's signs of life; None: it makes none, as a file."""
        return None

    @property
    def stamps(self) -> Stamps:
        """The worth of the device's time stamps; empty, as by default: nobody judges them."""
        return ""

    async def start(self) -> None:
        """Begin to capture or to play.

        Raises:
            DeviceError: it does not begin.
        """
        ...

    async def close(self) -> None:
        """Give the device back; what it still holds is not heard. A second call waits for the first."""
        ...


class InputStream(Stream, Protocol):
    """A microphone's stream, open."""

    @property
    def exhausted(self) -> bool:
        """True where the input has run out (a file ended), and everything was read."""
        ...

    @property
    def channel_fault(self) -> str:
        """A sentence on what spoils the mix of the device's channels, as far as was heard; empty: nothing."""
        return ""

    def read(self) -> Block | None:
        """Read the oldest block that waits, or None."""
        ...

    def stop(self) -> None:
        """Close the intake, at once. Audio captured before can still be read, or is on its way."""
        ...

    async def finish(self) -> None:
        """Close the intake, and return when all that was captured before can be read."""
        ...

    def seam(self, name: str, dropped: dict[str, int]) -> SeamReport:
        """Return the stream's ledger; `dropped`: what its reader dropped after reading it, by reason."""
        ...


class OutputStream(Stream, Protocol):
    """A speaker's stream, open. It plays zeros where nothing is written."""

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
        """The time of the device's last request for a block, by the loop's clock, as far as `queued` knows.

        None: there was none yet, or the device has no clock of its own.
        """
        ...

    @property
    def dropped(self) -> int:
        """Samples written that flushes took, so far."""
        ...

    @property
    def flushing(self) -> bool:
        """True while a flush has not taken effect; `position` still moves."""
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        ...

    def notify_at(self, queued: int) -> None:
        """Make the wake-up call once, when so few samples wait, or fewer. The last call counts."""
        ...

    def flush(self) -> None:
        """Fade out within the next block, and forget the rest of what was written until now.

        Later writes are heard whole. Takes effect when the device asks for its
        next block.
        """
        ...

    @property
    def reach(self) -> int:
        """The samples that the device may take before a rewrite arrives there; 0, as by default: none."""
        return 0

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        """Replace what waits from `position` on by `data`, which may be shorter or longer.

        Takes effect when the device asks for its next block. What it has taken of `data` by then is left
        out, so that positions stay true. `written` becomes what is to be heard in all. Later writes follow
        behind `data`.

        Args:
            position: a position among the samples handed to the device, as `position` counts them.
            data: whole samples.

        Returns:
            False where nothing was changed: the stream cannot do it, as by default, or a flush waits.
        """
        return False

    def heard(self) -> Sounded | None:
        """Return the oldest block that the device took and that was not returned yet; None: there is none.

        The stream keeps 4 s of them, if the request asked for a `tap`; otherwise nothing, as by default. A
        block is what was played behind the queue: zeros included, and without what a flush has taken.
        """
        return None

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


class Backend(Protocol):
    """A way to devices. Derive from it for the defaults: whatever is optional has one.

    Every stream gets a `wake`, which is called in the loop's thread when the stream has news, and never after
    its close.
    """

    name: str
    """The name, as in `open_backend`."""
    shares_air: bool = False
    """True where its microphones hear its speakers, as in a room: their echo is cancelled, or they are
    half-duplex."""
    lost_for_good: bool = False
    """True where a lost device does not come back (a file): to open it again would be another one."""
    settings: SoundSettings | None = None
    """The user's settings, if `open_backend()` was called without a name."""

    @abc.abstractmethod
    async def devices(self) -> list[DeviceInfo]:
        """List the devices that there are now.

        Raises:
            DeviceError: they cannot be listed.
        """
        ...

    @abc.abstractmethod
    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open a microphone; it does not capture yet.

        Raises:
            DeviceError: it cannot be opened; the class says why.
        """
        ...

    @abc.abstractmethod
    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open a speaker; it does not play yet.

        Raises:
            DeviceError: it cannot be opened; the class says why.
        """
        ...

    def check_input(self, request: StreamRequest) -> None:
        """Check that a microphone can be opened, before a speaker is: a file that is not there cannot.

        By default nothing is known before.

        Raises:
            DeviceError, AudioFormatError: it cannot, as `open_input` would say.
        """
        return  # or else a class that derives from this one would have to define it

    async def trials(self) -> list[DeviceTrial]:
        """Try every device, without a sound, for 16 kHz mono. Takes some seconds at most.

        By default nothing is tried: the devices come without trials.

        Raises:
            DeviceError: the devices cannot be listed.
        """
        return [DeviceTrial(device) for device in await self.devices()]

    async def library(self) -> LibraryInfo | None:
        """Return the sound library under it; None, as by default: there is none.

        Raises:
            DeviceError: the library cannot be asked.
        """
        return None
