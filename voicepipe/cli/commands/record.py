"""`voicepipe record`: record the microphone into a new WAV file, good up to the last second."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from voicepipe.audio.files.private_files import make_private_folders
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.cli.arguments.end_after import EndAfterAudio
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.arguments.sound_source import CALM_LATENCY_S, MICROPHONE
from voicepipe.cli.terminal.display import Display
from voicepipe.cli.terminal.screen import Screen, run_on_screen
from voicepipe.devices.backends import open_backend
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import Processor
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import describe_end, seconds, troubles
from voicepipe.runner.runner import PipelineRunner
from voicepipe.text import printable

__all__ = ["RecordOptions", "Recorder", "command_line", "read_options", "recording_path", "run"]

_WRITTEN = ("", ".wav", ".wave")
"""The endings of a file's name that are right."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """The options of the record program."""

    file: str
    backend: str
    mic: str
    mic_channel: int | None
    gain_db: float
    format: AudioFormat
    seconds: float | None
    log_format: str
    debug: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Records the microphone into a new WAV file, which only you can read. Ctrl-C to finish. "
        "Whatever ends it, the file is good up to the last second.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take(
        "file",
        metavar="FILE.wav",
        help="a new file, such as note.wav, or call-%%Y%%m%%d-%%H%%M%%S.wav with the time in its name; a "
        "missing folder is made, for you alone. A systemd service records into its state directory",
    )
    parser.take("--backend", help="portaudio, fake, or wav:IN.wav; default: VOICEPIPE_BACKEND, or portaudio")
    parser.take("--mic", "--mic-channel", "--gain-db")
    # What is set for other programs would make it another recording, or cut it short.
    parser.take("--rate", default=48_000, from_settings=False)
    parser.take("--channels")
    parser.take("--seconds", from_settings=False)
    parser.take("--log-format", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> RecordOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    stem, ending = os.path.splitext(given.file)
    if ending.lower() not in _WRITTEN:
        parser.error(f"only .wav can be written, not {ending}; type: {program} {shlex.quote(f'{stem}.wav')}")
    return parser.options(
        RecordOptions,
        given,
        file=recording_path(given.file),
        backend=given.backend or "auto",
        format=AudioFormat(given.rate, given.channels),
    )


def recording_path(named: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of a recording, with the local time in place of %Y, %m, %d, %H, %M and %S.

    A systemd service may write to its state directory alone, so a path that is not absolute is there.
    """
    now = time.localtime()
    path = re.sub("%[YmdHMS]", lambda found: time.strftime(found[0], now), named)
    folder = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return os.path.join(folder, path) if environment.get("NOTIFY_SOCKET") else path


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

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
        make_private_folders(folder)
    with WavWriter(options.file, options.format, new=True) as file:
        recorder = Recorder(file, screen, printable(options.file))
        stages: list[Processor] = [
            MicrophoneInput(
                backend,
                device=options.mic,
                latency=CALM_LATENCY_S,
                channel=options.mic_channel,
                gain_db=options.gain_db,
                mute=False,
                name=MICROPHONE,
            )
        ]
        if options.seconds is not None:
            stages.append(EndAfterAudio(options.seconds))
        runner = PipelineRunner()
        task = PipelineTask(Pipeline([*stages, recorder]), name="record", input=options.format)
        status = runner.run(task)
    screen.clear()
    if any(isinstance(error, PipelineStartError) for error in runner.errors):
        os.unlink(options.file)  # there is nothing in it
    else:
        if task.report is not None:
            screen.say(describe_end(task.report))
        screen.say(recorder.summary())
        for line in () if task.report is None else troubles(task.report):
            screen.say(line)
    return status


class Recorder(Display):
    """Writes the microphone's audio. Lost audio is silence in the file, so that its time is true."""

    def __init__(self, file: WavWriter, screen: Screen, name: str) -> None:
        # Nobody is recorded in secret.
        super().__init__(
            screen, f"recording into {name}, which only you can read. Ctrl-C to finish", "the recording"
        )
        self._file = file
        self._name_of_file = name
        self._lost = 0
        self._clipped = 0
        self._level = Level()
        self._peak_db = FLOOR_DB

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Write the audio. Raises: OSError: the disk is full, or fails."""
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
        """Return one line about the recording."""
        audio = self._file.format
        clipped = "; it was clipped: turn the microphone down" if self._clipped else ""
        lost = f"; {seconds(audio.seconds(self._lost))} were lost, and are silence" if self._lost else ""
        what = f"{self._name_of_file}: {self._seconds:.2f} s, {audio}, peak {self._peak_db:.1f} dB"
        return what + clipped + lost

    @property
    def _seconds(self) -> float:
        return self._file.format.seconds(self._file.num_samples)

    def lines(self) -> Iterable[str]:
        """Return the time, the level and a bar."""
        bar = "#" * round((60 + max(-60.0, self._level.rms_db)) / 3)
        yield f"{self._seconds:8.1f} s {self._level.rms_db:6.1f} dB {bar:<20}"
