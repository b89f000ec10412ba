"""The options of the programs: what stands on the command line, checked, and one line for what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypedDict

from voicepipe.audio import AudioFormat
from voicepipe.checks import check_number
from voicepipe.errors import printable
from voicepipe.programs.settings import SettingsError, apply

__all__ = [
    "DevicesOptions",
    "DoctorOptions",
    "EarOptions",
    "EchoOptions",
    "LatencyOptions",
    "LevelOptions",
    "Parser",
    "PlayOptions",
    "RecordOptions",
    "VadOptions",
    "devices_options",
    "doctor_options",
    "echo_options",
    "latency_options",
    "level_options",
    "play_options",
    "programs_with_settings",
    "record_options",
    "vad_options",
]

_Switch = argparse.BooleanOptionalAction
"""What a file or a variable has switched on can be switched off on the command line."""
_LONGEST_S = 86_400 * 366
LIVE_BLOCK_S = 0.01
BLOCK_S = 0.02


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and ends with status 2."""

    def error(self, message: str) -> NoReturn:
        """Raises: SystemExit."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")


class EarArguments(TypedDict):
    """What a `VADProcessor` takes."""

    engine: str
    preset: str
    start_s: float | None
    stop_s: float | None
    min_s: float | None
    max_s: float | None
    gate_db: float | None


@dataclass(frozen=True, slots=True)
class EarOptions:
    """How speech is to be found; None: as the preset has it."""

    vad: str
    preset: str
    start_s: float | None = None
    stop_s: float | None = None
    min_s: float | None = None
    max_s: float | None = None
    gate_db: float | None = None

    def arguments(self) -> EarArguments:
        """For a `VADProcessor`."""
        return {
            "engine": self.vad,
            "preset": self.preset,
            "start_s": self.start_s,
            "stop_s": self.stop_s,
            "min_s": self.min_s,
            "max_s": self.max_s,
            "gate_db": self.gate_db,
        }


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """How the echo program is to run."""

    backend: str
    """As `open_backend` takes it, or "auto"."""
    live: bool
    mic: str
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
    debug: bool


def echo_options(arguments: Sequence[str], program: str) -> EchoOptions:
    """Read the echo program's command line.

    Raises:
        SystemExit: status 2, and one line on stderr; or 0, after --help.
    """
    parser = _echo_parser(program)
    given = _parse(parser, arguments)
    block_s = LIVE_BLOCK_S if given.live else BLOCK_S
    if given.block is not None:
        block_s = given.block / given.rate
        if block_s > 1.0:
            parser.error(f"argument --block: {given.block} samples are {block_s:g} s: at most 1 s is right")
    mute = False if given.live and given.mute is None else given.mute
    backend = given.backend or "auto"
    is_file = backend.startswith("wav")
    if is_file and any(getattr(given, which) != parser.get_default(which) for which in ("mic", "speaker")):
        parser.error("--mic and --speaker name sound devices: with wav, the files are named behind --backend")
    if backend.startswith("wav:,"):
        parser.error(f"{backend!r} has nothing to hear: wav:IN.wav or wav:IN.wav,OUT.wav would be right")
    return EchoOptions(
        backend,
        given.live,
        "" if is_file else given.mic,  # a setting is for when there is hardware
        "" if is_file else given.speaker,
        AudioFormat(given.rate),
        block_s,
        given.latency or ("low" if given.live else "high"),
        given.seconds,
        mute,
        given.steady,
        None if given.live and given.vad is None else _ear(parser, given),
        given.status_socket,
        given.debug,
    )


@dataclass(frozen=True, slots=True)
class VadOptions:
    """What is to be found in a file, and how it is to be shown."""

    file: str
    shown: str
    """`text`, `json` or `labels`."""
    plot: str | None
    ear: EarOptions
    debug: bool


def vad_options(arguments: Sequence[str], program: str) -> VadOptions:
    """Read the command line of `vad`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Finds where somebody speaks in a WAV file, much faster than it sounds.",
        epilog="exit status: 0 done, 1 failed, 2 wrong usage",
    )
    parser.add_argument("file", metavar="FILE.wav", help="what to listen to")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", dest="shown", action="store_const", const="json", help="for machines")
    shown.add_argument(
        "--labels", dest="shown", action="store_const", const="labels", help="for Audacity's label track"
    )
    parser.add_argument(
        "--plot", metavar="FILE.png", help="draw waveform, score, level and segments (needs matplotlib)"
    )
    _add_ear(parser)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    given = _parse(parser, arguments)
    return VadOptions(given.file, given.shown or "text", given.plot, _ear(parser, given), given.debug)


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """What is to be listened to."""

    backend: str
    mic: str
    format: AudioFormat
    seconds: float | None
    ear: EarOptions
    debug: bool


