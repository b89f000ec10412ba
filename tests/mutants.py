"""Plants bugs in a copy of the source, one at a time, and shows that a test turns red for each.

    python tests/mutants.py                 # all of them, and a table
    python tests/mutants.py sink forgets    # those whose name has one of these words

A mutant is a piece of today's source and what stands there instead; one that no longer
applies is an error. The exit status is 1 if a mutant survives.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
RED_BY_TIMEOUT_S = 60


@dataclass(frozen=True)
class Mutant:
    """One planted bug."""

    name: str
    file: str
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: str
    """The test file, or the one test, that must turn red."""


LIFE, EVERY = "tests/test_life_cycle.py", "tests/test_every_step.py"

MUTANTS = (
    Mutant(
        "promise 1: a Sink that keeps the End to itself",
        "voicepipe/ends.py",
        "            self._down_queue(frame)\n        return True",
        "            self._down_queue(frame)\n        return False",
        "tests/test_promises.py::test_end_travels_through_the_sink_of_a_nested_pipeline",
    ),
    Mutant(
        "promise 2: a clean-up that forgets one element",
        "voicepipe/closing.py",
        "        nodes = self._run.chain.nodes\n",
        "        nodes = self._run.chain.nodes[1:]\n",
        "tests/test_promises.py::test_everything_is_cleaned_up_though_no_frame_arrives",
    ),
    Mutant(
        "cleanup() is forgotten for the last stage",
        "voicepipe/closing.py",
        'self._hooks("cleanup", self._run.chain.nodes)',
        'self._hooks("cleanup", self._run.chain.nodes[:-1])',
        "tests/test_promises.py",
    ),
    Mutant(
        "stages open from the first to the last",
        "voicepipe/opening.py",
        "reversed(nodes)",
        "nodes",
        f"{LIFE}::test_stages_open_from_the_last_to_the_first_and_close_in_reverse",
    ),
    Mutant(
        "capture begins before StartFrame has passed",
        "voicepipe/opening.py",
        "        await run.until(lambda: run.started or self._cut_short, self._deadline)\n",
        "        run.started = True\n",
        f"{LIFE}::test_start_frame_is_the_first_of_all_frames_and_capture_begins_behind_it",
    ),
    Mutant(
        "what is pushed before the start goes before StartFrame",
        "voicepipe/worker.py",
        "        self.down: Route | Sealed | Held = Held(label)",
        "        self.down: Route | Sealed | Held = self.past_down_later()",
        f"{LIFE}::test_start_frame_is_the_first_of_all_frames_and_capture_begins_behind_it",
    ),
    Mutant(
        "a failed start is not rolled back",
        "voicepipe/closing.py",
        "            if node.opened and overrides(",
        "            if node.opened and self._run.started and overrides(",
        f"{LIFE}::test_a_stage_that_fails_to_open_closes_what_was_opened_and_the_next_run_works",
    ),
    Mutant(
        "a cancel waits for the opening",
        "voicepipe/opening.py",
        "lambda: task.done() or self._cut_short",
        "lambda: task.done()",
        f"{LIFE}::test_cancel_while_something_opens_aborts_at_once_and_opens_nothing_more",
    ),
    Mutant(
        "the End overtakes data",
        "voicepipe/worker.py",
        "            self.box.put_down(frame)\n            return False",
        "            self.box.data.appendleft(frame)\n            self.box.wake()\n            return False",
        f"{LIFE}::test_end_comes_behind_all_data_exactly_once_and_nothing_after_it",
    ),
    Mutant(
        "the End goes before what on_end pushes",
        "voicepipe/worker.py",
        "                await self.processor.on_end()",
        "                self._pass(frame)\n                await self.processor.on_end()",
        f"{LIFE}::test_what_a_stage_holds_at_the_end_goes_before_the_end",
    ),
    Mutant(
        "an inline stage's held frames are lost at the End",
        "voicepipe/node.py",
        "                self.past_down.send_all(held)",
        "                pass",
        f"{LIFE}::test_what_a_stage_holds_at_the_end_goes_before_the_end",
    ),
    Mutant(
        "frames pass after the End",
        "voicepipe/worker.py",
        "        self.box.bypass = bypass\n        self._seal(reason)",
        "        self.box.bypass = bypass",
        f"{LIFE}::test_what_is_pushed_after_the_end_is_dropped_and_counted",
    ),
    Mutant(
        "queue_frame accepts after the End",
        "voicepipe/task.py",
        "        if run.state is not _RUNNING or run.request is not _NONE:",
        "        if run.state is not _RUNNING:",
        f"{LIFE}::test_queue_frame_says_no_after_the_end",
    ),
    Mutant(
        "the stall watch counts total time",
        "voicepipe/stall.py",
        "        mark = (worker.progress, worker.processor.progress(), worker.current)",
        "        mark = 1",
        f"{LIFE}::test_a_long_farewell_is_heard_to_its_end",
    ),
    Mutant(
        "a stuck stage is named, and not passed by",
        "voicepipe/run.py",
        "                worker.disable(DropReason.SHUTDOWN)\n                worker.stop()",
        "                return",
        f"{LIFE}::test_a_hanging_stage_is_named_with_its_line_and_passed_by",
    ),
    Mutant(
        "a cancel waits behind the End",
        "voicepipe/run.py",
        "            return self._drained or self.request is Request.CANCEL",
        "            return self._drained",
        f"{LIFE}::test_cancel_overtakes_a_pending_end_and_nothing_queued_is_processed_any_more",
    ),
    Mutant(
        "what is queued is still processed after a cancel",
        "voicepipe/closing.py",
        "            node.disable(reason, forward=False)",
        "            pass",
        f"{LIFE}::test_cancel_overtakes_a_pending_end_and_nothing_queued_is_processed_any_more",
    ),
    Mutant(
        "requests do not only escalate",
        "voicepipe/run.py",
        "        if request > self.request and not",
        "        if request is not self.request and not",
        f"{LIFE}::test_requests_only_escalate",
    ),
    Mutant(
        "an outer cancellation is swallowed",
        "voicepipe/task.py",
        "        if outer is not None:\n            raise outer\n",
        "",
        f"{LIFE}::test_outer_cancellation_closes_everything_and_is_raised_again",
    ),
    Mutant(
        "an outer cancellation does not wait for the closing",
        "voicepipe/task.py",
        '                    run.ask(Request.CANCEL, "outer cancellation")',
        '                    run.ask(Request.CANCEL, "outer cancellation")\n                    raise',
        f"{LIFE}::test_a_second_outer_cancellation_cannot_interrupt_the_closing",
    ),
    Mutant(
        "a cancelled driver forgets to close",
        "voicepipe/closing.py",
        "                pass  # closing has its own limits; a second cancel cannot interrupt it",
        "                raise",
        f"{LIFE}::test_cancelling_every_task_of_the_loop_cannot_interrupt_the_closing",
    ),
    Mutant(
        "an exception in a stage is only logged",
        "voicepipe/errorbook.py",
        "            self.failure = (stage, error)\n",
        "            pass\n",
        f"{LIFE}::test_an_exception_that_escapes_a_stage_ends_the_run_and_end_reaches_the_others",
    ),
    Mutant(
        "CancelledError inside a stage is a silent death",
        "voicepipe/worker.py",
        "        elif not (interrupted and self._cut is _Cut.STOP):",
        "        elif not interrupted:",
        f"{LIFE}::test_an_exception_that_escapes_a_stage_ends_the_run_and_end_reaches_the_others",
    ),
    Mutant(
        "child tasks are left running",
        "voicepipe/closing.py",
        "            tasks.update(dict.fromkeys(node.children, node))\n",
        "",
        f"{LIFE}::test_child_tasks_are_cancelled_and_awaited_when_the_run_closes",
    ),
    Mutant(
        "what refuses to stop is not named",
        "voicepipe/closing.py",
        "            self.abandoned.append(Abandoned(task.get_name(), where(task)))\n",
        "",
        f"{LIFE}::test_a_stage_that_swallows_its_cancellation_for_ever_is_abandoned_and_named",
    ),
    Mutant(
        "observers see no CancelFrame",
        "voicepipe/run.py",
        "            self.observe(CancelFrame(self.reason), _DOWN)",
        "            pass",
        f"{LIFE}::test_observers_are_shown_a_cancel_frame",
    ),
    Mutant(
        "frames of a run that never started are not counted",
        "voicepipe/run.py",
        "        self._never_started = len(self._early)\n",
        "",
        f"{LIFE}::test_cancel_before_the_start_opens_nothing_and_counts_what_was_queued",
    ),
    Mutant(
        "processors stay attached to a run that is over",
        "voicepipe/task.py",
        "            run.chain.detach()",
        "            pass",
        f"{LIFE}::test_a_second_run_of_the_same_task_is_refused_and_processors_may_run_again",
    ),
    Mutant(
        "a task may run twice",
        "voicepipe/task.py",
        "        if self._ran:",
        "        if False:",
        f"{LIFE}::test_a_second_run_of_the_same_task_is_refused_and_processors_may_run_again",
    ),
    Mutant(
        "a processor may be in two live pipelines",
        "voicepipe/chain.py",
        "            if other is not None:",
        "            if False:",
        "tests/test_bad_input.py::test_a_processor_in_two_live_pipelines_is_refused_before_anything_opens",
    ),
    Mutant(
        "a thread's request touches the loop directly",
        "voicepipe/task.py",
        "        if _running_loop() is run.loop:",
        "        if True:",
        f"{LIFE}::test_requests_may_come_from_any_thread",
    ),
    Mutant(
        "the End leaves a parallel pipeline with the first branch",
        "voicepipe/ends.py",
        "        if self._returned[type(frame)] == len(self.ports):",
        "        if self._returned[type(frame)] == 1:",
        "tests/test_parallel.py::test_the_end_leaves_when_the_slowest_branch_has_returned_it",
    ),
    Mutant(
        "a frame leaves a parallel pipeline with every branch",
        "voicepipe/ends.py",
        "        if counts[branch] <= counts[-1]:",
        "        if False:",
        "tests/test_parallel.py::test_every_branch_gets_the_same_object_and_it_leaves_once",
    ),
    Mutant(
        "an interruption drops everything",
        "voicepipe/worker.py",
        "self.box.purge(lambda frame: frame.interruptible)",
        "self.box.purge(lambda frame: True)",
        f"{LIFE}::test_interruption_while_the_pipeline_drains_leaves_the_end_alone",
    ),
    Mutant(
        "an interruption leaves its cancellation behind",
        "voicepipe/worker.py",
        "        self.task.uncancel()",
        "        pass",
        "tests/test_interruption.py::test_a_stage_that_keeps_the_cancellation_to_itself_goes_on_unharmed",
    ),
    Mutant(
        "a mailbox has no limit",
        "voicepipe/mailbox.py",
        "        return self if len(data) > self.capacity else None",
        "        return None",
        "tests/test_backpressure.py::test_a_pusher_waits_where_a_mailbox_downstream_is_full",
    ),
    Mutant(
        "upstream data has no limit",
        "voicepipe/mailbox.py",
        "        if len(self._upstream) > UPSTREAM_CAPACITY:",
        "        if False:",
        "tests/test_backpressure.py::test_upstream_never_waits_and_drops_its_oldest_data",
    ),
    Mutant(
        "system frames wait while their stage waits for room",
        "voicepipe/worker.py",
        "                entry = self.box.take_system() if own else None",
        "                entry = None",
        "tests/test_backpressure.py::test_a_stage_that_waits_for_room_still_handles_system_frames",
    ),
    Mutant(
        "the intake stays open while the pipeline drains",
        "voicepipe/run.py",
        "            node.ending()\n",
        "            pass\n",
        "tests/test_microphone.py",
    ),
    Mutant(
        "the microphone's ring is not drained at the End",
        "voicepipe/microphone.py",
        "            while await self._push_block(keeper):\n                pass",
        "            pass",
        "tests/test_microphone.py tests/test_devices_in_a_run.py",
    ),
    Mutant(
        "the End passes the speaker before its last sample has sounded",
        "voicepipe/speaker.py",
        "            await playback.drain()",
        "            pass",
        "tests/test_speaker.py tests/test_devices_in_a_run.py",
    ),
)


def plant(mutant: Mutant, folder: Path) -> None:
    """Change the copy.

    Raises:
        LookupError: the mutant does not apply to today's source.
    """
    path = folder / mutant.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise LookupError(
            f"{mutant.name}: stands {source.count(mutant.old)} times in {mutant.file}: {mutant.old!r}"
        )
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")


def turns_red(mutant: Mutant) -> str:
    """How its tests took it: "red", "red (hangs)", or "SURVIVES"."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "checkout"
        shutil.copytree(
            ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")
        )
        plant(mutant, folder)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-n0",
            "-p",
            "no:cacheprovider",
            *mutant.tests.split(),
        ]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, timeout=RED_BY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "red (hangs)"
        return {0: "SURVIVES", 1: "red"}.get(done.returncode, f"pytest failed: {done.stdout.decode()[-300:]}")


def main(words: list[str]) -> int:
    """Run the mutants whose name has one of the words, or all; print a table."""
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(turns_red, chosen))
    for mutant, result in zip(chosen, results, strict=True):
        print(f"{result:12} {mutant.name}  [{mutant.tests}]")
    survivors = sum(not result.startswith("red") for result in results)
    print(f"{len(chosen) - survivors} of {len(chosen)} red, in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
