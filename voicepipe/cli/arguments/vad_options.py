"""The options for voice detection, of the programs that look for speech."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypedDict

from voicepipe.cli.arguments.options import Parser
from voicepipe.speech.detectors.registry import DEFAULT_ENGINE
from voicepipe.speech.segmenter import preset

__all__ = ["VAD_FLAGS", "VadArguments", "VadSettings", "vad_settings"]

_NUMBERS = ("start_s", "stop_s", "min_s", "max_s", "gate_db")

VAD_FLAGS = ("--vad", "--preset", "--start", "--stop", "--min", "--max", "--gate")
"""The options of a program in which everything can be set."""


class VadArguments(TypedDict):
    """The arguments of a `VADProcessor`."""

    engine: str
    preset: str
    start_s: float | None
    stop_s: float | None
    min_s: float | None
    max_s: float | None
    gate_db: float | None


@dataclass(frozen=True, slots=True)
class VadSettings:
    """The settings of voice detection; None: as the preset has it."""

    engine: str
    preset: str
    start_s: float | None = None
    stop_s: float | None = None
    min_s: float | None = None
    max_s: float | None = None
    gate_db: float | None = None

    def arguments(self) -> VadArguments:
        """Return the arguments for a `VADProcessor`."""
        return {
            "engine": self.engine,
            "preset": self.preset,
            "start_s": self.start_s,
            "stop_s": self.stop_s,
            "min_s": self.min_s,
            "max_s": self.max_s,
            "gate_db": self.gate_db,
        }


def vad_settings(parser: Parser, given: argparse.Namespace) -> VadSettings:
    """Return the settings that were given. Raises: SystemExit: they contradict each other."""
    numbers: dict[str, float | None] = {name: getattr(given, name, None) for name in _NUMBERS}
    try:
        preset(given.preset, **numbers)
    except ValueError as error:
        parser.error(str(error))
    return VadSettings(given.vad or DEFAULT_ENGINE, given.preset, **numbers)
