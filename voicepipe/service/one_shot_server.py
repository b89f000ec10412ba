"""A server that answers each client once, and that no client can hold up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["CLIENT_S", "MOST_CLIENTS", "Clients"]

MOST_CLIENTS = 8
CLIENT_S = 2.0
"""A client that does not ask, or does not read, for so long is let go of."""


class Clients:
    """The clients that are connected. In the loop's thread.

    Args:
        answer: reads what the client asks, where it asks anything, and writes the whole answer.
        name: of the tasks that answer.
    """

    def __init__(
        self, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], name: str
    ) -> None:
        self._answer = answer
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accept a client of asyncio's server. Of too many at once the last are turned away."""
        if len(self._tasks) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer), name=self._name)
        self._tasks.add(serving)
        serving.add_done_callback(lambda _: self._let_go(serving, writer))

    async def close(self) -> None:
        """Let go of all clients."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _let_go(self, serving: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """Close a client, answered or not; also where its task was cancelled before its first step."""
        self._tasks.discard(serving)
        if writer.transport.get_write_buffer_size():
            writer.transport.abort()
        else:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.transport.set_write_buffer_limits(high=0)  # drained: all of it is with the system
            async with asyncio.timeout(CLIENT_S):
                await self._answer(reader, writer)
                await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass  # it has gone, or does not ask, or does not read
