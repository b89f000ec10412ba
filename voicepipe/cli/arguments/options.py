"""The options of the programs, each declared once; a program's file names those that it has.

Wrong usage is one message on stderr, and status 2.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn, TypeVar

from voicepipe.audio.amplify import MOST_GAIN_DB
from voicepipe.checks import check_number
from voicepipe.cli.arguments.device_name import device_name
from voicepipe.cli.arguments.settings import apply
from voicepipe.cli.terminal.wrapping import columns_of, wrap
from voicepipe.errors import VoicepipeError
from voicepipe.settings.sources import SettingsError
from voicepipe.speech.detectors.registry import DEFAULT_ENGINE, ENGINE_NAMES, ENGINES
from voicepipe.speech.segmenter import PRESETS
from voicepipe.text import printable, quote

__all__ = ["OTHERS", "SETTINGS", "Parser", "settings_parser"]

_T = TypeVar("_T")
_SWITCH = argparse.BooleanOptionalAction
"""A switch that is on in the file or a variable can be switched off on the command line."""
_LONGEST_S = 86_400 * 366
_LONGEST_BLOCK_S = 1.0


class _HelpFormatter(argparse.HelpFormatter):
    """Breaks lines at spaces only: an option's name stays whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width, 0).split("\n")

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return wrap(indent + " ".join(text.split()), width, len(indent))


