"""`voicepipe play`: a WAV file to a speaker. The file is the microphone of a pipeline, which waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from voicepipe.audio.wav_file import WavReader
from voicepipe.cli.parts.options import Parser
from voicepipe.cli.parts.screen import Screen, run_on_screen
from voicepipe.cli.parts.sound_source import CALM_LATENCY_S
from voicepipe.devices.backends import open_backend
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import PipelineStartError
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.run.task import PipelineTask
from voicepipe.runner.runner import PipelineRunner
from voicepipe.stages.loopback import Loopback
from voicepipe.text import printable

__all__ = ["PlayOptions", "Progress", "command_line", "read_options", "run"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0
_WIDTH = 30


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """What is to be played."""

    file: str
    backend: str
    speaker: str
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Plays a WAV file. Ctrl-C ends it, when the second that waits for the speaker is heard; "
        "twice, at once.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take("file", help="what to play")
    parser.take("--backend", help="portaudio, fake, or wav:,OUT.wav")
    parser.take("--speaker", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> PlayOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    given = command_line(program).read(arguments)
    return PlayOptions(given.file, given.backend or "auto", given.speaker, given.debug)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: PlayOptions, screen: Screen) -> int:
    with WavReader(options.file) as file:
        audio, seconds = file.format, file.format.seconds(file.num_samples)
    from voicepipe_devices.wav import WavBackend  # by its path: in a back end's name a comma would end it

    backend = open_backend("portaudio" if options.backend == "auto" else options.backend)
    speaker = SpeakerOutput(backend, device=options.speaker, latency=CALM_LATENCY_S)
    progress = Progress(speaker, screen, seconds)
    stages = [MicrophoneInput(WavBackend(options.file)), progress, Loopback(), speaker]
    runner = PipelineRunner()
    screen.say(f"{printable(options.file)}: {seconds:.2f} s, {audio}. Ctrl-C ends it")
    status = runner.run(PipelineTask(Pipeline(stages), name="play", input=audio, output=audio))
    screen.clear()
    if not any(isinstance(error, PipelineStartError) for error in runner.errors):
        screen.say(f"played {progress.played_s:.2f} s of {seconds:.2f}")
    return status


class Progress(InlineProcessor):
    """Shows how much of the file has been handed to the speaker."""

    def __init__(self, speaker: SpeakerOutput, screen: Screen, seconds: float) -> None:
        super().__init__()
        self._speaker = speaker
        self._screen = screen
        self._seconds = seconds

    @property
    def played_s(self) -> float:
        """Seconds that were handed to the speaker."""
        device = self._speaker.device_statistics()
        return 0.0 if device is None else device.samples / device.rate

    async def on_running(self) -> None:
        """Begin to show it."""
        self.create_task(self._show(), name="status")

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            part = min(1.0, self.played_s / self._seconds) if self._seconds else 1.0
            bar = ("#" * round(part * _WIDTH)).ljust(_WIDTH, ".")
            self._screen.status(f"{self.played_s:8.1f} s of {self._seconds:.1f} {bar} {part:4.0%}")
