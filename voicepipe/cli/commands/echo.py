"""The echo program: it listens, and when the person pauses it says what it heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.cli.parts.echo_display import Dashboard
from voicepipe.cli.parts.end_after import EndAfter, EndAfterAudio
from voicepipe.cli.parts.options import SETTINGS, Parser
from voicepipe.cli.parts.screen import Screen, run_on_screen
from voicepipe.cli.parts.sound_source import Sound, choose_sound
from voicepipe.cli.parts.vad_options import EarOptions, ear_options
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame, OutputAudioFrame, UtteranceFrame
from voicepipe.params import Limits
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import InlineProcessor, Processor
from voicepipe.report import RunReport
from voicepipe.run.task import PipelineTask
from voicepipe.runner.runner import PipelineRunner
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.stages.loopback import Loopback

if TYPE_CHECKING:
    from voicepipe.service.companions import Companion

__all__ = ["EchoOptions", "SayBack", "command_line", "read_options", "run"]

PREROLL_S = 0.5
"""Less than by default: it is played too, and the answer is as much later."""
LIVE_BLOCK_S = 0.01
BLOCK_S = 0.02
START_S = 15.0
"""A slow computer takes seconds for each device. One that hangs has a limit of its own, and is named."""


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """How the echo program is to run."""

    backend: str
    """As `open_backend` takes it, or "auto"."""
    live: bool
    mic: str
    mic_channel: int | None
    speaker: str
    format: AudioFormat
    block_s: float
    latency: str | float
    seconds: float | None
    mute: bool | None
    steady: bool
    ear: EarOptions | None
    """None: live sound, in which nobody looks for speech."""
    status_socket: str | None
    """Where it answers `voicepipe status`; None: as a service does, where it is one."""
    metrics: int | None
    """The port where it answers Prometheus; None: none."""
    log_format: str
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Listens, and when you pause it says what you said. Ctrl-C ends it, when all is said.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take(
        "--backend",
        help="auto, portaudio, fake (a simulated card that hears a bundled voice), or wav:IN.wav[,OUT.wav]; "
        "default: VOICEPIPE_BACKEND, or auto",
    )
    parser.take("--live", "--mic", "--mic-channel", "--speaker", "--rate")
    parser.take("--block", help="samples in a block; by default 20 ms, --live 10 ms")
    parser.take("--latency", help="what to ask of the device; by default high, and with --live low")
    parser.take("--seconds", "--mute", "--steady")
    parser.take(
        "--vad",
        help=f"{SETTINGS['--vad']['help']} (with --live: nothing, unless this is given)",
    )
    parser.take("--preset", "--status-socket", "--metrics", "--log-format", "--debug")
    return parser


def read_options(arguments: Sequence[str], program: str) -> EchoOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    backend = given.backend or "auto"
    is_file = backend.startswith("wav")
    block_s = parser.block_s(given, LIVE_BLOCK_S if given.live else BLOCK_S)
    if is_file and any(getattr(given, which) != parser.get_default(which) for which in ("mic", "speaker")):
        parser.error("--mic and --speaker name sound devices: with wav, the files are named behind --backend")
    if backend.startswith("wav:,"):
        parser.error(f"{backend!r} has nothing to hear: wav:IN.wav or wav:IN.wav,OUT.wav would be right")
    return EchoOptions(
        backend,
        given.live,
        "" if is_file else given.mic,  # a setting is for when there is hardware
        given.mic_channel,
        "" if is_file else given.speaker,
        AudioFormat(given.rate),
        block_s,
        given.latency or ("low" if given.live else "high"),
        given.seconds,
        False if given.live and given.mute is None else given.mute,
        given.steady,
        None if given.live and given.vad is None else ear_options(parser, given),
        given.status_socket,
        given.metrics,
        given.log_format,
        given.debug,
    )


class SayBack(InlineProcessor):
    """Every utterance is to be heard. The microphone's audio, which the utterances hold, goes no further."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """An utterance is followed by output audio."""
        if isinstance(frame, InputAudioFrame):
            return ()
        if isinstance(frame, UtteranceFrame):
            return (frame, *OutputAudioFrame.parts_of(frame))
        return (frame,)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(
        program, lambda screen: _run(options, screen), debug=options.debug, log_format=options.log_format
    )


