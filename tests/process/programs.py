"""The small programs that the tests here run as processes: `python programs.py NAME`.

A program prints `ready` when it is in the state its test wants; signals come then, never
after a time. What the runner logs goes to stdout (INFO) and to stderr (WARNING and worse).
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

import numpy as np

from support.stages import Does, forever, stubborn
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineRunner,
    PipelineTask,
    Processor,
    SpeakerOutput,
    StartParams,
    TextFrame,
)
from voicepipe_devices.fake import SimulatedCard

PATIENT = Limits(start_s=60, stall_s=60, cancel_s=2)


def say(line: object) -> None:
    print(line, flush=True)


class Waits(FrameProcessor):
    """Says that it is ready when it runs, and does nothing."""

    async def on_running(self) -> None:
        say("ready")


def log_to_both() -> None:
    """INFO to stdout, where tests wait for it; warnings to stderr."""
    out, err = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    out.addFilter(lambda record: record.levelno < logging.WARNING)
    err.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[out, err])


def task_of(*stages: Processor, limits: Limits = PATIENT) -> PipelineTask:
    return PipelineTask(Pipeline(stages), name="program", limits=limits)


def run(*stages: Processor, limits: Limits = PATIENT, runner: PipelineRunner | None = None) -> int:
    """Run a pipeline, and print how it ended."""
    task = task_of(*stages, limits=limits)
    status = (runner or PipelineRunner()).run(task)
    say(task.report)
    return status


class Feeds(FrameProcessor):
    """Pushes one frame."""

    async def on_running(self) -> None:
        self.create_task(self.push_frame(TextFrame("a frame")))


Handler = Callable[[FrameProcessor, Frame, FrameDirection], Awaitable[None]]


def run_with_a_frame(
    handler: Handler, *, limits: Limits = PATIENT, runner: PipelineRunner | None = None
) -> int:
    """Run a stage called "culprit", which is handed one frame."""
    return run(Feeds(), Does(handler, name="culprit"), limits=limits, runner=runner)


# -- what a signal meets ---------------------------------------------------------------


def waiting() -> int:
    return run(Waits())


def watched() -> int:
    """The same, with a watchdog that takes nothing."""
    return run(Waits(), runner=PipelineRunner(blocked_s=0.4))


def speaking_long(parts: int = 22, samples: int = 16_000) -> int:
    """A sentence of 22 s is queued at the speaker, or in its mailbox."""
    card = SimulatedCard()
    sound = OutputAudioFrame.from_array(np.full(samples, 1_000, np.int16))

    class Speaks(FrameProcessor):
        async def on_running(self) -> None:
            for _ in range(parts):
                await self.push_frame(sound)
            say("ready")

    status = run(Speaks(), SpeakerOutput(card.backend()), limits=replace(PATIENT, stall_s=5.0))
    heard = np.count_nonzero(np.frombuffer(card.speaker.played(), np.int16))
    say(f"heard {heard} of {parts * sound.num_samples} samples")
    return status


def speaking() -> int:
    """Half a second."""
    return speaking_long(1, 8_000)


def draining() -> int:
    """A stage that never finishes its End."""

    class Drains(Waits):
        async def on_end(self) -> None:
            say("draining")
            await forever()

    return run(Drains(), limits=replace(PATIENT, drain_s=0.3))


def opening() -> int:
    """A start that goes on until the first signal is heard, and a while longer."""
    heard = asyncio.Event()

    class Hears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.set()

    logging.getLogger("voicepipe").addHandler(Hears(logging.INFO))

    class Opens(Waits):
        async def on_start(self, params: StartParams) -> None:
            say("opening")
            await heard.wait()
            await asyncio.sleep(0.2)
            say("opened")

    return run(Opens())


def never_open() -> int:
    class Opens(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            say("opening")
            await forever()

    return run(Opens())


def before_the_tasks() -> int:
    """A signal that comes when the runner listens, and its loop is not made yet."""

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.1)  # it is heard in a thread
            return super().new_event_loop()

    asyncio.set_event_loop_policy(Policy())
    return run(Waits())


def hanging() -> int:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        say("ready")
        await forever()

    return run_with_a_frame(hang, limits=Limits(stall_s=0.3))


async def _swallow(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    say("ready")
    await stubborn(1000)


def swallowing() -> int:
    """A stage that takes no notice of its cancellation."""
    return run_with_a_frame(_swallow)


def swallowing_patiently() -> int:
    """The same, and the run gives it a minute."""
    return run_with_a_frame(_swallow, limits=Limits(stall_s=60, cancel_s=60))


def blocking() -> int:
    """A stage that blocks the loop until something is written to stdin."""

    async def block(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        say("ready")
        os.read(0, 1)

    return run_with_a_frame(block, runner=PipelineRunner(blocked_s=0.2))


def sleeping() -> int:
    async def sleep(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        say("ready")
        time.sleep(60)  # noqa: ASYNC251

    return run_with_a_frame(sleep, runner=PipelineRunner(blocked_s=0.2))


def locked() -> int:
    """A C call that lets other threads run, and returns for no signal."""

    async def lock(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        libc.pthread_mutex_lock(mutex)
        say("ready")
        libc.pthread_mutex_lock(mutex)

    return run_with_a_frame(lock, runner=PipelineRunner(blocked_s=0))


def in_a_thread() -> None:
    """A thread that refuses to end, under `main()`."""

    async def sleep(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        say("ready")
        await asyncio.to_thread(time.sleep, 1000)

    PipelineRunner().main(task_of(Feeds(), Does(sleep)))


# -- failures --------------------------------------------------------------------------


def failing() -> None:
    async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        raise ValueError("no such voice\nin this house")

    logging.getLogger().handlers.clear()  # as in a program that sets up no logging
    PipelineRunner().main(task_of(Feeds(), Does(fail, name="culprit")))


def failing_to_open() -> None:
    class Culprit(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            raise OSError("no such device")

    logging.getLogger().handlers.clear()
    PipelineRunner().main(task_of(Culprit()))


# -- around the runner -----------------------------------------------------------------


def own_loop() -> None:
    """The runner in a user's own `asyncio.run`, and what Ctrl-C means there afterwards."""

    async def main() -> None:
        before = signal.getsignal(signal.SIGINT)
        status = await PipelineRunner().serve(task_of(Waits()))
        say(f"status {status}, put back: {signal.getsignal(signal.SIGINT) is before}")
        await forever()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        say("KeyboardInterrupt")


