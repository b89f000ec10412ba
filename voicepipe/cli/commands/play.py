"""`voicepipe play`: play a sound file. The file is the microphone of a pipeline, which waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voicepipe.audio.files.sound_file import open_sound_file
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.arguments.sound_source import CALM_LATENCY_S, SPEAKER
from voicepipe.cli.terminal.display import Countdown, Display
from voicepipe.cli.terminal.screen import Screen, run_on_screen
from voicepipe.devices.backends import open_backend
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import PipelineStartError
from voicepipe.lifecycle import RunState
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import describe_end, losses, seconds, troubles
from voicepipe.runner.runner import PipelineRunner
from voicepipe.stages.loopback import Loopback
from voicepipe.text import printable

__all__ = ["PlayOptions", "Progress", "command_line", "read_options", "run"]

QUEUE_S = 1.0
"""The seconds that wait for the speaker. The file waits for it, and an End has little left to play."""
_WIDEST, _BESIDE_BAR = 30, 30
"""Cells of the bar, and of the rest of the line."""


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """The options of the play program."""

    file: str
    backend: str
    speaker: str
    debug: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Plays a sound file: WAV; with the package soundfile FLAC, Ogg and MP3 too. Ctrl-C to finish with "
        "the second that waits for the speaker; press it again to stop immediately.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take("file", help="the file to play")
    parser.take(
        "--backend", help="portaudio, fake, or wav:,OUT.wav; default: VOICEPIPE_BACKEND, or portaudio"
    )
    parser.take("--speaker", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> PlayOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    return parser.options(PlayOptions, given, backend=given.backend or "auto")


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: PlayOptions, screen: Screen) -> int:
    with open_sound_file(options.file) as file:
        audio, samples = file.format, file.num_samples
    length_s = None if samples is None else audio.seconds(samples)
    from voicepipe_devices.wav import WavBackend  # by its path: in a back end's name a comma would end it

    backend = open_backend("portaudio" if options.backend == "auto" else options.backend)
    speaker = SpeakerOutput(
        backend, device=options.speaker, latency=CALM_LATENCY_S, max_queue_s=QUEUE_S, name=SPEAKER
    )
    progress = Progress(speaker, screen, length_s)
    progress.countdown = countdown = Countdown(speaker, screen)
    stages = [MicrophoneInput(WavBackend(options.file), name="the file"), progress, Loopback()]
    task = PipelineTask(Pipeline([*stages, countdown, speaker]), name="play", input=audio, output=audio)
    countdown.watch(task)
    runner = PipelineRunner()
    length = "" if length_s is None else f"{length_s:.2f} s, "
    screen.say(f"{printable(options.file)}: {length}{audio}. Ctrl-C to finish")
    status = runner.run(task)
    screen.clear()
    report = task.report
    if report is None or any(isinstance(error, PipelineStartError) for error in runner.errors):
        return status
    if report.reason.startswith("SIG") or report.state is not RunState.ENDED:
        screen.say(describe_end(report))
    screen.say(progress.summary())
    for line in (*losses(report, audio.rate), *troubles(report)):
        screen.say(line)
    return status


class Progress(Display):
    """Shows the part of the file that was handed to the speaker."""

    def __init__(self, speaker: SpeakerOutput, screen: Screen, length_s: float | None) -> None:
        super().__init__(screen)
        self._speaker = speaker
        self._length_s = length_s
        """The length of the file in seconds; None where its header does not say it."""

    @property
    def played_s(self) -> float:
        """Seconds that were handed to the speaker."""
        device = self._speaker.device_statistics()
        return 0.0 if device is None else device.samples / device.rate

    def summary(self) -> str:
        """Return one line about what was played."""
        length = "" if self._length_s is None else f" of {seconds(self._length_s)}"
        return f"played {seconds(self.played_s)}{length}"

    def lines(self) -> Iterable[str]:
        """Return the time, a bar and the percentage."""
        if self._length_s is None:
            yield f"{self.played_s:8.1f} s"
            return
        part = min(1.0, self.played_s / self._length_s) if self._length_s else 1.0
        width = max(8, min(_WIDEST, self._screen.columns - _BESIDE_BAR))
        bar = ("#" * round(part * width)).ljust(width, ".")
        yield f"{self.played_s:8.1f} s of {self._length_s:.1f} {bar} {part:4.0%}"