class Parser(argparse.ArgumentParser):
    """The command line of one program.

    Args:
        program: the name by which it was called.
        description: one or two sentences about its work.
        statuses: its exit statuses, in words.
    """

    def __init__(self, program: str, description: str, statuses: str, **different: Any) -> None:
        super().__init__(
            **{
                "prog": program,
                "description": description,
                "epilog": f"exit status: {statuses}",
                "formatter_class": _HelpFormatter,
                "allow_abbrev": False,
                **different,
            }
        )
        self._settings: list[str] = []

    def error(self, message: str) -> NoReturn:
        """End the program with status 2 and one message. Raises: SystemExit."""
        said = f"{self.prog}: {printable(message)} (--help tells more)"
        self.exit(2, f"{wrap(said, columns_of(sys.stderr))}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print, and let an error of stdout be one: argparse is silent about it."""
        if message and file is sys.stdout and file is not None:
            file.write(message)
        else:
            super()._print_message(message, file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Check a choice, and name those that there are. Raises: argparse.ArgumentError."""
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            near = difflib.get_close_matches(str(value), choices, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"unknown value {quote(value)}; {hint}")

    def parse_args(self, arguments: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Parse the arguments; an unknown option gets the nearest known one named. Raises: SystemExit."""
        given, unknown = self.parse_known_args(arguments)
        if unknown:
            # Without their dashes, which would make any two options alike.
            names = {option.lstrip("-"): option for option in self._option_string_actions}
            near = difflib.get_close_matches(unknown[0].partition("=")[0].lstrip("-"), names, 1)
            meant = "".join(f"; did you mean {names[name]}?" for name in near)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return given

    def take(self, *names: str, from_settings: bool = True, **different: Any) -> None:
        """Add these options, as they are declared, but for what is different here.

        Args:
            from_settings: True where a value in the file or a variable counts.
        """
        for name in names:
            self.add_argument(name, **{**_DECLARED[name], **different})
        if from_settings:
            self._settings.extend(name for name in names if name in SETTINGS)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments on top of file and variables. `--help` works whatever those say.

        Raises:
            SystemExit: status 2, and one line on stderr; or 0, after --help.
        """
        if not {"-h", "--help"} & set(arguments):
            try:
                apply(self, self._settings, settings_parser())
            except SettingsError as error:
                self.error(str(error))
        return self.parse_args(arguments)

    def options(self, kind: type[_T], given: argparse.Namespace, **made: object) -> _T:
        """Return the parsed options as a dataclass: each field from `made`, or else from what is given."""
        values = {**vars(given), **made}
        return kind(**{each.name: values[each.name] for each in fields(kind)})  # type: ignore[arg-type]

    def block_s(self, given: argparse.Namespace, otherwise_s: float) -> float:
        """Return the length of a block in seconds. Raises: SystemExit: it is too long."""
        if given.block is None:
            return otherwise_s
        block_s: float = given.block / given.rate
        if block_s > _LONGEST_BLOCK_S:
            self.error(f"argument --block: {given.block} samples are {block_s:g} s; choose at most 1 s")
        return block_s

    def hardware(self, given: argparse.Namespace, no_file: str) -> str:
        """Return the back end of a program for sound hardware. Raises: SystemExit: it is a file."""
        backend = "portaudio" if given.backend == "auto" else str(given.backend)
        if backend.startswith("wav"):
            self.error(f"{no_file}; choose portaudio or fake")
        return backend


def settings_parser() -> Parser:
    """Return a parser with every option that is a setting: one file is for all programs."""
    parser = Parser("settings", "", "")
    parser.take(*SETTINGS)
    return parser


def _backend(text: str) -> str:
    from voicepipe.devices.backends import open_backend

    if text != "auto":
        try:
            open_backend(text)
        except (ValueError, TypeError, VoicepipeError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _seconds(text: str) -> float:
    return _number(text, "a time in seconds; give a number such as 10 or 2.5", 0.0, _LONGEST_S)


def _decibels(text: str) -> float:
    return _number(text, "a number of decibels; give 0 to 40, such as 6", 0.0, 40.0)


def _gain(text: str) -> float:
    return _number(text, "a gain in decibels; give -60 to 60, such as 20", -MOST_GAIN_DB, MOST_GAIN_DB)


def _latency(text: str) -> str | float:
    if text in ("low", "high"):
        return text
    return _number(text, "a latency; give low, high, or seconds up to 10, such as 0.05", 0.0, 10.0)


def _rate(text: str) -> int:
    return _whole(text, "a rate; give 8000 to 384000, such as 16000 or 48000", 8_000, 384_000)


def _channels(text: str) -> int:
    return _whole(text, "a number of channels; give 1 to 32", 1, 32)


def _channel(text: str) -> int:
    return _whole(text, "a channel; give 1 to 32", 1, 32)


def _count(text: str) -> int:
    return _whole(text, "a number of chirps; give 1 to 10000", 1, 10_000)


def _block(text: str) -> int:
    return _whole(text, "a block; give a whole number of samples, such as 480", 16, 384_000)


def _file(text: str) -> str:
    if text == "-":
        raise argparse.ArgumentTypeError("- is no file; give the name of one (./- for a file of that name)")
    return text


def _picture(text: str) -> str:
    stem, ending = os.path.splitext(text)
    if ending.lower() not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(
            f"the name of a picture ends in .png, .svg or .pdf; give a name such as {printable(stem)}.png"
        )
    if not os.path.isdir(os.path.dirname(text) or os.curdir):
        raise argparse.ArgumentTypeError(f"{printable(os.path.dirname(text))} is no folder; make it first")
    return text


def _metrics(text: str) -> int:
    host, colon, port = text.rpartition(":")
    if colon and host not in ("127.0.0.1", "localhost"):
        raise argparse.ArgumentTypeError(
            f"{printable(repr(text))} is not on this computer; give a port alone, such as 9464 "
            "(to serve others, put a server with a password before it)"
        )
    return _whole(port, "a port; give 1024 to 65535, such as 9464", 1_024, 65_535)


def _number(text: str, wanted: str, at_least: float, at_most: float) -> float:
    try:
        return check_number("it", float(text), at_least=at_least, at_most=at_most)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{printable(repr(text))} is not {wanted}") from None


def _whole(text: str, wanted: str, at_least: int, at_most: int) -> int:
    number = _number(text, wanted, at_least, at_most)
    if number != int(number) or not text.strip().isdigit():
        raise argparse.ArgumentTypeError(f"{printable(repr(text))} is not {wanted}")
    return int(number)


def _time(what: str, dest: str) -> dict[str, Any]:
    return {"dest": dest, "type": _seconds, "metavar": "SECONDS", "help": what}


_Declared = Mapping[str, Mapping[str, Any]]

SETTINGS: _Declared = {
    "--backend": {
        "type": _backend,
        "metavar": "NAME",
        "help": "portaudio (sound hardware), or fake (a simulated card)",
    },
    "--live": {
        "action": _SWITCH,
        "default": False,
        "help": "pass the sound straight through (use headphones)",
    },
    "--mic": {
        "type": device_name,
        "default": "",
        "metavar": "NAME",
        "help": "name of the microphone, or a part of it; default: the default device",
    },
    "--mic-channel": {
        "type": _channel,
        "metavar": "N",
        "help": "channel of the microphone to hear, counted from 1; by default all of them, mixed",
    },
    "--gain-db": {
        "type": _gain,
        "default": 0.0,
        "metavar": "DB",
        "help": "gain of the microphone in decibels, -60 to 60, such as 20 for a quiet one; default: 0",
    },
    "--speaker": {
        "type": device_name,
        "default": "",
        "metavar": "NAME",
        "help": "name of the speaker, or a part of it; default: the default device",
    },
    "--rate": {
        "type": _rate,
        "default": 16_000,
        "metavar": "HZ",
        "help": "samples a second; default: %(default)s",
    },
    "--block": {"type": _block, "metavar": "SAMPLES", "help": "samples in a block; default: 10 ms"},
    "--latency": {
        "type": _latency,
        "metavar": "LATENCY",
        "help": "latency of the device: low, high, or seconds",
    },
    "--seconds": {"type": _seconds, "metavar": "N", "help": "stop after this many seconds"},
    "--cancel": {
        "action": _SWITCH,
        "help": "cancel the echo of the speaker, so that you can talk over it; with --no-cancel it is "
        "half-duplex: it hears you only if you are louder than it; default: on for sound hardware, off with "
        "--live",
    },
    "--headphones": {
        "action": "store_true",
        "help": "you wear headphones: no canceller, and it listens all the time",
    },
    "--mute": {
        "action": _SWITCH,
        "help": "half-duplex, without a canceller; default: only where the echo cannot be cancelled",
    },
    "--steady": {
        "action": _SWITCH,
        "default": False,
        "help": "with --live, for hours: hold the delay steady between two clocks; adds a block and 25 ms",
    },
    "--vad": {
        "choices": ENGINE_NAMES,
        "metavar": "NAME",
        "help": f"voice detector: {', '.join(ENGINES)}; default: {DEFAULT_ENGINE}",
    },
    "--preset": {
        "choices": tuple(PRESETS),
        "default": "balanced",
        "metavar": "NAME",
        "help": f"how quickly a pause ends a turn: {', '.join(PRESETS)}; default: balanced",
    },
    "--start": _time("speech that begins a turn", "start_s"),
    "--stop": _time("silence that ends a turn", "stop_s"),
    "--min": _time("shortest speech that counts", "min_s"),
    "--max": _time("longest turn; a longer one is split at its quietest place", "max_s"),
    "--gate": {
        "dest": "gate_db",
        "type": _decibels,
        "metavar": "DB",
        "help": "level above the noise from which sound can begin a turn",
    },
    "--status-socket": {
        "metavar": "PATH",
        "help": "local socket that answers `voicepipe status --socket PATH`",
    },
    "--metrics": {
        "type": _metrics,
        "metavar": "PORT",
        "help": "port of 127.0.0.1 that answers Prometheus (needs the extra metrics)",
    },
    "--log-format": {
        "choices": ("text", "json"),
        "default": "text",
        "metavar": "NAME",
        "help": "format of the log on stderr: text, or json (one object a line); default: text",
    },
    "--debug": {"action": _SWITCH, "default": False, "help": "log everything, and show tracebacks"},
    "--report": {
        "action": _SWITCH,
        "default": False,
        "help": "end with the engineer's report: seams, samples, blocks",
    },
}
"""The options that can stand in the settings file, with defaults where a program has no others."""

OTHERS: _Declared = {
    "file": {"type": _file, "metavar": "FILE"},
    "--channels": {
        "type": _channels,
        "default": 1,
        "metavar": "N",
        "help": "channels of the file; default: %(default)s",
    },
    "--count": {
        "type": _count,
        "default": 20,
        "metavar": "N",
        "help": "number of chirps; default: %(default)s",
    },
    "--listen": {
        "type": _seconds,
        "default": 0.6,
        "metavar": "SECONDS",
        "help": "longest time to wait for a chirp; default: %(default)s",
    },
    "--echo": {
        "action": "store_true",
        "help": "play a voice, again and again, and show how well its echo is cancelled",
    },
    "--json": {"action": "store_true", "help": "print JSON, for machines"},
    "--plot": {"type": _picture, "metavar": "FILE.png"},
    "--tracks": {
        "metavar": "FILE.wav",
        "help": "record the conversation into a new file, for you alone: microphone, ear, words, reference, "
        "speaker and speech as six channels; labels go into a .txt file beside it",
    },
    "--name": {"default": "voicepipe", "metavar": "NAME"},
    "--system": {"action": "store_true"},
}
"""The options that belong to one call of a program."""

_DECLARED = {**SETTINGS, **OTHERS}
