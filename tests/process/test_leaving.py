"""Programs that are stopped at random moments, that leave without stopping, or that fork: none crashes.

By default a tenth of the counts; all 100 moments for Ctrl-C, and as much more of everything else:

    VOICEPIPE_TIMES=10 pytest -n0 tests/process/test_leaving.py
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

import pytest

from process.running import Ended, Program
from support.counts import count_of

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: looks into /proc"),
    pytest.mark.alone,
]

DEV = ("-X", "dev", "-W", "error")
LIMIT_S = 1.0 + 3.5 + 3.0
"""From the last signal: what may wait to be heard, what the life cycle promises beyond, and slack for a
busy machine."""
AT_ONCE = 3
"""Programs side by side: each waits most of its time."""
MARK = "VOICEPIPE_TEST_MARK"
"""In the environment of a program and of all its children."""


def side_by_side(run: Callable[[int], None], numbers: Iterable[int]) -> None:
    """Call it with each number; raises what one of the calls raised, when all are over."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for call in [threads.submit(run, number) for number in numbers]:
            call.result()


class Leaving(Program):
    """A program of leaving.py: with a simulated card or a sound process, and with what children it has."""

    def __init__(self, name: str, number: int, stdout: int | None = None) -> None:
        self.mark = f"{MARK}={uuid.uuid4()}"
        self.flags = DEV if number % 3 == 0 else ()
        key, value = self.mark.split("=")
        backend = {"BACKEND": "process" if number % 2 else "card", key: value}
        more = {} if stdout is None else {"stdout": stdout}
        super().__init__(name, *self.flags, file="leaving.py", **more, **backend)  # type: ignore[arg-type]

    def leaves(self) -> Ended:
        """Wait for its end, and for that of its children; it has not crashed, nor was there an exception."""
        end = self.end(never="Fatal Python error")
        # What a program has dropped unclosed, Python names in its development mode.
        raised = re.findall(r"(?m)^[\w.]*(?:Error|Exception|Warning|Interrupt|Exit)(?::.*)?$", end.err)
        assert [line for line in raised if not line.startswith("ResourceWarning: ")] == [], end.err
        assert self.flags or "Traceback" not in end.err, end.err
        self.wait_until(lambda: not list(processes_with(self.mark)))
        return end


def processes_with(mark: str) -> Iterable[str]:
    """The processes that have this in their environment."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes().split(b"\0"):
                yield environment.parent.name
        except OSError:
            pass  # it has ended meanwhile, or is another user's


# -- stopped at any moment ---------------------------------------------------------------------


def stop_at_random(seed: int, number: signal.Signals, status: int) -> None:
    """Once to four times, while it opens, runs, drains and closes."""
    rng = random.Random(seed * 64 + number)
    times = 1 + seed % 4
    with Leaving("conversation", rng.randrange(6)) as program:
        program.says("begun")
        time.sleep(rng.uniform(0, 0.6))
        for _ in range(times):
            program.send(number)
            time.sleep(rng.choice((0.0, rng.uniform(0, 0.2))))
        end = program.leaves()
    assert end.seconds < LIMIT_S
    # A later one may come when all is over and the signal is the system's again.
    assert end.status in ({0} if times == 1 else {0, status, -number}), (seed, end)
    third = f"\nvoicepipe: a third signal, {number.name}: the process ends at once\n"
    assert end.err in ("", third), (seed, end)
    if end.err:
        assert times > 2
        assert end.status == status
    else:
        assert f"{number.name}: ending" in end.out


def test_ctrl_c_once_to_four_times_at_any_moment() -> None:
    side_by_side(lambda seed: stop_at_random(seed, SIGINT, 130), range(count_of(100)))


@pytest.mark.parametrize(("number", "status"), [(SIGTERM, 143), (SIGHUP, 129)])
def test_sigterm_or_sighup_once_to_four_times_at_any_moment(number: signal.Signals, status: int) -> None:
    side_by_side(lambda seed: stop_at_random(seed, number, status), range(count_of(30)))


def test_ctrl_c_while_the_last_output_is_written_is_no_traceback() -> None:
    with Leaving("interrupted_at_its_end", 2) as program:
        end = program.leaves()
    assert (end.status, end.err) == (-SIGINT, "")


def test_a_stdout_whose_reader_goes_at_any_moment_fails_the_stage_that_prints() -> None:
    def close_stdout(seed: int) -> None:
        rng = random.Random(seed)
        read, write = os.pipe()
        try:
            with Leaving("prints", seed, stdout=write) as program:
                os.close(write)
                os.read(read, 1)
                time.sleep(rng.uniform(0, 0.1))
                os.close(read)
                read = -1
                end = program.end()
        finally:
            if read >= 0:
                os.close(read)
        (line,) = end.err.splitlines()
        assert line.startswith("culprit failed: BrokenPipeError: ")
        assert end.status == 1

    side_by_side(close_stdout, range(count_of(30)))


# -- leaving without stopping ---------------------------------------------------------------------

STATUS = {
    "sys_exit": 3,
    "os_exit": 4,
    "returns": 0,
    "loop_left": 0,
    "loop_closed": 0,
    "daemon_thread": 0,
    "dropped_task": 0,
    "dropped_streams": 0,
}


def test_a_program_that_leaves_without_stopping_leaves_no_process_and_does_not_crash() -> None:
    tried = [name for name in STATUS for _ in range(count_of(10))]

    def leave(number: int) -> None:
        with Leaving(tried[number], number) as program:
            end = program.leaves()
        assert end.status == STATUS[tried[number]], (tried[number], end)

    side_by_side(leave, range(len(tried)))


def test_a_run_that_only_its_devices_hold_goes_on() -> None:
    with Leaving("dropped_task", 2) as program:
        assert "6 tasks\n" in program.leaves().out


def test_a_run_that_nobody_holds_goes_without_a_crash() -> None:
    """As any task that nobody keeps, says asyncio's documentation."""
    with Leaving("dropped_idle_task", 2) as program:
        end = program.leaves()
    assert end.status == 0


def test_sys_exit_in_a_stage_is_a_failure_of_the_stage() -> None:
    with Leaving("sys_exit_in_a_stage", 2) as program:
        end = program.leaves()
    assert end.status == 1
    # The one line that is printed says where it was raised.
    assert re.fullmatch(r"culprit did not start: SystemExit: 3 at \S+leaving\.py:\d+\n", end.err)


# -- forked ------------------------------------------------------------------------------------------

CHILD = {
    "forked_that_exits": 6,
    "forked_that_collects": 6,
    "forked_that_runs_a_pipeline": 6,
    "forked_by_multiprocessing": 0,
}


def test_a_fork_in_the_midst_of_a_run_does_no_harm_on_either_side() -> None:
    tried = [name for name in CHILD for _ in range(count_of(10))]

    def fork(number: int) -> None:
        with Leaving(tried[number], number) as program:
            program.says(f"child: {CHILD[tried[number]]}\n").send(SIGINT)
            end = program.leaves()
        assert end.status == 0
        assert end.seconds < LIMIT_S

    side_by_side(fork, range(len(tried)))
