"""`async def` where a hook must be plain, or the other way round, is an error before anything opens."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from support.stages import Recorder
from voicepipe import (
    DeviceStage,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineRunner,
    PipelineTask,
    Processor,
    RunState,
    SpeakerOutput,
    StartParams,
    Tap,
    TextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    VADProcessor,
    open_backend,
)
from voicepipe.awaitables import methods_of
from voicepipe.pipeline.hook_checks import check_hooks
from voicepipe.runner.loop_watchdog import LoopWatchdog
from voicepipe.testing import SimulatedCard

KINDS: dict[str, Any] = {
    "inline": InlineProcessor,
    "mailbox": FrameProcessor,
    "device": DeviceStage,
}
HOOKS = [(kind, hook, is_async) for kind in KINDS for hook, (is_async, _) in methods_of(KINDS[kind]).items()]
PLAIN = [(kind, hook) for kind, hook, is_async in HOOKS if not is_async]
ASYNC = [(kind, hook) for kind, hook, is_async in HOOKS if is_async]


async def async_hook(*_: object) -> None:
    ran.append("async")


async def async_generator(*_: object) -> AsyncIterator[None]:
    ran.append("async")
    yield


def plain_hook(*_: object) -> None:
    ran.append("plain")


def generator(*_: object) -> Iterator[None]:
    ran.append("plain")
    yield


class AsyncObject:
    async def __call__(self, *_: object) -> None:
        ran.append("async")


ran: list[str] = []


def test_every_hook_is_known() -> None:
    assert {hook for _, hook in PLAIN} == {
        *(
            "on_ending",
            "on_interruption",
            "on_fact",
            "push_fact",
            "push_now",
            "create_task",
            "process",
            "on_end",
            "progress",
        ),
        *("wake_up", "take_charge", "waits_for", "seams", "device_state", "device_statistics"),
    }
    assert {hook for _, hook in ASYNC} == {
        *("on_start", "on_running", "on_cancel", "cleanup", "process_frame", "push_frame", "on_end"),
        "work_when_idle",
    }


async def expect_refusal(stage: Processor, message: str) -> None:
    """Run a stage between a microphone and a recorder; nothing may be opened, and no hook may run."""
    ran.clear()
    card, recorder = SimulatedCard(), Recorder()
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), stage, recorder]))
    with pytest.raises(TypeError, match=message):
        await task.run()
    assert (recorder.events, ran) == ([], [])
    assert task.state is RunState.CREATED
    for processor in (stage, recorder):
        assert processor._seat is None


@pytest.mark.parametrize(
    "written", [async_hook, async_generator, AsyncObject(), staticmethod(functools.partial(async_hook, 1))]
)
@pytest.mark.parametrize(("kind", "hook"), PLAIN)
async def test_an_async_hook_that_must_be_plain_is_refused(kind: str, hook: str, written: Any) -> None:
    stage = type("Stage", (KINDS[kind],), {hook: written})()
    await expect_refusal(stage, rf"^Stage\.{hook} must be a plain def, not (async def|an async generator)")


@pytest.mark.parametrize("written", [plain_hook, generator, async_generator, lambda *_: None])
@pytest.mark.parametrize(("kind", "hook"), ASYNC)
async def test_a_plain_hook_that_is_awaited_is_refused(kind: str, hook: str, written: Any) -> None:
    stage = type("Stage", (KINDS[kind],), {hook: written})()
    await expect_refusal(stage, rf"^Stage\.{hook} must be async def")


@pytest.mark.parametrize(("kind", "hook", "is_async"), HOOKS)
@pytest.mark.parametrize("how", ["instance", "mixin", "static", "class", "subclass", "inherited"])
@pytest.mark.heavy(after=60)
async def test_it_is_refused_wherever_the_hook_comes_from(
    kind: str, hook: str, is_async: bool, how: str
) -> None:
    base, wrong = KINDS[kind], plain_hook if is_async else async_hook
    wrapped: dict[str, Any] = {"static": staticmethod(wrong), "class": classmethod(wrong)}
    members = {hook: wrapped.get(how, wrong)}
    if how == "instance":
        stage = type("Stage", (base,), {})()
        setattr(stage, hook, wrong)
    elif how == "mixin":
        stage = type("Stage", (type("Mixin", (), members), base), {})()
    elif how == "inherited":
        stage = type("Stage", (type("Parent", (base,), members),), {})()
    elif how == "subclass":
        parent = type("Parent", (base,), {})
        check_hooks(parent())  # known to be right
        stage = type("Stage", (parent,), members)()
    else:
        stage = type("Stage", (base,), members)()
    await expect_refusal(stage, rf"^Stage\.{hook} must be ")


async def test_an_inline_stage_is_told_which_base_class_waits() -> None:
    for hook in ("process", "on_end"):
        stage = type("Stage", (InlineProcessor,), {hook: async_hook})()
        await expect_refusal(
            stage, rf"^Stage\.{hook} must be a plain def, not async def: derive from FrameProc"
        )


async def test_a_stage_in_a_branch_is_looked_at_too() -> None:
    stage = type("Stage", (FrameProcessor,), {"on_ending": async_hook})()
    task = PipelineTask(Pipeline([Pipeline([Recorder(), Pipeline([stage])])]))
    with pytest.raises(TypeError, match=r"Stage.on_ending must be a plain def"):
        await task.run()


def test_the_runner_names_it_and_its_status_is_1(caplog: pytest.LogCaptureFixture) -> None:
    stage = type("Stage", (FrameProcessor,), {"on_interruption": async_hook})()
    assert PipelineRunner(handle_signals=False).run(PipelineTask(stage)) == 1
    assert "TypeError: Stage.on_interruption must be a plain def, not async def" in caplog.text


# -- legal forms ------------------------------------------------------------------------------


def traced(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a hook, as a decorator for tracing does."""

    @functools.wraps(hook)
    def call(*arguments: object) -> Any:
        return hook(*arguments)

    return call


