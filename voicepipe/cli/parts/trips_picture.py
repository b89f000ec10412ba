"""The picture of a measurement: the time of every chirp."""

from __future__ import annotations

import os

from voicepipe.cli.parts.measurement import Measurement
from voicepipe.cli.parts.picture_style import GRID, INK, LEVEL_COLOUR, SCORE_COLOUR, SPEECH_COLOUR, draw_into

__all__ = ["draw_trips"]

_HEIGHT = 3.6


def draw_trips(found: Measurement, path: str | os.PathLike[str]) -> None:
    """Write the picture of a measurement. Raises: OSError."""
    with draw_into(path, _HEIGHT) as figure:
        axes = figure.subplots()
        heard = [(n, trip) for n, trip in enumerate(found.trips, 1) if trip is not None]
        numbers = [n for n, _ in heard]
        for colour, label, seconds in (
            (SPEECH_COLOUR, "to the microphone", [trip.seconds for _, trip in heard]),
            (LEVEL_COLOUR, "in the program", [trip.in_hand_s for _, trip in heard]),
        ):
            axes.plot(numbers, [1e3 * s for s in seconds], "o-", color=colour, label=label, markersize=4)
        for lost in sorted({*range(1, len(found.trips) + 1)} - {*numbers}):
            axes.axvline(lost, color=SCORE_COLOUR, linestyle=":", linewidth=1)
        axes.set_xlabel("chirp", color=INK)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel("milliseconds", color=INK)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(found.lines()[0], loc="left", weight="bold", color=INK, parse_math=False)
        axes.legend(frameon=False, loc="lower right")
