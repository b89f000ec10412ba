"""A sound process, as the program sees it: what is sent to it, what it answers, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, NamedTuple, Self

from voicepipe.children.launcher import Child, launch
from voicepipe.errors import DeviceError, DeviceLostError, DeviceTimeoutError, LaunchError
from voicepipe.text import printable
from voicepipe_devices.calls import call
from voicepipe_devices.sound_process.messages import InvalidMessageError, Kind, Parser, error_of, message
from voicepipe_devices.sound_process.pipes import Noise, Pipe
from voicepipe_devices.sound_process.shared_page import SharedPage, make_page
from voicepipe_devices.sound_process.sound_pipe import make_roomy

__all__ = ["SoundProcess"]

SPAWN_S = 5.0
REAP_S = 2.0
"""For a process that was killed to be gone: it may be stuck in the kernel."""
PEACE_S = 0.4
"""The time for its own end before it is killed."""


class SoundProcess:
    """One process, and the pipes to it. In the loop's thread.

    Args:
        hears: called with every message that is no answer to a request.
        over: called once when it has ended by itself, with the reason.
    """

    def __init__(self, hears: Callable[[int, bytes], None], over: Callable[[DeviceError], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._hears = hears
        self._over = over
        self._child: Child
        self._process: subprocess.Popen[bytes]
        self._pipes: list[Pipe] = []
        self._requests: asyncio.WriteTransport
        self.page: SharedPage
        """The memory that it shares with the process."""
        self._sound_file: IO[bytes]
        self._sound: asyncio.WriteTransport
        self._parser = Parser()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._noise = Noise(self._loop)
        self._has_answered = False
        self._ended = False
        self._closed = False

    async def start(self, driver: str, record_bytes: int = 0) -> Self:
        """Make the process. Cancelled, it is ended again before that is raised.

        Args:
            driver: the function that makes the driver.
            record_bytes: the size of the record of the sound, in the shared memory.

        Raises:
            DeviceError: it cannot be made.
        """
        try:
            made = await call(
                lambda: _spawn(driver, record_bytes), "making the sound process", SPAWN_S, undo=_undo
            )
        except LaunchError as error:
            raise DeviceError(f"the sound process cannot be made: {error}") from error
        except OSError as error:
            raise DeviceError(f"the sound process cannot be made: {printable(error)}") from error
        self._child = made.child
        process = self._process = made.child.process
        self._sound_file = made.sound
        self.page = made.page
        try:
            for stream, take in ((process.stdout, self._take), (process.stderr, self._noise.take)):
                assert stream is not None
                pipe = Pipe(take, self._pipe_ended)
                transport, _ = await self._loop.connect_read_pipe(lambda pipe=pipe: pipe, stream)  # type: ignore[misc]
                pipe.transport = transport
                self._pipes.append(pipe)
            assert process.stdin is not None
            self._sound = await self._write_to(self._sound_file)
            self._requests = await self._write_to(process.stdin)
            self._noise.read_from(self._pipes[1])
        except BaseException:  # cancelled too: the process must not stay
            await self.close()
            raise
        return self

    async def _write_to(self, file: IO[bytes]) -> asyncio.WriteTransport:
        pipe = Pipe(lambda _: None, self._pipe_ended)
        transport, _ = await self._loop.connect_write_pipe(lambda: pipe, file)
        pipe.transport = transport
        self._pipes.append(pipe)
        return transport

    def send(self, kind: int, body: bytes = b"") -> None:
        """Send a request that nobody answers. It is lost where the process has ended; `over` tells that."""
        if not self._ended and not self._closed:
            self._requests.write(message(kind, body))

    def play(self, data: bytes) -> None:
        """Send sound to be heard. No request waits behind it."""
        if not self._ended and not self._closed:
            self._sound.write(data)

    async def ask(self, kind: int, body: bytes, what: str, limit_s: float) -> bytes:
        """Send a request, and return its answer.

        Raises:
            DeviceError: the driver's own, or that the process has ended.
            DeviceTimeoutError: there is no answer.
        """
        if self._ended or self._closed:
            raise self._reason()
        self._answer = self._loop.create_future()
        self.send(kind, body)
        try:
            async with asyncio.timeout(limit_s):
                answered, result = await self._answer
        except TimeoutError:
            raise DeviceTimeoutError(
                f"{what}: no answer within {limit_s:g} s; restart the sound server, or replug the device"
            ) from None
        finally:
            self._answer = None
        if answered != Kind.FAILED:
            return result
        try:
            error = error_of(result)
        except InvalidMessageError as invalid:
            error = DeviceError(f"the sound process sent an invalid message: {printable(invalid)}")
        raise error or DeviceError(what)

    async def close(self) -> None:
        """End it: in peace if it listens, else by a kill. Called once; its end refuses to be cancelled."""
        self._closed = True
        self._noise.stop()
        try:
            await call(self._end, "ending the sound process", REAP_S)
        finally:  # what follows may be cancelled: the loop closes the pipes by itself, and not the lifeline
            self._child.lifeline.close()
            self.page.close()
        for pipe in self._pipes:
            pipe.transport.close()
        for pipe in self._pipes:
            await pipe.gone.wait()
        # Where they have not become pipes of the loop's: it was cancelled before that.
        self._sound_file.close()
        self._child.close()

    def _end(self) -> None:
        """End the process. In a thread."""
        process = self._process
        self._loop.call_soon_threadsafe(self._hang_up)
        try:
            process.wait(PEACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill(group=not self._has_answered)
            process.wait(REAP_S)

    def _hang_up(self) -> None:
        if len(self._pipes) == 4:
            self._requests.close()
        elif self._process.stdin is not None:
            self._process.stdin.close()

    # -- what it says --------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self._understand(data)
        except InvalidMessageError as error:
            self.reject(error)

    def reject(self, error: InvalidMessageError) -> None:
        """Count it as lost, for what it says makes no sense. Nothing more of it counts."""
        if not self._ended:
            self._ended = True
            self._fail(DeviceLostError(f"the sound process sent an invalid message: {printable(error)}"))

    def _understand(self, data: bytes) -> None:
        for kind, body in self._parser.feed(data):
            self._has_answered = True
            if self._answer is not None and kind in _ANSWERS:
                if not self._answer.done():
                    self._answer.set_result((kind, body))
            else:
                self._hears(kind, body)

    def _pipe_ended(self) -> None:
        if self._ended or self._closed:
            return
        self._ended = True
        self._fail(self._reason())

    def _fail(self, error: DeviceError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        else:
            self._over(error)

    def _reason(self) -> DeviceError:
        status = self._process.poll()
        if status is None:  # it has closed its pipes, and is on its way out
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(0.05)
        last = self._noise.last or self._likely_cause(status)
        last = f": {last}" if last else ""
        return DeviceLostError(f"the sound process has ended (status {status}){last}")

    def _likely_cause(self, status: int | None) -> str:
        """Return the likely cause of a silent end: sounddevice closes stderr while it loads the library."""
        if status == -signal.SIGXCPU:
            return _SPUN
        return _GIVEN_UP if status == -signal.SIGABRT and not self._has_answered else ""


_GIVEN_UP = (
    "PortAudio does so when it is loaded where ALSA's configuration names no default device: "
    "name pcm.default in ~/.asoundrc or /etc/asound.conf, and look at ALSA_CONFIG_PATH"
)
_SPUN = (
    "it kept a core busy without a rest, as PortAudio does when its sound server has died, or when a virtual "
    "device gives nothing for a while"
)
_ANSWERS = (Kind.OPENED, Kind.DEVICES, Kind.LIBRARY, Kind.TRIED, Kind.STARTED, Kind.FAILED)


class _Made(NamedTuple):
    """A process that was made."""

    child: Child
    sound: IO[bytes]
    """Goes to it, beside its stdin."""
    page: SharedPage


def _spawn(driver: str, record_bytes: int) -> _Made:
    """Make the process, with a pipe for sound and a shared page. In a thread."""
    with ExitStack() as failing, ExitStack() as given:
        its_end, our_end = os.pipe()
        given.callback(os.close, its_end)
        make_roomy(our_end)
        sound = failing.enter_context(os.fdopen(our_end, "wb", buffering=0))
        its_page = make_page(record_bytes)
        given.callback(os.close, its_page)
        page = SharedPage(os.dup(its_page))
        failing.callback(page.close)
        child = launch(
            "voicepipe_devices.sound_process.child",
            [driver, str(its_end), str(its_page)],
            pass_fds=[its_end, its_page],
        )
        failing.pop_all()
    return _Made(child, sound, page)


def _undo(made: _Made) -> None:
    made.child.kill(group=True)
    made.child.process.wait(REAP_S)
    made.child.close()
    made.sound.close()
    made.page.close()
