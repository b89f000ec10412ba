"""Whatever a program and its devices do, in whatever order: a run keeps its promises, and the next one too.

Hypothesis makes the order, in virtual time; a failure prints the steps as a program.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.hypothesis_settings import repeatable
from support.stages import Recorder
from voicepipe import (
    AudioFrame,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InterruptionFrame,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
    TextFrame,
    VADProcessor,
)
from voicepipe.endpoints.kept_device import OnLoss
from voicepipe.frames import CancelFrame
from voicepipe.lifecycle import TRANSITIONS
from voicepipe.testing import SimulatedCard, VirtualLoop, assert_nothing_left, noise, take_census
from voicepipe.testing.rules import find_order_faults
from voicepipe_devices.fake.sides import Side

pytestmark = pytest.mark.heavy  # many examples, of what has tests of its own

CANCEL_S = 2.0
DRAIN_S = 13.5
"""The stall limit, and what a run with a live device may take beside what is left to play."""

LONG = noise(8.0).tobytes()

FAULTS: dict[str, Callable[[Side], None]] = {
    "unplug": lambda side: side.unplug(),
    "vanish": lambda side: side.vanish(),
    "replug": lambda side: side.replug(),
    "crash": lambda side: side.crash(),
    "stall": lambda side: side.stall(),
    "go on": lambda side: side.stall(False),
    "xrun": lambda side: side.xrun(500),
    "mute": lambda side: side.mute(),
    "unmute": lambda side: side.mute(False),
    "busy": lambda side: side.busy(),
    "free": lambda side: side.busy(False),
    "fail to start": lambda side: side.fail_start(),
    "start again": lambda side: side.fail_start(False),
    "slow": lambda side: side.slow_open(0.4),
}


class Thinks(FrameProcessor):
    """Waits a little over words and over what is long, and gives one word more at the end."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame) or (isinstance(frame, AudioFrame) and frame.duration_s > 0.1):
            await asyncio.sleep(0.3)
        await self.push_frame(frame, direction)

    async def on_end(self) -> None:
        await self.push_frame(TextFrame("goodbye"))


