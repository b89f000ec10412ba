"""A sound server between a program and the virtual card: killed, stopped, suspended and brought back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soundcard.plugging import PluggedCard, bring_up

__all__ = ["Server", "processes_with"]

_DYING_S = 5.0
"""For a process to be gone after SIGKILL."""
_ASKING_S = 10.0
"""For `pactl`, which waits for the server."""


@dataclass(frozen=True, slots=True)
class _Daemon:
    """One that `up` noted. It leads a process group of its own."""

    pid: int
    began: str
    """In ticks since the machine's start: tells it from a later process of this number."""

    @property
    def is_alive(self) -> bool:
        return _alive(self.pid) == self.began

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; to none, once it has ended."""
        if self.is_alive:
            os.killpg(self.pid, number)


class Server:
    """The sound server that was put before a card with `new_card(server=...)`.

    Whatever is done to it here, `down` ends it with the card.
    """

    def __init__(self, card: PluggedCard) -> None:
        if card.server == "none":
            raise ValueError("there is no server before this card: new_card(server='pulse') has one")
        self.card = card
        """The card behind it."""
        self._directory = Path(card.env["VCARD_DIR"])

    @property
    def is_alive(self) -> bool:
        """Whether all of it runs, be it stopped."""
        daemons = self._daemons()
        return bool(daemons) and all(daemon.is_alive for daemon in daemons)

    def kill(self) -> None:
        """Kill all of it with SIGKILL; returns when it is dead."""
        daemons = self._daemons()
        for daemon in daemons:
            daemon.send(signal.SIGKILL)
        deadline = time.monotonic() + _DYING_S
        while any(daemon.is_alive for daemon in daemons):
            assert time.monotonic() < deadline, f"the server outlives SIGKILL: {daemons}"
            time.sleep(0.002)

    def restart(self) -> None:
        """Bring the same server up again on the same card, which keeps its sound; returns when it answers.

        Raises:
            RuntimeError: it does not come up; has what it said.
        """
        card = self.card
        options = ["--rate", str(card.rate), "--server", card.server]
        options += ["--mic", str(card.mic.channels), "--speaker", str(card.speaker.channels)]
        bring_up(self._directory, *options)

    def hang(self) -> None:
        """Stop its processes, as if they hung: it answers nobody, and no connection breaks."""
        for daemon in self._daemons():
            daemon.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for daemon in self._daemons():
            daemon.send(signal.SIGCONT)

    def suspend_sink(self, suspended: bool = True) -> None:
        """PulseAudio: let the loudspeaker stand still, as when another program has taken it."""
        command = ["pactl", "suspend-sink", "speaker", str(int(suspended))]
        environment = {**os.environ, **self.card.env}
        subprocess.run(command, env=environment, timeout=_ASKING_S, check=True, capture_output=True)

    def _daemons(self) -> list[_Daemon]:
        files = sorted(self._directory.glob("*.pid"))
        noted = (file.read_text(encoding="utf-8").split() for file in files)
        return [_Daemon(int(pid), began) for pid, began in noted]


def processes_with(name: str, value: str) -> dict[int, str]:
    """The processes that were started with that variable in their environment: the command line of each."""
    wanted = os.fsencode(f"{name}={value}")
    found: dict[int, str] = {}
    for pid, environment in _environments():
        if wanted in environment.split(b"\0") and _alive(pid):
            found[pid] = _command_of(pid)
    return found


def _environments() -> Iterator[tuple[int, bytes]]:
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                yield int(directory.name), (directory / "environ").read_bytes()
            except OSError:
                pass  # it has ended meanwhile, or is somebody else's


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"


def _alive(pid: int) -> str:
    """When the process was started, in ticks; empty if there is none, or only what its parent has to read."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    state, began = words[0], words[19]
    return "" if state in "ZX" else began
