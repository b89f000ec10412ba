"""An awaitable that several wait for: two stages, a stage and its pusher, a stage and the program."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Generator

import anyio
import pytest

from support.stages import Ends
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    RunReport,
    RunState,
    StartParams,
    TextFrame,
)

Wait = Callable[[], Awaitable[object]]


class Model:
    """What loads for half a second, and is waited for in one of many ways."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[str] = loop.create_future()
        self.event = asyncio.Event()
        self.anyio_event = anyio.Event()
        self.condition = asyncio.Condition()
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(1)
        self.barrier = asyncio.Barrier(1)
        self.thread_future: concurrent.futures.Future[str] = concurrent.futures.Future()
        self.wrapped = asyncio.wrap_future(self.thread_future)
        self.task = loop.create_task(self._load())
        self.gathered = asyncio.gather(self.task, self.future)
        self.loaded = False

    async def _load(self) -> str:
        async with self.lock, self.semaphore:
            await asyncio.sleep(0.5)
        self.loaded = True
        self.future.set_result("model")
        self.event.set()
        self.anyio_event.set()
        self.thread_future.set_result("model")
        async with self.condition:
            self.condition.notify_all()
        return "model"

    async def with_lock(self) -> None:
        async with self.lock:
            pass

    async def with_semaphore(self) -> None:
        async with self.semaphore:
            pass

    async def with_condition(self) -> None:
        async with self.condition:
            await self.condition.wait_for(lambda: self.loaded)

    async def with_timeout(self) -> None:
        async with asyncio.timeout(60):
            await self.future

    async def in_a_group(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again())
            group.create_task(self._again())

    async def _again(self) -> None:
        await self.future

    async def in_an_anyio_group(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._again)
            group.start_soon(self._again)

    async def polls(self) -> None:
        while not self.future.done():
            await asyncio.sleep(0)
            await asyncio.wait([self.future], timeout=0.01)


class Own:
    """An object with `__await__`."""

    def __init__(self, future: asyncio.Future[str]) -> None:
        self.future = future

    def __await__(self) -> Generator[object, None, str]:
        return self.future.__await__()


WAYS: dict[str, Callable[[Model], Wait]] = {
    "a future": lambda model: lambda: model.future,
    "a task": lambda model: lambda: model.task,
    "an event": lambda model: model.event.wait,
    "anyio's event": lambda model: model.anyio_event.wait,
    "a condition": lambda model: model.with_condition,
    "a lock": lambda model: model.with_lock,
    "a semaphore": lambda model: model.with_semaphore,
    "a barrier": lambda model: model.barrier.wait,
    "a thread's future": lambda model: lambda: model.wrapped,
    "wrapped by each": lambda model: lambda: asyncio.wrap_future(model.thread_future),
    "gathered": lambda model: lambda: model.gathered,
    "gathered by each": lambda model: lambda: asyncio.gather(model.task, model.future),
    "shielded": lambda model: lambda: asyncio.shield(model.task),
    "waited with a limit": lambda model: lambda: asyncio.wait_for(asyncio.shield(model.task), 60),
    "waited in a timeout": lambda model: model.with_timeout,
    "waited beside another": lambda model: lambda: asyncio.wait([model.task, model.future]),
    "in a task group": lambda model: model.in_a_group,
    "in a group of anyio's": lambda model: model.in_an_anyio_group,
    "polled": lambda model: model.polls,
    "an object's own": lambda model: lambda: Own(model.future),
}
HOOKS = ("on_start", "on_running", "process_frame", "on_end", "cleanup", "a child task")


class Waits(FrameProcessor):
    """Waits in one of its hooks, or in all of them."""

    def __init__(self, wait: Wait, hook: str, name: str) -> None:
        super().__init__(name=name)
        self.wait, self.hook = wait, hook
        self.waited: list[str] = []

    async def _at(self, hook: str) -> None:
        if self.hook in (hook, "everywhere"):
            await self.wait()
            self.waited.append(hook)

    async def on_start(self, params: StartParams) -> None:
        await self._at("on_start")

    async def on_running(self) -> None:
        self.create_task(self._at("a child task"))
        await self._at("on_running")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)  # first, so that the next stage waits at the same time
        await self._at("process_frame")

    async def on_end(self) -> None:
        await self._at("on_end")

    async def cleanup(self) -> None:
        await self._at("cleanup")


