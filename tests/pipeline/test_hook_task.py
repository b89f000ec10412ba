"""Whatever a stage enters in `on_start` it can leave in `cleanup`, however the run ends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterable

import anyio
import pytest

from support.sound import virtual_loop
from support.stages import Ends, InlineRecorder, Recorder, forever, stubborn
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    RunState,
    StartParams,
    TextFrame,
)

WAITING, INLINE = "mailbox", "inline"
KINDS = [WAITING, INLINE]
_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Scope:
    """What a client library enters: told when it is entered and left, and in which tasks."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None] | None] = []
        self.cancelling: list[int] = []
        self.stack = contextlib.AsyncExitStack()

    async def enter(self) -> None:
        self.note()

    async def leave(self) -> None:
        self.note()
        await self.stack.aclose()

    def note(self) -> None:
        task = asyncio.current_task()
        self.tasks.append(task)
        self.cancelling.append(0 if task is None else task.cancelling())


class AnyioGroup(Scope):
    """As an MCP client: a task group with a child that reads for ever."""

    async def enter(self) -> None:
        await super().enter()
        self.group = anyio.create_task_group()
        await self.group.__aenter__()
        self.group.start_soon(anyio.sleep_forever)

    async def leave(self) -> None:
        self.note()
        self.group.cancel_scope.cancel()
        await self.group.__aexit__(None, None, None)


class AnyioDeadline(Scope):
    async def enter(self) -> None:
        await super().enter()
        self.stack.enter_context(anyio.move_on_after(3600))


class AsyncioGroup(Scope):
    async def enter(self) -> None:
        await super().enter()
        group = await self.stack.enter_async_context(asyncio.TaskGroup())
        self.child = group.create_task(forever())

    async def leave(self) -> None:
        self.child.cancel()
        await super().leave()


class AsyncioTimeout(Scope):
    async def enter(self) -> None:
        await super().enter()
        await self.stack.enter_async_context(asyncio.timeout(3600))


class Generator(Scope):
    """A generator that holds a group open over its yield, as most async context managers do."""

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            yield
            group.cancel_scope.cancel()

    async def enter(self) -> None:
        await super().enter()
        await self.stack.enter_async_context(self._session())


class ContextVariable(Scope):
    async def enter(self) -> None:
        await super().enter()
        self.stack.callback(_who.reset, _who.set("the stage"))


SCOPES: list[type[Scope]] = [
    AnyioGroup,
    AnyioDeadline,
    AsyncioGroup,
    AsyncioTimeout,
    Generator,
    ContextVariable,
]


class Waiting(FrameProcessor):
    def __init__(self, scope: Scope, name: str = "client") -> None:
        super().__init__(name=name)
        self.scope = scope
        self.frames = 0

    async def on_start(self, params: StartParams) -> None:
        await self.scope.enter()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.frames += 1
        self.scope.note()
        await self.push_frame(frame, direction)

    async def on_end(self) -> None:
        self.scope.note()

    async def cleanup(self) -> None:
        await self.scope.leave()


class Inline(InlineProcessor):
    def __init__(self, scope: Scope, name: str = "client") -> None:
        super().__init__(name=name)
        self.scope = scope
        self.frames = 0

    async def on_start(self, params: StartParams) -> None:
        await self.scope.enter()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        self.frames += 1
        return (frame,)

    async def cleanup(self) -> None:
        await self.scope.leave()


def client(kind: str, scope: Scope, name: str = "client") -> Waiting | Inline:
    return Waiting(scope, name) if kind == WAITING else Inline(scope, name)


class Fails(Recorder):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        raise ValueError("on purpose")


