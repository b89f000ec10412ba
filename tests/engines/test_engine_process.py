"""An engine in a process of its own: asked, cancelled, crashed, hung, closed, and nothing of it stays."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from children.looking import is_alive, last_of, started
from voicepipe.engines import process as engines
from voicepipe.engines.process import EngineProcess
from voicepipe.engines.worker import Worker
from voicepipe.errors import EngineError
from voicepipe.testing import run_virtual

pytestmark = pytest.mark.real_time

ENGINE = "engines.engine_child"


@asynccontextmanager
async def engine(
    *arguments: str, limit_s: float = 10.0, grace_s: float = 0.2
) -> AsyncIterator[EngineProcess]:
    made = EngineProcess(ENGINE, arguments, name="the engine", limit_s=limit_s, grace_s=grace_s)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def pid_of(asked: EngineProcess) -> int:
    return int(await asked.request(b"pid"))


async def begun(asked: EngineProcess, body: bytes) -> asyncio.Task[bytes]:
    """Ask, and wait until the engine works on it, as far as can be seen: nobody else is served."""
    task = asyncio.create_task(asked.request(body))
    await asyncio.sleep(0.1)  # a process tells nobody that it waits
    assert not task.done()
    return task


async def test_it_answers_with_a_low_priority_beside_the_program() -> None:
    async with engine() as asked:
        assert await asked.request(b"nice") == str(os.nice(0) + 5).encode()
        pids = await asyncio.gather(*(pid_of(asked) for _ in range(5)))
        assert len({*pids, os.getpid()}) == 2, "one process for all"
        assert len(await asked.request(b"large:1000000")) == 1_000_000
        with pytest.raises(EngineError, match=r"^the engine: KeyError: 'no such word'$"):
            await asked.request(b"fail:no such word")
        assert await pid_of(asked) == pids[0], "an engine that fails goes on"


def test_virtual_time_stands_still_while_it_works() -> None:
    async def main() -> float:
        async with engine("slow:0.05", limit_s=0.5) as asked:
            asyncio.get_running_loop().call_later(1_000, lambda: None)
            await pid_of(asked)
            return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0.0


@pytest.mark.parametrize("body", [b"crash", b"native", b"stop", b"noise"])
@pytest.mark.heavy(after=1)
async def test_one_that_crashes_or_hangs_raises_and_is_made_again(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = {
        b"crash": r"has ended \(status -6\): out of luck",
        b"noise": "sent an invalid message: a message of kind 255",
    }
    async with engine(limit_s=0.3) as asked:
        before = await pid_of(asked)
        with pytest.raises(EngineError, match=reasons.get(body, r"gave no answer within 0\.3 s")):
            await asked.request(body)
        asked._limit_s = 10.0
        assert await pid_of(asked) != before
        last_of([before], 2.0)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


@pytest.mark.heavy
async def test_one_that_is_killed_while_nobody_asks_is_made_again_before_the_next_request() -> None:
    async with engine() as asked:
        before = await pid_of(asked)
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(10):
            while asked._mending is None:  # noqa: ASYNC110  # the end of a process is no event of this loop
                await asyncio.sleep(0.005)
        assert await pid_of(asked) != before


@pytest.mark.parametrize("body", [b"wait", b"native", b"stop"])
@pytest.mark.heavy(after=1)
async def test_a_cancelled_request_ends_at_once_and_the_next_is_soon_possible(body: bytes) -> None:
    async with engine() as asked:
        before = await pid_of(asked)
        task = await begun(asked, body)
        task.cancel()
        async with asyncio.timeout(0.15):
            with pytest.raises(asyncio.CancelledError):
                await task
        after = await pid_of(asked)
        assert (after == before) is (body == b"wait"), "only what does not listen is killed"
        assert not (asked._failures), "to be killed is no failure of the engine's"


@pytest.mark.heavy
async def test_a_request_that_is_cancelled_while_it_waits_for_its_turn_is_never_begun() -> None:
    async with engine() as asked:
        first = await begun(asked, b"wait")
        second = asyncio.create_task(asked.request(b"crash"))
        third = asyncio.create_task(pid_of(asked))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        assert await third > 0


@pytest.mark.heavy
async def test_after_five_failures_in_a_row_it_is_given_up_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "FIRST_PAUSE_S", 0.001)
    async with engine(f"once:{tmp_path / 'begun'}") as asked:
        with pytest.raises(EngineError, match="has ended"):
            await asked.request(b"crash")
        for _ in range(2):
            with pytest.raises(EngineError, match=r"given up after 5 failures in a row: .*status 7"):
                await pid_of(asked)
    assert [record.levelname for record in caplog.records if record.levelno > logging.WARNING] == ["ERROR"]


@pytest.mark.parametrize(
    ("argument", "error", "match"),
    [
        ("fail:no model of mine", ValueError, "^no model of mine$"),
        ("crash", EngineError, r"status -6\): no such model"),
    ],
)
async def test_one_that_cannot_be_loaded_fails_the_start_and_leaves_nothing(
    argument: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        async with engine(argument):
            pass


@pytest.mark.heavy
async def test_one_that_loads_for_too_long_fails_the_start() -> None:
    slow = EngineProcess(ENGINE, ["slow:60"], name="the engine", start_s=0.2)
    with pytest.raises(EngineError, match=r"is not loaded within 0\.2 s"):
        await slow.start()
    assert not slow.is_open


def test_a_process_that_is_closed_before_its_launch_never_begins() -> None:
    worker = Worker("the engine", ENGINE, [], lambda worker: None)
    worker.end()
    try:
        with pytest.raises(EngineError, match=r"^the engine is closed$"):
            worker.start(10.0)
    finally:
        worker.kill()


@pytest.mark.parametrize("steps", [0, 3, 200])
@pytest.mark.heavy(after=1)
async def test_a_start_may_be_cancelled_or_closed_at_any_step(steps: int) -> None:
    for way in ("cancel", "close"):
        slow = EngineProcess(ENGINE, ["slow:60"], name="the engine")
        starting = asyncio.create_task(slow.start())
        await asyncio.sleep(0)
        for _ in range(steps):
            await asyncio.sleep(0.001)
        if way == "cancel":
            starting.cancel()
        else:
            await slow.close()
        done, _ = await asyncio.wait({starting}, timeout=5)
        assert done
        assert starting.cancelled() or isinstance(starting.exception(), EngineError) or way == "close"
        await slow.close()
        assert not slow.is_open


@pytest.mark.parametrize("body", [b"wait", b"native", b"stop", b"crash"])
@pytest.mark.heavy(after=1)
async def test_closed_in_the_middle_of_a_request_nothing_of_it_stays(body: bytes) -> None:
    async with engine() as asked:
        pid = await pid_of(asked)
        task = asyncio.create_task(asked.request(body))
        await asyncio.sleep(0.05)
    with pytest.raises(EngineError):
        await task
    assert not is_alive(pid)
    with pytest.raises(EngineError, match="is not open"):
        await asked.request(b"pid")


@pytest.mark.heavy
async def test_closed_while_it_is_made_again_and_cancelled_meanwhile_nothing_of_it_stays() -> None:
    async with engine() as asked:
        with pytest.raises(EngineError):
            await asked.request(b"crash")
        closing = asyncio.create_task(asked.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not asked.is_open


@pytest.mark.heavy
async def test_it_can_be_started_again_after_its_end() -> None:
    made = EngineProcess(ENGINE, name="the engine")
    pids = set()
    for _ in range(2):
        await made.start()
        pids.add(await pid_of(made))
        await made.close()
    assert len(pids) == 2


@pytest.mark.heavy
async def test_of_a_flood_on_stderr_a_few_lines_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with engine() as asked:
            await asked.request(b"print:hello")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "the engine: hello"
    assert len(lines) < 100
    assert lines[-1].endswith("more lines")


@pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: looks into /proc")
@pytest.mark.heavy
@pytest.mark.parametrize("body", ["wait", "native"])
def test_a_program_that_is_killed_leaves_no_engine(body: str) -> None:
    source = f"""
import asyncio
from voicepipe.engines.process import EngineProcess
async def main():
    engine = EngineProcess({ENGINE!r}, name="the engine")
    await engine.start()
    print(int(await engine.request(b"pid")), flush=True)
    await engine.request({body.encode()!r})
asyncio.run(main())
"""
    with started("-c", source) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        program.kill()
        last_of([pid], 2.0)
