"""A running program tells how it is, to whoever may ask; and nobody who asks can hold it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.sound import talk, until
from voicepipe import PipelineRunner, PipelineTask
from voicepipe.cli import main
from voicepipe.service.one_shot_server import MOST_CLIENTS
from voicepipe.service.status import StatusSocket, service_socket, status_of
from voicepipe_devices.fake import SimulatedCard

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(
        sys.platform == "win32", reason="allowed skip: Windows has no local sockets in asyncio"
    ),
]


class Served:
    """A task that runs under a runner with a status socket, while it is entered."""

    def __init__(self, path: Path, **arguments: Any) -> None:
        self.task: PipelineTask = talk(SimulatedCard())
        beside = [StatusSocket(path)]
        self._runner = PipelineRunner(handle_signals=False, blocked_s=0, beside=beside, **arguments)

    async def __aenter__(self) -> PipelineTask:
        self._running = asyncio.get_running_loop().create_task(self._runner.serve(self.task))
        await until(lambda: self.task.state.value == "running")
        return self.task

    async def __aexit__(self, *_: object) -> None:
        self.task.end()
        assert await self._running == 0


async def ask(path: Path) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        answer: dict[str, Any] = json.loads(await reader.read())
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return answer


async def in_a_thread(call: Callable[[], int]) -> int:
    status = await asyncio.to_thread(call)
    await asyncio.get_running_loop().shutdown_default_executor()
    return status


def silent_client(path: Path) -> socket.socket:
    """Connects, with room for next to nothing, and never reads."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.setblocking(False)
    client.connect(os.fspath(path))
    return client


async def test_it_tells_counters_tasks_devices_and_census(tmp_path: Path) -> None:
    path = tmp_path / "status"
    async with Served(path) as task:
        await until(lambda: status_of([task])["tasks"][0]["devices"][0]["callbacks"] > 2)
        answer = await ask(path)
    assert answer["pid"] == os.getpid()
    (told,) = answer["tasks"]
    assert (told["name"], told["state"]) == (task.name, "running")
    assert [device["kind"] for device in told["devices"]] == ["microphone", "speaker"]
    assert {seam["name"] for seam in told["seams"]} >= {"MicrophoneInput device", "SpeakerOutput device"}
    assert any("SpeakerOutput:stage" in line for line in answer["census"]["tasks"])


async def test_it_is_for_its_user_only_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "status"
    async with Served(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_clients_that_do_not_read_hold_nobody_up_and_do_not_outlive_the_run(tmp_path: Path) -> None:
    path = tmp_path / "status"
    async with Served(path) as task:
        task.name = "n" * 1_000_000  # more than the system takes for somebody who does not read
        clients = [silent_client(path) for _ in range(MOST_CLIENTS - 1)]
        assert len((await ask(path))["tasks"][0]["name"]) == 1_000_000
        clients.append(silent_client(path))
        with pytest.raises((OSError, ValueError)):  # one too many
            await ask(path)
    for client in clients:
        client.close()


async def stares(path: Path) -> None:
    """Connects, and goes without a word."""
    _, writer = await asyncio.open_unix_connection(path)
    writer.transport.abort()


async def leaves_in_the_middle(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    await reader.read(10)
    writer.transport.abort()


async def shouts(path: Path) -> None:
    """Sends what nobody asked for, and reads nothing."""
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(bytes(range(256)) * 4_096)
    await asyncio.sleep(0)
    writer.transport.abort()


async def crowds(path: Path) -> None:
    """A hundred at once: some are turned away."""
    answers = await asyncio.gather(*(ask(path) for _ in range(100)), return_exceptions=True)
    told = [answer for answer in answers if isinstance(answer, dict)]
    assert 1 <= len(told) <= 100
    assert all(isinstance(answer, dict | OSError | ValueError) for answer in answers)


@pytest.mark.heavy
async def test_whatever_clients_do_again_and_again_the_next_one_is_answered_and_nothing_piles_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "status"
    async with Served(path) as task:
        task.name = "n" * 300_000
        for _ in range(3):
            for rude in (stares, leaves_in_the_middle, shouts, crowds):
                await rude(path)
            await until(lambda: not answering())
            assert (await ask(path))["tasks"][0]["state"] == "running"
        await until(lambda: not answering())


def answering() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "voicepipe:status"]


async def test_a_run_that_ends_while_many_ask_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "status"
    async with Served(path) as task:
        task.name = "n" * 1_000_000
        clients = [silent_client(path) for _ in range(MOST_CLIENTS)]
        await until(lambda: len(answering()) == MOST_CLIENTS)
    assert not answering()
    for client in clients:
        client.close()


@contextlib.contextmanager
def no_right_to(folder: Path) -> Iterator[None]:
    """For root, who may do anything, as somebody else."""
    root = os.geteuid() == 0
    folder.chmod(0o500)
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


async def test_a_folder_that_may_not_be_written_to_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with no_right_to(tmp_path):
        async with Served(tmp_path / "status"):
            pass
    assert "Permission denied" in caplog.text


async def test_a_socket_that_took_its_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "status"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        async with Served(path):
            path.rename(tmp_path / "old")
            other.bind(os.fspath(path))
        assert path.is_socket()


async def test_what_a_killed_program_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "status"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(os.fspath(path))
    async with Served(path):
        assert (await ask(path))["tasks"]


async def test_another_program_that_answers_keeps_its_socket(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "status"
    async with Served(path) as first:
        async with Served(path):
            assert (await ask(path))["tasks"][0]["name"] == first.name
        assert (await ask(path))["tasks"][0]["name"] == first.name
    assert "another program answers" in caplog.text


@pytest.mark.parametrize("name", ["a file", "no/such/folder", "n" * 200])
async def test_where_there_can_be_no_socket_the_program_runs_all_the_same(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").write_text("kept")
    async with Served(tmp_path / name):
        pass
    assert "no status at" in caplog.text
    assert (tmp_path / "a file").read_text() == "kept"


async def test_the_command_asks_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "status"
    async with Served(path) as task:
        await until(lambda: status_of([task])["tasks"][0]["devices"][1]["delay_s"] is not None)
        asked = ["status", "--socket", str(path)]
        assert await in_a_thread(lambda: main(asked) + main([*asked, "--json"])) == 0
    shown, brace, rest = capsys.readouterr().out.partition("{")
    assert json.loads(brace + rest)["tasks"][0]["name"] == task.name
    assert f"{task.name}: running" in shown
    assert 'microphone "simulated microphone": works' in shown
    assert 'speaker "simulated speaker": works, delay ' in shown
    assert "lost: nothing" in shown


def test_the_command_says_where_nobody_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--socket", str(tmp_path / "nobody")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("voicepipe status: no answer at")
    assert error.endswith("No such file or directory\n")


def test_a_service_answers_in_its_runtime_directory_and_another_program_nowhere() -> None:
    assert service_socket({"RUNTIME_DIRECTORY": "/run/a:/run/b", "NOTIFY_SOCKET": "@x"}) == "/run/a/status"
    assert service_socket({"RUNTIME_DIRECTORY": "/run/a"}) == ""
    assert service_socket({"NOTIFY_SOCKET": "@x"}) == ""
