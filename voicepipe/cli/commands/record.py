"""`voicepipe record`: the microphone into a new WAV file, good up to the last second whatever happens."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.audio.wav_file import WavWriter
from voicepipe.cli.parts.end_after import EndAfterAudio
from voicepipe.cli.parts.options import Parser
from voicepipe.cli.parts.screen import Screen, run_on_screen
from voicepipe.cli.parts.sound_source import CALM_LATENCY_S
from voicepipe.devices.backends import open_backend
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import InlineProcessor, Processor
from voicepipe.run.task import PipelineTask
from voicepipe.runner.runner import PipelineRunner
from voicepipe.text import printable

__all__ = ["RecordOptions", "Recorder", "command_line", "read_options", "recording_path", "run"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What is to be recorded, and where to."""

    file: str
    backend: str
    mic: str
    mic_channel: int | None
    format: AudioFormat
    seconds: float | None
    log_format: str
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Records the microphone into a new WAV file, which only you can read. Ctrl-C ends it; "
        "whatever ends it, the file is good up to the last second.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take(
        "file",
        help="a new file, such as call-%%Y%%m%%d-%%H%%M%%S.wav, where the time is put in; a folder that is "
        "missing is made, for you alone. Of a systemd service it is in the state directory",
    )
    parser.take("--backend", help="portaudio, fake, or wav:IN.wav")
    parser.take("--mic", "--mic-channel")
    # What is set for other programs would make it another recording, or cut it short.
    parser.take("--rate", default=48_000, from_settings=False)
    parser.take("--channels")
    parser.take("--seconds", from_settings=False)
    parser.take("--log-format", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> RecordOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    given = command_line(program).read(arguments)
    backend, audio = given.backend or "auto", AudioFormat(given.rate, given.channels)
    wanted = given.mic, given.mic_channel, audio, given.seconds
    return RecordOptions(recording_path(given.file), backend, *wanted, given.log_format, given.debug)


def recording_path(named: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where a recording goes: the local time stands for %Y, %m, %d, %H, %M and %S, and all else for itself.

    A systemd service that is started again wants another name each time, and may write to its state
    directory alone: a path that is not absolute is there.
    """
    now = time.localtime()
    path = re.sub("%[YmdHMS]", lambda found: time.strftime(found[0], now), named)
    folder = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return os.path.join(folder, path) if environment.get("NOTIFY_SOCKET") else path


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(
        program, lambda screen: _run(options, screen), debug=options.debug, log_format=options.log_format
    )


def _run(options: RecordOptions, screen: Screen) -> int:
    backend = open_backend("portaudio" if options.backend == "auto" else options.backend)
    if folder := os.path.dirname(options.file):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    with WavWriter(options.file, options.format, new=True) as file:
        recorder = Recorder(file, screen, printable(options.file))
        stages: list[Processor] = [
            MicrophoneInput(
                backend,
                device=options.mic,
                latency=CALM_LATENCY_S,
                channel=options.mic_channel,
                mute=False,
            )
        ]
        if options.seconds is not None:
            stages.append(EndAfterAudio(options.seconds))
        runner = PipelineRunner()
        status = runner.run(PipelineTask(Pipeline([*stages, recorder]), name="record", input=options.format))
    screen.clear()
    if any(isinstance(error, PipelineStartError) for error in runner.errors):
        os.unlink(options.file)  # there is nothing in it
    else:
        screen.say(recorder.summary())
    return status


class Recorder(InlineProcessor):
    """Writes what the microphone captured. What was lost is silence in the file, so that its time is true."""

    def __init__(self, file: WavWriter, screen: Screen, name: str) -> None:
        super().__init__()
        self._file = file
        self._screen = screen
        self._name_of_file = name
        self._lost = 0
        self._clipped = 0
        self._level = Level()
        self._peak_db = FLOOR_DB

    async def on_running(self) -> None:
        """Say so: nobody is recorded in secret."""
        self._screen.say(f"recording into {self._name_of_file}, which only you can read. Ctrl-C ends it")
        self.create_task(self._show(), name="status")

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Write it. Raises: OSError: the disk is full, or fails."""
        if isinstance(frame, InputAudioFrame) and frame.num_samples:
            self._fill(frame.position - self._file.num_samples)
            self._file.write(frame.data)
            self._level = Level.of(frame.data)
            self._peak_db = max(self._peak_db, self._level.peak_db)
            self._clipped += self._level.clipped
        return (frame,)

    def _fill(self, samples: int) -> None:
        self._lost += max(0, samples)
        while samples > 0:
            piece = min(samples, self._file.format.rate)
            self._file.write(bytes(piece * self._file.format.sample_bytes))
            samples -= piece

    def summary(self) -> str:
        """One line about all that was recorded."""
        audio = self._file.format
        clipped = f"; {self._clipped} samples clipped: turn the microphone down" if self._clipped else ""
        lost = f"; {audio.seconds(self._lost):.3f} s were lost, and are silence" if self._lost else ""
        what = f"{self._name_of_file}: {self._seconds:.2f} s, {audio}, peak {self._peak_db:.1f} dB"
        return what + clipped + lost

    @property
    def _seconds(self) -> float:
        return self._file.format.seconds(self._file.num_samples)

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            bar = "#" * round((60 + max(-60.0, self._level.rms_db)) / 3)
            self._screen.status(f"{self._seconds:8.1f} s {self._level.rms_db:6.1f} dB {bar:<20}")
