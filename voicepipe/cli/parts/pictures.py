"""Pictures: waveform, score, level and speech of a file; the chirps of a measurement."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from voicepipe.audio.wav_file import WavReader
from voicepipe.cli.parts.private_files import create_private_file
from voicepipe.cli.parts.vad_file import Hearing
from voicepipe.errors import BackendMissingError
from voicepipe.speech.evidence import HOLD, SPEECH
from voicepipe.text import printable

if TYPE_CHECKING:
    from voicepipe.cli.parts.measurement import Measurement

__all__ = ["draw_hearing", "draw_trips"]

INK, FAINT, GRID = "#22303c", "#8aa0b3", "#e3e8ed"
SPEECH_COLOUR, SCORE_COLOUR, LEVEL_COLOUR = "#2a9d8f", "#d1495b", "#33658a"
COLUMNS = 2_000
"""Columns of the waveform: more than a picture has."""
INCHES = (11.0, 5.6)
FONT = {"font.size": 9.5, "font.family": "DejaVu Sans", "axes.edgecolor": FAINT, "text.color": INK}


def _library() -> Any:
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise BackendMissingError(
            f"the package matplotlib is not installed ({printable(error)}): "
            "python -m pip install matplotlib, or this project with its extra [plot]"
        ) from error


_matplotlib = _library()


def draw_hearing(heard: Hearing, path: str | os.PathLike[str]) -> None:
    """Write the picture of a file, as PNG whatever the path's name.

    Raises:
        AudioFormatError, OSError: a file cannot be read or written.
    """
    figures = importlib.import_module("matplotlib.figure")
    with _matplotlib.rc_context(FONT):
        figure = figures.Figure(figsize=INCHES, dpi=140, layout="constrained")
        wave, score, level = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1.2, 1.4))
        _draw_wave(wave, heard)
        _draw_score(score, heard)
        _draw_level(level, heard)
        for axes in (wave, score, level):
            _tidy(axes, heard)
        level.set_xlabel("seconds", color=INK)
        figure.align_ylabels()
        with create_private_file(path) as file:
            figure.savefig(file, format="png")


def draw_trips(found: Measurement, path: str | os.PathLike[str]) -> None:
    """Write the picture of a measurement, as PNG whatever the path's name. Raises: OSError."""
    figures = importlib.import_module("matplotlib.figure")
    with _matplotlib.rc_context(FONT):
        figure = figures.Figure(figsize=(INCHES[0], 3.6), dpi=140, layout="constrained")
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
        axes.set_title(found.lines()[0], loc="left", weight="bold", color=INK)
        axes.legend(frameon=False, loc="lower right")
        with create_private_file(path) as file:
            figure.savefig(file, format="png")


def _draw_wave(axes: Any, heard: Hearing) -> None:
    lowest, highest, at_s = _envelope(heard)
    axes.fill_between(at_s, lowest, highest, color=INK, linewidth=0, step="mid")
    peak = max(0.05, float(np.max(np.abs([*lowest, *highest]), initial=0.0)))
    axes.set_ylim(-1.25 * peak, 1.25 * peak)
    axes.set_ylabel("waveform", color=INK)
    seconds = heard.format.seconds
    for n, segment in enumerate(heard.segments, 1):
        middle_s = (seconds(segment.begin) + seconds(segment.end)) / 2
        axes.text(*(middle_s, 1.2 * peak, str(n)), color=SPEECH_COLOUR, ha="center", va="top", weight="bold")
    name = printable(os.path.basename(heard.path))
    count = len(heard.segments)
    axes.set_title(name, loc="left", weight="bold", color=INK)
    axes.set_title(
        f"{count} segment{'' if count == 1 else 's'}, {heard.spoken_s:.1f} of {heard.duration_s:.1f} s "
        f"are speech  ·  {heard.engine}",
        loc="right",
        color=FAINT,
    )


def _draw_score(axes: Any, heard: Hearing) -> None:
    at_s = _times(heard)
    axes.fill_between(at_s, [j.score for j in heard.judgements], color=SCORE_COLOUR, alpha=0.25, linewidth=0)
    axes.plot(at_s, [j.score for j in heard.judgements], color=SCORE_COLOUR, linewidth=1.0)
    axes.axhline(SPEECH, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.axhline(HOLD, color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("score", color=INK)


def _draw_level(axes: Any, heard: Hearing) -> None:
    at_s = _times(heard)
    levels = [j.level_db for j in heard.judgements]
    noise = [j.noise_db for j in heard.judgements]
    axes.plot(at_s, levels, color=LEVEL_COLOUR, linewidth=1.0, label="level")
    axes.plot(at_s, noise, color=FAINT, linewidth=1.4, label="noise floor")
    axes.set_ylim(max(-96.0, min([*noise, -60.0]) - 5), 0)
    axes.set_ylabel("dBFS", color=INK)
    axes.legend(loc="upper right", ncols=2, frameon=False, labelcolor=INK)


def _tidy(axes: Any, heard: Hearing) -> None:
    seconds = heard.format.seconds
    for segment in heard.segments:
        axes.axvspan(
            *(seconds(segment.begin), seconds(segment.end)),
            color=SPEECH_COLOUR,
            alpha=0.16,
            linewidth=0,
            zorder=0,
        )
    axes.set_xlim(0, max(heard.duration_s, 1e-3))
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _times(heard: Hearing) -> list[float]:
    """Return the middle of each window."""
    ends = [heard.format.seconds(judgement.position) for judgement in heard.judgements]
    begins = [0.0, *ends]
    return [(begin + end) / 2 for begin, end in zip(begins, ends, strict=False)]


def _envelope(heard: Hearing) -> tuple[list[float], list[float], list[float]]:
    """Return the lowest and the highest sample in each column of the picture, and its time."""
    each = max(1, -(-heard.num_samples // COLUMNS))
    lowest, highest = list[float](), list[float]()
    with WavReader(heard.path) as file:
        while data := file.read(each):
            audio = np.frombuffer(data, np.int16) / 32_768
            lowest.append(float(np.min(audio)))
            highest.append(float(np.max(audio)))
    return lowest, highest, [(n + 0.5) * each / heard.format.rate for n in range(len(lowest))]
