"""What a running program shows: level, speech, and counters."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable

from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.meter import Level
from voicepipe.processor import InlineProcessor
from voicepipe.programs.screen import Screen
from voicepipe.task import PipelineTask

__all__ = ["Dashboard"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0
_MEASURED_S = 0.1
"""The level is that of so much sound: to measure each short block would cost more than all the rest."""
_EVERY = 5
"""And of so few of its samples, of all channels in turn: a bar on a screen needs no more."""


class Dashboard(InlineProcessor):
    """Sees what passes, and shows it: ten times a second on a terminal, once a second elsewhere."""

    def __init__(self, screen: Screen, greeting: str, *, live: bool = False, hears: bool = True) -> None:
        super().__init__()
        self._greeting = greeting
        self.hears = hears
        """Somebody looks for speech."""
        self._live = live  # then it speaks all the time, and that is no news
        self.utterances = 0
        """How many were heard."""
        self.heard_s = 0.0
        """How much sound was heard."""
        self._screen = screen
        self._task: PipelineTask | None = None
        self._loudest = Level()
        self._unmeasured: list[bytes] = []
        self._unmeasured_s = 0.0
        self._at_s = 0.0
        self._hears_speech = False
        self._speaks = False

    def watch(self, task: PipelineTask) -> None:
        """Show the drops of this task too."""
        self._task = task

    async def on_running(self) -> None:
        """Now it hears."""
        self._screen.say(self._greeting)
        self.create_task(self._show(), name="status")

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Note what it is."""
        match frame:
            case InputAudioFrame():
                self._note_level(frame)
            case UserStartedSpeakingFrame():
                self._hears_speech = True
            case UserStoppedSpeakingFrame():
                self._hears_speech = False
            case BotStartedSpeakingFrame():
                self._speaks = not self._live
            case BotStoppedSpeakingFrame():
                self._speaks = False
            case UtteranceFrame():
                self.utterances += 1
                at_s = frame.position / frame.rate
                self._screen.say(f"heard {frame.duration_s:.2f} s of speech at {at_s:.2f} s")
        return (frame,)

    def _note_level(self, frame: InputAudioFrame) -> None:
        self._at_s = (frame.position + frame.num_samples) / frame.rate
        self.heard_s += frame.duration_s
        self._unmeasured.append(frame.data)
        self._unmeasured_s += frame.duration_s
        if self._unmeasured_s >= _MEASURED_S:
            self._measure()

    def _measure(self) -> None:
        """Take the level of what came since the last time; the loudest is shown."""
        if self._unmeasured_s:
            level = Level.of(array("h", b"".join(self._unmeasured))[::_EVERY].tobytes())
            if level.peak_db >= self._loudest.peak_db:
                self._loudest = level
        self._unmeasured, self._unmeasured_s = [], 0.0

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            self._measure()
            self._screen.status(self._line())
            self._loudest = Level()

    def _line(self) -> str:
        level = max(-99.9, self._loudest.rms_db)
        bar = "#" * round((60 + max(-60.0, level)) / 3)
        doing = f"{'speech' if self._hears_speech else 'speaking' if self._speaks else 'listening':<9}"
        if self._hears_speech or self._speaks:
            colour = "green" if self._hears_speech else "cyan"
            bar, doing = self._screen.paint(f"{bar:<20}", colour), self._screen.paint(doing, colour)
        heard = f"utterances {self.utterances}  " if self.hears else ""
        return f"{self._at_s:7.1f} s {level:6.1f} dB {bar:<20} {doing} {heard}{self._counters()}"

    def _counters(self) -> str:
        """What was dropped, and the troubles of the devices: where there are none, nothing."""
        report = self._task.report if self._task is not None else None
        if report is None:
            return "dropped 0"
        troubles = [f"{d.kind} {d.troubles}" for d in report.devices if d.troubles]
        return "  ".join([f"dropped {sum(report.dropped.values())}", *troubles])