class DoesNotStart(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        raise ValueError("on purpose")


class NeverStarts(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await forever()


class Stuck(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await forever()


def later(seconds: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


async def feed(task: PipelineTask) -> None:
    for _ in range(3):
        await task.queue_frame(TextFrame("hello"))
        await asyncio.sleep(0.1)


async def run_to_its_end(task: PipelineTask, how: str) -> object:
    """Run the task, and return its state or the type of what it raised."""
    if how in ("end", "cancel", "interrupt"):
        later(0.15, task.interrupt)
        later(0.2, task.cancel if how == "cancel" else task.end)
    feeding = asyncio.create_task(feed(task))
    running = asyncio.create_task(task.run())
    if how == "outer cancellation":
        later(0.2, running.cancel)
    try:
        return (await running).state
    except (PipelineError, asyncio.CancelledError) as error:
        return type(error)
    finally:
        await feeding


ENDS: dict[str, tuple[Callable[[], FrameProcessor], object]] = {
    "end": (Recorder, RunState.ENDED),
    "interrupt": (Recorder, RunState.ENDED),
    "cancel": (Recorder, RunState.CANCELLED),
    "outer cancellation": (Recorder, asyncio.CancelledError),
    "another stage fails": (Fails, PipelineError),
    "another stage does not start": (DoesNotStart, PipelineStartError),
    "another stage never starts": (NeverStarts, PipelineStartError),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", SCOPES)
async def test_what_on_start_enters_cleanup_leaves(scope: type[Scope], kind: str, how: str) -> None:
    other, expected = ENDS[how]
    stage = client(kind, scope())
    task = PipelineTask(Pipeline([other(), stage]))
    assert await run_to_its_end(task, how) is expected
    assert len(set(stage.scope.tasks)) == 1
    assert set(stage.scope.cancelling) == {0}
    assert task.report is not None
    assert [error for error in task.report.errors if error.stage == "client"] == []


async def test_every_hook_and_frame_sees_the_context_of_on_start() -> None:
    seen: list[str] = []

    class Asks(Waiting):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            seen.append(_who.get())

        async def on_end(self) -> None:
            seen.append(_who.get())

    task = PipelineTask(Pipeline([Asks(ContextVariable())]))
    assert await run_to_its_end(task, "end") is RunState.ENDED
    assert len(seen) >= 4  # three frames and the hook
    assert set(seen) == {"the stage"}


class _BreaksDown(AnyioGroup):
    async def enter(self) -> None:
        await super().enter()

        async def read() -> None:
            await asyncio.sleep(0.25)
            raise ConnectionError("the other side is gone")

        self.group.start_soon(read)

    async def leave(self) -> None:
        self.note()
        await self.group.__aexit__(None, None, None)


@pytest.mark.parametrize("policy", ["fail", "report"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_scope_that_breaks_down_fails_its_stage_with_what_broke(kind: str, policy: str) -> None:
    """anyio cancels the task of the scope in every turn of the loop until the scope is left."""
    stage, other = client(kind, _BreaksDown()), client(kind, AnyioGroup(), "other")
    stage.on_error = policy  # type: ignore[assignment]
    before, behind = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([before, stage, other, behind]))
    feeding = asyncio.create_task(feed(task))
    with pytest.raises(PipelineError, match="client failed") as caught:
        await task.run()
    await feeding
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.__cause__.subgroup(ConnectionError) is not None
    assert len(stage.scope.tasks) == len([t for t in stage.scope.tasks if t is stage.scope.tasks[0]])
    assert before.events == ["start", "end", "cleanup"]
    assert behind.events == ["start", "end", "cleanup"]
    assert [error.stage for error in caught.value.report.errors] == ["client"]  # type: ignore[union-attr]


async def test_a_scope_that_breaks_down_while_a_frame_is_handled_fails_its_stage() -> None:
    class Slow(Waiting):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(1)

    behind = Recorder("behind")
    task = PipelineTask(Pipeline([Slow(_BreaksDown()), behind]))
    feeding = asyncio.create_task(feed(task))
    with pytest.raises(PipelineError, match="client failed"):
        await task.run()
    await feeding
    assert behind.events == ["start", "end", "cleanup"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_scope_that_is_cancelled_cancels_no_other_stage(kind: str) -> None:
    first, second = client(kind, AnyioGroup(), "first"), client(kind, AnyioGroup(), "second")
    behind = Recorder("behind")
    task = PipelineTask(Pipeline([first, second, behind]))
    ends = Ends(task)
    await_start = asyncio.create_task(ends.started.wait())
    running = asyncio.create_task(task.run())
    await await_start
    first.scope.group.cancel_scope.cancel()  # type: ignore[attr-defined]
    with pytest.raises(PipelineError, match=r"first failed: .*the task of the stage was cancelled"):
        await running
    assert behind.events == ["start", "end", "cleanup"]
    assert set(second.scope.cancelling) == {0}


async def test_an_interruption_leaves_nothing_in_the_task_of_the_hooks() -> None:
    class Speaks(Waiting):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            self.scope.note()
            await asyncio.sleep(60)

    stage = Speaks(AnyioGroup())
    stage.may_take_s = 61.0  # it sleeps over the interruption itself, too
    task = PipelineTask(Pipeline([stage]))
    for at in (0.1, 0.2, 0.3):
        later(at, task.interrupt)
    later(0.4, task.end)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.05)
    for _ in range(3):
        await task.queue_frame(OutputAudioFrame(bytes(320)))
        await asyncio.sleep(0.1)
    assert (await running).state is RunState.ENDED
    assert set(stage.scope.cancelling) == {0}
    assert len(set(stage.scope.tasks)) == 1


@pytest.mark.parametrize("how", ["end", "cancel"])
async def test_a_stage_that_refuses_to_stop_is_named_and_is_cleaned_up_once(how: str) -> None:
    cleaned: list[str] = []

    class Refuses(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            pass

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await stubborn(30)

        async def cleanup(self) -> None:
            task = asyncio.current_task()
            cleaned.append("" if task is None else task.get_name())

    behind = Recorder("behind")
    limits = Limits(stall_s=1.0)
    task = PipelineTask(Pipeline([Refuses(name="refuses"), behind]), limits=limits, name="run")
    later(0.1, lambda: asyncio.ensure_future(task.queue_frame(TextFrame("x"))))
    later(0.2, getattr(task, how))
    with contextlib.suppress(PipelineError):
        await task.run()
    assert task.report is not None
    assert [left.name for left in task.report.abandoned] == ["run:refuses:stage"]
    assert cleaned == ["run:refuses:cleanup"]
    assert behind.events[-1] == "cleanup"
    await asyncio.sleep(40)
    assert len(cleaned) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_clean_up_that_refuses_to_stop_is_named_once(kind: str) -> None:
    class Refuses(Scope):
        async def leave(self) -> None:
            await stubborn(30)

    task = PipelineTask(Pipeline([client(kind, Refuses())]), name="run")
    later(0.2, task.end)
    report = await task.run()
    assert [left.name for left in report.abandoned] == ["run:client:cleanup"]
    await asyncio.sleep(40)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt, ValueError, asyncio.CancelledError])
async def test_whatever_cleanup_raises_is_the_stages_error(kind: str, leaving: type[BaseException]) -> None:
    class Raises(Scope):
        async def leave(self) -> None:
            raise leaving("on purpose")

    behind = InlineRecorder("behind")
    task = PipelineTask(Pipeline([client(kind, Raises()), behind]))
    later(0.2, task.end)
    with pytest.raises(PipelineError, match="client failed") as caught:
        await task.run()
    assert isinstance(caught.value.__cause__, leaving)
    assert behind.events == ["start", "end", "cleanup"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["hangs", "raises", "SystemExit"])
async def test_an_on_start_that_fails_is_cleaned_up_in_its_task(kind: str, how: str) -> None:
    class Opens(AnyioGroup):
        async def enter(self) -> None:
            await super().enter()
            if how == "hangs":
                await forever()
            raise (ValueError if how == "raises" else SystemExit)("on purpose")

    stage = client(kind, Opens())
    with pytest.raises(PipelineStartError, match="client did not start"):
        await PipelineTask(Pipeline([Recorder(), stage]), limits=Limits(start_s=1.0)).run()
    assert len(set(stage.scope.tasks)) == 1
    assert len(stage.scope.tasks) == 2
    assert set(stage.scope.cancelling) == {0}


async def test_a_stage_without_such_hooks_has_no_task_of_hooks() -> None:
    class Plain(InlineProcessor):
        async def cleanup(self) -> None:
            pass

    task = PipelineTask(Pipeline([Plain(), FrameProcessor(name="waits")]), name="run")
    running = asyncio.create_task(task.run(), name="outer")
    await asyncio.sleep(0.1)
    names = {other.get_name() for other in asyncio.all_tasks() - {asyncio.current_task()}}
    task.end()
    await running
    assert names == {"outer", "run:waits:stage"}


async def test_on_cancel_and_on_interruption_come_at_once_while_the_task_is_busy() -> None:
    told: list[tuple[str, float]] = []

    class Busy(Waiting):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(60)

        def on_interruption(self) -> None:
            told.append(("interruption", virtual_loop().time()))

        async def on_cancel(self) -> None:
            told.append(("cancel", virtual_loop().time()))

    task = PipelineTask(Pipeline([Busy(AnyioGroup())]))
    start = virtual_loop().time()
    later(0.5, task.interrupt)
    later(0.7, task.cancel)
    later(0.1, lambda: asyncio.ensure_future(task.queue_frame(TextFrame("x"))))
    await task.run()
    assert [(what, round(at - start, 3)) for what, at in told] == [("interruption", 0.5), ("cancel", 0.7)]