async def run(model: Model, task: PipelineTask, wait: Wait) -> tuple[RunReport, list[TextFrame]]:
    """Run with two frames, while the program waits for the same, and end a second later."""
    ends = Ends(task)

    async def host() -> None:
        await wait()

    host_task = asyncio.create_task(host())
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    for text in "ab":
        await task.queue_frame(TextFrame(text))
    await asyncio.sleep(1)
    task.end()
    report = await running
    await host_task
    await model.task
    await model.gathered
    return report, [frame for frame in ends.down if isinstance(frame, TextFrame)]


@pytest.mark.parametrize("hook", [*HOOKS, "everywhere"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.heavy(after=100)
async def test_stages_and_the_program_wait_for_the_same(way: str, hook: str) -> None:
    model = Model()
    wait = WAYS[way](model)
    stages = [Waits(wait, hook, "first"), Waits(wait, hook, "second")]
    report, out = await run(model, PipelineTask(Pipeline(stages)), wait)
    assert report.state is RunState.ENDED
    assert report.errors == ()
    assert [frame.text for frame in out] == ["a", "b"]
    for stage in stages:
        assert stage.waited.count("process_frame") == (2 if hook in ("process_frame", "everywhere") else 0)
        assert set(stage.waited) == (set(HOOKS) if hook == "everywhere" else {hook})


@pytest.mark.parametrize("way", WAYS)
async def test_parallel_branches_wait_for_the_same(way: str) -> None:
    model = Model()
    wait = WAYS[way](model)
    branches = ParallelPipeline(*([Waits(wait, "process_frame", name)] for name in "xyz"))
    report, out = await run(model, PipelineTask(Pipeline([branches])), wait)
    assert report.state is RunState.ENDED
    assert [frame.text for frame in out] == ["a", "b"]


@pytest.mark.parametrize("how", ["interrupt", "cancel"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_stage_that_waits_for_what_others_wait_for_can_be_cut(way: str, how: str) -> None:
    """A future that is awaited directly is cancelled with its waiter, by asyncio's rule."""
    model = Model()
    wait = WAYS[way](model)

    class WaitsOnce(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame):
                await wait()
            await self.push_frame(frame, direction)

    task = PipelineTask(Pipeline([WaitsOnce()]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    await task.queue_frame(TextFrame("a"))
    await asyncio.sleep(0.1)
    getattr(task, how)()
    await asyncio.sleep(0.1)
    task.end()
    report = await running
    assert report.state is (RunState.ENDED if how == "interrupt" else RunState.CANCELLED)
    assert report.errors == ()
    assert report.abandoned == ()
    await asyncio.gather(model.task, return_exceptions=True)
    await asyncio.gather(model.gathered, return_exceptions=True)


async def test_a_stage_waits_for_what_its_pusher_makes_next() -> None:
    """The pusher's task makes the result only after the push: they must not run in one step."""
    made: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    class Pushes(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self.push_frame(frame, direction)
            if not made.done():
                made.set_result("made")

    class Takes(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await made
            await self.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Pushes(), Takes()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await task.queue_frame(TextFrame("a"))
    task.end()
    report = await running
    assert report.state is RunState.ENDED
    assert report.errors == ()


async def test_several_wait_for_the_run_itself() -> None:
    task = PipelineTask(Pipeline([FrameProcessor()]))
    running = asyncio.create_task(task.run())
    waiting = [asyncio.create_task(asyncio.wait_for(asyncio.shield(running), 60)) for _ in range(3)]
    await asyncio.sleep(0.1)
    task.end()
    reports = await asyncio.gather(running, *waiting)
    assert all(report is reports[0] for report in reports)
