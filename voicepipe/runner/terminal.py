"""The lines of a program on its terminal: it listens, it finishes, and how it went."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Self, TextIO

from voicepipe.errors import PipelineStartError
from voicepipe.lifecycle import RunState
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceKind, RunReport
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import delays, describe_end, losses, seconds, troubles

__all__ = ["Terminal"]

_ADVICE = "Ctrl-C to finish, twice to stop at once"


class Terminal:
    """Tells the person at the terminal what the tasks do. Entered while they run.

    Args:
        tasks: the tasks of the program.
        out: where the lines go; nothing is written if it is no terminal.
    """

    def __init__(self, tasks: Sequence[PipelineTask], out: TextIO | None) -> None:
        self._tasks = tasks
        self._started: set[PipelineTask] = set()
        self._out = out if out is not None and not out.closed and out.isatty() else None

    @classmethod
    def of_errors(cls, tasks: Sequence[PipelineTask]) -> Self:
        """Return the one that writes to stderr, so that the program's own output stays its own."""
        return cls(tasks, sys.stderr)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._telling = [
            loop.create_task(self._tell_start(task), name=f"voicepipe:terminal of {task.name}")
            for task in self._tasks
            if self._out is not None
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for telling in self._telling:
            telling.cancel()
        if self._telling:
            await asyncio.wait(self._telling)

    async def _tell_start(self, task: PipelineTask) -> None:
        try:
            await task.wait_until_started()
        except PipelineStartError:
            return  # the log has the reason
        self._started.add(task)
        self._say(task, f"{_doing(task)}; {_ADVICE}")

    def tell_finish(self) -> None:
        """Say that the first signal was heard. In the loop's thread."""
        self._write("finishing; Ctrl-C again to stop immediately")

    def tell_end(self) -> None:
        """Say how each run went, after everything is closed."""
        for task in self._tasks:
            report = task.report
            if report is not None and (task in self._started or report.state is not RunState.FAILED):
                for line in _closing(report):
                    self._say(task, line)

    def _say(self, task: PipelineTask, line: str) -> None:
        self._write(line if len(self._tasks) == 1 else f"{task.name}: {line}")

    def _write(self, line: str) -> None:
        """Write a line. The ^C of Ctrl-C, which a terminal shows, is written over."""
        if self._out is None:
            return
        begin = "" if os.environ.get("TERM") == "dumb" else "\r\x1b[K"
        try:
            self._out.write(f"{begin}{line}\n")
            self._out.flush()
        except (OSError, ValueError):
            self._out = None  # nobody is there to read it


def _doing(task: PipelineTask) -> str:
    """Return what a task does now, with its devices."""
    stages = [stage for stage in task.processors if isinstance(stage, DeviceStage)]
    hears = any(stage.kind == "microphone" and stage.is_live for stage in stages)
    devices = ", ".join(_devices(task.report))
    return f"{'listening' if hears else 'running'}{': ' if devices else ''}{devices}"


def _devices(report: RunReport | None) -> Iterator[str]:
    for device in () if report is None else report.devices:
        yield f'{device.kind} "{device.device}"'


def _closing(report: RunReport) -> Iterator[str]:
    yield describe_end(report)
    times = [
        f"{did} {seconds(time_s)}"
        for did, time_s in (
            ("listened", _time_s(report, "microphone")),
            ("played", _time_s(report, "speaker")),
        )
        if time_s is not None
    ]
    if times:
        yield ", ".join(times)
    rate = next((device.rate for device in report.devices), 0)
    if rate:
        yield from losses(report, rate)
    yield from delays(report)
    yield from troubles(report)


def _time_s(report: RunReport, kind: DeviceKind) -> float | None:
    """Return the seconds of sound of all devices of one kind; None if there are none."""
    times = [device.samples / device.rate for device in report.devices if device.kind == kind]
    return sum(times) if times else None
