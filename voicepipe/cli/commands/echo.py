"""`voicepipe echo`: listen, and when the person pauses play back what was heard."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.cli.arguments.end_after import EndAfter, EndAfterAudio
from voicepipe.cli.arguments.options import SETTINGS, Parser
from voicepipe.cli.arguments.protection import PROTECTION_FLAGS, Protection, read_protection
from voicepipe.cli.arguments.sound_source import MICROPHONE, SPEAKER, Sound, choose_sound
from voicepipe.cli.arguments.vad_options import VadSettings, vad_settings
from voicepipe.cli.commands.record import recording_path
from voicepipe.cli.terminal.display import Countdown
from voicepipe.cli.terminal.echo_display import Dashboard
from voicepipe.cli.terminal.screen import Screen, run_on_screen
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import PipelineStartError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame, OutputAudioFrame, UtteranceFrame
from voicepipe.params import Limits
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import InlineProcessor, Processor
from voicepipe.report import RunReport
from voicepipe.run.task import PipelineTask
from voicepipe.runner.closing_report import (
    delays,
    describe_end,
    echoes,
    engineers_report,
    losses,
    seconds,
    troubles,
)
from voicepipe.runner.runner import PipelineRunner
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.stages.loopback import Loopback

if TYPE_CHECKING:
    from voicepipe.service.companions import Companion

__all__ = ["EchoOptions", "SayBack", "command_line", "read_options", "run"]

PREROLL_S = 0.5
"""Less than by default: it is played too, and delays the answer by as much."""
LIVE_BLOCK_S = 0.01
BLOCK_S = 0.02
LIVE_QUEUE_S, QUEUE_S = 1.0, 300.0
"""The seconds that may wait for the speaker: sound that passes straight through must not be late."""
START_S = 15.0
"""A slow computer takes seconds for each device. A device that hangs has a limit of its own."""


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """The options of the echo program."""

    backend: str
    """A name for `open_backend`, or "auto"."""
    live: bool
    mic: str
    mic_channel: int | None
    gain_db: float
    speaker: str
    format: AudioFormat
    block_s: float
    latency: str | float
    seconds: float | None
    protection: Protection
    steady: bool
    voice: VadSettings | None
    """None: live sound without voice detection."""
    status_socket: str | None
    """The socket that answers `voicepipe status`; None: that of the service, where this is one."""
    metrics: int | None
    """The port that answers Prometheus; None: none."""
    tracks: str | None
    """The file of all tracks; None: nothing is recorded."""
    log_format: str
    debug: bool
    report: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Listens, and when you pause it plays back what you said. Talk over it, and it stops. Ctrl-C to "
        "finish; press it again to stop immediately.",
        "0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.take(
        "--backend",
        help="auto, portaudio, fake (a simulated card that hears a bundled voice), or wav:IN.wav[,OUT.wav]; "
        "default: VOICEPIPE_BACKEND, or auto",
    )
    parser.take("--live", "--mic", "--mic-channel", "--gain-db", "--speaker", "--rate")
    parser.take("--block", help="samples in a block; default: 20 ms, with --live 10 ms")
    parser.take(
        "--latency", help="latency of the devices: low, high, or seconds; default: high, with --live low"
    )
    parser.take("--seconds", *PROTECTION_FLAGS, "--steady")
    parser.take("--vad", help=f"{SETTINGS['--vad']['help']} (with --live: only if this is given)")
    parser.take("--tracks", "--preset", "--status-socket", "--metrics", "--log-format", "--debug", "--report")
    return parser


def read_options(arguments: Sequence[str], program: str) -> EchoOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    backend = given.backend or "auto"
    is_file = backend.startswith("wav")
    if is_file and any(getattr(given, which) != parser.get_default(which) for which in ("mic", "speaker")):
        parser.error("--mic and --speaker name sound devices; with wav, name the files behind --backend")
    if backend.startswith("wav:,"):
        parser.error(f"{backend!r} names no input; give wav:IN.wav or wav:IN.wav,OUT.wav")
    return parser.options(
        EchoOptions,
        given,
        backend=backend,
        mic="" if is_file else given.mic,  # a setting is for when there is hardware
        speaker="" if is_file else given.speaker,
        format=AudioFormat(given.rate),
        tracks=_tracks(parser, given.tracks),
        block_s=parser.block_s(given, LIVE_BLOCK_S if given.live else BLOCK_S),
        latency=given.latency or ("low" if given.live else "high"),
        protection=read_protection(parser, given, arguments, live=given.live),
        voice=None if given.live and given.vad is None else vad_settings(parser, given),
    )


def _tracks(parser: Parser, named: str | None) -> str | None:
    """Raises: SystemExit: it is no WAV file."""
    if named is None:
        return None
    stem, ending = os.path.splitext(named)
    if ending.lower() not in ("", ".wav"):
        parser.error(f"--tracks writes .wav only, not {ending}: use --tracks {shlex.quote(f'{stem}.wav')}")
    return recording_path(named if ending else f"{named}.wav")


class SayBack(InlineProcessor):
    """Makes every utterance audible. The microphone's audio, which the utterances hold, goes no further."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return an utterance with output audio behind it."""
        if isinstance(frame, InputAudioFrame):
            return ()
        if isinstance(frame, UtteranceFrame):
            return (frame, *OutputAudioFrame.parts_of(frame))
        return (frame,)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(
        program, lambda screen: _run(options, screen), debug=options.debug, log_format=options.log_format
    )


