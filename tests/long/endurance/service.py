"""The echo program as a service on the virtual card: asked every second how it is, by whoever may."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Self

from soundcard.costs import cpu_s, family
from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard

__all__ = ["WATCHDOG_S", "Footprint", "Service"]

WATCHDOG_S = 30.0
ECHO = (
    "-m",
    "voicepipe.echo",
    "--live",
    "--report",
    "--vad",
    "webrtc",
    "--mic",
    "vcard",
    "--speaker",
    "vcard",
)
LATENCY_S = 0.2
"""Of the device: a virtual machine stands still for longer than "low" lasts."""
_ASKING_S = 5.0


class Footprint:
    """What a program's processes, which come and go, use of the machine.

    Args:
        pid: the program itself.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen_s = time.monotonic()
        self._used = {pid: _cpu_s(pid) for pid in _family(pid)}

    def now(self) -> dict[str, float]:
        """Memory in MB, the processor in per cent of one core since the last time, and the rest counted.

        Of what is shared with other programs the proportional size (PSS) has a part that moves as they come
        and go. The private size has none: it is what this program takes.
        """
        members = _family(self._pid)
        memory = {pid: _memory_mb(pid) for pid in members}
        used = {pid: _cpu_s(pid) for pid in members}
        now_s = time.monotonic()
        spent_s = sum(seconds - self._used.get(pid, 0.0) for pid, seconds in used.items())
        share, self._seen_s, self._used = spent_s / (now_s - self._seen_s), now_s, used
        return {
            "private_mb": round(sum(private for private, _ in memory.values()), 3),
            "pss_mb": round(sum(pss for _, pss in memory.values()), 3),
            "program_private_mb": round(memory[self._pid][0], 3),
            "program_pss_mb": round(memory[self._pid][1], 3),
            "cpu_percent": round(100 * share, 2),
            "processes": len(members),
            "descriptors": len(os.listdir(f"/proc/{self._pid}/fd")),
        }


def _family(pid: int) -> list[int]:
    """The program and its children; again, where one ended while it was looked for."""
    for _ in range(10):
        with contextlib.suppress(OSError):
            return family(pid)
    return [pid]


def _cpu_s(pid: int) -> float:
    """Processor time; none, where it has just ended."""
    with contextlib.suppress(OSError):
        return cpu_s(pid)
    return 0.0


def _memory_mb(pid: int) -> tuple[float, float]:
    """Private and proportional set size; nothing, where it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    private = sizes.get("Private_Clean", 0.0) + sizes.get("Private_Dirty", 0.0)
    return private, sizes.get("Pss", 0.0)


class Service(ProgramOnCard):
    """The echo program, live and with its ear; this is its service manager, and asks for its status.

    Args:
        folder: for its sockets.
        arguments: further ones of the program.
    """

    def __init__(self, card: PluggedCard, folder: Path, *arguments: str) -> None:
        self._status = folder / "status"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(os.fspath(folder / "notify"))
        self._manager.setblocking(False)
        self.pinged_s = time.monotonic()
        """When the last ping was read."""
        self.is_ready = False
        super().__init__(
            card,
            *(*ECHO, "--latency", str(LATENCY_S), "--status-socket", os.fspath(self._status), *arguments),
            flags=(),
            NOTIFY_SOCKET=os.fspath(folder / "notify"),
            WATCHDOG_USEC=str(round(WATCHDOG_S * 1e6)),
            PYTHONDONTWRITEBYTECODE="",
        )

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *what: object) -> None:
        super().__exit__(*what)
        self._manager.close()

    @property
    def has_ended(self) -> bool:
        """Whether its process is over."""
        return self._process.poll() is not None

    def notices(self) -> float:
        """Read what it told its manager; returns for how many seconds it has not pinged."""
        while True:
            try:
                text = self._manager.recv(4096).decode()
            except BlockingIOError:
                return time.monotonic() - self.pinged_s
            self.is_ready |= "READY=1" in text
            if "WATCHDOG=1" in text:
                self.pinged_s = time.monotonic()

    def status(self) -> dict[str, Any]:
        """What `voicepipe status --json` would show. Raises: OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(_ASKING_S)
            caller.connect(os.fspath(self._status))
            answer: dict[str, Any] = json.loads(b"".join(iter(lambda: caller.recv(65_536), b"")))
        return answer
