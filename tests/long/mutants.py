"""Plants bugs in a copy of the source, one at a time, and shows what turns red for each.

    python tests/long/mutants.py                 # all of them, and a table
    python tests/long/mutants.py sink forgets    # those whose name has one of these words

A mutant is a piece of today's source and what stands there instead; one that no longer applies is an error.
Each must turn a seed of the simulation red within 500, or says why the simulation cannot see it; and the
tests that are named for it. The exit status is 1 if one survives.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from long.service_mutants import SERVICE_MUTANTS

ROOT = Path(__file__).parents[2]
RED_BY_TIMEOUT_S = 60
SEEDS = 500


@dataclass(frozen=True)
class Mutant:
    """One planted bug."""

    name: str
    file: str
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: str = ""
    """The test files, or the one test, that must turn red; empty where the simulation is enough."""
    unseen: str = ""
    """Why no seed of the simulation shows it; empty: one must."""


LIFE, CLOSING = "tests/run/test_life_cycle.py", "tests/run/test_closing.py"
AT_ONCE = "tests/test_at_once.py"

MUTANTS = (
    Mutant(
        "promise 1: a Sink that keeps the End to itself",
        "voicepipe/pipeline/ends.py",
        "            self._down_queue(frame)\n        return True",
        "            self._down_queue(frame)\n        return False",
        "tests/rules/test_promises.py::test_end_travels_through_the_sink_of_a_nested_pipeline",
    ),
    Mutant(
        "promise 2: a clean-up that forgets one element",
        "voicepipe/run/closing.py",
        "        nodes = self._run.chain.nodes\n",
        "        nodes = self._run.chain.nodes[1:]\n",
        "tests/rules/test_promises.py::test_everything_is_cleaned_up_though_no_frame_arrives",
    ),
    Mutant(
        "cleanup() is forgotten for the last stage",
        "voicepipe/run/closing.py",
        'self._hooks("cleanup", self._run.chain.nodes)',
        'self._hooks("cleanup", self._run.chain.nodes[:-1])',
        "tests/rules/test_promises.py",
    ),
    Mutant(
        "stages open from the first to the last",
        "voicepipe/run/opening.py",
        "reversed(nodes)",
        "nodes",
        f"{LIFE}::test_stages_open_from_the_last_to_the_first_and_close_in_reverse",
    ),
    Mutant(
        "capture begins before StartFrame has passed",
        "voicepipe/run/opening.py",
        "        await run.until(lambda: run.started or self._cut_short, self._deadline)\n",
        "        run.started = True\n",
        f"{LIFE}::test_start_frame_is_the_first_of_all_frames_and_capture_begins_behind_it",
    ),
    Mutant(
        "what is pushed before the start goes before StartFrame",
        "voicepipe/pipeline/task_seat.py",
        "        super().open()\n        process = ",
        "        super().open()\n        self.down, self.up = self.past_down, self.past_up\n"
        "        process = ",
        f"{LIFE}::test_start_frame_is_the_first_of_all_frames_and_capture_begins_behind_it",
    ),
    Mutant(
        "a failed start is not rolled back",
        "voicepipe/run/closing.py",
        "            if node.opened and overrides(",
        "            if node.opened and self._run.started and overrides(",
        f"{LIFE}::test_a_stage_that_fails_to_open_closes_what_was_opened_and_the_next_run_works",
    ),
    Mutant(
        "a cancel waits for the opening",
        "voicepipe/run/opening.py",
        "            return task.done() or self._cut_short",
        "            return task.done()",
        f"{LIFE}::test_cancel_while_something_opens_aborts_at_once_and_opens_nothing_more",
    ),
    Mutant(
        "the End overtakes data",
        "voicepipe/pipeline/task_seat.py",
        "            self.box.put_down(frame)\n            return False",
        "            self.box.data.appendleft(frame)\n            self.box.wake()\n            return False",
        f"{LIFE}::test_end_comes_behind_all_data_exactly_once_and_nothing_after_it",
    ),
    Mutant(
        "the End goes before what on_end pushes",
        "voicepipe/pipeline/task_seat.py",
        "                await self.processor.on_end()",
        "                self._pass(frame)\n                await self.processor.on_end()",
        f"{LIFE}::test_what_a_stage_holds_at_the_end_goes_before_the_end",
    ),
    Mutant(
        "an inline stage's held frames are lost at the End",
        "voicepipe/pipeline/seat.py",
        "                self.past_down.send_all(held)",
        "                pass",
        f"{LIFE}::test_what_a_stage_holds_at_the_end_goes_before_the_end",
    ),
    Mutant(
        "frames pass after the End",
        "voicepipe/pipeline/task_seat.py",
        "        self.box.bypass = bypass\n        self._seal(reason)",
        "        self.box.bypass = bypass",
        f"{LIFE}::test_what_is_pushed_after_the_end_is_dropped_and_counted",
        unseen="a run closes as soon as its last stage has ended: nobody is left to push",
    ),
    Mutant(
        "queue_frame accepts after the End",
        "voicepipe/run/task.py",
        "        if run.state is not _RUNNING or run.request is not _NONE:",
        "        if run.state is not _RUNNING:",
        f"{LIFE}::test_queue_frame_says_no_after_the_end",
    ),
    Mutant(
        "the stall watch counts total time",
        "voicepipe/run/stall.py",
        "        mark = _mark(worker)",
        "        mark = 1",
        f"{LIFE}::test_a_long_farewell_is_heard_to_its_end",
    ),
    Mutant(
        "a stuck stage is named, and not passed by",
        "voicepipe/run/run.py",
        "                worker.pass_by()",
        "                return",
        f"{LIFE}::test_a_hanging_stage_is_named_with_its_line_and_passed_by",
    ),
    Mutant(
        "a cancel waits behind the End",
        "voicepipe/run/run.py",
        "            return self._drained or self.request is Request.CANCEL",
        "            return self._drained",
        f"{LIFE}::test_cancel_overtakes_a_pending_end_and_nothing_queued_is_processed_any_more",
    ),
    Mutant(
        "what is queued is still processed after a cancel",
        "voicepipe/run/closing.py",
        "            node.disable(reason, forward=False)",
        "            pass",
        f"{LIFE}::test_cancel_overtakes_a_pending_end_and_nothing_queued_is_processed_any_more",
    ),
    Mutant(
        "requests do not only escalate",
        "voicepipe/run/run.py",
        "        if request > self.request and not",
        "        if request is not self.request and not",
        f"{LIFE}::test_requests_only_escalate",
    ),
    Mutant(
        "an outer cancellation is swallowed",
        "voicepipe/run/task.py",
        "        if outer is not None:\n            raise outer\n",
        "",
        f"{LIFE}::test_outer_cancellation_closes_everything_and_is_raised_again",
    ),
    Mutant(
        "an outer cancellation does not wait for the closing",
        "voicepipe/run/task.py",
        '                    run.ask(Request.CANCEL, "outer cancellation")',
        '                    run.ask(Request.CANCEL, "outer cancellation")\n                    raise',
        f"{LIFE}::test_a_second_outer_cancellation_cannot_interrupt_the_closing",
    ),
    Mutant(
        "a cancelled driver forgets to close",
        "voicepipe/run/closing.py",
        "                pass  # closing has its own limits; a second cancel cannot interrupt it",
        "                raise",
        f"{LIFE}::test_cancelling_every_task_of_the_loop_cannot_interrupt_the_closing",
    ),
    Mutant(
        "an exception in a stage is only logged",
        "voicepipe/run/failures.py",
        "            self.failure = (stage, error)\n",
        "            pass\n",
        f"{LIFE}::test_an_exception_that_escapes_a_stage_ends_the_run_and_end_reaches_the_others",
    ),
    Mutant(
        "CancelledError inside a stage is a silent death",
        "voicepipe/pipeline/task_seat.py",
        "        elif not (interrupted and self._cut is _Cut.STOP):",
        "        elif not interrupted:",
        f"{LIFE}::test_an_exception_that_escapes_a_stage_ends_the_run_and_end_reaches_the_others",
    ),
    Mutant(
        "child tasks are left running",
        "voicepipe/run/closing.py",
        "            tasks.update(dict.fromkeys(node.children, node))\n",
        "",
        f"{LIFE}::test_child_tasks_are_cancelled_and_awaited_when_the_run_closes",
    ),
    Mutant(
        "what refuses to stop is not named",
        "voicepipe/run/closing.py",
        "            self.abandoned.append(Abandoned(task.get_name(), where(task)))\n",
        "",
        f"{LIFE}::test_a_stage_that_swallows_its_cancellation_for_ever_is_abandoned_and_named",
    ),
    Mutant(
        "observers see no CancelFrame",
        "voicepipe/run/run.py",
        "            self.observe(CancelFrame(self.reason), _DOWN)",
        "            pass",
        f"{LIFE}::test_observers_are_shown_a_cancel_frame",
    ),
    Mutant(
        "frames of a run that never started are not counted",
        "voicepipe/run/run.py",
        "        self._never_started = len(self._early)\n",
        "",
        f"{LIFE}::test_cancel_before_the_start_opens_nothing_and_counts_what_was_queued",
    ),
    Mutant(
        "processors stay attached to a run that is over",
        "voicepipe/run/task.py",
        "            run.chain.detach()",
        "            pass",
        f"{LIFE}::test_a_second_run_of_the_same_task_is_refused_and_processors_may_run_again",
    ),
    Mutant(
        "a task may run twice",
        "voicepipe/run/task.py",
        "        if self._ran:",
        "        if False:",
        f"{LIFE}::test_a_second_run_of_the_same_task_is_refused_and_processors_may_run_again",
    ),
    Mutant(
        "a processor may be in two live pipelines",
        "voicepipe/pipeline/chain.py",
        "            if other is not None:",
        "            if False:",
        "tests/pipeline/test_bad_input.py::test_a_processor_in_two_live_pipelines_is_refused_before_anything_opens",
    ),
    Mutant(
        "a thread's request touches the loop directly",
        "voicepipe/run/task.py",
        "        if _running_loop() is run.loop:",
        "        if True:",
        f"{LIFE}::test_requests_may_come_from_any_thread",
    ),
    Mutant(
        "the End leaves a parallel pipeline with the first branch",
        "voicepipe/pipeline/junction.py",
        "        if self._returned[type(frame)] == len(self.ports):",
        "        if self._returned[type(frame)] == 1:",
        "tests/pipeline/test_parallel.py::test_the_end_leaves_when_the_slowest_branch_has_returned_it",
    ),
    Mutant(
        "a frame leaves a parallel pipeline with every branch",
        "voicepipe/pipeline/junction.py",
        "        if counts[branch] <= counts[-1]:",
        "        if False:",
        "tests/pipeline/test_parallel.py::test_every_branch_gets_the_same_object_and_it_leaves_once",
    ),
    Mutant(
        "an interruption drops everything",
        "voicepipe/pipeline/task_seat.py",
        "self.box.purge(lambda frame: frame.interruptible)",
        "self.box.purge(lambda frame: True)",
        f"{LIFE}::test_interruption_while_the_pipeline_drains_leaves_the_end_alone",
    ),
    Mutant(
        "an interruption leaves its cancellation behind",
        "voicepipe/pipeline/task_seat.py",
        "        self.task.uncancel()",
        "        pass",
        "tests/pipeline/test_interruption.py::test_a_stage_that_keeps_the_cancellation_to_itself_goes_on_unharmed",
        unseen="only a stage that asks its own task, as asyncio.timeout does, is misled",
    ),
    Mutant(
        "what comes while a stage is busy is handled inside it",
        "voicepipe/pipeline/task_seat.py",
        "        box.reader = None  # what is put meanwhile waits\n",
        "",
        AT_ONCE,
    ),
    Mutant(
        "what a stage began at once is forgotten",
        "voicepipe/pipeline/task_seat.py",
        "            self._begun = _Begun(coroutine, waits_for)",
        "            pass",
        AT_ONCE,
    ),
    Mutant(
        "a stage that is begun at once runs as its pusher's task",
        "voicepipe/pipeline/task_seat.py",
        "        _enter_task(loop, task)",
        "        _enter_task(loop, pusher or task)",
        AT_ONCE,
        unseen="it takes a stage that asks for its own task",
    ),
    Mutant(
        "a stage that only pushes keeps the loop to itself",
        "voicepipe/pipeline/task_seat.py",
        "        self._turns -= 1\n",
        "",
        f"{AT_ONCE}::test_a_stage_that_only_pushes_lets_others_have_the_loop",
        unseen="no stage of a scenario pushes without an end",
    ),
    Mutant(
        "stages run inside each other as deep as a chain is long",
        "voicepipe/pipeline/task_seat.py",
        " or run.depth >= _DEEPEST",
        "",
        f"{AT_ONCE}::test_a_chain_of_hundreds_of_stages_does_not_grow_the_stack",
        unseen="it takes a hundred stages in a row",
    ),
    Mutant(
        "a cancellation before the task goes on ends the task's wait alone",
        "voicepipe/pipeline/task_seat.py",
        "                        self._begun.cancelled = error\n",
        "                        del error\n",
        AT_ONCE,
        unseen="it takes a stage that cancels its own task",
    ),
    Mutant(
        "what was put while a stage was busy at once does not wake it",
        "voicepipe/pipeline/task_seat.py",
        "box.bypass is None and box.is_empty and not self._look:\n",
        "box.bypass is None and not self._look:\n",
        AT_ONCE,
    ),
    Mutant(
        "a mailbox has no limit",
        "voicepipe/pipeline/mailbox.py",
        "        return self if len(data) > self.capacity else None",
        "        return None",
        "tests/pipeline/test_backpressure.py::test_a_pusher_waits_where_a_mailbox_downstream_is_full",
    ),
    Mutant(
        "upstream data has no limit",
        "voicepipe/pipeline/mailbox.py",
        "        if len(self._upstream) > UPSTREAM_CAPACITY:",
        "        if False:",
        "tests/pipeline/test_backpressure.py::test_upstream_never_waits_and_drops_its_oldest_data",
        unseen="it takes more than 256 frames that nobody handles",
    ),
    Mutant(
        "system frames wait while their stage waits for room",
        "voicepipe/pipeline/task_seat.py",
        "                entry = self.box.take_system() if own else None",
        "                entry = None",
        "tests/pipeline/test_backpressure.py::test_a_stage_that_waits_for_room_still_handles_system_frames",
        unseen="they come later, and no rule says when",
    ),
    Mutant(
        "the intake stays open while the pipeline drains",
        "voicepipe/run/run.py",
        "            node.ending()\n",
        "            pass\n",
        "tests/endpoints/test_microphone.py",
    ),
    Mutant(
        "the microphone's ring is not drained at the End",
        "voicepipe/endpoints/microphone.py",
        "            while await self._push_block(keeper):\n                pass",
        "            pass",
        "tests/endpoints/test_microphone.py tests/endpoints/test_both_in_a_run.py",
    ),
    Mutant(
        "the End passes the speaker before its last sample has sounded",
        "voicepipe/endpoints/speaker.py",
        "            await playback.drain()",
        "            pass",
        "tests/endpoints/test_speaker.py tests/endpoints/test_both_in_a_run.py",
    ),
    Mutant(
        "an opening that was given up goes on",
        "voicepipe/run/opening.py",
        "        return self._run.state is not RunState.OPENING",
        "        return False",
        f"{CLOSING}::test_an_opening_that_was_given_up_opens_nothing_more",
    ),
    Mutant(
        "an End that hangs in on_end is lost",
        "voicepipe/pipeline/task_seat.py",
        "        if isinstance(held, (StartFrame, EndFrame)):\n            self._pass(held)",
        "        pass",
        f"{CLOSING}::test_an_end_that_a_stage_hangs_with_goes_past_it",
    ),
    Mutant(
        "two interruptions chase each other",
        "voicepipe/run/run.py",
        "        self._interruptions.add(interruption)",
        "        self._interruptions = WeakSet[Frame]([interruption])",
    ),
    Mutant(
        "closing counts the time in which the loop stands still",
        "voicepipe/run/closing.py",
        "            seconds -= min(loop.time() - began_s, most_s)",
        "            seconds -= loop.time() - began_s",
        f"{CLOSING}::test_a_loop_that_stands_still_while_the_run_closes_takes_no_time_from_it",
        unseen="a hook is begun and cut short all the same: only a slow one is the worse for it",
    ),
    Mutant(
        "a cancel does not hurry a close that has begun",
        "voicepipe/run/closing.py",
        "            if not hurried and",
        "            if False and",
        f"{CLOSING}::test_a_cancel_hurries_a_close_that_has_begun",
    ),
    Mutant(
        "a report shows the books of the run before",
        "voicepipe/pipeline/task_seat.py",
        "        own = self.processor.seams() if self.opened else []",
        "        own = self.processor.seams()",
        f"{CLOSING}::test_a_run_that_never_opened_reports_no_books_of_the_run_before",
    ),
    Mutant(
        "a stage that failed counts as forced",
        "voicepipe/run/closing.py",
        " and not worker.stopping:",
        ":",
        f"{CLOSING}::test_a_stage_that_fails_when_it_hears_of_the_end_has_not_to_be_forced",
    ),
    Mutant(
        "data leaves a parallel pipeline before StartFrame",
        "voicepipe/pipeline/junction.py",
        "        if self._waits_for_start is not None:",
        "        if False:",
        "tests/pipeline/test_parallel.py::test_nothing_leaves_before_start_frame_which_waits_for_the_slowest_branch",
    ),
    Mutant(
        "frames are accepted between an early end and the start",
        "voicepipe/run/task.py",
        "        if self._asked or (",
        "        if (",
        f"{LIFE}::test_queue_frame_says_no_after_an_end_before_the_start",
    ),
    Mutant(
        "a second cancel begins the closing anew",
        "voicepipe/run/task.py",
        "                    outer = cancelled\n",
        "                    if outer is not None:\n                        driver.cancel()\n"
        "                        raise\n                    outer = cancelled\n",
    ),
    Mutant(
        "an exception in a stage is seen by nobody",
        "voicepipe/pipeline/task_seat.py",
        "            self._drop(frame, reason_of(error))\n            self.raised(error)",
        "            self._drop(frame, reason_of(error))",
    ),
    Mutant(
        "the device's callback touches the loop",
        "devices/voicepipe_devices/ring.py",
        "            self._loop.call_soon_threadsafe(self._open)",
        "            self._loop.call_soon(self._open)",
    ),
    Mutant(
        "the watch over a device does not look again",
        "devices/voicepipe_devices/device_watch.py",
        "            self._changed(ratio)\n        else:\n            self._look_later()",
        "            self._changed(ratio)",
    ),
    Mutant(
        "a microphone has a second for its first block",
        "devices/voicepipe_devices/streams.py",
        "    _first_s = FIRST_S\n",
        "",
        "tests/backends/test_fake.py::test_a_microphone_has_two_seconds_for_its_first_block_and_one_for_the_next",
        unseen="the simulation's microphones begin at once, or not at all",
    ),
    Mutant(
        "a microphone's thread is in real time before its first block",
        "devices/voicepipe_devices/sound_process/sides.py",
        "        with without_real_time():\n            self.handle.start()\n",
        "        self.handle.start()\n",
        "tests/backends/test_sound_process.py::test_a_microphone_takes_real_time_with_its_first_block",
        unseen="there are no threads in it",
    ),
    Mutant(
        "the watch over a device sleeps",
        "devices/voicepipe_devices/device_watch.py",
        "        if self._calls != self._seen:",
        "        if True:",
    ),
    Mutant(
        "the watch over a device goes on after its close",
        "devices/voicepipe_devices/streams.py",
        "        self._closing = self._loop.create_future()\n        self._watch.stop()",
        "        self._closing = self._loop.create_future()",
    ),
    Mutant(
        "a lost stream is never closed",
        "voicepipe/endpoints/kept_device.py",
        "        self._let_go(stream)\n        self._close_later(stream)",
        "        self._let_go(stream)",
    ),
    Mutant(
        "a handle is lost when its opening is cancelled",
        "voicepipe/endpoints/kept_device.py",
        "of a stage that it closed\n            await stream.close()",
        "of a stage that it closed",
    ),
    Mutant(
        "the loss of a device is told to nobody",
        "voicepipe/endpoints/kept_device.py",
        "        await self._push(DeviceLostFrame(",
        "        _ = (DeviceLostFrame(",
    ),
    Mutant(
        "callbacks come after the close",
        "devices/voicepipe_devices/fake/sides.py",
        '        """Close it, if that stream still has it."""\n        handle.stop()',
        '        """Close it, if that stream still has it."""',
    ),
    Mutant(
        "what is in the speaker's queue is lost at the End",
        "devices/voicepipe_devices/streams.py",
        "        while self.ring.queued:\n",
        "        while False:\n",
    ),
    Mutant(
        "a flush is forgotten",
        "voicepipe/endpoints/playback.py",
        "        self.drop_pending(DropReason.INTERRUPTED)\n        if self._stream is not None:\n",
        "        self.drop_pending(DropReason.INTERRUPTED)\n        if False:\n",
    ),
    Mutant(
        "the start limit counts while a device is absent",
        "voicepipe/run/opening.py",
        "                self._deadline = run.loop.time() + run.limits.start_s\n",
        "                pass\n",
        "tests/run/test_patience.py",
        "its runs are not patient",
    ),
    Mutant(
        "an end does not end the waiting for a device",
        "voicepipe/run/opening.py",
        "        return run.params.patient and run.request is Request.END and self._waits",
        "        return False",
        "tests/run/test_patience.py::test_it_ends_at_once_while_it_waits",
        "its runs are not patient",
    ),
    Mutant(
        "the speaker's clock is not looked at",
        "voicepipe/endpoints/playback.py",
        "        since_s = self._since_s(now_s)\n",
        "        since_s = None\n",
        "tests/endpoints/test_steady.py::test_clocks_that_agree_change_no_sample",
        "its rules measure no latency",
    ),
    Mutant(
        "what a steady speaker leaves out is not counted",
        "voicepipe/endpoints/playback.py",
        "            self._dropped[DropReason.LATE] += frame.num_samples\n",
        "",
        "tests/drift/test_lateness.py",
        "its speakers are not steady",
    ),
    Mutant(
        "a slower stage is late for good",
        "voicepipe/drift/lateness.py",
        "            self._begin(now_s)\n\n    def _remember",
        "            pass\n\n    def _remember",
        "tests/drift/test_lateness.py::test_a_stage_that_takes_longer_from_now_on_costs_a_second",
        "its speakers are not steady",
    ),
    Mutant(
        "a full ring forgets what it loses",
        "devices/voicepipe_devices/ring.py",
        "            self._lost += len(oldest.data) // self.format.sample_bytes",
        "            pass",
    ),
    Mutant(
        "the intake of the ring is never closed",
        "devices/voicepipe_devices/ring.py",
        "        if not self._open:\n            return\n        samples",
        "        samples",
    ),
    Mutant(
        "the speaker's mailbox hands over what it keeps in its own books too",
        "voicepipe/endpoints/speaker.py",
        "        self.take_charge()",
        "        pass",
    ),
    Mutant(
        "cleanup is called though on_start never began",
        "voicepipe/run/closing.py",
        "            if node.opened and overrides(",
        "            if overrides(",
    ),
    Mutant(
        "a pusher is not woken when a mailbox empties",
        "voicepipe/pipeline/mailbox.py",
        "            queue.clear()\n        self._wake_pushers()\n        return everything",
        "            queue.clear()\n        return everything",
    ),
    Mutant(
        "an interruption is not passed on to the stages",
        "voicepipe/run/run.py",
        "        for node in self.chain.nodes:\n            node.interrupt()",
        "        pass",
    ),
    Mutant(
        "a stream that is closed stays in the census",
        "devices/voicepipe_devices/streams.py",
        "            unregister_stream(self)",
        "            pass",
    ),
    *(Mutant(*each, unseen="the simulation has no service manager") for each in SERVICE_MUTANTS),
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


def first_red_seed(mutant: Mutant) -> str:
    """What the simulation says of it: "seed N: the rule that it breaks", or "" where no seed turns red."""
    with planted(mutant) as folder:
        path = os.pathsep.join(str(folder / part) for part in ("", "devices", "tests"))
        command = [sys.executable, "tests/long/simulate.py", str(SEEDS), "--first-red"]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode and not done.stdout:  # ended from outside: it hung
        return [line for line in done.stderr.splitlines() if line.startswith("seed ")][-1] + ": hangs"
    return done.stdout.strip()


def turns_red(mutant: Mutant) -> str:
    """How its tests took it: "red", "red (hangs)", or "SURVIVES"."""
    with planted(mutant) as folder:
        options = ["-x", "-q", "-n0", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *options, *mutant.tests.split()]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, timeout=RED_BY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "red (hangs)"
        return {0: "SURVIVES", 1: "red"}.get(done.returncode, f"pytest failed: {done.stdout.decode()[-300:]}")


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path]:
    """A copy of the checkout with the bug in it. Raises: LookupError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "checkout"
        leave = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=leave)
        plant(mutant, folder)
        yield folder


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    seed: str
    """What the simulation said; empty where nothing."""
    tests: str
    """What its tests said; empty where there are none."""

    @property
    def is_caught(self) -> bool:
        """By all that should."""
        return bool(self.seed or self.mutant.unseen) and (
            self.tests.startswith("red") or not self.mutant.tests
        )

    def __str__(self) -> str:
        seed = self.seed or (f"(unseen: {self.mutant.unseen})" if self.mutant.unseen else "SURVIVES")
        tests = f"{self.tests}: {self.mutant.tests}" if self.tests else "(no test of its own)"
        return f"{self.mutant.name}\n    {seed.splitlines()[0][:150]}\n    {tests}"


def verdict(mutant: Mutant) -> Verdict:
    """Plant it, and look."""
    seed = "" if mutant.unseen else first_red_seed(mutant)
    return Verdict(mutant, seed, turns_red(mutant) if mutant.tests else "")


def main(arguments: list[str]) -> int:
    """Look at the mutants whose name has one of the words, or at all; print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="mutants whose name has it; default: all")
    parser.add_argument("--list", action="store_true", help="only the names")
    options = parser.parse_args(arguments)
    words: list[str] = options.words
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    if not chosen:
        parser.error(f"no mutant has {' or '.join(words)} in its name: --list shows them")
    if options.list:
        print(*(mutant.name for mutant in chosen), sep="\n")
        return 0
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = []
        for each in pool.map(verdict, chosen):
            print(each, flush=True)
            verdicts.append(each)
    seen = sum(bool(each.seed) for each in verdicts)
    caught = sum(each.is_caught for each in verdicts)
    print(f"{caught} of {len(chosen)} caught, {seen} by a seed, in {time.monotonic() - began:.0f} s")
    return caught < len(chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
