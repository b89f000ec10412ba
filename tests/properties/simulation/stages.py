"""The stages of a scenario: each does what its specification says, and writes down what happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal

from properties.simulation.journal import Answer, Journal, Ping, Token
from properties.simulation.scenario import BREAKS, FORGETS, GATHERS, STRAYS, Branches, Shape, StageSpec
from properties.simulation.telling import Telling
from voicepipe import (
    AudioFrame,
    CancelFrame,
    DataFrame,
    DeviceLostError,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    InterruptionFrame,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    Processor,
    StartParams,
    SystemFrame,
)
from voicepipe.audio.channels import set_channels
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.testing import VirtualLoop

__all__ = ["Stereo", "World", "built"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_HELD = 3
_ERRORS: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "CancelledError": asyncio.CancelledError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": SystemExit,
    "DeviceLostError": DeviceLostError,
}


def _refuse(_: object) -> str:
    raise KeyboardInterrupt("its text raises")


_UNPRINTABLE: dict[type[BaseException], type[BaseException]] = {
    kind: type(f"Unprintable{kind.__name__}", (kind,), {"__str__": _refuse, "__repr__": _refuse})
    for kind in _ERRORS.values()
}
"""For each kind of error one whose text raises."""
_REQUESTS: dict[str, type[Frame]] = {
    "EndFrame": EndFrame,
    "CancelFrame": CancelFrame,
    "InterruptionFrame": InterruptionFrame,
}


class World:
    """What the stages of a scenario share."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.journal = Journal(loop.time)
        self.released = asyncio.Event()
        """Set when all runs are over: whoever refused to stop gives up now."""


class _Behaviour:
    """What both kinds of stage do at a moment that their specification names."""

    def __init__(self, spec: StageSpec, world: World) -> None:
        self.spec = spec
        self.world = world
        self.seen = 0
        """Data frames that came downstream."""
        self.telling = Telling(spec.name, spec.manners.tells, world.journal)
        self._made = 0
        self._scope: asyncio.Task[object] | None = None
        self._broken = False

    def note(self, what: str, frame: Frame | None = None, direction: FrameDirection | None = None) -> None:
        self.world.journal.note(self.spec.name, what, frame, direction)

    def note_depth(self, waiting: Iterable[Frame]) -> None:
        """Note how much waits in the mailbox: so many seconds of live audio, and so many other frames."""
        journal, name = self.world.journal, self.spec.name
        live_s, others = 0.0, 0
        for frame in waiting:
            if isinstance(frame, AudioFrame) and frame.live:
                live_s += frame.num_samples / frame.rate
            else:
                others += 1
        journal.deepest[name] = max(journal.deepest.get(name, 0), others)
        journal.longest_s[name] = max(journal.longest_s.get(name, 0.0), live_s)

    def token(self) -> Token:
        self._made += 1
        return Token(self.spec.name, self._made)

    def line(self) -> int:
        """The number of the journal's lines: when some work begins."""
        return len(self.world.journal.entries)

    def answer(self, begun: int) -> Answer:
        """Make an answer on which the work began at that line."""
        self._made += 1
        return Answer(self.spec.name, self._made, begun)

    def is_due(self, frame: Frame, direction: FrameDirection) -> bool:
        """Whether this is the frame with which it happens. Counts."""
        if not isinstance(frame, DataFrame) or direction is not _DOWN:
            return False
        self.seen += 1
        if self.spec.does in ("swallows", "reports"):
            return self.seen > self.spec.nth and self.seen % 2 == 0
        return self.seen == self.spec.nth + 1

    def at_once(self) -> None:
        """What happens at a frame, as far as it takes no time."""
        does = self.spec.does
        if does in ("raises", "reports"):
            self.fail()
        if does == "freezes":
            self.note("freezes")
            self.world.loop.freeze(self.spec.seconds)
        if does == BREAKS:
            self.note("raises")
            self._cancel_scope()

    def enter_scope(self) -> None:
        """Remember the task of `on_start`, as a cancel scope does."""
        self._scope = asyncio.current_task()

    def _cancel_scope(self) -> None:
        """Cancel the task of the scope now and in every turn, as anyio does until the scope is left."""
        if self._scope is not None:
            self._broken = True
            self._scope.cancel()
            self.world.loop.call_soon(self._cancel_scope)

    def leave_scope(self) -> None:
        """Leave the scope, which only its own task may do."""
        scope, self._scope = self._scope, None
        if scope is not asyncio.current_task() and not self.spec.does.startswith("stubborn"):
            self.world.journal.outrages.append(f"{self.spec.name}: cleanup in another task than on_start")
        if self._broken:
            self._broken = False
            raise ConnectionError("the scope broke down")

    def fail(self) -> None:
        self.note("raises")
        kind = _ERRORS.get(self.spec.what, ValueError)
        raise (_UNPRINTABLE[kind] if self.spec.nth == 1 else kind)(f"{self.spec.name} fails on purpose")

    async def stray(self) -> None:
        """End by a CancelledError that nobody asked for, as the work of a task."""
        self.note("raises")
        raise asyncio.CancelledError

    def request(self) -> Frame:
        """What it asks the task for."""
        self.note("asks")
        return _REQUESTS[self.spec.what]()

    def request_interruption(self) -> Frame:
        """Ask the task for an interruption."""
        self.note("asks")
        return InterruptionFrame()

    def at_once_in(self, hook: str) -> None:
        """A hook is called."""
        self.note(hook)
        if self.spec.does == "raises in" and self.spec.what == hook:
            self.fail()

    async def in_hook(self, hook: str) -> None:
        """A hook that may wait."""
        self.at_once_in(hook)
        if self.spec.what == hook:
            await self.waits(self.spec.does.removesuffix(" in"))
        self.note(f"{hook} done")

    async def waits(self, does: str) -> None:
        """Hang, refuse to stop for so long, or take so long."""
        if does == "hangs":
            self.note("hangs")
            await asyncio.Event().wait()
        elif does == "stubborn":
            self.note("refuses to stop")
            await self._stubborn()
        elif does == "slow":
            await asyncio.sleep(self.spec.seconds)

    async def _stubborn(self) -> None:
        loop, released = self.world.loop, self.world.released
        until = loop.time() + self.spec.seconds
        while loop.time() < until and not released.is_set():
            waiting = loop.create_task(released.wait(), name=f"{self.spec.name} refuses")
            try:
                await asyncio.wait([waiting], timeout=until - loop.time())
            except asyncio.CancelledError:
                self.note("swallows its cancellation")
            finally:
                waiting.cancel()