class Program(RuleBasedStateMachine):
    """A program with a microphone and a speaker, run again and again with the same processors."""

    @initialize(on_loss=st.sampled_from(["wait", "end", "fail"]), listens=st.booleans())
    def begin(self, on_loss: OnLoss, listens: bool) -> None:
        self.outside = take_census()
        self.loop = VirtualLoop()
        self.card = SimulatedCard(keep_s=1.0)
        self.recorder = Recorder()
        ear = MicrophoneInput(self.card.backend(), on_loss=on_loss)
        mouth = SpeakerOutput(self.card.backend(), on_loss=on_loss)
        between = [VADProcessor(), Loopback()] if listens else []
        self.pipeline = Pipeline([ear, *between, Thinks(), Pipeline([self.recorder]), mouth])
        self.before = self.in_loop(self.census())
        self.over_by = math.inf
        self.to_play_s = 0.0
        self.task: PipelineTask | None = None
        self.running: asyncio.Task[RunReport] | None = None

    # -- machinery ---------------------------------------------------------------

    def in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def census(self) -> Any:
        await asyncio.sleep(0)
        return take_census()

    def call(self, request: Callable[[], object], how: str) -> None:
        """Ask in the loop's thread, from another thread, or between two of the loop's steps."""
        if how == "loop":
            self.loop.call_soon(request)
        elif how == "thread":
            thread = threading.Thread(target=request)
            thread.start()
            thread.join()
        else:
            request()

    def asked(self, limit_s: float) -> None:
        """It is over by then; the harsher request sets the time."""
        self.over_by = min(self.over_by, self.loop.time() + limit_s)

    @property
    def runs(self) -> bool:
        return self.running is not None

    # -- rules -------------------------------------------------------------------

    @precondition(lambda self: not self.runs)
    @rule()
    def run(self) -> None:
        self.task = PipelineTask(self.pipeline)
        self.left: list[tuple[Frame, FrameDirection]] = []
        self.task.subscribe(lambda frame, direction: self.left.append((frame, direction)))
        self.recorder.events.clear()
        self.seen = [self.task.state]
        self.to_play_s = 0.0
        self.over_by = math.inf
        self.queueing: list[asyncio.Task[bool]] = []
        self.running = self.loop.create_task(self.task.run(), name="run")

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0, 3.0, 15.0]))
    def advance(self, seconds: float) -> None:
        self.in_loop(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([0.05, 0.5, 3.0]))
    def stand_still(self, seconds: float) -> None:
        self.loop.freeze(seconds)
        self.over_by += seconds

    @precondition(lambda self: self.runs)
    @rule(how=st.sampled_from(["loop", "thread", "between"]))
    def end(self, how: str) -> None:
        assert self.task is not None
        self.call(self.task.end, how)
        self.asked(DRAIN_S + self.to_play_s)

    @precondition(lambda self: self.runs)
    @rule(how=st.sampled_from(["loop", "thread", "between", "outside"]))
    def cancel(self, how: str) -> None:
        assert self.task is not None
        assert self.running is not None
        self.call(self.running.cancel if how == "outside" else self.task.cancel, how)
        self.asked(CANCEL_S)

    @precondition(lambda self: self.runs)
    @rule(how=st.sampled_from(["loop", "thread", "between"]))
    def interrupt(self, how: str) -> None:
        assert self.task is not None
        self.call(self.task.interrupt, how)

    @precondition(lambda self: self.runs)
    @rule(what=st.sampled_from(["words", "sound", "long sound", "end", "cancel", "interruption"]))
    def queue(self, what: str) -> None:
        frames: dict[str, Frame] = {
            "words": TextFrame("hello"),
            "sound": OutputAudioFrame(noise(0.2).tobytes()),
            "long sound": OutputAudioFrame(LONG),
            "end": EndFrame(),
            "cancel": CancelFrame(),
            "interruption": InterruptionFrame(),
        }
        assert self.task is not None
        self.queueing.append(self.loop.create_task(self.task.queue_frame(frames[what]), name="queue"))
        self.to_play_s += {"words": 0.3, "sound": 0.5, "long sound": 8.3}.get(what, 0.0)
        if what in ("end", "cancel"):
            self.asked(CANCEL_S if what == "cancel" else DRAIN_S + self.to_play_s)

    @rule(side=st.sampled_from(["mic", "speaker"]), fault=st.sampled_from(sorted(FAULTS)))
    def fault(self, side: str, fault: str) -> None:
        async def happen() -> None:
            FAULTS[fault](getattr(self.card, side))

        self.in_loop(happen())

    @rule(seconds=st.sampled_from([0.1, 2.0]), last=st.booleans())
    def hear(self, seconds: float, last: bool) -> None:
        self.card.mic.hear(noise(seconds))
        self.to_play_s += seconds
        if last:
            self.card.mic.run_out()

    # -- what always holds -------------------------------------------------------------

    @invariant()
    def the_state_moves_only_forward_and_by_the_table(self) -> None:
        if getattr(self, "task", None) is None or self.task is None:
            return
        state = self.task.state
        if state is not self.seen[-1]:
            assert state in reachable(self.seen[-1]), f"{self.seen[-1]} -> {state}"
            self.seen.append(state)

    @invariant()
    def the_books_balance_at_any_time(self) -> None:
        report = self.task.report if getattr(self, "task", None) and self.task else None
        if report is not None:
            assert all(seam.balanced for seam in report.seams), report.seams

    @invariant()
    def what_was_asked_for_happens_in_time(self) -> None:
        if not getattr(self, "running", None) or self.running is None:
            return
        if self.running.done():
            self.over()
        else:
            assert self.loop.time() <= self.over_by + 0.5, f"it runs on: {self.task and self.task.where()}"

    # -- the end of a run ----------------------------------------------------------------

    def over(self) -> None:
        """Everything is closed: nothing is left, nothing is held, nobody had to be forced."""
        running, self.running = self.running, None
        assert running is not None
        assert self.task is not None
        self.in_loop(asyncio.sleep(0))
        assert all(queueing.done() for queueing in self.queueing), (
            "a queue_frame() waits for a run that is over"
        )
        failed = None if running.cancelled() else running.exception()
        assert failed is None or isinstance(failed, PipelineError), failed
        assert_nothing_left(self.before, self.in_loop(self.census()))
        assert not self.card.mic.is_open
        assert not self.card.speaker.is_open
        report = self.task.report
        if report is None:  # cancelled before it began
            return
        assert report.state.is_final
        assert all(seam.balanced and seam.held == 0 for seam in report.seams), report.seams
        assert not report.forced
        assert not report.abandoned
        assert report.state is not RunState.ENDED or not report.slow
        assert list(find_order_faults(self.left, report.state)) == []
        assert self.recorder.events.count("cleanup") == self.recorder.events.count("start")

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            if self.running is not None and self.task is not None:
                self.task.cancel()
                self.in_loop(asyncio.wait([self.running], timeout=CANCEL_S + 0.5))
                assert self.running.done(), f"it runs on: {self.task.where()}"
                self.over()
        finally:
            self.loop.close()
        assert_nothing_left(self.outside)


def reachable(state: RunState) -> set[RunState]:
    """Every state that can come after this one."""
    found: set[RunState] = set()
    todo = [state]
    while todo:
        here = todo.pop()
        for (origin, _), after in TRANSITIONS.items():
            if origin is here and after not in found:
                found.add(after)
                todo.append(after)
    return found


TestAProgram = Program.TestCase
# A failure is shown as it was found: making it shorter takes minutes. For that, take `phases` out.
TestAProgram.settings = repeatable(80, stateful_step_count=30, phases=[Phase.explicit, Phase.generate])
