"""The options for the protection from the program's own sound: cancelling, half-duplex, headphones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from voicepipe.cli.arguments.options import Parser
from voicepipe.settings.sound import CONTRADICTIONS

__all__ = ["PROTECTION_FLAGS", "Protection", "read_protection", "refuse_protection"]

PROTECTION_FLAGS = ("--cancel", "--headphones", "--mute")


class Protection(NamedTuple):
    """The arguments of `MicrophoneInput`, which has the defaults for None."""

    cancel: bool | None
    mute: bool | None


def read_protection(
    parser: Parser, given: argparse.Namespace, arguments: Sequence[str], *, live: bool = False
) -> Protection:
    """Return the protection that is asked for. A flag goes before all settings.

    Args:
        parser: the program's, for its error.
        given: the values with those of the settings.
        arguments: the command line, which tells the flags from the settings.
        live: True if the speaker plays what the microphone hears. A canceller would take the user for it.

    Raises:
        SystemExit: the flags contradict each other.
    """
    flags = _flags_of(arguments)
    _check(parser, flags, "--")
    if flags.cancel and live:
        parser.error(
            "--live and --cancel contradict each other: it would cancel your own voice; use headphones"
        )
    if not flags.headphones and flags.cancel is None and not flags.mute:
        return _by_settings(parser, given, live=live)
    if flags.headphones or live:
        return Protection(cancel=False, mute=bool(flags.mute))
    return Protection(cancel=bool(flags.cancel), mute=flags.mute)


def refuse_protection(parser: Parser, arguments: Sequence[str], why: str) -> None:
    """Refuse the flags where nothing is to be protected. Raises: SystemExit."""
    flags = _flags_of(arguments)
    for flag in PROTECTION_FLAGS:
        if getattr(flags, flag.removeprefix("--")) is not None:
            parser.error(f"{flag} {why}")


def _by_settings(parser: Parser, given: argparse.Namespace, *, live: bool) -> Protection:
    """Return the protection of the settings, and of flags that only switch one of them off."""
    _check(parser, given, "")
    if given.headphones or live:
        return Protection(cancel=False, mute=bool(given.mute))
    return Protection(given.cancel, given.mute)


def _flags_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the flags on the command line alone; None: not given."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in PROTECTION_FLAGS:
        is_plain = flag == "--headphones"
        action = "store_true" if is_plain else argparse.BooleanOptionalAction
        flags.add_argument(flag, action=action, default=None)
    return flags.parse_known_args(arguments)[0]


def _check(parser: Parser, wish: argparse.Namespace, dashes: str) -> None:
    """Check that the wishes do not contradict each other. Raises: SystemExit."""
    for one, other, why in CONTRADICTIONS:
        if getattr(wish, one) and getattr(wish, other):
            parser.error(f"{dashes}{one} and {dashes}{other} contradict each other: {why}")