def two_runners() -> None:
    """Side by side in one loop; the second ends 0.2 s after the first."""

    class Lingers(Waits):
        async def on_end(self) -> None:
            await asyncio.sleep(0.2)

    async def main() -> list[int]:
        first, second = PipelineRunner(), PipelineRunner()
        tasks = PipelineTask(Waits()), PipelineTask(Lingers())
        return list(await asyncio.gather(first.serve(tasks[0]), second.serve(tasks[1])))

    say(asyncio.run(main()))


def beside_a_handler() -> None:
    """A user's own signal handlers in the loop: one from before the run, one from within it."""

    class Adds(Waits):
        async def on_start(self, params: StartParams) -> None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, say, "usr2")

    async def main() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, say, "usr1")
        for stage in (Waits(), Adds()):
            say(f"status {await PipelineRunner().serve(task_of(stage))}")
        await forever()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        say("KeyboardInterrupt")


def not_handled() -> int:
    """Ctrl-C as Python has it."""
    task = task_of(Waits())
    try:
        PipelineRunner(handle_signals=False).run(task)
    except KeyboardInterrupt:
        say(task.report)
        return 3
    return 4


def not_handled_in_main() -> None:
    PipelineRunner(handle_signals=False).main(task_of(Waits()))


def unread() -> None:
    """Prints after its reader has gone."""

    class Prints(FrameProcessor):
        async def on_running(self) -> None:
            print("ready", file=sys.stderr)

        async def on_end(self) -> None:
            print("nobody reads this")

    logging.getLogger().handlers.clear()
    PipelineRunner().main(task_of(Prints()))


def ending() -> None:
    """Takes its time while the interpreter ends."""

    def linger() -> None:
        say("at the end")
        os.read(0, 1)

    atexit.register(linger)
    task = task_of(Waits())
    task.end()
    PipelineRunner().main(task)


def leaving_things_behind() -> None:
    """A stage that cleans nothing up."""

    async def generator() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            say("the generator was closed")

    class Forgets(Waits):
        async def on_start(self, params: StartParams) -> None:
            self.task = asyncio.create_task(forever(), name="forgotten task")
            self.generator = generator()
            await anext(self.generator)
            threading.Thread(target=time.sleep, args=(1000,), name="forgotten thread").start()

    PipelineRunner().main(task_of(Forgets()))


def many_runs() -> None:
    """Twenty, each with a card, by one runner and by many; whether something grows."""

    def flat() -> tuple[int, int, list[Callable[..., object] | int | None]]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return len(os.listdir("/proc/self/fd")), threading.active_count(), handlers

    before, runner = flat(), PipelineRunner()
    for number in range(20):
        task = task_of(SpeakerOutput(SimulatedCard().backend()))
        task.end()
        chosen = runner if number % 2 else PipelineRunner()
        assert chosen.run(task) == 0
        assert not chosen.left, chosen.left
    say("flat" if flat() == before else f"{before} became {flat()}")


def forking() -> int:
    """A child that was forked, and waits for its own Ctrl-C."""

    class Forks(FrameProcessor):
        async def on_running(self) -> None:
            with warnings.catch_warnings(action="ignore"):  # threads and forks: just what is tried here
                self.child = os.fork()
            if self.child == 0:
                try:
                    say(f"child {os.getpid()}")
                    for _ in range(600):  # a signal just before a sleep is noticed at its end
                        time.sleep(0.1)  # noqa: ASYNC251
                finally:
                    say("the child is gone")
                    os._exit(0)

        async def cleanup(self) -> None:
            await asyncio.to_thread(os.waitpid, self.child, 0)

    return run(Forks())


if __name__ == "__main__":
    if os.environ.get("SIGINT_IGNORED") is None:
        # A test run in the background ignores SIGINT, and so would its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    log_to_both()
    sys.exit(globals()[sys.argv[1]]())