def _policy(spec: StageSpec) -> Literal["fail", "report"]:
    """Report errors, or fail. A scope that breaks down fails its stage under either policy."""
    return (
        "report" if spec.does in ("reports", "fumbles") or (spec.does == BREAKS and spec.nth % 2) else "fail"
    )


class Inline(InlineProcessor):
    """A stage that never waits."""

    def __init__(self, spec: StageSpec, world: World) -> None:
        super().__init__(name=spec.name, on_error=_policy(spec))
        self.does = _Behaviour(spec, world)
        self._held: list[Frame] = []

    async def on_start(self, params: StartParams) -> None:
        self._held.clear()
        self.does.telling.begin()
        self.does.enter_scope()
        await self.does.in_hook("on_start")

    async def on_running(self) -> None:
        await self.does.in_hook("on_running")

    def on_ending(self) -> None:
        self.does.at_once_in("on_ending")

    def on_interruption(self) -> None:
        self.does.at_once_in("on_interruption")

    def on_end(self) -> Iterable[Frame]:
        self.does.at_once_in("on_end")
        held, self._held = self._held, []
        if self.does.spec.manners.tells == "ends":
            held.append(self.does.telling.fact())
            self.does.telling.note(held[-1], _DOWN)
        self.does.note("on_end done")
        return held

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        self.does.note("knows", fact, direction)

    async def on_cancel(self) -> None:
        await self.does.in_hook("on_cancel")

    async def cleanup(self) -> None:
        try:
            self.does.leave_scope()
        finally:
            await self.does.in_hook("cleanup")

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        does = self.does
        does.note("took", frame, direction)
        if does.telling.is_fact(frame):
            return self._process_fact(frame, direction)
        due = does.is_due(frame, direction)
        if due:
            does.at_once()
        if due and does.spec.does == STRAYS:
            self.create_task(does.stray(), name="strays")
        elif due and does.spec.does == FORGETS:
            does.note("raises")
            self.cleanup()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
        out: list[Frame] = [frame]
        if due and does.spec.does == "asks":
            out.insert(0, does.request())
        elif due and does.spec.does == "swallows":
            out = []
        elif does.spec.does == "holds" and isinstance(frame, DataFrame) and direction is _DOWN:
            self._held.append(frame)
            out = [self._held.pop(0)] if len(self._held) > _HELD else []
        elif does.spec.does == GATHERS and isinstance(frame, InputAudioFrame):
            out = self._gather(frame)
        out = [*does.telling.of_data(frame, direction), *out]  # at once, before the frame
        does.note("done", frame, direction)
        return tuple(out)

    def _gather(self, frame: InputAudioFrame) -> list[Frame]:
        """Keep live audio until there is enough of it."""
        self._held.append(frame)
        if frame.num_samples * len(self._held) < self.does.spec.seconds * frame.rate:
            return []
        out, self._held = self._held, []
        return out

    def _process_fact(self, fact: Frame, direction: FrameDirection) -> Iterable[Frame]:
        out = self.does.telling.of_fact(fact, direction)
        for made in out:
            if made is not fact:
                self.does.telling.note(made, direction)
        self.does.note("done", fact, direction)
        return tuple(out)


