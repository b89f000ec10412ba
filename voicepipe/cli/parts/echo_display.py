"""What the running echo program shows: level, speech, devices, counters, and what was heard."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.cli.parts.screen import Screen
from voicepipe.cli.parts.status_lines import devices_line, level_line
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
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.run.task import PipelineTask

if TYPE_CHECKING:
    from voicepipe.speech.vad import Judgement  # it brings numpy, which --live can do without

__all__ = ["Dashboard"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0
_PEAK_FALLS_DB = 2.0
"""With each refresh: a peak stays to be seen for a while."""
_MEASURED_S = 0.1
"""The level is that of so much sound: to measure each short block would cost more than all the rest."""
_EVERY = 5
"""And of so few of its samples, of all channels in turn: a bar on a screen needs no more."""


class Dashboard(InlineProcessor):
    """Sees what passes, and shows it: ten times a second on a terminal, once a second elsewhere."""

    def __init__(self, screen: Screen, greeting: str = "", *, live: bool = False, hears: bool = True) -> None:
        super().__init__()
        self.greeting = greeting
        """What it says when it hears."""
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
        self._peak_db = FLOOR_DB
        self._judged: Judgement | None = None
        self._hears_speech = False
        self._speaks = False
        self._last = ""

    def watch(self, task: PipelineTask) -> None:
        """Show the devices and the drops of this task too."""
        self._task = task

    def judge(self, judgement: Judgement) -> None:
        """What became of the last window."""
        self._judged = judgement

    async def on_running(self) -> None:
        """Now it hears."""
        self._screen.say(self.greeting)
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
                self._last = f", the last of {frame.duration_s:.2f} s"
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
            self._peak_db = max(self._peak_db, level.peak_db)
        self._unmeasured, self._unmeasured_s = [], 0.0

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            self._measure()
            self._screen.status(*(self._panel() if self._screen.is_live else (self._line(),)))
            self._loudest = Level()
            self._peak_db = max(FLOOR_DB, self._peak_db - _PEAK_FALLS_DB)

    def _panel(self) -> Iterable[str]:
        """On a terminal."""
        doing = "speech" if self._hears_speech else "speaking" if self._speaks else "listening"
        yield level_line(self._screen, self._at_s, self._loudest, self._peak_db, self._judged, doing)
        report = self._task.report if self._task is not None else None
        if report is None:
            return
        yield devices_line(self._screen, report.devices)
        heard = f"heard {self.utterances}{self._last}   " if self.hears else ""
        dropped = ", ".join(f"{count} {why}" for why, count in report.dropped.items() if count > 0)
        yield f"{heard}dropped samples: {dropped or 'none'}"

    def _line(self) -> str:
        """Elsewhere."""
        level = max(-99.9, self._loudest.rms_db)
        bar = "#" * round((60 + max(-60.0, level)) / 3)
        doing = f"{'speech' if self._hears_speech else 'speaking' if self._speaks else 'listening':<9}"
        heard = f"utterances {self.utterances}  " if self.hears else ""
        return f"{self._at_s:7.1f} s {level:6.1f} dB {bar:<20} {doing} {heard}{self._counters()}"

    def _counters(self) -> str:
        """What was dropped, and the troubles of the devices: where there are none, nothing."""
        report = self._task.report if self._task is not None else None
        if report is None:
            return "dropped 0"
        troubles = [f"{d.kind} {d.troubles}" for d in report.devices if d.troubles]
        return "  ".join([f"dropped {sum(report.dropped.values())}", *troubles])