def level_options(arguments: Sequence[str], program: str) -> LevelOptions:
    """Read the command line of `level`. Raises: SystemExit, as `echo_options`."""
    parser = _level_parser(program)
    given = _parse(parser, arguments)
    backend = given.backend or "auto"
    ear = _ear(parser, given)
    return LevelOptions(backend, given.mic, AudioFormat(given.rate), given.seconds, ear, given.debug)


def _level_parser(program: str) -> Parser:
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Shows how loud it is at the microphone, and where it hears speech. Ctrl-C ends it.",
        epilog="exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    parser.add_argument(
        "--backend",
        type=_backend,
        metavar="NAME",
        help="auto, portaudio, fake, or wav:IN.wav; default: VOICEPIPE_BACKEND, or auto",
    )
    parser.add_argument("--mic", default="", metavar="NAME", help="a microphone's name, or a part of it")
    parser.add_argument("--rate", type=_rate, default=16_000, metavar="HZ", help="samples a second")
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="end after so many seconds")
    _add_ear(parser)
    parser.add_argument("--debug", action=_Switch, default=False, help="log everything, and show tracebacks")
    return parser


def _add_ear(parser: argparse.ArgumentParser, *, numbers: bool = True, unless_live: bool = False) -> None:
    from voicepipe.engines import ENGINES
    from voicepipe.segmenter import PRESETS

    add = parser.add_argument
    engines, presets = ["auto", *ENGINES], list(PRESETS)
    add(
        "--vad",
        choices=engines,
        default=None if unless_live else "auto",
        metavar="NAME",
        help=f"what judges: {', '.join(engines)}; auto is the best that is installed"
        + (" (with --live: nothing, unless this is given)" if unless_live else ""),
    )
    add(
        "--preset",
        choices=presets,
        default="balanced",
        metavar="NAME",
        help=f"how soon an end is believed: {', '.join(presets)}",
    )
    if not numbers:
        return
    for name, what in (
        ("start", "a beginning takes so much speech"),
        ("stop", "an end takes so long a silence"),
        ("min", "what is shorter is no speech"),
        ("max", "what is longer is split at its quietest place"),
    ):
        add(f"--{name}", dest=f"{name}_s", type=_seconds, metavar="SECONDS", help=what)
    add("--gate", dest="gate_db", type=_decibels, metavar="DB", help="only what is so far above the noise")


def _ear(parser: argparse.ArgumentParser, given: argparse.Namespace) -> EarOptions:
    from voicepipe.segmenter import preset

    names = ("start_s", "stop_s", "min_s", "max_s", "gate_db")
    numbers: dict[str, float | None] = {name: getattr(given, name, None) for name in names}
    try:
        preset(given.preset, **numbers)
    except ValueError as error:
        parser.error(str(error))
    return EarOptions(given.vad or "auto", given.preset, **numbers)


@dataclass(frozen=True, slots=True)
class DevicesOptions:
    """What is to be listed."""

    backend: str
    json: bool
    debug: bool


def devices_options(arguments: Sequence[str], program: str) -> DevicesOptions:
    """Read the command line of `devices`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Lists the microphones and speakers there are, and which would be taken.",
        epilog="exit status: 0 listed, 1 failed, 2 wrong usage",
    )
    parser.add_argument(
        "--backend", type=_backend, default="portaudio", metavar="NAME", help="portaudio, or fake"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    given = parser.parse_args(arguments)
    return DevicesOptions("portaudio" if given.backend == "auto" else given.backend, given.json, given.debug)


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is to be examined."""

    backend: str = "portaudio"
    mic: str = ""
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    json: bool = False


