"""The picture of a file: waveform, score, level and speech; of a long one, a row for some minutes each."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from voicepipe.cli.parts.picture_style import (
    FAINT,
    GRID,
    INK,
    LEVEL_COLOUR,
    QUIET,
    SCORE_COLOUR,
    SPEECH_COLOUR,
    draw_into,
)
from voicepipe.cli.parts.trace import Trace
from voicepipe.cli.parts.vad_file import Hearing
from voicepipe.speech.evidence import HOLD, SPEECH
from voicepipe.text import printable

__all__ = ["draw_hearing", "row_of"]

_COLUMNS = 2_000
"""Columns of a file in one row: more than a picture has."""
_ROW_COLUMNS = 1_200
"""Columns of each of several rows, for an SVG or PDF has them all."""
_LONGEST_ROW_S = 75.0
"""A file up to this length has one row, with its score and level below it."""
_HEIGHT = 5.6
_MOST_ROWS = 12
_ROW_HEIGHT, _AROUND = 0.9, 0.9
"""Inches of a row, and of what is above and below all of them."""
_ROWS_S = {60: 10, 120: 20, 300: 30, 600: 60, 900: 60, 1_800: 300, 3_600: 300, 7_200: 600, 14_400: 1_800}
"""The lengths of a row in seconds, each with its grid."""
_DAY_S = 86_400
_LONGEST_NAME = 56
_ROOM = 0.018
"""The width of a segment's number, in parts of a row."""
_STRIP = 0.8
"""The height of the score below a row's waveform, in parts of the highest sample."""


