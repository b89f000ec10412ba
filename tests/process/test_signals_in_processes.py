"""What signals do to a whole program: its exit status, how soon it ends, and what it says."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from signal import SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2

import pytest

from process.running import Ended, Program, ended, state_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: looks into /proc")

CANCEL_S = 2.0
"""What the life cycle promises for a cancel."""
SLACK_S = 3.0
"""For a machine with other things to do."""
DEV = ("-X", "dev", "-W", "error")


# -- the first signal: everything is heard ------------------------------------------------


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP])
def test_one_signal_ends_and_everything_queued_is_heard(number: signal.Signals) -> None:
    end = ended("speaking", number)
    assert (end.status, end.err) == (0, "")
    assert "heard 8000 of 8000 samples" in end.out
    assert f": {number.name}\n" in end.out


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_one_signal_during_the_start_ends_the_run_after_it(number: signal.Signals) -> None:
    end = ended("opening", number, until="opening")
    assert (end.status, end.err) == (0, "")
    assert "opened" in end.out
    assert "run program ended after" in end.out


def test_a_signal_before_the_tasks_run_counts() -> None:
    with Program("before_the_tasks") as program:
        end = program.end()
    assert (end.status, end.err) == (0, "")
    assert ": SIGINT\n" in end.out


def test_one_signal_and_a_stage_that_hangs_ends_at_the_stall_limit() -> None:
    end = ended("hanging", SIGINT)
    assert end.status == 1  # it was passed by
    assert "culprit stood still for" in end.out
    assert end.seconds < 0.3 + 1 + SLACK_S


# -- the second: cancelled -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (SIGINT, SIGINT, 130),
        (SIGTERM, SIGTERM, 143),
        (SIGHUP, SIGHUP, 129),
        (SIGINT, SIGTERM, 143),
        (SIGTERM, SIGINT, 130),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_second_signal_while_draining_cancels(
    first: signal.Signals, second: signal.Signals, status: int
) -> None:
    with Program("draining") as program:
        program.says("ready").send(first).says("draining").send(second)
        end = program.end()
    assert (end.status, end.err) == (status, "")
    assert "run program cancelled" in end.out
    assert end.seconds < CANCEL_S + SLACK_S


@pytest.mark.parametrize(("number", "status"), [(SIGINT, 130), (SIGTERM, 143)])
def test_two_signals_during_the_start_cancel_it(number: signal.Signals, status: int) -> None:
    end = ended("never_open", number, number, until="opening")
    assert (end.status, end.err) == (status, "")
    assert end.seconds < CANCEL_S + SLACK_S


@pytest.mark.parametrize(("number", "status"), [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130)])
def test_an_end_that_takes_longer_than_its_limit_becomes_a_cancel(
    number: signal.Signals, status: int
) -> None:
    end = ended("draining", number)
    assert end.status == status
    assert f"{number.name}, and 0.3 s were not enough to end" in end.out
    assert "the end has taken 0.3 s, the limit drain_s: cancelling (busy: Drains at " in end.err
    assert end.seconds < 0.3 + CANCEL_S + SLACK_S


@pytest.mark.heavy
def test_sigterm_hears_a_sentence_of_22_s_out() -> None:
    """Longer than the 20 s that an end once had in all."""
    with Program("speaking_long") as program:
        end = program.says("ready").send(SIGTERM).end(takes_s=30.0)
    assert (end.status, end.err) == (0, "")
    assert "heard 352000 of 352000 samples" in end.out
    assert end.seconds > 20


def test_a_second_sigterm_cuts_a_long_sentence_at_once() -> None:
    end = ended("speaking_long", SIGTERM, SIGTERM)
    assert end.status == 143
    assert end.seconds < CANCEL_S + SLACK_S


def test_a_stage_that_swallows_its_cancellation_is_named_and_the_process_ends() -> None:
    end = ended("swallowing", SIGINT, SIGINT)
    assert end.status == 130
    assert "refused to stop: program:culprit:stage at " in end.out
    (line,) = end.err.splitlines()
    assert line.startswith("left behind: abandoned: program:culprit:stage")
    assert end.seconds < CANCEL_S + SLACK_S


# -- the third: at once ----------------------------------------------------------------------


def at_once(end: Ended, number: signal.Signals = SIGINT) -> bool:
    assert end.err.endswith(f"\nvoicepipe: a third signal, {number.name}: the process ends at once\n")
    return end.status == 128 + number and end.seconds < SLACK_S


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP])
def test_a_third_signal_ends_a_process_that_is_closing(number: signal.Signals) -> None:
    with Program("swallowing_patiently") as program:
        program.says("ready").send(number).says("ending").send(number).says("cancelling").send(number)
        end = program.end()
    assert at_once(end, number)


def test_a_third_signal_ends_a_process_whose_loop_is_blocked() -> None:
    assert at_once(ended("sleeping", SIGINT, SIGINT, SIGINT))


def test_a_third_signal_ends_a_process_that_is_stuck_in_c() -> None:
    assert at_once(ended("locked", SIGINT, SIGINT, SIGINT))


def test_a_third_signal_ends_a_process_whose_stderr_is_full() -> None:
    read, write = os.pipe()
    try:
        os.write(write, bytes(fcntl.fcntl(write, fcntl.F_GETPIPE_SZ)))
        # The watchdog waits for room to say what blocks the loop.
        with Program("sleeping", stderr=write) as program:
            end = program.says("ready").send(SIGINT, SIGINT, SIGINT).end()
    finally:
        os.close(read)
        os.close(write)
    assert end.status == 130
    assert end.seconds < SLACK_S


# -- a loop that is blocked -------------------------------------------------------------------


def test_a_blocked_loop_is_named_and_the_run_ends_when_the_call_returns() -> None:
    with Program("blocking") as program:
        program.says("ready").says(" in block < ", on="err")
        end = program.send(SIGINT).write("x").end()
    assert end.status == 0
    # On a busy machine what comes before and after may take as long as the watchdog's limit, too.
    (line,) = [line for line in end.err.splitlines() if " in block < " in line]
    assert line.startswith("culprit has blocked the event loop for ")
    assert "s at programs.py:" in line
    assert "culprit stood still" in end.out


def test_a_process_that_was_stopped_has_not_blocked_its_loop() -> None:
    with Program("watched") as program:
        program.says("ready")
        os.kill(program.pid, signal.SIGSTOP)
        program.wait_until(lambda: state_of(program.pid) == "T")
        time.sleep(0.8)  # twice the watchdog's limit
        os.kill(program.pid, signal.SIGCONT)
        end = program.send(SIGINT).end()
    assert (end.status, end.err) == (0, "")


# -- failures -----------------------------------------------------------------------------------


def test_a_failing_stage_is_one_line_on_stderr_and_status_1() -> None:
    end = ended("failing")
    assert end.status == 1
    (line,) = end.err.splitlines()
    assert "culprit" in line
    assert r"ValueError: no such voice\nin this house" in line


def test_a_failed_start_is_one_line_on_stderr_and_status_1() -> None:
    end = ended("failing_to_open")
    assert end.status == 1
    (line,) = end.err.splitlines()
    assert "Culprit" in line
    assert "OSError: no such device" in line


# -- what holds a process -------------------------------------------------------------------------


def test_a_thread_that_refuses_to_end_does_not_hold_main() -> None:
    end = ended("in_a_thread", SIGINT, SIGINT)
    assert end.status == 130
    assert end.err.splitlines()[-1] == "the process ends in spite of voicepipe:executor_0"
    assert end.seconds < CANCEL_S + 1 + SLACK_S


@pytest.mark.parametrize("flags", [(), DEV], ids=["plain", "dev"])
def test_what_a_stage_leaves_behind_is_named_and_does_not_hold_main(flags: tuple[str, ...]) -> None:
    end = ended("leaving_things_behind", SIGINT, flags=flags)
    assert end.status == 0
    task, generator, thread, held = end.err.splitlines()
    assert task.startswith("a stage left behind: forgotten task (forever) at ")
    assert generator.startswith("a stage left behind: leaving_things_behind.<locals>.generator at ")
    assert thread.startswith("left behind: threads: forgotten thread (")
    assert held == "the process ends in spite of forgotten thread"
    assert "the generator was closed" in end.out


# -- whose handlers --------------------------------------------------------------------------------


def test_asyncio_has_its_own_ctrl_c_back_after_serve() -> None:
    with Program("own_loop") as program:
        program.says("ready").send(SIGINT).says("status 0, put back: True").send(SIGINT)
        end = program.end()
    assert (end.status, end.err) == (0, "")
    assert end.out.endswith("KeyboardInterrupt\n")


def test_one_signal_ends_two_runners_in_one_loop() -> None:
    with Program("two_runners") as program:
        end = program.says("ready", times=2).send(SIGINT).end()
    assert (end.status, end.err) == (0, "")
    assert end.out.endswith("[0, 0]\n")


def test_the_loops_own_signal_handlers_work_beside_the_runner_and_after_it() -> None:
    with Program("beside_a_handler") as program:
        program.says("ready").send(SIGUSR1).says("usr1")
        program.send(SIGINT).says("status 0")
        program.says("ready", times=2).send(SIGUSR2).says("usr2").send(SIGUSR1).says("usr1", times=2)
        program.send(SIGINT).says("status 0", times=2)
        program.send(SIGUSR1).says("usr1", times=3).send(SIGUSR2).says("usr2", times=2)
        end = program.send(SIGINT).end()
    assert (end.status, end.err) == (0, "")
    assert end.out.endswith("KeyboardInterrupt\n")


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    with Program("waiting", shell='trap "" INT; exec "$@"', SIGINT_IGNORED="yes") as program:
        end = program.says("ready").send(SIGINT, SIGINT, SIGINT, SIGTERM).end()
    assert (end.status, end.err) == (0, "")
    assert ": SIGTERM\n" in end.out
    assert "SIGINT" not in end.out


def test_a_forked_child_has_signals_of_its_own() -> None:
    with Program("forking") as program:
        program.says("child ")
        child = int(program.out.partition("child ")[2].split()[0])
        os.kill(child, SIGINT)
        program.says("the child is gone").send(SIGINT)
        end = program.end()
    assert (end.status, end.err) == (0, "")
    assert ": SIGINT\n" in end.out


# -- signals that are not handled ---------------------------------------------------------------------


def test_ctrl_c_that_is_not_handled_closes_everything_and_is_raised() -> None:
    end = ended("not_handled", SIGINT)
    assert (end.status, end.err) == (3, "")
    assert "run program cancelled" in end.out


def test_ctrl_c_that_is_not_handled_is_status_130_of_main() -> None:
    end = ended("not_handled_in_main", SIGINT)
    assert (end.status, end.err) == (130, "")


# -- output that nobody reads ----------------------------------------------------------------------


def test_a_stdout_whose_reader_has_gone_changes_nothing() -> None:
    read, write = os.pipe()
    with Program("unread", stdout=write) as program:
        os.close(write)
        program.says("ready", on="err")
        os.close(read)
        end = program.send(SIGINT).end()
    assert (end.status, end.err) == (0, "ready\n")


@pytest.mark.parametrize(
    ("name", "signals", "status"),
    [
        ("swallowing_patiently", (SIGINT, SIGINT, SIGINT), 130),
        ("in_a_thread", (SIGTERM, SIGTERM), 143),
        ("leaving_things_behind", (SIGINT,), 0),
        ("failing", (), 1),
    ],
)
@pytest.mark.parametrize("stderr", ["closed", "without a reader"])
def test_a_stderr_that_is_gone_changes_nothing(
    name: str, signals: tuple[signal.Signals, ...], status: int, stderr: str
) -> None:
    read, write = os.pipe()
    os.close(read)
    with Program(name, stderr=write, shell='exec "$@" 2>&-' if stderr == "closed" else "") as program:
        os.close(write)
        if signals:
            program.says("ready")
        assert program.send(*signals).end().status == status


# -- the interpreter -------------------------------------------------------------------------------


def test_ctrl_c_while_the_interpreter_ends_says_nothing() -> None:
    end = ended("ending", SIGINT, until="at the end")
    assert (end.status, end.err) == (-SIGINT, "")


@pytest.mark.parametrize("flags", [(), DEV], ids=["plain", "dev"])
def test_twenty_runs_in_one_process_leave_it_as_it_was(flags: tuple[str, ...]) -> None:
    end = ended("many_runs", flags=flags)
    *log, last = end.out.splitlines()
    assert (end.status, last, end.err) == (0, "flat", "")
    assert all(" opened at " in line for line in log)


def test_nothing_is_said_in_development_mode() -> None:
    """asyncio's debug mode, and every warning an error."""
    with Program("speaking", *DEV) as speaking, Program("draining", *DEV) as draining:
        speaking.says("ready").send(SIGINT)
        draining.says("ready").send(SIGINT).says("draining").send(SIGINT)
        ends = speaking.end(), draining.end()
    assert [(end.status, end.err) for end in ends] == [(0, ""), (130, "")]
