"""How speech is to be found: the options of the programs that look for it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypedDict

from voicepipe.cli.parts.options import Parser
from voicepipe.speech.segmenter import preset

__all__ = ["EAR", "EarArguments", "EarOptions", "ear_options"]

_NUMBERS = ("start_s", "stop_s", "min_s", "max_s", "gate_db")

EAR = ("--vad", "--preset", "--start", "--stop", "--min", "--max", "--gate")
"""The options of a program in which all can be said."""


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


def ear_options(parser: Parser, given: argparse.Namespace) -> EarOptions:
    """Those that were given. Raises: SystemExit: they contradict each other."""
    numbers: dict[str, float | None] = {name: getattr(given, name, None) for name in _NUMBERS}
    try:
        preset(given.preset, **numbers)
    except ValueError as error:
        parser.error(str(error))
    return EarOptions(given.vad or "auto", given.preset, **numbers)
