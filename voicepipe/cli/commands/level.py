"""`voicepipe level`: how loud it is at the microphone, and the speech as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.cli.parts.end_after import EndAfter, EndAfterAudio
from voicepipe.cli.parts.options import Parser
from voicepipe.cli.parts.screen import Screen, run_on_screen
from voicepipe.cli.parts.sound_source import Sound, choose_sound
from voicepipe.cli.parts.status_lines import devices_line, level_line
from voicepipe.cli.parts.vad_file import Segments
from voicepipe.cli.parts.vad_options import EAR, EarOptions, ear_options
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import InlineProcessor, Processor
from voicepipe.run.task import PipelineTask
from voicepipe.runner.runner import PipelineRunner
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.speech.vad import Judgement, VADProcessor

__all__ = ["LevelDisplay", "LevelOptions", "command_line", "read_options", "run"]

_REFRESH_S = 0.05
_PLAIN_REFRESH_S = 1.0
_PEAK_FALLS_DB = 1.0
"""With each refresh: a peak stays to be seen for a while."""


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """What is to be listened to."""

    backend: str
    mic: str
    mic_channel: int | None
    format: AudioFormat
    seconds: float | None
    ear: EarOptions
    log_format: str
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Shows how loud it is at the microphone, and where it hears speech. Ctrl-C ends it.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take("--backend", help="auto, portaudio, fake, or wav:IN.wav; default: VOICEPIPE_BACKEND, or auto")
    parser.take("--mic", "--mic-channel", "--rate", "--seconds", *EAR, "--log-format", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> LevelOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    backend, ear = given.backend or "auto", ear_options(parser, given)
    audio = AudioFormat(given.rate)
    return LevelOptions(
        backend, given.mic, given.mic_channel, audio, given.seconds, ear, given.log_format, given.debug
    )


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(
        program, lambda screen: _run(options, screen), debug=options.debug, log_format=options.log_format
    )


def _run(options: LevelOptions, screen: Screen) -> int:
    sound = choose_sound(options.backend, screen.say)
    display = LevelDisplay(screen)
    task = _task(options, sound, display)
    display.watch(task)
    sound.begin(options.format, options.seconds)
    runner = PipelineRunner()
    status = runner.run(task)
    screen.clear()
    if not any(isinstance(error, PipelineStartError) for error in runner.errors):
        screen.say(display.summary())
    return status


def _task(options: LevelOptions, sound: Sound, display: LevelDisplay) -> PipelineTask:
    vad = VADProcessor(observe=display.judge, **options.ear.arguments())
    display.engine = engine_name(vad.engine)
    microphone = MicrophoneInput(sound.backend, device=options.mic, channel=options.mic_channel, mute=False)
    stages: list[Processor] = [microphone, vad, display]
    if options.seconds is not None:
        in_file = sound.backend.name == "wav"  # which is read faster than any clock goes
        stages.insert(1, EndAfterAudio(options.seconds) if in_file else EndAfter(options.seconds))
    return PipelineTask(Pipeline(stages), name="level", input=options.format)


class LevelDisplay(InlineProcessor):
    """Shows what passes: twenty times a second on a terminal, once a second elsewhere."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.engine = ""
        """What judges, for the greeting."""
        self._screen = screen
        self._segments = Segments()
        self._count = 0
        self._spoken_s = self._at_s = 0.0
        self._level = Level()
        self._peak_db = FLOOR_DB
        self._clipped = 0
        self._judged = Judgement(0, 0.0, FLOOR_DB, FLOOR_DB, False)
        self._last = "no speech yet"
        self._task: PipelineTask | None = None

    def watch(self, task: PipelineTask) -> None:
        """Show the microphone of this task too."""
        self._task = task

    async def on_running(self) -> None:
        """Now it hears."""
        self._screen.say(f"the ear is {self.engine}. Ctrl-C ends it")
        self.create_task(self._show(), name="status")

    def judge(self, judgement: Judgement) -> None:
        """What became of the last window."""
        self._judged = judgement

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Note what it is."""
        if isinstance(frame, InputAudioFrame):
            if frame.num_samples:
                self._level = Level.of(frame.data)
                self._peak_db = max(self._peak_db, self._level.peak_db)
                self._clipped += self._level.clipped
                self._at_s = (frame.position + frame.num_samples) / frame.rate
                self._rate = frame.rate
        elif segment := self._segments.note(frame):
            begin_s, end_s = segment.begin / self._rate, segment.end / self._rate
            self._count += 1
            self._spoken_s += end_s - begin_s
            self._screen.say(f"{begin_s:10.3f} {end_s:10.3f}   {end_s - begin_s:6.2f} s of speech")
            self._last = f"{self._count} heard, the last of {end_s - begin_s:.2f} s"
        return (frame,)

    def summary(self) -> str:
        """One line about all that was heard."""
        count = self._count
        clipped = f"; {self._clipped} samples clipped" if self._clipped else ""
        return (
            f"heard {self._at_s:.2f} s: {count} segment{'' if count == 1 else 's'}, "
            f"{self._spoken_s:.2f} s of speech{clipped}"
        )

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            self._screen.status(self._line(), self._more())
            self._peak_db = max(FLOOR_DB, self._peak_db - _PEAK_FALLS_DB)

    def _line(self) -> str:
        return level_line(self._screen, self._at_s, self._level, self._peak_db, self._judged, "")

    def _more(self) -> str:
        """The microphone, and what was heard last."""
        report = self._task.report if self._task is not None else None
        devices = devices_line(self._screen, report.devices if report is not None else ())
        return f"{devices}   {self._last}".lstrip()