def draw_hearing(heard: Hearing, trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write the picture of a file. Raises: OSError."""
    if heard.duration_s <= _LONGEST_ROW_S:
        _draw_short(heard, trace, path)
    else:
        _draw_rows(heard, trace, path)


def row_of(duration_s: float) -> tuple[int, int]:
    """Return the length of a row and of its grid, in seconds, for a file of this length."""
    for row_s, grid_s in _ROWS_S.items():
        if duration_s <= row_s * _MOST_ROWS:
            return row_s, grid_s
    row_s = math.ceil(duration_s / _MOST_ROWS / _DAY_S) * _DAY_S
    return row_s, row_s // 12


def _draw_short(heard: Hearing, trace: Trace, path: str | os.PathLike[str]) -> None:
    with draw_into(path, _HEIGHT) as figure:
        wave, score, level = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1.2, 1.4))
        peak = _draw_wave(wave, trace, (0.0, heard.duration_s), _COLUMNS)
        wave.set_ylim(-1.25 * peak, 1.25 * peak)
        wave.set_ylabel("waveform", color=INK)
        _number_segments(wave, heard, peak)
        _set_titles(wave, heard)
        scores, levels, noise = trace.judgements(0.0, heard.duration_s, _COLUMNS, heard.format.rate)
        _draw_score(score, *scores)
        _draw_level(level, levels, noise)
        for axes in (wave, score, level):
            _mark_speech(axes, heard, 0.0, max(heard.duration_s, 1e-3))
            _tidy(axes)
        level.set_xlabel("seconds", color=INK)
        figure.align_ylabels()


def _draw_rows(heard: Hearing, trace: Trace, path: str | os.PathLike[str]) -> None:
    row_s, grid_s = row_of(heard.duration_s)
    count = math.ceil(heard.duration_s / row_s)
    with draw_into(path, _AROUND + count * _ROW_HEIGHT) as figure:
        rows = figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        peak = max(_draw_row(axes, heard, trace, n * row_s, row_s) for n, axes in enumerate(rows))
        for n, axes in enumerate(rows):
            _draw_strip(axes, heard, trace, (n * row_s, row_s), peak)
            axes.set_ylabel(_clock(n * row_s), rotation=0, ha="right", va="center", color=INK)
        rows[0].set_ylim(-(1.1 + _STRIP) * peak, 1.1 * peak)
        rows[0].set_yticks([])
        rows[0].set_xticks(
            range(0, row_s + 1, grid_s), [f"+{_clock(s)}" for s in range(0, row_s + 1, grid_s)]
        )
        _set_titles(rows[0], heard)
        rows[-1].set_xlabel(
            "each row begins at the time on its left (minutes:seconds); dark: waveform, green: speech, "
            "red: score, 0 to 1",
            color=INK,
        )


def _draw_row(axes: Any, heard: Hearing, trace: Trace, begin_s: int, row_s: int) -> float:
    """Draw the waveform and the speech of one row; return its highest sample."""
    peak = _draw_wave(axes, trace, (begin_s, row_s), _ROW_COLUMNS)
    _mark_speech(axes, heard, begin_s, row_s)
    _tidy(axes)
    return peak


def _draw_strip(axes: Any, heard: Hearing, trace: Trace, row: tuple[int, int], peak: float) -> None:
    """Draw the score below the waveform of one row, as high as it was within each column."""
    begin_s, row_s = row
    (at_s, _, score), *_ = trace.judgements(begin_s, begin_s + row_s, _ROW_COLUMNS, heard.format.rate)
    bottom = -(1.1 + _STRIP) * peak
    top = bottom + score * _STRIP * 0.85 * peak
    axes.fill_between(at_s - begin_s, bottom, top, color=SCORE_COLOUR, alpha=0.55, linewidth=0, step="mid")


def _draw_wave(axes: Any, trace: Trace, row: tuple[float, float], columns: int) -> float:
    """Draw the waveform of a row, given by its beginning and its length; return its highest sample."""
    begin_s, length_s = row
    at_s, lowest, highest = trace.wave(begin_s, begin_s + length_s, columns)
    axes.fill_between(at_s - begin_s, lowest, highest, color=INK, linewidth=0, step="mid")
    return max(0.05, float(np.max(np.abs([lowest, highest]), initial=0.0)))


def _number_segments(axes: Any, heard: Hearing, peak: float) -> None:
    """Write its number above each segment, but for those that have no room beside the one before."""
    seconds, free_s = heard.format.seconds, 0.0
    for n, segment in enumerate(heard.segments, 1):
        middle_s = (seconds(segment.begin) + seconds(segment.end)) / 2
        if middle_s < free_s:
            continue
        free_s = middle_s + _ROOM * heard.duration_s
        axes.text(*(middle_s, 1.2 * peak, str(n)), color=SPEECH_COLOUR, ha="center", va="top", weight="bold")


def _set_titles(axes: Any, heard: Hearing) -> None:
    name = printable(os.path.basename(heard.path))
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME // 2]}…{name[-_LONGEST_NAME // 2 + 1 :]}"
    count = len(heard.segments)
    axes.set_title(name, loc="left", weight="bold", color=INK, parse_math=False)
    axes.set_title(
        f"{count} segment{'' if count == 1 else 's'}, {heard.spoken_s:.1f} of {heard.duration_s:.1f} s "
        f"are speech  ·  {heard.engine}",
        loc="right",
        color=QUIET,
        parse_math=False,
    )


def _draw_score(axes: Any, at_s: Any, _: Any, score: Any) -> None:
    axes.fill_between(at_s, score, color=SCORE_COLOUR, alpha=0.25, linewidth=0)
    axes.plot(at_s, score, color=SCORE_COLOUR, linewidth=1.0)
    axes.axhline(SPEECH, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.axhline(HOLD, color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("score", color=INK)


def _draw_level(axes: Any, levels: Any, noise: Any) -> None:
    at_s, _, level = levels
    floor = noise[1]
    axes.plot(at_s, level, color=LEVEL_COLOUR, linewidth=1.0, label="level")
    axes.plot(at_s, floor, color=FAINT, linewidth=1.4, label="noise floor")
    axes.set_ylim(max(-96.0, float(np.min(floor, initial=-60.0)) - 5), 0)
    axes.set_ylabel("dBFS", color=INK)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 0.98), borderaxespad=0, ncols=2, frameon=False, labelcolor=INK
    )


def _mark_speech(axes: Any, heard: Hearing, begin_s: float, length_s: float) -> None:
    """Shade the speech of a row, and set its length."""
    seconds = heard.format.seconds
    spans = [(seconds(each.begin) - begin_s, seconds(each.end - each.begin)) for each in heard.segments]
    axes.broken_barh(
        [(at_s, long_s) for at_s, long_s in spans if at_s + long_s > 0 and at_s < length_s],
        (0, 1),
        transform=axes.get_xaxis_transform(),
        color=SPEECH_COLOUR,
        alpha=0.16,
        linewidth=0,
        zorder=0,
    )
    axes.set_xlim(0, length_s)


def _tidy(axes: Any) -> None:
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _clock(seconds: int) -> str:
    """Return a time as 5:00, or 1:05:00."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