class Waiting(FrameProcessor):
    """A stage that may wait."""

    def __init__(self, spec: StageSpec, world: World) -> None:
        manners = spec.manners
        super().__init__(
            name=spec.name, on_error=_policy(spec), mailbox=spec.mailbox, mailbox_s=manners.mailbox_s
        )
        self.takes = manners.classes
        self.does = _Behaviour(spec, world)
        self._stood = False
        self._facts = 0
        """Those that it has handled."""
        self.may_take_s = spec.may_take_s
        self._held: list[Frame] = []
        self._ended = False

    async def on_start(self, params: StartParams) -> None:
        self._held.clear()
        self._ended = self._stood = False
        self.does.telling.begin()
        self.does.enter_scope()
        await self.does.telling.at_start(self.push_frame)
        if self.does.spec.does == "early":
            await self._push(self.does.token(), _DOWN)
        await self.does.in_hook("on_start")

    async def on_running(self) -> None:
        if self.does.spec.does == "child":
            self.create_task(self._tick(), name="ticks")
        if self.does.spec.does == "floods":
            self.create_task(self._flood(), name="floods")
        if self.does.spec.manners.tells == "ticks":
            self.create_task(self.does.telling.tick(self.push_frame), name="tells")
        await self.does.in_hook("on_running")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.07)
            await self._push(self.does.token(), _DOWN)

    async def _flood(self) -> None:
        """Push now and then, and after the End without a pause of its own."""
        while True:
            if self._ended:
                await self.push_frame(self.does.token())
            else:
                await asyncio.sleep(0.07)
                await self._push(self.does.token(), _DOWN)

    def on_ending(self) -> None:
        self.does.at_once_in("on_ending")

    def on_interruption(self) -> None:
        self.does.at_once_in("on_interruption")

    async def on_end(self) -> None:
        self._ended = True
        self.does.at_once_in("on_end")
        if self.does.spec.what == "on_end":
            await self.does.waits(self.does.spec.does.removesuffix(" in"))
        while self._held:
            await self._push(self._held.pop(0), _DOWN)
        await self.does.telling.at_end(self.push_frame)
        self.does.note("on_end done")

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        self.does.note("knows", fact, direction)

    async def on_cancel(self) -> None:
        await self.does.in_hook("on_cancel")

    async def cleanup(self) -> None:
        try:
            self.does.leave_scope()
        finally:
            await self.does.in_hook("cleanup")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        does = self.does
        does.note("took", frame, direction)
        if isinstance(self._seat, TaskSeat):
            does.note_depth(self._seat.box.data)
        begun = does.line()
        if does.is_due(frame, direction):
            does.at_once()
            if does.spec.does == "asks":
                await self.push_frame(does.request())
            elif does.spec.does == STRAYS:
                self.create_task(does.stray(), name="strays")
            elif does.spec.does == FORGETS:
                does.note("raises")
                self.push_frame(does.token())  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
            await does.waits(does.spec.does)
            if does.spec.does == "swallows":
                does.note("done", frame, direction)
                return
        if isinstance(frame, DataFrame) and direction is _DOWN:
            await self._mind_manners(frame, direction, begun)
            await self._handle(frame)
        elif isinstance(frame, SystemFrame):
            await self._handle_system(frame, direction)
        else:
            await self._push(frame, direction)
        does.note("done", frame, direction)

    async def _mind_manners(self, frame: Frame, direction: FrameDirection, begun: int) -> None:
        """Stand, tell facts, begin an answer for later, or interrupt the program and go on."""
        does, manners = self.does, self.does.spec.manners
        if manners.stands_s and does.seen == manners.stands_at and not self._stood:
            self._stood = True
            await asyncio.sleep(manners.stands_s)
        await does.telling.at_data(self.push_frame, frame, direction)
        if manners.answers_s and does.seen % 4 == 1:
            self.create_task(self._answer_later(begun), name="answers")
        if manners.interrupts and does.seen == manners.interrupts:
            await self._interrupt()

    async def _answer_later(self, begun: int) -> None:
        await asyncio.sleep(self.does.spec.manners.answers_s)
        await self._push(self.does.answer(begun), _DOWN)

    async def _interrupt(self) -> None:
        """Ask for an interruption; what it pushes then belongs to the answer after it."""
        await self.push_frame(self.does.request_interruption())
        self.does.note("interrupted")
        begun = self.does.line()
        for _ in range(3):
            await self._push(self.does.answer(begun), _DOWN)
            await asyncio.sleep(0.01)

    async def _handle_system(self, frame: SystemFrame, direction: FrameDirection) -> None:
        """Take time over it, wait for room with it, or fail with it, perhaps while a push waits."""
        spec = self.does.spec
        if self.does.telling.is_fact(frame):
            self._facts += 1
            if spec.does == "deliberates" and self._facts % 16 == 1:  # of many, the End never came
                await asyncio.sleep(spec.seconds)
            await self.does.telling.handle(self.push_frame, frame, direction)
            return
        if spec.does == "deliberates":
            await asyncio.sleep(spec.seconds)
            if not isinstance(frame, ErrorFrame):  # an error may be about such a token: it would never end
                await self._push(self.does.token(), _DOWN)
        elif spec.does == "fumbles" and isinstance(frame, Ping):
            self.does.fail()
        await self._push(frame, direction)

    async def _handle(self, frame: DataFrame) -> None:
        spec = self.does.spec
        if spec.does == "slow":
            await asyncio.sleep(spec.seconds)
        elif spec.does == "answers":
            await self._push(self.does.token(), _UP)
        elif spec.does == "tells" and self.does.seen % 5 == 0:
            await self._push(ErrorFrame(f"{spec.name} tells"), _UP)
        elif spec.does == "holds":
            self._held.append(frame)
            if len(self._held) <= _HELD:
                return
            frame = self._held.pop(0)  # type: ignore[assignment]
        await self._push(frame, _DOWN)

    async def _push(self, frame: Frame, direction: FrameDirection) -> None:
        self.does.note("gave", frame, direction)
        await self.push_frame(frame, direction)


class Stereo(InlineProcessor):
    """Gives live sound to the speaker in two channels, as a stage with a format of its own does."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if not isinstance(frame, OutputAudioFrame) or not frame.live:
            return (frame,)
        data = set_channels(frame.data, 1, 2)
        return (OutputAudioFrame(data, frame.rate, 2, frame.position, frame.captured_s, live=True),)


def built(shape: Shape, world: World) -> list[Processor]:
    """The processors of a shape."""
    return [_part(part, world) for part in shape]


def _part(part: StageSpec | Branches | Shape, world: World) -> Processor:
    if isinstance(part, StageSpec):
        return Inline(part, world) if part.inline else Waiting(part, world)
    if isinstance(part, Branches):
        return ParallelPipeline(*(built(branch, world) for branch in part.branches))
    return Pipeline(built(part, world))
