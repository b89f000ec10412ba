"""`voicepipe play`: a WAV file to the speaker, to its last sample."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from voicepipe.errors import PipelineStartError, printable
from voicepipe.loopback import Loopback
from voicepipe.microphone import MicrophoneInput
from voicepipe.pipeline import Pipeline
from voicepipe.processor import InlineProcessor
from voicepipe.programs.options import PlayOptions, play_options
from voicepipe.programs.screen import Screen, run_on_screen
from voicepipe.programs.sound import choose_sound
from voicepipe.runner import PipelineRunner
from voicepipe.speaker import SpeakerOutput
from voicepipe.task import PipelineTask
from voicepipe.wavfile import WavReader

__all__ = ["run"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0
_BAR = 30


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = play_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: PlayOptions, screen: Screen) -> int:
    from voicepipe_devices.wav import WavBackend

    with WavReader(options.file) as file:
        audio, total_s = file.format, file.format.seconds(file.num_samples)
    sound = choose_sound(options.backend, screen.say)
    speaker = SpeakerOutput(sound.backend, device=options.speaker, latency=options.latency)
    # As fast as it is read, and the speaker takes it as it plays.
    stages = [
        MicrophoneInput(WavBackend(options.file)),
        Loopback(),
        _Progress(screen, speaker, printable(options.file), total_s),
        speaker,
    ]
    task = PipelineTask(Pipeline(stages), name="play", input=audio, output=audio)
    sound.prepare(audio)
    runner = PipelineRunner()
    status = runner.run(task)
    screen.clear()
    if not any(isinstance(error, PipelineStartError) for error in runner.errors):
        screen.say(f"played {_played_s(speaker):.2f} of {total_s:.2f} s")
        sound.finish(screen.say)
    return status


def _played_s(speaker: SpeakerOutput) -> float:
    statistics = speaker.device_statistics()
    return 0.0 if statistics is None else statistics.samples / statistics.rate


class _Progress(InlineProcessor):
    """Shows how far it is."""

    def __init__(self, screen: Screen, speaker: SpeakerOutput, name: str, total_s: float) -> None:
        super().__init__()
        self._screen = screen
        self._speaker = speaker
        self._name = name
        self._total_s = total_s

    async def on_running(self) -> None:
        """Begin to show."""
        self._screen.say(f"plays {self._name}, {self._total_s:.2f} s. Ctrl-C ends it")
        self.create_task(self._show(), name="status")

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S if self._screen.is_live else _PLAIN_REFRESH_S)
            played_s = _played_s(self._speaker)
            cells = round(_BAR * min(1.0, played_s / max(self._total_s, 1e-3)))
            self._screen.status(f"{played_s:8.1f} of {self._total_s:.1f} s |{'#' * cells:<{_BAR}}|")
