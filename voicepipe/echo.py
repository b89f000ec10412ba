"""The echo program: what the microphone hears comes out of the speaker. `python -m voicepipe.echo`

There is no back end for real sound hardware yet: it runs on the simulated card, whose
microphone hears a tune, and says whether every sample of it came back.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from voicepipe.checks import check_number
from voicepipe.devices import open_backend
from voicepipe.errors import VoicepipeError
from voicepipe.exit import end_process
from voicepipe.frames import EndFrame, Frame, FrameDirection, InputAudioFrame, OutputAudioFrame
from voicepipe.lifecycle import RunState
from voicepipe.meter import Level
from voicepipe.microphone import MicrophoneInput
from voicepipe.pipeline import Pipeline
from voicepipe.processor import FrameProcessor, InlineProcessor
from voicepipe.report import RunReport
from voicepipe.runner import PipelineRunner
from voicepipe.speaker import SpeakerOutput
from voicepipe.task import PipelineTask
from voicepipe.tune import tune

__all__ = ["Echo", "EndAfter", "main"]

_REFRESH_S = 0.1
_PLAIN_REFRESH_S = 1.0


class Echo(InlineProcessor):
    """What the microphone captured is to be heard."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Input audio becomes output audio."""
        return (OutputAudioFrame.of(frame),) if isinstance(frame, InputAudioFrame) else (frame,)


class EndAfter(FrameProcessor):
    """Asks for the End so many seconds after capture began."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = check_number("seconds", seconds, at_least=0.0)

    async def on_running(self) -> None:
        """Begin to count."""
        self.create_task(self._count_down(), name="count down")

    async def _count_down(self) -> None:
        await asyncio.sleep(self._seconds)
        await self.push_frame(EndFrame(f"{self._seconds:g} s are over"))


class _StatusLine(InlineProcessor):
    """Shows the level of what is heard: one line that changes on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._live = sys.stdout.isatty()
        self._next = 0
        self._loudest = Level()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, InputAudioFrame) and frame.num_samples:
            level = Level.of(frame.data)
            if level.peak_db >= self._loudest.peak_db:
                self._loudest = level
            if frame.position >= self._next:
                self._show(frame)
        return (frame,)

    def _show(self, frame: InputAudioFrame) -> None:
        every_s = _REFRESH_S if self._live else _PLAIN_REFRESH_S
        self._next = frame.position + round(every_s * frame.rate)
        bar = "#" * round((60 + max(-60.0, self._loudest.rms_db)) / 3)
        line = f"{frame.position / frame.rate:6.1f} s  {self._loudest.rms_db:6.1f} dB  {bar:<20}"
        _say("\r" + line if self._live else line.rstrip(), end="" if self._live else "\n")
        self._loudest = Level()

    def on_end(self) -> Iterable[Frame]:
        if self._live:
            _say("")
        return ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status, as `runner` has them."""
    try:
        return _main(_parser().parse_args(arguments))
    except KeyboardInterrupt:  # before the runner listens: there is nothing to end yet
        return 130


def _main(options: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.WARNING, format="%(levelname)s: %(message)s"
    )
    try:
        return _echo(options.seconds)
    except VoicepipeError as error:
        if options.debug:
            raise
        print(f"voicepipe.echo: {error}", file=sys.stderr)
        return 1


def _echo(seconds: float | None) -> int:
    backend = open_backend("fake")
    from voicepipe_devices.fake import FakeBackend

    assert isinstance(backend, FakeBackend)
    card = backend.card
    said = tune(repeats=2 if seconds is None else math.ceil(min(seconds, 600.0) / 1.8) + 1)
    card.mic.hear(said)
    card.mic.run_out()
    _say("no back end for real sound yet: on the simulated card, whose microphone hears a tune")
    _say("Ctrl-C ends it when all that was heard has been said; Ctrl-C twice stops it at once")
    stages = [MicrophoneInput(backend), _StatusLine(), Echo(), SpeakerOutput(backend)]
    if seconds is not None:
        stages.append(EndAfter(seconds))
    task = PipelineTask(Pipeline(stages), name="echo")
    runner = PipelineRunner()
    status = runner.run(task)
    if task.report is not None:
        _summarize(task.report, said, np.frombuffer(card.speaker.played(), np.int16))
    _say("nothing is left running" if not runner.left else f"left running: {runner.left}")
    return status


def _came_out(said: npt.NDArray[np.int16], played: npt.NDArray[np.int16]) -> bool:
    """Whether the same samples came out in order; zeros are what the card plays while it waits."""
    return bool(np.array_equal(said[said != 0], played[played != 0]))


def _summarize(report: RunReport, said: npt.NDArray[np.int16], played: npt.NDArray[np.int16]) -> None:
    given = {seam.name: seam.given for seam in report.seams}
    heard, spoken = given.get("MicrophoneInput device", 0), given.get("SpeakerOutput device", 0)
    same = "every sample the same" if _came_out(said[:spoken], played) else "NOT the same samples"
    if report.state is not RunState.ENDED:
        same = "then faded out"
    lost = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items())
    _say(f"{report.state.value}: {report.reason}")
    _say(
        f"heard {heard / 16_000:.2f} s, said {spoken / 16_000:.2f} s, {same}; "
        f"dropped samples: {lost or 'none'}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m voicepipe.echo",
        description="What the microphone hears comes out of the speaker. Ctrl-C ends it.",
        epilog="exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="end after so many seconds")
    parser.add_argument("--debug", action="store_true", help="log everything, and show tracebacks")
    return parser


def _seconds(text: str) -> float:
    try:
        return check_number("--seconds", float(text), at_least=0.0, at_most=86_400 * 366)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time in seconds: 10 or 2.5 would be right"
        ) from None


def _say(line: str, end: str = "\n") -> None:
    """Print; a reader that has gone away is no reason to stop."""
    try:
        print(line, end=end, flush=True)
    except (OSError, ValueError):
        pass


if __name__ == "__main__":
    end_process(main())
