"""Whoever asks a running program: in virtual time, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from voicepipe.census.census import take_census
from voicepipe.service.one_shot_server import CLIENT_S, Clients

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="allowed skip: Windows has no local sockets in asyncio"
)
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def much(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """More than the system takes for somebody who does not read."""
    writer.write(bytes(2_000_000))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readuntil(b"\n"))


@contextlib.asynccontextmanager
async def served(path: Path, answer: Answer) -> AsyncIterator[tuple[Clients, socket.socket]]:
    """A server, and one client that is being answered."""
    clients = Clients(answer, "answering")
    server = await asyncio.start_unix_server(clients.accept, path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        client.connect(str(path))
        while not answering():  # noqa: ASYNC110 (no time may pass)
            await asyncio.sleep(0)
        yield clients, client
        server.close()
        await clients.close()
        await steps(5)
    assert not answering()


async def steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def answering() -> list[asyncio.Task[None]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "answering"]


def connections() -> int:
    return sum("socket" in descriptor for descriptor in take_census().descriptors)


async def test_at_the_end_nobody_is_waited_for(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with served(tmp_path / "s", never) as (clients, _):
        before_s = loop.time()
        await clients.close()
        assert loop.time() == before_s
        assert not answering()


@pytest.mark.parametrize("answer", [never, much, echo])
async def test_who_does_not_ask_or_read_is_let_go_of_after_its_time_with_what_it_was_not_sent(
    tmp_path: Path, answer: Answer
) -> None:
    async with served(tmp_path / "s", answer):
        before = connections()
        await asyncio.sleep(CLIENT_S + 0.1)
        assert not answering()
        assert connections() == before - 1


async def test_who_goes_away_in_the_middle_is_no_error(tmp_path: Path) -> None:
    async with served(tmp_path / "s", echo) as (_, client):
        (task,) = answering()
        client.send(b"half")
        client.close()
        await asyncio.wait([task], timeout=CLIENT_S / 2)
        assert task.exception() is None


async def test_who_asks_is_answered_and_the_connection_is_over(tmp_path: Path) -> None:
    async with served(tmp_path / "s", echo) as (_, client):
        client.send(b"how are you?\n")
        while answering():  # noqa: ASYNC110 (no time may pass)
            await asyncio.sleep(0)
        await steps(5)
        assert client.recv(100) == b"how are you?\n"
        assert client.recv(100) == b""
