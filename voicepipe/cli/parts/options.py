"""The options of the programs, each declared once; a program's file says which it has, and what is its own.

Wrong usage is one line on stderr, and status 2.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from voicepipe.checks import check_number
from voicepipe.cli.parts.settings import SettingsError, apply
from voicepipe.speech.detectors.registry import ENGINE_NAMES, ENGINES
from voicepipe.speech.segmenter import PRESETS
from voicepipe.text import printable

__all__ = ["OTHERS", "SETTINGS", "Parser", "settings_parser"]

_SWITCH = argparse.BooleanOptionalAction
"""What a file or a variable has switched on can be switched off on the command line."""
_LONGEST_S = 86_400 * 366
_LONGEST_BLOCK_S = 1.0


class Parser(argparse.ArgumentParser):
    """The command line of one program.

    Args:
        program: how it was called.
        description: what it does.
        statuses: its exit statuses, in words.
    """

    def __init__(self, program: str, description: str, statuses: str, **different: Any) -> None:
        super().__init__(
            **{
                "prog": program,
                "description": description,
                "epilog": f"exit status: {statuses}",
                "allow_abbrev": False,
                **different,
            }
        )
        self._settings: list[str] = []

    def error(self, message: str) -> NoReturn:
        """Raises: SystemExit."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")

    def parse_args(self, arguments: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Raises: SystemExit: as `read`. For what is no option it is said which is near."""
        given, unknown = self.parse_known_args(arguments)
        if unknown:
            near = difflib.get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, 1)
            meant = "".join(f"; did you mean {name}?" for name in near)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return given

    def take(self, *names: str, from_settings: bool = True, **different: Any) -> None:
        """Have these options, as they are declared, but for what is different here.

        Args:
            from_settings: what file and variables say of them counts here.
        """
        for name in names:
            self.add_argument(name, **{**_DECLARED[name], **different})
        if from_settings:
            self._settings.extend(name for name in names if name in SETTINGS)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """What is given, on top of what file and variables say. Whoever asks for help gets it.

        Raises:
            SystemExit: status 2, and one line on stderr; or 0, after --help.
        """
        if not {"-h", "--help"} & set(arguments):
            try:
                apply(self, self._settings, settings_parser())
            except SettingsError as error:
                self.error(str(error))
        return self.parse_args(arguments)

    def block_s(self, given: argparse.Namespace, otherwise_s: float) -> float:
        """How long a block is. Raises: SystemExit: it is too long."""
        if given.block is None:
            return otherwise_s
        block_s: float = given.block / given.rate
        if block_s > _LONGEST_BLOCK_S:
            self.error(f"argument --block: {given.block} samples are {block_s:g} s: at most 1 s is right")
        return block_s

    def hardware(self, given: argparse.Namespace, no_file: str) -> str:
        """The back end, for a program that is for sound hardware. Raises: SystemExit: it is a file."""
        backend = "portaudio" if given.backend == "auto" else str(given.backend)
        if backend.startswith("wav"):
            self.error(f"{no_file}: portaudio or fake would be right")
        return backend


def settings_parser() -> Parser:
    """A parser with every option that is a setting: one file is for all programs."""
    parser = Parser("settings", "", "")
    parser.take(*SETTINGS)
    return parser


def _backend(text: str) -> str:
    from voicepipe.devices.backends import open_backend

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


def _channel(text: str) -> int:
    return _whole(text, "no channel: 1 to 32 would be right", 1, 32)


def _count(text: str) -> int:
    return _whole(text, "no number of chirps: 1 to 10000 would be right", 1, 10_000)


def _block(text: str) -> int:
    return _whole(text, "no block: a whole number of samples, such as 480, would be right", 16, 384_000)


def _metrics(text: str) -> int:
    host, colon, port = text.rpartition(":")
    if colon and host not in ("127.0.0.1", "localhost"):
        raise argparse.ArgumentTypeError(
            f"{printable(repr(text))} is not for this computer alone: its port, such as 9464, would be right "
            "(for others, put a server with a password before it)"
        )
    return _whole(port, "no port: 1024 to 65535, such as 9464, would be right", 1_024, 65_535)


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


def _time(what: str, dest: str) -> dict[str, Any]:
    return {"dest": dest, "type": _seconds, "metavar": "SECONDS", "help": what}


_ENGINES = ("auto", *ENGINES)
_Declared = Mapping[str, Mapping[str, Any]]

SETTINGS: _Declared = {
    "--backend": {"type": _backend, "metavar": "NAME", "help": "portaudio, or fake"},
    "--live": {
        "action": _SWITCH,
        "default": False,
        "help": "pass the sound straight through; for headphones",
    },
    "--mic": {"default": "", "metavar": "NAME", "help": "a microphone's name, or a part of it"},
    "--mic-channel": {
        "type": _channel,
        "metavar": "N",
        "help": "hear only this channel of the microphone, counted from 1; otherwise all of them, mixed",
    },
    "--speaker": {"default": "", "metavar": "NAME", "help": "a speaker's name, or a part of it"},
    "--rate": {
        "type": _rate,
        "default": 16_000,
        "metavar": "HZ",
        "help": "samples a second, %(default)s by default",
    },
    "--block": {"type": _block, "metavar": "SAMPLES", "help": "samples in a block, 10 ms by default"},
    "--latency": {"type": _latency, "metavar": "low|high|SECONDS", "help": "%(default)s by default"},
    "--seconds": {"type": _seconds, "metavar": "N", "help": "end after so many seconds"},
    "--mute": {
        "action": _SWITCH,
        "help": "do not listen while speaking, so that it does not hear itself; "
        "by default on for sound hardware, off with --live",
    },
    "--steady": {
        "action": _SWITCH,
        "default": False,
        "help": "with --live, for hours: hold the delay steady between two clocks; adds a block and 25 ms",
    },
    "--vad": {
        "choices": ENGINE_NAMES,
        "metavar": "NAME",
        "help": f"what judges: {', '.join(_ENGINES)}; auto is the best that is installed",
    },
    "--preset": {
        "choices": tuple(PRESETS),
        "default": "balanced",
        "metavar": "NAME",
        "help": f"how soon an end is believed: {', '.join(PRESETS)}",
    },
    "--start": _time("a beginning takes so much speech", "start_s"),
    "--stop": _time("an end takes so long a silence", "stop_s"),
    "--min": _time("what is shorter is no speech", "min_s"),
    "--max": _time("what is longer is split at its quietest place", "max_s"),
    "--gate": {
        "dest": "gate_db",
        "type": _decibels,
        "metavar": "DB",
        "help": "only what is so far above the noise",
    },
    "--status-socket": {"metavar": "PATH", "help": "answer `voicepipe status --socket PATH` there"},
    "--metrics": {
        "type": _metrics,
        "metavar": "PORT",
        "help": "tell Prometheus the same, at this port of 127.0.0.1 (needs the extra metrics)",
    },
    "--log-format": {
        "choices": ("text", "json"),
        "default": "text",
        "metavar": "NAME",
        "help": "of the log on stderr: text, or json (an object a line)",
    },
    "--debug": {"action": _SWITCH, "default": False, "help": "log everything, and show tracebacks"},
}
"""What may stand in the settings file, and its defaults where a program says nothing else."""

OTHERS: _Declared = {
    "file": {"metavar": "FILE.wav"},
    "--channels": {"type": _channels, "default": 1, "metavar": "N", "help": "%(default)s by default"},
    "--count": {
        "type": _count,
        "default": 20,
        "metavar": "N",
        "help": "so many chirps, %(default)s by default",
    },
    "--listen": {
        "type": _seconds,
        "default": 0.6,
        "metavar": "SECONDS",
        "help": "the longest way, %(default)s by default",
    },
    "--json": {"action": "store_true", "help": "for machines"},
    "--plot": {"metavar": "FILE.png"},
    "--name": {"default": "voicepipe", "metavar": "NAME"},
    "--system": {"action": "store_true"},
}
"""What belongs to one call of a program."""

_DECLARED = {**SETTINGS, **OTHERS}
