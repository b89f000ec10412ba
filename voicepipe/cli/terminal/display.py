"""A stage that shows what passes, and says after Ctrl-C how long it is still going to sound."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Iterable

from voicepipe.cli.terminal.screen import Screen
from voicepipe.cli.terminal.wrapping import wrap
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.frames import Frame, FrameDirection, OutputAudioFrame
from voicepipe.log import logger_of
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.run.task import PipelineTask

__all__ = ["Countdown", "Display"]

PLAIN_REFRESH_S = 1.0
SETTLE_S = 0.2
"""After the End was asked for, stages give out what they hold: the count is right after that."""
WORTH_TELLING_S = 0.5
_STEP_S = 0.1

_log = logger_of("voicepipe")


class Countdown(InlineProcessor):
    """Knows how much is still to be played; stands before the speaker.

    After a signal or a time limit it tells. `line` is for a display on a terminal. Elsewhere it logs one
    line; where only stderr is a terminal, it counts down there.
    """

    def __init__(self, speaker: SpeakerOutput, screen: Screen) -> None:
        super().__init__()
        self._speaker = speaker
        self._screen = screen
        self._task: PipelineTask | None = None
        self._taken = 0
        self._counts = False
        self._advice = ""

    def watch(self, task: PipelineTask) -> None:
        """Look at this task for the reason of its end."""
        self._task = task

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Count the audio that goes to the speaker."""
        if isinstance(frame, OutputAudioFrame) and direction is FrameDirection.DOWNSTREAM:
            self._taken += frame.num_samples
        return (frame,)

    @property
    def left_s(self) -> float:
        """The seconds that are still to be heard."""
        device = self._speaker.device_statistics()
        if device is None:
            return 0.0
        gone = sum(seam.given + sum(seam.dropped.values()) for seam in self._speaker.seams())
        left = self._taken - gone
        return left / device.rate + device.latency_s if left > 0 else 0.0

    @property
    def line(self) -> str:
        """The line for a person; empty unless the program is stopping and there is something to wait for."""
        left_s = self.left_s if self._counts else 0.0
        return f"stopping: {math.ceil(left_s)} s still to play{self._advice}" if left_s else ""

    def on_ending(self) -> None:
        """Begin to count down."""
        report = self._task.report if self._task is not None else None
        reason = "" if report is None else report.reason
        self._counts = reason in ("SIGINT", "SIGTERM", "SIGHUP") or reason.startswith("after ")
        self._advice = "; Ctrl-C again to cut it" if reason == "SIGINT" else ""
        if self._counts and not self._screen.is_live:
            self.create_task(self._tell(), name="countdown")

    async def _tell(self) -> None:
        await asyncio.sleep(SETTLE_S)
        if self.left_s < WORTH_TELLING_S:
            return
        terminal = Screen(sys.stderr)
        if not terminal.is_live:
            _log.log(logging.INFO if _log.isEnabledFor(logging.INFO) else logging.WARNING, "%s", self.line)
            return
        try:
            while line := self.line:
                terminal.status(line)
                await asyncio.sleep(_STEP_S)
        finally:
            terminal.clear()


class Display(InlineProcessor):
    """Shows what passes: some lines that change on a terminal, one line a second elsewhere."""

    refresh_s = 0.1
    """The time from one status to the next on a terminal, in seconds."""

    def __init__(self, screen: Screen, greeting: str = "", name: str = "") -> None:
        super().__init__(name=name)
        self.greeting = greeting
        """A text that is printed when capture begins."""
        self.countdown: Countdown | None = None
        """The count of the sound that is still to be played."""
        self._screen = screen

    async def on_running(self) -> None:
        """Greet, and begin to show."""
        if greeting := self.greet():
            self._screen.say(greeting)
        self.create_task(self._show(), name="status")

    def greet(self) -> str:
        """Return the text that is printed when capture begins; empty: none."""
        return self.greeting

    def lines(self) -> Iterable[str]:
        """Return the lines for a terminal."""
        raise NotImplementedError

    def plain_line(self) -> str:
        """Return the line for anything else than a terminal."""
        return next(iter(self.lines()))

    def refresh(self) -> None:
        """Begin the next period: a status has been shown."""

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(self.refresh_s if self._screen.is_live else PLAIN_REFRESH_S)
            if self._screen.is_live:
                stopping = self.countdown.line if self.countdown is not None else ""
                more = wrap(stopping, self._screen.columns - 3).split("\n") if stopping else ()
                lines = [part for line in self.lines() for part in line.split("\n")]
                self._screen.status(*lines, *more)
            else:
                self._screen.status(self.plain_line())
            self.refresh()
