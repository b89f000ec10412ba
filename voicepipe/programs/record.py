"""`voicepipe record`: the microphone into a WAV file of one's own, valid whatever ends the program."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence

from voicepipe.errors import PipelineStartError, VoicepipeError, printable
from voicepipe.frames import EndFrame, Frame, FrameDirection, InputAudioFrame
from voicepipe.meter import FLOOR_DB, Level
from voicepipe.microphone import MicrophoneInput
from voicepipe.params import StartParams
from voicepipe.pipeline import Pipeline
from voicepipe.processor import InlineProcessor, Processor
from voicepipe.programs.level import bar
from voicepipe.programs.options import RecordOptions, record_options
from voicepipe.programs.screen import Screen, run_on_screen
from voicepipe.programs.sound import choose_sound
from voicepipe.programs.stopping import EndAfterAudio
from voicepipe.report import RunReport
from voicepipe.runner import PipelineRunner
from voicepipe.task import PipelineTask
from voicepipe.wavfile import WavWriter

__all__ = ["Recorder", "run"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0

_log = logging.getLogger("voicepipe")


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = record_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: RecordOptions, screen: Screen) -> int:
    sound = choose_sound(options.backend, screen.say)
    recorder = Recorder(options.file)
    microphone = MicrophoneInput(
        sound.backend, device=options.mic, block_s=options.block_s, latency=options.latency, mute=False
    )
    stages: list[Processor] = [microphone, recorder, _Progress(screen, recorder)]
    if options.seconds is not None:
        stages.insert(1, EndAfterAudio(options.seconds))
    task = PipelineTask(Pipeline(stages), name="record", input=options.format)
    sound.begin(options.format, options.seconds)
    runner = PipelineRunner()
    status = runner.run(task)
    screen.clear()
    if recorder.error is not None:
        raise recorder.error
    if task.report is not None and not any(isinstance(e, PipelineStartError) for e in runner.errors):
        screen.say(_summary(recorder, task.report))
    return status


def _summary(recorder: Recorder, report: RunReport) -> str:
    if not recorder.num_samples:
        return "nothing was recorded, and no file is left"
    lost = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items() if count)
    return (
        f"recorded {recorder.seconds:.2f} s, {recorder.format}, into {printable(recorder.path)}; "
        f"lost samples: {lost or 'none'}"
    )


class RecordingError(VoicepipeError):
    """A recording cannot be made, or not go on."""


class Recorder(InlineProcessor):
    """Writes what the microphone captured into a new WAV file, readable and writable by its owner only.

    What is there already is not touched: neither a file of that name nor what a link points to. A folder
    that is missing is made, for its owner only. When the disk takes no more, the run ends with what is there.

    Args:
        path: the file to be made.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.error: RecordingError | None = None
        """Why nothing more is written."""
        self.num_samples = 0
        """Samples written."""
        self._writer: WavWriter | None = None
        self._made: list[Callable[[], None]] = []
        """What takes away again what was made, where nothing is recorded."""

    @property
    def seconds(self) -> float:
        """Sound that is in the file."""
        return self.format.seconds(self.num_samples)

    async def on_start(self, params: StartParams) -> None:
        """Make the file. Raises: RecordingError."""
        self.format = params.input
        try:
            self._make()
        except FileExistsError as error:
            raise RecordingError(
                f"{printable(self.path)} is there already: give another name, or remove it first"
            ) from error
        except OSError as error:
            raise RecordingError(f"{printable(self.path)} cannot be made: {error.strerror}") from error

    def _make(self) -> None:
        folder = os.path.dirname(self.path)
        if folder and not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            self._made.append(lambda: os.rmdir(folder))
        self._writer = WavWriter(self.path, self.format, new=True)
        self._made.append(lambda: os.unlink(self.path))

    async def on_running(self) -> None:
        """Say so where others look."""
        _log.info("recording the microphone into %s", printable(self.path))

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Write it. What the system has of it survives a crash of this program."""
        if not isinstance(frame, InputAudioFrame) or self._writer is None or self.error is not None:
            return (frame,)
        try:
            self._writer.write(frame.data)
        except OSError as error:
            self.error = RecordingError(
                f"{printable(self.path)} cannot be written any more ({error.strerror}): make room, and begin "
                f"another one; what was recorded until then is in it"
            )
            return (frame, EndFrame(str(self.error)))
        finally:
            self.num_samples = self._writer.num_samples
        return (frame,)

    async def cleanup(self) -> None:
        """Finish the file; one that holds nothing is taken away."""
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError as error:
            self.error = self.error or RecordingError(
                f"{printable(self.path)} cannot be finished ({error.strerror})"
            )
        while self._made and not self.num_samples:
            with contextlib.suppress(OSError):  # somebody else has taken it away, or put something there
                self._made.pop()()


class _Progress(InlineProcessor):
    """Shows how long it records, and how loud it is."""

    def __init__(self, screen: Screen, recorder: Recorder) -> None:
        super().__init__()
        self._screen = screen
        self._recorder = recorder
        self._level = Level()
        self._peak_db = FLOOR_DB
        self._clipped = 0

    async def on_running(self) -> None:
        """Begin to show."""
        self._screen.say(f"records into {printable(self._recorder.path)}, for you alone. Ctrl-C ends it")
        self.create_task(self._show(), name="status")

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Note how loud it is. Nothing behind needs the audio."""
        if not isinstance(frame, InputAudioFrame):
            return (frame,)
        if frame.num_samples:
            self._level = Level.of(frame.data)
            self._peak_db = max(self._peak_db, self._level.peak_db)
            self._clipped += self._level.clipped
        return ()

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            meter = bar(self._level.rms_db, self._peak_db, FLOOR_DB)
            clipped = self._screen.paint(f"  clipped {self._clipped}", "red") if self._clipped else ""
            self._screen.status(
                f"{self._recorder.seconds:8.1f} s {self._level.rms_db:6.1f} dB |{meter}|{clipped}"
            )
            self._peak_db = FLOOR_DB
