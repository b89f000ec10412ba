"""Programs that are stopped at any moment, or leave without stopping: `python leaving.py NAME`.

A program prints `begun` when the runner listens to signals, and `ready` when everything runs.
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable

import numpy as np

from process.programs import PATIENT, Waits, log_to_both, say
from support.backends import outside
from support.sound import noise
from support.stages import Loopback, Recorder, forever
from voicepipe import (
    AudioFormat,
    Backend,
    FrameProcessor,
    MicrophoneInput,
    Pipeline,
    PipelineRunner,
    PipelineTask,
    Processor,
    RunState,
    SpeakerOutput,
    StartParams,
)
from voicepipe.devices.port import StreamRequest
from voicepipe_devices.fake import SimulatedCard


class Begins(FrameProcessor):
    """Stands last, and so is opened first: from here on signals are heard."""

    async def on_start(self, params: StartParams) -> None:
        say("begun")
        await asyncio.sleep(0.05)


def a_card() -> Backend:
    """A card that hears noise for a minute, from a thread."""
    card = SimulatedCard()
    card.mic.hear(np.tile(noise(1.0), 60))
    return card.backend()


def a_process() -> Backend:
    """A library in a process of its own."""
    return outside("well")


def backend_of_choice() -> Backend:
    return a_process() if os.environ.get("BACKEND") == "process" else a_card()


def talk(backend: Backend, *more: Processor) -> PipelineTask:
    """What is heard is said."""
    ends = MicrophoneInput(backend), SpeakerOutput(backend)
    stages = [ends[0], Recorder(), Loopback(), ends[1], *more, Waits(), Begins()]
    return PipelineTask(Pipeline(stages), name="program", limits=PATIENT)


async def running(backend: Backend) -> tuple[PipelineTask, asyncio.Task[object]]:
    """A run that has begun to flow."""
    task = talk(backend)
    run = asyncio.create_task(task.run(), name="the run")
    while task.report is None or not any(s.given for s in task.report.seams):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return task, run


# -- stopped ---------------------------------------------------------------------------------


def conversation() -> None:
    PipelineRunner().main(talk(backend_of_choice()))


def prints() -> None:
    """Says something every few milliseconds."""

    class Prints(FrameProcessor):
        async def on_running(self) -> None:
            self.create_task(self._print())

        async def _print(self) -> None:
            while True:
                print("ready", flush=True)
                await asyncio.sleep(0.005)

    logging.getLogger().handlers.clear()
    PipelineRunner().main(PipelineTask(Pipeline([Prints(name="culprit")])))


def interrupted_at_its_end() -> None:
    """Ctrl-C comes while the last output is written."""

    class Output(io.StringIO):
        def flush(self) -> None:
            signal.raise_signal(signal.SIGINT)

    task = PipelineTask(Waits())
    task.end()
    logging.getLogger().handlers.clear()
    sys.stdout = Output()
    PipelineRunner().main(task)


# -- leaving without stopping ------------------------------------------------------------------


def sys_exit() -> None:
    """In the midst of the run, from beside it."""

    async def main() -> None:
        _run = await running(backend_of_choice())
        sys.exit(3)

    asyncio.run(main())


def sys_exit_in_a_stage() -> None:
    class Exits(FrameProcessor):
        async def on_running(self) -> None:
            sys.exit(3)

    PipelineRunner().main(PipelineTask(Pipeline([Exits(name="culprit")])))


def os_exit() -> None:
    async def main() -> None:
        _run = await running(backend_of_choice())
        os._exit(4)

    asyncio.run(main())


def returns() -> None:
    """`asyncio.run` cancels what runs on."""

    async def main() -> None:
        _run = await running(backend_of_choice())

    asyncio.run(main())


def loop_left() -> None:
    """The loop stands still, is not closed, and the task is alive when the interpreter ends."""
    loop = asyncio.new_event_loop()
    globals()["kept"] = loop, loop.run_until_complete(running(backend_of_choice()))


def loop_closed() -> None:
    loop = asyncio.new_event_loop()
    kept = loop.run_until_complete(running(backend_of_choice()))
    loop.close()
    del kept
    gc.collect()


def daemon_thread() -> None:
    """The loop runs on in a thread while the interpreter ends."""
    flows = threading.Event()

    async def main() -> None:
        _run = await running(backend_of_choice())
        flows.set()
        await forever()

    threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
    flows.wait()


# -- dropped -----------------------------------------------------------------------------------


def dropped_task() -> None:
    """Nobody but the run itself knows of it."""

    async def main() -> None:
        before = len(asyncio.all_tasks())
        await running(backend_of_choice())
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0.02)
        say(f"{len(asyncio.all_tasks()) - before} tasks")

    asyncio.run(main())


def dropped_idle_task() -> None:
    """The same, and no device keeps it alive."""

    async def main() -> None:
        asyncio.create_task(PipelineTask(Pipeline([Waits()]), name="program").run())  # noqa: RUF006
        await asyncio.sleep(0.1)
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0.02)
        say(f"{len(asyncio.all_tasks()) - 1} tasks")

    asyncio.run(main())


def dropped_streams() -> None:
    """Open streams that nobody has any more."""

    async def main() -> None:
        backend, request = backend_of_choice(), StreamRequest(AudioFormat())
        for stream in (
            await backend.open_input(request, lambda: None),
            await backend.open_output(request, lambda: None),
        ):
            await stream.start()
        del stream, backend
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0.02)

    asyncio.run(main())


# -- forked ------------------------------------------------------------------------------------


def forking(child: Callable[[], None]) -> None:
    """A child is forked in the midst of the run, which goes on."""

    class Forks(FrameProcessor):
        async def on_running(self) -> None:
            self.create_task(self._fork())

        async def _fork(self) -> None:
            await asyncio.sleep(0.1)
            with warnings.catch_warnings(action="ignore"):  # threads and forks: just what is tried here
                pid = os.fork()
            if pid == 0:
                try:
                    child()
                finally:
                    os._exit(5)
            say(f"child: {await asyncio.to_thread(_status_of, pid)}")

    PipelineRunner().main(talk(backend_of_choice(), Forks()))


def _status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked_that_exits() -> None:
    forking(lambda: os._exit(6))


def forked_that_collects() -> None:
    """The child drops what it has of the parent's streams."""

    def child() -> None:
        gc.collect()
        logging.getLogger("voicepipe").warning("from the child")
        os._exit(6)

    forking(child)


def forked_that_runs_a_pipeline() -> None:
    """The child has a loop, a pipeline and a card of its own."""

    def child() -> None:
        card = SimulatedCard()
        card.mic.hear(noise(0.2))
        card.mic.run_out()
        mic, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend())
        report = asyncio.run(PipelineTask(Pipeline([mic, Loopback(), speaker]), name="child").run())
        say(report)
        os._exit(6 if report.state is RunState.ENDED and not report.dropped else 7)

    forking(child)


def forked_by_multiprocessing() -> None:
    class Forks(FrameProcessor):
        async def on_running(self) -> None:
            self.create_task(self._fork())

        async def _fork(self) -> None:
            await asyncio.sleep(0.1)
            process = multiprocessing.get_context("fork").Process(target=gc.collect)
            with warnings.catch_warnings(action="ignore"):
                process.start()
            await asyncio.to_thread(process.join)
            say(f"child: {process.exitcode}")

    PipelineRunner().main(talk(backend_of_choice(), Forks()))


if __name__ == "__main__":
    if os.environ.get("SIGINT_IGNORED") is None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    log_to_both()
    sys.exit(globals()[sys.argv[1]]())
