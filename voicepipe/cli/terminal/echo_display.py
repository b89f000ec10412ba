"""The display of the running echo program: level, speech, devices, losses, and utterances."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.cli.terminal.display import Display
from voicepipe.cli.terminal.screen import Screen
from voicepipe.cli.terminal.status_lines import (
    beside,
    devices_line,
    echo_line,
    level_line,
    with_protection,
)
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    InterruptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.report import RunReport
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import seconds

if TYPE_CHECKING:
    from voicepipe.speech.stretch import Judgement  # it brings numpy, which --live can do without

__all__ = ["Dashboard"]

_PEAK_FALLS_DB = 2.0
"""With each refresh: a peak stays visible for a while."""
_MEASURED_S = 0.1
"""The level is that of so much sound: measuring each short block would cost more than all the rest."""
_EVERY = 5
"""One of so many samples is measured, of all channels in turn: a bar on a screen needs no more."""


class Dashboard(Display):
    """Shows the echo program: ten times a second on a terminal, once a second elsewhere."""

    takes: ClassVar[tuple[type[Frame], ...]] = (InputAudioFrame,)

    def __init__(self, screen: Screen, greeting: str = "", *, live: bool = False, hears: bool = True) -> None:
        super().__init__(screen, greeting)
        self.hears = hears
        """True where voice detection is part of the program."""
        self._live = live  # then it speaks all the time, and that is no news
        self.utterances = 0
        """The number of utterances so far."""
        self.heard_s = 0.0
        """Seconds of sound that were heard."""
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
        """Show the devices and the losses of this task too."""
        self._task = task
        if self.countdown is not None:
            self.countdown.watch(task)

    def greet(self) -> str:
        """Return the greeting, with the protection from the program's own sound."""
        return with_protection(self.greeting, self._task)

    def judge(self, judgement: Judgement) -> None:
        """Note the result of the last window."""
        self._judged = judgement

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Note the frame, and pass it on."""
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
            case InterruptionFrame():
                self._screen.say("you talked over it: it stopped")
            case UtteranceFrame():
                self.utterances += 1
                at_s = frame.position / frame.rate
                self._screen.say(f"heard {frame.duration_s:.2f} s of speech at {at_s:.2f} s")
                self._last = f", the last {frame.duration_s:.1f} s long"
        return (frame,)

    def _note_level(self, frame: InputAudioFrame) -> None:
        self._at_s = (frame.position + frame.num_samples) / frame.rate
        self.heard_s += frame.duration_s
        self._unmeasured.append(frame.data if frame.ear is None else frame.ear)
        self._unmeasured_s += frame.duration_s
        if self._unmeasured_s >= _MEASURED_S:
            self._measure()

    def _measure(self) -> None:
        """Take the level of the sound since the last time; the loudest is shown."""
        if self._unmeasured_s:
            level = Level.of(array("h", b"".join(self._unmeasured))[::_EVERY].tobytes())
            if level.peak_db >= self._loudest.peak_db:
                self._loudest = level
            self._peak_db = max(self._peak_db, level.peak_db)
        self._unmeasured, self._unmeasured_s = [], 0.0

    def refresh(self) -> None:
        """Begin the next period: the loudest level is forgotten, and the peak falls."""
        self._loudest = Level()
        self._peak_db = max(FLOOR_DB, self._peak_db - _PEAK_FALLS_DB)

    def lines(self) -> Iterable[str]:
        """Return level and score; devices; utterances and losses."""
        self._measure()
        yield level_line(self._screen, self._at_s, self._loudest, self._peak_db, self._judged, self._doing)
        report = self._task.report if self._task is not None else None
        if report is None:
            return
        yield devices_line(self._screen, report.devices)
        heard = f"utterances: {self.utterances}{self._last}" if self.hears else ""
        echo = echo_line(self._screen, report.devices)
        yield beside(self._screen, heard, _delays(report), echo, self._losses(report))

    def plain_line(self) -> str:
        """Return time, level, state and losses."""
        self._measure()
        level = max(-99.9, self._loudest.rms_db)
        bar = "#" * round((60 + max(-60.0, level)) / 3)
        heard = f"utterances {self.utterances}  " if self.hears else ""
        return f"{self._at_s:7.1f} s {level:6.1f} dB {bar:<20} {self._doing:<9} {heard}{self._counters()}"

    @property
    def _doing(self) -> str:
        return "speech" if self._hears_speech else "speaking" if self._speaks else "listening"

    def _counters(self) -> str:
        """Return the losses, and the troubles of the devices where there are any."""
        report = self._task.report if self._task is not None else None
        if report is None:
            return "lost: nothing"
        troubles = [f"{d.kind} {d.troubles}" for d in report.devices if d.troubles]
        echo = "  ".join(device.echo.figures for device in report.devices if device.echo is not None)
        return "  ".join([*filter(None, [_delays(report), echo]), self._losses(report), *troubles])

    def _losses(self, report: RunReport) -> str:
        """Return the seconds that were not heard or played, by reason."""
        rates = [device.rate for device in report.devices] or [1]
        lost = [(str(why).replace("_", " "), count / rates[0]) for why, count in report.dropped.items()]
        return f"lost: {', '.join(f'{seconds(s)} ({why})' for why, s in lost if s > 0) or 'nothing'}"


def _delays(report: RunReport) -> str:
    """Return the delay from the microphone to each speaker that plays live sound; empty if none does."""
    return ", ".join(f"delay {1e3 * d.delay_s:.0f} ms" for d in report.devices if d.delay_s is not None)
