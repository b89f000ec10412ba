"""Notifications for the service manager: systemd's protocol (`man sd_notify`)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

__all__ = ["Notifier", "watchdog_s"]


class Notifier:
    """Sends datagrams to the service manager. Never waits, and never raises: the program goes on without.

    Args:
        address: what NOTIFY_SOCKET says: a path, or "@" and the name of an abstract socket.
    """

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")) and hasattr(socket, "AF_UNIX"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def send(self, message: Mapping[str, str]) -> bool:
        """Send these assignments in one datagram; return False where they are to be sent again."""
        if self._socket is None:
            return False
        text = "\n".join(f"{key}={' '.join(value.splitlines())}" for key, value in message.items())
        with contextlib.suppress(OSError):  # the manager is busy, restarts, or is no more
            self._socket.sendto(text.encode(errors="replace"), self._address)
            return True
        return False

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def watchdog_s(environment: Mapping[str, str]) -> float:
    """Return the seconds without a ping after which the service manager acts; 0: never.

    WATCHDOG_PID may name our parent as well: `uv run` and shells stand between, as a program does not.
    """
    with contextlib.suppress(ValueError):
        meant = int(environment.get("WATCHDOG_PID") or os.getpid())
        if meant in (os.getpid(), os.getppid()):
            return max(0, int(environment.get("WATCHDOG_USEC", "0"))) / 1e6
    return 0.0