class Decorated(FrameProcessor):
    """Hooks behind a plain wrapper."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @traced
    async def on_start(self, params: StartParams) -> None:
        self.seen.append("on_start")

    @traced
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.seen.append("process_frame")
        await self.push_frame(frame, direction)

    @traced
    def on_ending(self) -> None:
        self.seen.append("on_ending")

    @traced
    async def on_end(self) -> None:
        self.seen.append("on_end")

    @traced
    async def cleanup(self) -> None:
        self.seen.append("cleanup")


async def test_a_hook_behind_a_plain_wrapper_runs() -> None:
    stage = Decorated()
    task = PipelineTask(stage)
    await task.queue_frame(TextFrame("a"))
    task.end()
    report = await task.run()
    assert report.errors == ()
    assert stage.seen == ["on_start", "on_ending", "process_frame", "on_end", "cleanup"]


@pytest.mark.parametrize("hook", ["on_start", "on_running", "on_end", "on_cancel", "cleanup"])
async def test_a_hook_of_the_instance_runs(hook: str) -> None:
    ran.clear()
    stage = FrameProcessor()
    setattr(stage, hook, lambda *_: async_hook())
    task = PipelineTask(stage)
    asyncio.get_running_loop().call_later(0.1, task.cancel if hook == "on_cancel" else task.end)
    assert (await task.run()).errors == ()
    assert ran == ["async"]


async def test_a_generator_gives_frames() -> None:
    class Twice(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            yield frame
            yield TextFrame("more")

        def on_end(self) -> Iterable[Frame]:
            yield TextFrame("last")

    recorder = Recorder()
    task = PipelineTask(Pipeline([Twice(), recorder]))
    await task.queue_frame(TextFrame("a"))
    task.end()
    await task.run()
    assert len(recorder.frames) == 3


# -- what only a call shows --------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["on_ending", "on_interruption", "progress"])
@pytest.mark.parametrize("written", [async_hook, generator])
async def test_a_plain_hook_that_returns_something_to_await_is_named_at_the_call(
    hook: str, written: Any
) -> None:
    ran.clear()
    stage = type("Stage", (FrameProcessor,), {hook: lambda *_: written()})(name="culprit")
    task = PipelineTask(stage)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(0.1, task.interrupt), loop.call_later(0.2, task.end)]
    if hook == "progress":
        stage.__dict__["process_frame"] = lambda *_: asyncio.sleep(1)
        await task.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match=rf"culprit failed: TypeError: Stage.{hook} must be a plain def"):
        await task.run()
    for timer in timers:
        timer.cancel()
    assert ran == []


@pytest.mark.parametrize("hook", ["process", "on_end"])
@pytest.mark.parametrize("written", [async_hook, async_generator])
async def test_an_inline_stage_that_returns_something_to_await_is_named(hook: str, written: Any) -> None:
    stage = type("Stage", (InlineProcessor,), {hook: lambda *_: written()})(name="culprit")
    task = PipelineTask(stage)
    await task.queue_frame(TextFrame("a"))
    task.end()
    with pytest.raises(PipelineError, match=rf"culprit failed: TypeError: Stage.{hook} must be a plain def"):
        await task.run()


@pytest.mark.parametrize("hook", ["process_frame", "work_when_idle"])
async def test_a_result_of_a_hot_hook_that_cannot_be_awaited_is_named(hook: str) -> None:
    nothing = [None]
    stage = type("Stage", (DeviceStage,), {hook: lambda *_: nothing[0]})(name="culprit")
    task = PipelineTask(stage)
    await task.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match=rf"culprit failed: TypeError: Stage.{hook} must be async def"):
        await task.run()


async def test_other_arguments_keep_the_words_of_python() -> None:
    class Stage(FrameProcessor):
        async def process_frame(self, frame: Frame) -> None:  # type: ignore[override]
            pass

    task = PipelineTask(Stage())
    await task.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match=r"process_frame\(\) takes 2 positional arguments but 3"):
        await task.run()


async def test_an_awaited_value_that_is_none_inside_a_hook_keeps_the_words_of_python() -> None:
    class Stage(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await plain_hook()  # type: ignore[func-returns-value,misc]

    task = PipelineTask(Stage())
    await task.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match=r"Stage failed: TypeError: (?!Stage)"):
        await task.run()


# -- callbacks ---------------------------------------------------------------------------------


class Engine:
    """A speech engine."""

    rate, window = 16_000, 160

    def score(self, window: bytes) -> float:
        return 0.0

    def reset(self) -> None:
        pass


class Judge:
    """An end of turn."""

    def is_finished(self, utterance: Frame) -> bool:
        return True


def with_method(base: type, name: str, method: Any) -> Any:
    return type(base.__name__, (base,), {name: staticmethod(method)})()


CALLBACKS: dict[str, Callable[[Any], object]] = {
    "observer": lambda function: PipelineTask(Recorder()).subscribe(function),
    "look": Tap,
    "observe": lambda function: VADProcessor(Engine(), observe=function),
    "beside": lambda function: PipelineRunner(beside=[function]),
    "blocked": lambda function: LoopWatchdog(1.0, function),
    "Engine.score": lambda function: VADProcessor(with_method(Engine, "score", function)),
    "Engine.reset": lambda function: VADProcessor(with_method(Engine, "reset", function)),
    "Judge.is_finished": lambda function: UtteranceCollector(
        end_of_turn=with_method(Judge, "is_finished", function)
    ),
}


@pytest.mark.parametrize(
    "written",
    [async_hook, functools.partial(async_hook, 1), AsyncObject(), async_generator, generator],
    ids=["async def", "partial", "object", "async generator", "generator"],
)
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_that_must_be_plain_is_refused_where_it_is_given(name: str, written: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}.* must be a plain def, not"):
        CALLBACKS[name](written)


@pytest.mark.filterwarnings("ignore:Judge.is_finished:DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["observer", "look", "observe", "Engine.score", "Engine.reset", "Judge.is_finished"]
)
async def test_a_callback_that_returns_a_coroutine_is_an_error_at_the_call(name: str) -> None:
    def hidden(*_: object) -> Any:
        return async_hook()

    stage = CALLBACKS[name](hidden)
    task = PipelineTask(stage if isinstance(stage, Processor) else Recorder())
    if name == "observer":
        task.subscribe(hidden)
    for frame in (
        InputAudioFrame(bytes(3_200)),
        UserStartedSpeakingFrame(800),
        InputAudioFrame(bytes(3_200), position=1_600),
        UserStoppedSpeakingFrame(3_200),
    ):
        await task.queue_frame(frame)
    task.end()
    with pytest.raises(PipelineError, match=r"TypeError: .* must be a plain def, not async def"):
        await task.run()


async def test_a_companion_that_returns_a_coroutine_is_named() -> None:
    hidden: Any = lambda _: async_hook()  # noqa: E731  # so it is named
    runner = PipelineRunner(handle_signals=False, beside=[hidden])
    with pytest.raises(TypeError, match=r"^beside .*lambda.* must be a plain def"):
        await runner.serve(PipelineTask(Recorder()))


async def test_a_companion_that_is_an_async_context_manager_runs() -> None:
    @contextlib.asynccontextmanager
    async def beside(tasks: object) -> AsyncIterator[None]:
        ran.append("beside")
        yield

    ran.clear()
    task = PipelineTask(Recorder())
    task.end()
    assert await PipelineRunner(handle_signals=False, beside=[beside]).serve(task) == 0
    assert ran == ["beside"]


BACKEND = ("devices", "open_input", "open_output", "trials", "library")


@pytest.mark.parametrize("method", BACKEND)
@pytest.mark.parametrize("stage", [MicrophoneInput, SpeakerOutput])
def test_a_back_end_with_a_plain_method_that_is_awaited_is_refused(method: str, stage: Any) -> None:
    backend = SimulatedCard().backend()
    wrong = type("Jack", (type(backend),), {method: plain_hook})
    backend.__class__ = wrong
    with pytest.raises(TypeError, match=rf"^Jack.{method} must be async def"):
        stage(backend)


STREAMS: list[tuple[Any, str, Any]] = [
    *((MicrophoneInput, method, async_hook) for method in ("read", "stop", "seam")),
    *((MicrophoneInput, method, plain_hook) for method in ("start", "finish")),
    *((SpeakerOutput, method, async_hook) for method in ("write", "notify_at", "flush")),
    *((SpeakerOutput, method, plain_hook) for method in ("start", "drain", "settle")),
]


@pytest.mark.parametrize(("stage", "method", "wrong"), STREAMS)
async def test_a_stream_with_a_method_of_the_wrong_kind_is_closed_again_and_named(
    stage: Any, method: str, wrong: Any
) -> None:
    card = SimulatedCard()
    backend = card.backend()
    name = "open_input" if stage is MicrophoneInput else "open_output"
    opened = getattr(backend, name)

    async def open_odd(*arguments: Any) -> Any:
        stream = await opened(*arguments)
        stream.__class__ = type("OddStream", (type(stream),), {method: wrong})
        return stream

    setattr(backend, name, open_odd)
    with pytest.raises(PipelineError, match=rf"did not start: TypeError: OddStream.{method} must be "):
        await PipelineTask(Pipeline([stage(backend)])).run()


async def test_a_back_end_that_opens_nothing_to_await_is_named() -> None:
    backend, nothing = SimulatedCard().backend(), [None]
    backend.open_input = lambda *_: nothing[0]  # type: ignore[assignment,method-assign]
    with pytest.raises(PipelineError, match=r"TypeError: open_input of the back end must be async def"):
        await PipelineTask(Pipeline([MicrophoneInput(backend)])).run()


def test_the_back_ends_that_there_are_pass() -> None:
    for name in ("fake", "wav:,out.wav"):
        SpeakerOutput(open_backend(name))
