"""A program that is killed, or interrupted thrice, while its sound server hangs: no process of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from children.looking import PATH, children_of, last_of, wait_for
from soundcard.plugging import NewCard
from soundcard.servers import Server

LIMIT_S = 2.0


@pytest.fixture
def server(new_card: NewCard) -> Server:
    return Server(new_card(server="pulse"))


def program(server: Server, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "voicepipe", *command],
        env={**os.environ, **server.card.env, "PYTHONPATH": PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def children_after(process: subprocess.Popen[bytes], delay_s: float) -> list[int]:
    """Wait for the first child, and then so long; return the children of that moment."""
    wait_for(lambda: bool(children_of(process.pid)))
    time.sleep(delay_s)
    return children_of(process.pid)


@pytest.mark.parametrize("command", ["echo", "devices", "doctor"])
@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.6])
def test_killed_while_the_sound_server_hangs(server: Server, command: str, delay_s: float) -> None:
    server.hang()
    with program(server, command) as process:
        children = children_after(process, delay_s)
        process.kill()
        last_of(children, LIMIT_S)


@pytest.mark.parametrize("delay_s", [0.1, 0.6])
def test_interrupted_thrice_while_the_sound_server_hangs(server: Server, delay_s: float) -> None:
    server.hang()
    with program(server, "echo") as process:
        children = children_after(process, delay_s)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        process.wait(LIMIT_S)
        last_of(children, LIMIT_S)


def test_killed_while_a_stream_plays_and_its_server_hangs(server: Server) -> None:
    with program(server, "echo", "--live") as process:
        wait_for(lambda: len(children_of(process.pid)) == 2)
        time.sleep(1.0)
        server.hang()
        children = children_of(process.pid)
        assert len(children) == 2
        process.kill()
        last_of(children, LIMIT_S)