def doctor_options(arguments: Sequence[str], program: str) -> DoctorOptions:
    """Read the command line of `doctor`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Looks at all that sound needs, and says of each thing whether it is good, and what to "
        "do where it is not. It listens for a second, and plays three short chirps.",
        epilog="exit status: 0 all is well, 1 something is bad, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    add = parser.add_argument
    add("--backend", type=_backend, default="auto", metavar="NAME", help="portaudio, or fake")
    add("--mic", default="", metavar="NAME", help="a microphone's name, or a part of it")
    add("--speaker", default="", metavar="NAME", help="a speaker's name, or a part of it")
    add("--rate", type=_rate, default=16_000, metavar="HZ", help="samples a second, 16000 by default")
    add("--json", action="store_true", help="for machines")
    given = _parse(parser, arguments)
    backend = "portaudio" if given.backend == "auto" else given.backend
    if backend.startswith("wav"):
        parser.error("there is nothing to examine in a file: portaudio or fake would be right")
    return DoctorOptions(backend, given.mic, given.speaker, AudioFormat(given.rate), given.json)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What is to be recorded, and where to."""

    file: str
    backend: str
    mic: str
    format: AudioFormat
    seconds: float | None
    debug: bool


def record_options(arguments: Sequence[str], program: str) -> RecordOptions:
    """Read the command line of `record`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Records the microphone into a new WAV file, which only you can read. Ctrl-C ends it; "
        "whatever ends it, the file is good up to the last second.",
        epilog="exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    add = parser.add_argument
    add("file", metavar="FILE.wav", help="a new file; a folder that is missing is made, for you alone")
    add("--backend", type=_backend, metavar="NAME", help="portaudio, fake, or wav:IN.wav")
    add("--mic", default="", metavar="NAME", help="a microphone's name, or a part of it")
    add("--rate", type=_rate, default=48_000, metavar="HZ", help="samples a second, 48000 by default")
    add("--channels", type=_channels, default=1, metavar="N", help="1 by default")
    add("--seconds", type=_seconds, metavar="N", help="end after so many seconds")
    add("--debug", action=_Switch, default=False, help="log everything, and show tracebacks")
    given = _parse(parser, arguments)
    audio = AudioFormat(given.rate, given.channels)
    backend = given.backend or "auto"
    return RecordOptions(given.file, backend, given.mic, audio, given.seconds, given.debug)


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """What is to be played."""

    file: str
    backend: str
    speaker: str
    debug: bool


def play_options(arguments: Sequence[str], program: str) -> PlayOptions:
    """Read the command line of `play`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Plays a WAV file. Ctrl-C ends it, when the second that waits for the speaker is heard; "
        "twice, at once.",
        epilog="exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    add = parser.add_argument
    add("file", metavar="FILE.wav", help="what to play")
    add("--backend", type=_backend, metavar="NAME", help="portaudio, fake, or wav:,OUT.wav")
    add("--speaker", default="", metavar="NAME", help="a speaker's name, or a part of it")
    add("--debug", action=_Switch, default=False, help="log everything, and show tracebacks")
    given = _parse(parser, arguments)
    return PlayOptions(given.file, given.backend or "auto", given.speaker, given.debug)


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What is to be measured."""

    backend: str = "portaudio"
    mic: str = ""
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    block_s: float = LIVE_BLOCK_S
    latency: str | float = "low"
    count: int = 20
    listen_s: float = 0.6
    json: bool = False
    plot: str | None = None
    debug: bool = False


def latency_options(arguments: Sequence[str], program: str) -> LatencyOptions:
    """Read the command line of `latency`. Raises: SystemExit, as `echo_options`."""
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Plays short chirps, listens for them, and says how long each was on its way: from the "
        "program to the microphone, and until the program has it in hand again.",
        epilog="exit status: 0 measured, 1 failed or nothing was heard, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    add = parser.add_argument
    add("--backend", type=_backend, default="auto", metavar="NAME", help="portaudio, or fake")
    add("--mic", default="", metavar="NAME", help="a microphone's name, or a part of it")
    add("--speaker", default="", metavar="NAME", help="a speaker's name, or a part of it")
    add("--rate", type=_rate, default=48_000, metavar="HZ", help="samples a second, 48000 by default")
    add("--block", type=_block, metavar="SAMPLES", help="samples in a block, 10 ms by default")
    add("--latency", type=_latency, default="low", metavar="low|high|SECONDS", help="low by default")
    add("--count", type=_count, default=20, metavar="N", help="so many chirps, 20 by default")
    add("--listen", type=_seconds, default=0.6, metavar="SECONDS", help="the longest way, 0.6 by default")
    add("--json", action="store_true", help="for machines")
    add("--plot", metavar="FILE.png", help="draw every chirp's way (needs matplotlib)")
    add("--debug", action=_Switch, default=False, help="show tracebacks")
    given = _parse(parser, arguments)
    backend = "portaudio" if given.backend == "auto" else given.backend
    if backend.startswith("wav"):
        parser.error("a file has no latency: portaudio or fake would be right")
    block_s = LIVE_BLOCK_S if given.block is None else given.block / given.rate
    if block_s > 1.0:
        parser.error(f"argument --block: {given.block} samples are {block_s:g} s: at most 1 s is right")
    return LatencyOptions(
        backend,
        given.mic,
        given.speaker,
        AudioFormat(given.rate),
        block_s,
        given.latency,
        given.count,
        given.listen,
        given.json,
        given.plot,
        given.debug,
    )


def programs_with_settings() -> tuple[Parser, ...]:
    """The parsers of the programs whose options are settings: one file is for all of them."""
    return _echo_parser("echo"), _level_parser("level")


def _parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """What is given, on top of what file and variables say. Whoever asks for help gets it."""
    if not {"-h", "--help"} & set(arguments):
        try:
            apply(parser, *programs_with_settings())
        except SettingsError as error:
            parser.error(str(error))
    return parser.parse_args(arguments)


def _echo_parser(program: str) -> Parser:
    parser = Parser(
        prog=program,
        allow_abbrev=False,
        description="Listens, and when you pause it says what you said. Ctrl-C ends it, when all is said.",
        epilog="exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by a second Ctrl-C",
    )
    add = parser.add_argument
    add(
        "--backend",
        type=_backend,
        metavar="NAME",
        help="auto, portaudio, fake (a simulated card that hears a bundled voice), or wav:IN.wav[,OUT.wav]; "
        "default: VOICEPIPE_BACKEND, or auto",
    )
    add("--live", action=_Switch, default=False, help="pass the sound straight through; for headphones")
    add("--mic", default="", metavar="NAME", help="a microphone's name, or a part of it")
    add("--speaker", default="", metavar="NAME", help="a speaker's name, or a part of it")
    add("--rate", type=_rate, default=16_000, metavar="HZ", help="samples a second, 16000 by default")
    add("--block", type=_block, metavar="SAMPLES", help="samples in a block; by default 20 ms, --live 10 ms")
    add(
        "--latency",
        type=_latency,
        metavar="low|high|SECONDS",
        help="what to ask of the device; by default high, and with --live low",
    )
    add("--seconds", type=_seconds, metavar="N", help="end after so many seconds")
    add(
        "--mute",
        action=argparse.BooleanOptionalAction,
        help="do not listen while speaking, so that it does not hear itself; "
        "by default on for sound hardware, off with --live",
    )
    add(
        "--steady",
        action=_Switch,
        default=False,
        help="with --live, for hours: hold the delay steady between two clocks; adds a block and 25 ms",
    )
    _add_ear(parser, numbers=False, unless_live=True)
    add("--status-socket", metavar="PATH", help="answer `voicepipe status --socket PATH` there")
    add("--debug", action=_Switch, default=False, help="log everything, and show tracebacks")
    return parser


def _backend(text: str) -> str:
    from voicepipe.devices import open_backend

    if text != "auto":
        try:
            open_backend(text)
        except (ValueError, TypeError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _seconds(text: str) -> float:
    return _number(text, "no time in seconds: 10 or 2.5 would be right", 0.0, _LONGEST_S)


def _decibels(text: str) -> float:
    return _number(text, "no number of decibels: 0 to 40, such as 6, would be right", 0.0, 40.0)


def _latency(text: str) -> str | float:
    if text in ("low", "high"):
        return text
    return _number(
        text, "no latency: low, high, or seconds up to 10, such as 0.05, would be right", 0.0, 10.0
    )


def _rate(text: str) -> int:
    return _whole(text, "no rate: 8000 to 384000, such as 16000 or 48000, would be right", 8_000, 384_000)


def _channels(text: str) -> int:
    return _whole(text, "no number of channels: 1 to 32 would be right", 1, 32)


def _count(text: str) -> int:
    return _whole(text, "no number of chirps: 1 to 10000 would be right", 1, 10_000)


def _block(text: str) -> int:
    return _whole(text, "no block: a whole number of samples, such as 480, would be right", 16, 384_000)


def _number(text: str, wrong: str, at_least: float, at_most: float) -> float:
    try:
        return check_number("it", float(text), at_least=at_least, at_most=at_most)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{printable(repr(text))} is {wrong}") from None


def _whole(text: str, wrong: str, at_least: int, at_most: int) -> int:
    number = _number(text, wrong, at_least, at_most)
    if number != int(number) or not text.strip().isdigit():
        raise argparse.ArgumentTypeError(f"{printable(repr(text))} is {wrong}")
    return int(number)
