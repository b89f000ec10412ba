"""A stand-in for the service manager: a notification socket, and what came to it, with the times."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self


class Manager:
    """Receives notifications in the running loop, ten times a second, while it is entered."""

    def __init__(self, folder: Path, *, abstract: bool = False) -> None:
        path = str(folder / "notify")
        self.address = f"@voicepipe-test-{path}" if abstract else path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind("\0" + self.address[1:] if abstract else path)
        self.said: list[tuple[float, dict[str, str]]] = []

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self.receive(self._loop.time())
        self.socket.close()

    def receive(self, now_s: float = 0.0) -> None:
        """Take what has come."""
        while True:
            try:
                text = self.socket.recv(65_536).decode()
            except BlockingIOError:
                return
            self.said.append((now_s, dict(line.split("=", 1) for line in text.split("\n"))))

    async def _listen(self) -> None:
        while True:
            self.receive(self._loop.time())
            await asyncio.sleep(0.1)

    def times(self, key: str, matches: Callable[[str], bool] = bool) -> list[float]:
        """When this was said."""
        return [when for when, message in self.said if key in message and matches(message[key])]
