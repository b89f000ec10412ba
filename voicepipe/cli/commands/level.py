"""`voicepipe level`: show the level at the microphone, and the speech as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.cli.arguments.end_after import EndAfter, EndAfterAudio
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.arguments.protection import (
    PROTECTION_FLAGS,
    Protection,
    read_protection,
    refuse_protection,
)
from voicepipe.cli.arguments.sound_source import MICROPHONE, SPEAKER, Sound, choose_sound
from voicepipe.cli.arguments.vad_options import VAD_FLAGS, VadSettings, vad_settings
from voicepipe.cli.parts.loudness import Loudness, gain_for
from voicepipe.cli.parts.vad_file import Segments
from voicepipe.cli.parts.voice_loop import VoiceLoop
from voicepipe.cli.terminal.display import Display
from voicepipe.cli.terminal.screen import Screen, run_on_screen
from voicepipe.cli.terminal.status_lines import beside, devices_line, echo_line, level_line, with_protection
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import Processor
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import describe_end, echoes, losses, seconds, troubles
from voicepipe.runner.runner import PipelineRunner
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.speech.stretch import Judgement
from voicepipe.speech.vad import VADProcessor

__all__ = ["LevelDisplay", "LevelOptions", "command_line", "read_options", "run"]

ENOUGH_S = 3.0
"""The time in which somebody who tries a microphone has spoken."""
_PEAK_FALLS_DB = 1.0
"""With each refresh: a peak stays visible for a while."""


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """The options of the level program."""

    backend: str
    mic: str
    mic_channel: int | None
    gain_db: float
    speaker: str
    echo: bool
    """True: a voice is played, and its echo is measured."""
    protection: Protection
    format: AudioFormat
    seconds: float | None
    voice: VadSettings
    log_format: str
    debug: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Shows the level at the microphone, and where there is speech. With --echo it plays a voice, and "
        "shows how well its echo is cancelled. Ctrl-C to finish.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take("--backend", help="auto, portaudio, fake, or wav:IN.wav; default: VOICEPIPE_BACKEND, or auto")
    parser.take("--echo", "--speaker", *PROTECTION_FLAGS)
    parser.take("--mic", "--mic-channel", "--gain-db", "--rate", "--seconds", *VAD_FLAGS)
    parser.take("--log-format", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> LevelOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    if not given.echo:
        refuse_protection(parser, arguments, "needs --echo: without it, nothing is played")
    return parser.options(
        LevelOptions,
        given,
        backend=given.backend or "auto",
        format=AudioFormat(given.rate),
        protection=read_protection(parser, given, arguments),
        voice=vad_settings(parser, given),
    )


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

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
    if not options.echo:  # which is to be heard alone
        sound.begin(options.format, options.seconds)
    runner = PipelineRunner()
    status = runner.run(task)
    screen.clear()
    if not any(isinstance(error, PipelineStartError) for error in runner.errors):
        report = task.report
        if report is not None:
            screen.say(describe_end(report))
        screen.say(display.summary())
        for line in () if options.echo else display.advice():
            screen.say(line)
        rate = options.format.rate
        for line in () if report is None else (*echoes(report), *losses(report, rate), *troubles(report)):
            screen.say(line)
    return status


def _task(options: LevelOptions, sound: Sound, display: LevelDisplay) -> PipelineTask:
    vad = VADProcessor(observe=display.judge, **options.voice.arguments(), name="voice detection")
    display.greeting = f"voice detection: {engine_name(vad.engine)}. Ctrl-C to finish"
    protection = options.protection if options.echo else Protection(cancel=False, mute=False)
    microphone = MicrophoneInput(
        sound.backend,
        device=options.mic,
        channel=options.mic_channel,
        gain_db=options.gain_db,
        cancel=protection.cancel,
        mute=protection.mute,
        name=MICROPHONE,
    )
    stages: list[Processor] = [microphone, vad, display]
    if options.echo:
        speaker = SpeakerOutput(sound.backend, device=options.speaker, max_queue_s=1.0, name=SPEAKER)
        stages += [VoiceLoop(name="the voice"), speaker]
    if options.seconds is not None:
        in_file = sound.backend.name == "wav"  # which is read faster than any clock goes
        stages.insert(1, EndAfterAudio(options.seconds) if in_file else EndAfter(options.seconds))
    audio = options.format
    return PipelineTask(Pipeline(stages), name="level", input=audio, output=audio)


class LevelDisplay(Display):
    """Shows the level: twenty times a second on a terminal, once a second elsewhere."""

    refresh_s = 0.05

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._segments = Segments()
        self._count = 0
        self._spoken_s = self._at_s = 0.0
        self._level = Level()
        self._peak_db = FLOOR_DB
        self._clipped = 0
        self._judged = Judgement(0, 0.0, FLOOR_DB, FLOOR_DB, False)
        self._last = "no speech yet"
        self._task: PipelineTask | None = None
        self._loudness = Loudness()

    def watch(self, task: PipelineTask) -> None:
        """Show the microphone of this task too."""
        self._task = task

    def greet(self) -> str:
        """Return the greeting, with the protection from the program's own sound."""
        return with_protection(self.greeting, self._task)

    def judge(self, judgement: Judgement) -> None:
        """Note the result of the last window."""
        self._judged = judgement
        if judgement.level_db > FLOOR_DB:  # zeros say nothing of a room
            self._loudness.add(judgement.level_db, speech=judgement.speaking)

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Note the frame, and pass it on."""
        if isinstance(frame, InputAudioFrame):
            if frame.num_samples:
                self._level = Level.of(frame.data if frame.ear is None else frame.ear)
                self._peak_db = max(self._peak_db, self._level.peak_db)
                self._clipped += self._level.clipped
                self._at_s = (frame.position + frame.num_samples) / frame.rate
                self._rate = frame.rate
        elif segment := self._segments.note(frame):
            begin_s, end_s = segment.begin / self._rate, segment.end / self._rate
            self._count += 1
            self._spoken_s += end_s - begin_s
            self._screen.say(f"{begin_s:10.3f} {end_s:10.3f}   {end_s - begin_s:6.2f} s of speech")
            self._last = f"speech: {self._count}, the last {end_s - begin_s:.1f} s long"
        return (frame,)

    def summary(self) -> str:
        """Return one line about all that was heard."""
        count = self._count
        clipped = "; it was clipped: turn the microphone down" if self._clipped else ""
        return (
            f"listened {seconds(self._at_s)}, {count} segment{'' if count == 1 else 's'}, "
            f"{seconds(self._spoken_s)} of speech{clipped}"
        )

    def advice(self) -> Iterable[str]:
        """Yield a line where the microphone is quiet, or nobody was heard."""
        loudness, speech_db = self._loudness, self._loudness.speech_db
        if speech_db is not None:
            if gain_db := gain_for(speech_db):
                yield (
                    f"the speech is quiet ({speech_db:.0f} dB), and it is heard all the same; to record it, "
                    f"or to recognise it, turn the microphone up, or use --gain-db {gain_db}"
                )
        elif self._at_s >= ENOUGH_S and loudness.windows:
            yield self._why_no_speech()

    def _why_no_speech(self) -> str:
        loudness = self._loudness
        if loudness.moves:
            return f"the level moved by {loudness.moves_db:.0f} dB, but nothing in it was speech"
        if loudness.is_faint:
            return (
                f"the level did not move ({loudness.lowest_db:.0f} dB, hardly anything): if you spoke, turn "
                "the microphone up, unmute it, or choose another with --mic"
            )
        return (
            f"the level did not move ({loudness.lowest_db:.0f} dB): if you spoke, this is the wrong input; "
            "choose another with --mic (`voicepipe devices` lists them)"
        )

    def refresh(self) -> None:
        """Let the peak fall."""
        self._peak_db = max(FLOOR_DB, self._peak_db - _PEAK_FALLS_DB)

    def plain_line(self) -> str:
        """Return level and score, and the figures of the echo."""
        report = self._task.report if self._task is not None else None
        there = report.devices if report is not None else ()
        level = level_line(self._screen, self._at_s, self._level, self._peak_db, self._judged, "")
        return "  ".join([level, *(device.echo.figures for device in there if device.echo is not None)])

    def lines(self) -> Iterable[str]:
        """Return level and score; the microphone, and the last speech."""
        yield level_line(self._screen, self._at_s, self._level, self._peak_db, self._judged, "")
        report = self._task.report if self._task is not None else None
        there = report.devices if report is not None else ()
        devices = devices_line(self._screen, there)
        still = not self._count and self._at_s >= ENOUGH_S and not self._loudness.moves
        last = "no speech yet, and the level does not move: is it the right input?" if still else self._last
        yield beside(self._screen, devices, last)
        if echo := echo_line(self._screen, there):
            yield echo