def _run(options: EchoOptions, screen: Screen) -> int:
    sound = choose_sound(options.backend, screen.say)
    task, dashboard = _task(options, sound, screen)
    sound.begin(options.format, options.seconds)
    runner = PipelineRunner(beside=_companions(options))
    status = runner.run(task)
    screen.clear()
    if any(isinstance(error, PipelineStartError) for error in runner.errors):
        return status  # it has been said why
    if task.report is not None:
        _summarize(task.report, dashboard, options.format.rate, screen.say)
        sound.finish(screen.say)
    screen.say("nothing is left running" if not runner.left else f"left running: {runner.left}")
    return status


def _companions(options: EchoOptions) -> list[Companion]:
    """Return what answers while the program runs."""
    companions: list[Companion] = []
    if options.status_socket is not None:
        from voicepipe.service.status import StatusSocket  # it brings numpy, which --live can do without

        companions.append(StatusSocket(options.status_socket))
    if options.metrics is not None:
        from voicepipe.service.metrics import Metrics

        companions.append(Metrics(options.metrics))
    return companions


def _task(options: EchoOptions, sound: Sound, screen: Screen) -> tuple[PipelineTask, Dashboard]:
    greeting, ear = _greeting(options, sound), []
    dashboard = Dashboard(screen, live=options.live, hears=options.ear is not None)
    if options.ear is not None:
        from voicepipe.speech.utterance import (
            UtteranceCollector,  # they bring numpy, which --live can do without
        )
        from voicepipe.speech.vad import VADProcessor

        vad = VADProcessor(options.ear.vad, preset=options.ear.preset, observe=dashboard.judge)
        greeting = f"{greeting} (the ear is {engine_name(vad.engine)})"
        ear = [vad, UtteranceCollector(preroll_s=PREROLL_S)]
    dashboard.greeting = f"{greeting}\nCtrl-C ends it when all has been said; twice, at once"
    stages: list[Processor] = [
        MicrophoneInput(
            sound.backend,
            device=options.mic,
            block_s=options.block_s,
            latency=options.latency,
            channel=options.mic_channel,
            mute=options.mute,
        ),
        *ear,
        dashboard,
        Loopback() if options.live else SayBack(),
    ]
    if sound.has_speaker:
        speaker = SpeakerOutput(
            sound.backend,
            device=options.speaker,
            block_s=options.block_s,
            latency=options.latency,
            steady=options.steady,
        )
        stages.append(speaker)
    if options.seconds is not None and sound.backend.name == "wav":
        stages.insert(1, EndAfterAudio(options.seconds))  # a file is read faster than any clock goes
    elif options.seconds is not None:
        stages.append(EndAfter(options.seconds))
    limits = Limits(start_s=START_S)
    pipeline = Pipeline(stages)
    task = PipelineTask(pipeline, name="echo", input=options.format, output=options.format, limits=limits)
    dashboard.watch(task)
    return task, dashboard


def _greeting(options: EchoOptions, sound: Sound) -> str:
    if sound.backend.name == "wav":
        return "the file is heard as fast as it goes"
    return "sound passes straight through" if options.live else "speak, and pause: it says it back"


def _summarize(report: RunReport, dashboard: Dashboard, rate: int, say: Callable[[str], None]) -> None:
    said = sum(seam.given for seam in report.seams if seam.name == "SpeakerOutput device")
    lost = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items() if count > 0)
    made = -sum(count for count in report.dropped.values() if count < 0)
    say(f"{report.state.value}: {report.reason}")
    heard = f"heard {dashboard.heard_s:.2f} s"
    if dashboard.hears:
        heard += f", {dashboard.utterances} {'utterance' if dashboard.utterances == 1 else 'utterances'}"
    say(
        f"{heard}, said {said / rate:.2f} s; "
        f"dropped samples: {lost or 'none'}" + (f"; made: {made}" if made else "")
    )
    for device in report.devices:
        say(f"  {device}")
    for slow in (*report.slow, *report.abandoned):
        say(f"  {slow}")
