"""The stages of a scenario: each does what its specification says, and writes down what happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal

from properties.simulation.journal import Journal, Token
from properties.simulation.scenario import BREAKS, Branches, Shape, StageSpec
from voicepipe import (
    CancelFrame,
    DataFrame,
    DeviceLostError,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InterruptionFrame,
    ParallelPipeline,
    Pipeline,
    Processor,
    StartParams,
)
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.testing import VirtualLoop

__all__ = ["World", "built"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_HELD = 3
_ERRORS: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "CancelledError": asyncio.CancelledError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": SystemExit,
    "DeviceLostError": DeviceLostError,
}
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
        self._made = 0
        self._scope: asyncio.Task[object] | None = None
        self._broken = False

    def note(self, what: str, frame: Frame | None = None, direction: FrameDirection | None = None) -> None:
        self.world.journal.note(self.spec.name, what, frame, direction)

    def note_depth(self, waiting: int) -> None:
        deepest, name = self.world.journal.deepest, self.spec.name
        deepest[name] = max(deepest.get(name, 0), waiting)

    def token(self) -> Token:
        self._made += 1
        return Token(self.spec.name, self._made)

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
        raise _ERRORS.get(self.spec.what, ValueError)(f"{self.spec.name} fails on purpose")

    def request(self) -> Frame:
        """What it asks the task for."""
        self.note("asks")
        return _REQUESTS[self.spec.what]()

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
    return "report" if spec.does == "reports" or (spec.does == BREAKS and spec.nth % 2) else "fail"


class Inline(InlineProcessor):
    """A stage that never waits."""

    def __init__(self, spec: StageSpec, world: World) -> None:
        super().__init__(name=spec.name, on_error=_policy(spec))
        self.does = _Behaviour(spec, world)
        self._held: list[Frame] = []

    async def on_start(self, params: StartParams) -> None:
        self._held.clear()
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
        self.does.note("on_end done")
        return held

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
        due = does.is_due(frame, direction)
        if due:
            does.at_once()
        out: list[Frame] = [frame]
        if due and does.spec.does == "asks":
            out.insert(0, does.request())
        elif due and does.spec.does == "swallows":
            out = []
        elif does.spec.does == "holds" and isinstance(frame, DataFrame) and direction is _DOWN:
            self._held.append(frame)
            out = [self._held.pop(0)] if len(self._held) > _HELD else []
        does.note("done", frame, direction)
        return tuple(out)


class Waiting(FrameProcessor):
    """A stage that may wait."""

    def __init__(self, spec: StageSpec, world: World) -> None:
        super().__init__(name=spec.name, on_error=_policy(spec), mailbox=spec.mailbox)
        self.does = _Behaviour(spec, world)
        self._held: list[Frame] = []

    async def on_start(self, params: StartParams) -> None:
        self._held.clear()
        self.does.enter_scope()
        if self.does.spec.does == "early":
            await self._push(self.does.token(), _DOWN)
        await self.does.in_hook("on_start")

    async def on_running(self) -> None:
        if self.does.spec.does == "child":
            self.create_task(self._tick(), name="ticks")
        await self.does.in_hook("on_running")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.07)
            await self._push(self.does.token(), _DOWN)

    def on_ending(self) -> None:
        self.does.at_once_in("on_ending")

    def on_interruption(self) -> None:
        self.does.at_once_in("on_interruption")

    async def on_end(self) -> None:
        self.does.at_once_in("on_end")
        if self.does.spec.what == "on_end":
            await self.does.waits(self.does.spec.does.removesuffix(" in"))
        while self._held:
            await self._push(self._held.pop(0), _DOWN)
        self.does.note("on_end done")

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
            does.note_depth(len(self._seat.box.data))
        if does.is_due(frame, direction):
            does.at_once()
            if does.spec.does == "asks":
                await self.push_frame(does.request())
            await does.waits(does.spec.does)
            if does.spec.does == "swallows":
                does.note("done", frame, direction)
                return
        if isinstance(frame, DataFrame) and direction is _DOWN:
            await self._handle(frame)
        else:
            await self._push(frame, direction)
        does.note("done", frame, direction)

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


def built(shape: Shape, world: World) -> list[Processor]:
    """The processors of a shape."""
    return [_part(part, world) for part in shape]


def _part(part: StageSpec | Branches | Shape, world: World) -> Processor:
    if isinstance(part, StageSpec):
        return Inline(part, world) if part.inline else Waiting(part, world)
    if isinstance(part, Branches):
        return ParallelPipeline(*(built(branch, world) for branch in part.branches))
    return Pipeline(built(part, world))
