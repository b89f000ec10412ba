"""The options of the programs: what stands on the command line, checked, and one line for what is wrong."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from voicepipe.audio import AudioFormat
from voicepipe.checks import check_number
from voicepipe.errors import printable

__all__ = ["DevicesOptions", "EchoOptions", "Parser", "devices_options", "echo_options"]

_LONGEST_S = 86_400 * 366
LIVE_BLOCK_S = 0.01
BLOCK_S = 0.02


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and ends with status 2."""

    def error(self, message: str) -> NoReturn:
        """Raises: SystemExit."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")


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
    debug: bool


def echo_options(arguments: Sequence[str], program: str) -> EchoOptions:
    """Read the echo program's command line.

    Raises:
        SystemExit: status 2, and one line on stderr; or 0, after --help.
    """
    parser = _echo_parser(program)
    given = parser.parse_args(arguments)
    block_s = LIVE_BLOCK_S if given.live else BLOCK_S
    if given.block is not None:
        block_s = given.block / given.rate
        if block_s > 1.0:
            parser.error(f"argument --block: {given.block} samples are {block_s:g} s: at most 1 s is right")
    mute = False if given.live and given.mute is None else given.mute
    backend = given.backend or os.environ.get("VOICEPIPE_BACKEND") or "auto"
    if given.backend is None and backend != "auto":
        backend = _environment_backend(parser, backend)
    if backend.startswith("wav") and (given.mic or given.speaker):
        parser.error("--mic and --speaker name sound devices: with wav, the files are named behind --backend")
    if backend.startswith("wav:,"):
        parser.error(f"{backend!r} has nothing to hear: wav:IN.wav or wav:IN.wav,OUT.wav would be right")
    return EchoOptions(
        backend,
        given.live,
        given.mic,
        given.speaker,
        AudioFormat(given.rate),
        block_s,
        given.latency or ("low" if given.live else "high"),
        given.seconds,
        mute,
        given.steady,
        given.debug,
    )


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


def _environment_backend(parser: Parser, text: str) -> str:
    try:
        return _backend(text)
    except argparse.ArgumentTypeError as error:
        parser.error(f"VOICEPIPE_BACKEND: {error}")


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
    add("--live", action="store_true", help="pass the sound straight through; for headphones")
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
        action="store_true",
        help="with --live, for hours: hold the delay steady between two clocks; adds a block and 25 ms",
    )
    add("--debug", action="store_true", help="log everything, and show tracebacks")
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


def _latency(text: str) -> str | float:
    if text in ("low", "high"):
        return text
    return _number(
        text, "no latency: low, high, or seconds up to 10, such as 0.05, would be right", 0.0, 10.0
    )


def _rate(text: str) -> int:
    return _whole(text, "no rate: 8000 to 384000, such as 16000 or 48000, would be right", 8_000, 384_000)


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
