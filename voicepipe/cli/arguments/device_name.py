"""The name of a microphone or a speaker, as an option of a program."""

from __future__ import annotations

import argparse

from voicepipe.text import printable

__all__ = ["ADVICE", "device_name"]

ADVICE = "give a name, as `voicepipe devices` lists them"


def device_name(text: str) -> str:
    """Return the name as it is; empty: the default device. Raises: argparse.ArgumentTypeError."""
    from voicepipe.devices.names import fold, is_number

    named = printable(repr(text))
    if is_number(text):
        raise argparse.ArgumentTypeError(f"{named} is a number, which moves with other devices; {ADVICE}")
    if text and not fold(text):
        raise argparse.ArgumentTypeError(f"{named} is blank; {ADVICE}")
    return text