def _run(options: EchoOptions, screen: Screen) -> int:
    sound = choose_sound(options.backend, screen.say, headphones=options.protection == (False, False))
    task, dashboard = _task(options, sound, screen)
    sound.begin(options.format, options.seconds)
    runner = PipelineRunner(beside=_companions(options))
    status = runner.run(task)
    screen.clear()
    if any(isinstance(error, PipelineStartError) for error in runner.errors):
        return status  # the log has the reason
    if task.report is not None:
        _summarize(task.report, dashboard, options, screen.say)
        sound.finish(screen.say)
    if runner.left:
        screen.say(f"left running: {runner.left}")
    elif options.report:
        screen.say("nothing is left running")
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
    dashboard = Dashboard(screen, live=options.live, hears=options.voice is not None)
    greeting = [_greeting(options, sound)]
    voice: list[Processor] = []
    if options.voice is not None:
        # They bring numpy, which --live can do without.
        from voicepipe.speech.utterance import UtteranceCollector
        from voicepipe.speech.vad import VADProcessor

        name, chosen = "voice detection", options.voice
        vad = VADProcessor(chosen.engine, preset=chosen.preset, observe=dashboard.judge, name=name)
        greeting.append(f"voice detection: {engine_name(vad.engine)}")
        voice = [vad, UtteranceCollector(preroll_s=PREROLL_S)]
        if sound.can_be_talked_over and not options.live:
            from voicepipe.conversation.interrupter import Interrupter

            voice.append(Interrupter())
    dashboard.greeting = "\n".join([*greeting, "Ctrl-C to finish; press it again to stop immediately"])
    microphone = MicrophoneInput(
        sound.backend,
        device=options.mic,
        block_s=options.block_s,
        latency=options.latency,
        channel=options.mic_channel,
        gain_db=options.gain_db,
        cancel=options.protection.cancel,
        mute=options.protection.mute,
        name=MICROPHONE,
    )
    stages: list[Processor] = [
        microphone,
        *voice,
        dashboard,
        Loopback() if options.live else SayBack(),
        *_speaker(options, sound, screen, dashboard),
    ]
    if options.seconds is not None and sound.backend.name == "wav":
        stages.insert(1, EndAfterAudio(options.seconds))  # a file is read faster than any clock goes
    elif options.seconds is not None:
        stages.append(EndAfter(options.seconds))
    limits = Limits(start_s=START_S)
    pipeline = Pipeline(stages)
    task = PipelineTask(
        pipeline,
        name="echo",
        input=options.format,
        output=options.format,
        limits=limits,
        tracks=options.tracks,
    )
    dashboard.watch(task)
    return task, dashboard


def _speaker(options: EchoOptions, sound: Sound, screen: Screen, dashboard: Dashboard) -> list[Processor]:
    """Return the speaker, where there is one, and before it the count of what it is still to play."""
    if not sound.has_speaker:
        return []
    speaker = SpeakerOutput(
        sound.backend,
        device=options.speaker,
        block_s=options.block_s,
        latency=options.latency,
        max_queue_s=LIVE_QUEUE_S if options.live else QUEUE_S,
        steady=options.steady,
        name=SPEAKER,
    )
    dashboard.countdown = Countdown(speaker, screen)
    return [dashboard.countdown, speaker]


def _greeting(options: EchoOptions, sound: Sound) -> str:
    if sound.backend.name == "wav":
        return "the file is read as fast as it goes"
    return (
        "sound passes straight through" if options.live else "speak, and pause: it plays back what you said"
    )


def _summarize(
    report: RunReport, dashboard: Dashboard, options: EchoOptions, say: Callable[..., None]
) -> None:
    rate = options.format.rate
    played_s = sum(device.samples for device in report.devices if device.kind == "speaker") / rate
    say(describe_end(report))
    count = dashboard.utterances
    heard = f", {count} {'utterance' if count == 1 else 'utterances'}" if dashboard.hears else ""
    say(f"listened {seconds(dashboard.heard_s)}{heard}, played {seconds(played_s)}")
    for line in (*delays(report), *echoes(report), *losses(report, rate), *troubles(report)):
        say(line)
    if options.report:
        say(f"heard {dashboard.heard_s:.3f} s, played {played_s:.3f} s")
        for line in engineers_report(report):
            say(line, 4)
