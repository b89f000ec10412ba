"""A sound process, as the program sees it: what is sent to it, what it answers, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, Self

from voicepipe import errors
from voicepipe.errors import DeviceError, DeviceLostError, DeviceTimeoutError, printable
from voicepipe_devices.calls import call
from voicepipe_devices.messages import Kind, NonsenseError, Parser, error_of, message

__all__ = ["SoundProcess"]

SPAWN_S = 5.0
REAP_S = 2.0
"""For a process that was killed to be gone: it may be stuck in the kernel."""
PEACE_S = 0.4
"""How long its own end may take before it is killed."""
_MOST_NOISE = 4_096
_NOISE_PAUSE_S = 0.2
"""So much of what it says on stderr is read in so long: PortAudio can write 75 MB a second there."""
_log = logging.getLogger("voicepipe.sound")


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
        self._process: subprocess.Popen[bytes]
        self._pipes: list[_Pipe] = []
        self._requests: asyncio.WriteTransport
        self._sound_file: IO[bytes]
        self._sound: asyncio.WriteTransport
        self._parser = Parser()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._noise = _Noise(self._loop)
        self._ended = False
        self._closed = False

    async def start(self, driver: str) -> Self:
        """Make the process. Cancelled, it is ended again before that is raised.

        Raises:
            DeviceError: it cannot be made.
        """
        try:
            made = await call(lambda: _spawn(driver), "making the sound process", SPAWN_S, undo=_undo)
        except OSError as error:
            raise DeviceError(f"the sound process cannot be made: {printable(error)}") from error
        process = self._process = made.process
        self._sound_file = made.sound
        try:
            for stream, take in ((process.stdout, self._take), (process.stderr, self._noise.take)):
                assert stream is not None
                pipe = _Pipe(take, self._pipe_ended)
                transport, _ = await self._loop.connect_read_pipe(lambda pipe=pipe: pipe, stream)  # type: ignore[misc]
                pipe.transport = transport
                self._pipes.append(pipe)
            assert process.stdin is not None
            self._sound = await self._write_to(self._sound_file)
            self._requests = await self._write_to(process.stdin)
            self._noise.reads(self._pipes[1])
        except BaseException:  # cancelled too: the process must not stay
            await self.close()
            raise
        return self

    async def _write_to(self, file: IO[bytes]) -> asyncio.WriteTransport:
        pipe = _Pipe(lambda _: None, self._pipe_ended)
        transport, _ = await self._loop.connect_write_pipe(lambda: pipe, file)
        pipe.transport = transport
        self._pipes.append(pipe)
        return transport

    def send(self, kind: int, body: bytes = b"") -> None:
        """One request that nobody answers. Lost where it has ended: `over` tells of that."""
        if not self._ended and not self._closed:
            self._requests.write(message(kind, body))

    def play(self, data: bytes) -> None:
        """Sound to be heard. No request waits behind it."""
        if not self._ended and not self._closed:
            self._sound.write(data)

    async def ask(self, kind: int, body: bytes, what: str, limit_s: float) -> bytes:
        """One request, and its answer.

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
        except NonsenseError as nonsense:
            error = DeviceError(f"the sound process talks nonsense: {printable(nonsense)}")
        raise error or DeviceError(what)

    async def close(self) -> None:
        """End it: in peace if it listens, else by a kill. Called once; refuses to be cancelled."""
        self._closed = True
        self._noise.stop()
        await call(self._end, "ending the sound process", REAP_S)
        for pipe in self._pipes:
            pipe.transport.close()
        for pipe in self._pipes:
            await pipe.gone.wait()
        self._sound_file.close()  # where it has not become a pipe of the loop's

    def _end(self) -> None:
        """In a thread."""
        process = self._process
        self._loop.call_soon_threadsafe(self._hang_up)
        try:
            process.wait(PEACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
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
        except NonsenseError as error:
            self._ended = True  # nothing that it says counts any more
            self._fail(DeviceLostError(f"the sound process talks nonsense: {printable(error)}"))

    def _understand(self, data: bytes) -> None:
        for kind, body in self._parser.feed(data):
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
        last = f": {self._noise.last}" if self._noise.last else ""
        return DeviceLostError(f"the sound process has ended (status {status}){last}")


_ANSWERS = (Kind.OPENED, Kind.DEVICES, Kind.STARTED, Kind.FAILED)


class _Pipe(asyncio.Protocol):
    """One end of a pipe."""

    def __init__(self, take: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self.transport: asyncio.BaseTransport
        self.gone = asyncio.Event()
        self._take = take
        self._ended = ended

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._ended()


class _Noise:
    """What the process and its libraries say on stderr: escaped, and a few lines of it in the log."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.last = ""
        """The last whole line."""
        self._loop = loop
        self._pipe: _Pipe | None = None
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._read = 0

    def reads(self, pipe: _Pipe) -> None:
        """It comes from here."""
        self._pipe = pipe

    def take(self, data: bytes) -> None:
        """Some of it. What is too much waits in the pipe, and so does whoever writes it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MOST_NOISE:]
        said = [printable(line.decode(errors="replace")) for line in lines if line.strip()]
        if said:
            self.last = said[-1]
            more = f" (and {len(said) - 3} more lines)" if len(said) > 3 else ""
            for line in said[:2]:
                _log.info("%s", line)
            if said[2:]:
                _log.info("%s%s", said[-1], more)
        self._read += len(data)
        if self._read >= _MOST_NOISE and self._timer is None and self._pipe is not None:
            _reading(self._pipe).pause_reading()
            self._timer = self._loop.call_later(_NOISE_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._read = 0
        if self._pipe is not None and not self._pipe.gone.is_set():
            _reading(self._pipe).resume_reading()

    def stop(self) -> None:
        """Read no more."""
        if self._timer is not None:
            self._timer.cancel()


def _reading(pipe: _Pipe) -> asyncio.ReadTransport:
    assert isinstance(pipe.transport, asyncio.ReadTransport)
    return pipe.transport


class _Made(NamedTuple):
    """A process that was made."""

    process: subprocess.Popen[bytes]
    sound: IO[bytes]
    """Goes to it, beside its stdin."""


def _spawn(driver: str) -> _Made:
    """In a session of its own: Ctrl-C is for the program. In a thread."""
    # Our own path is its path, so that it need not look for packages again (-S): that saves 10 ms.
    here = [str(Path(file).parent.parent) for file in (errors.__file__, __file__)]
    path = os.pathsep.join(dict.fromkeys([*here, *filter(None, sys.path)]))
    environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
    its_end, our_end = os.pipe()
    sound = os.fdopen(our_end, "wb", buffering=0)
    try:
        process = subprocess.Popen(
            [sys.executable, "-S", "-P", "-m", "voicepipe_devices.helper", driver, str(its_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "PYTHONPATH": path},
            start_new_session=True,
            bufsize=0,
            pass_fds=[its_end],
        )
    except BaseException:
        sound.close()
        raise
    finally:
        os.close(its_end)
    return _Made(process, sound)


def _undo(made: _Made) -> None:
    made.sound.close()
    made.process.kill()
    made.process.wait(REAP_S)
    for stream in (made.process.stdin, made.process.stdout, made.process.stderr):
        if stream is not None:
            stream.close()
