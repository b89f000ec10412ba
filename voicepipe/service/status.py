"""A local socket that reports the tasks of a program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

from voicepipe.census.census import take_census
from voicepipe.log import logger_of
from voicepipe.run.task import PipelineTask
from voicepipe.service.heartbeat import devices_of
from voicepipe.service.one_shot_server import Clients
from voicepipe.text import printable

__all__ = ["StatusSocket", "service_socket", "status_of"]

NAME = "status"
_MOST_TURNS = 20
"""The number of turns that the answer shows. The report has more."""

_log = logger_of("voicepipe")


class StatusSocket:
    """Answers each connection with one JSON object, and closes it, while it is entered.

        PipelineRunner(beside=[StatusSocket("/run/user/1000/parrot")]).main(task)

    Only the user who runs the program may connect (0600). If the socket cannot be made, a warning is
    logged; the program runs on without it.

    Args:
        path: where the socket is to be; one that a program has left behind is replaced.

    Raises:
        TypeError: `path` is no path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._tasks: Sequence[PipelineTask] = ()
        self._server: asyncio.Server | None = None
        self._clients = Clients(self._answer, "voicepipe:status")
        self._inode = 0

    def __call__(self, tasks: Sequence[PipelineTask]) -> Self:
        """Set the tasks to report; called by the runner."""
        self._tasks = tasks
        return self

    async def __aenter__(self) -> Self:
        try:
            listening = _bound(self._path)
        except OSError as error:
            _log.warning("no status at %s: %s", printable(self._path), printable(error))
            return self
        self._inode = os.stat(self._path).st_ino
        self._server = await asyncio.start_unix_server(self._clients.accept, sock=listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._clients.close()
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:  # not one that took its place
                os.unlink(self._path)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(status_of(self._tasks)).encode() + b"\n")


def status_of(tasks: Sequence[PipelineTask]) -> dict[str, Any]:
    """Return the state of the tasks for JSON: counters, devices, errors, positions; and a census."""
    from voicepipe.version import __version__

    return {
        "version": __version__,
        "pid": os.getpid(),
        "tasks": [_task(task) for task in tasks],
        "census": asdict(take_census()),
    }


def _task(task: PipelineTask) -> dict[str, Any]:
    report = task.report
    said: dict[str, Any] = {"name": task.name, "state": task.state.value}
    if report is not None:
        said |= {
            "seconds": round(report.seconds, 3),
            "reason": report.reason,
            "seams": [asdict(seam) for seam in report.seams],
            "statistics": [asdict(device) for device in report.devices],
            "dropped": report.dropped,
            "discarded": report.discarded,
            "errors": [{"stage": error.stage, "message": error.message} for error in report.errors],
            "slow": [asdict(slow) for slow in report.slow],
            "turns": [asdict(turn) for turn in report.turns[-_MOST_TURNS:]],
            "turn_counts": asdict(report.turn_counts),
        }
    return said | {"devices": [asdict(device) for device in devices_of(task)], "where": task.where()}


def service_socket(environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of a systemd service's socket, in its runtime directory; or ""."""
    folder = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return os.path.join(folder, NAME) if folder and environment.get("NOTIFY_SOCKET") else ""


def _bound(path: str) -> socket.socket:
    """Bind a socket for this user only. Raises: OSError."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no local sockets")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), 0o600)  # on Linux so before anybody can connect
        listening.bind(path)
        os.chmod(path, 0o600)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _remove_stale(path: str) -> None:
    """Remove the socket of a killed program. Raises: OSError: somebody answers, or it is not a socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} exists, and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise FileExistsError(f"another program answers at {path}")
