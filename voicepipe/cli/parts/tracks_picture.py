"""The picture of a conversation's tracks, one under another, with its labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voicepipe.audio.files.wav_file import WavReader
from voicepipe.canceller.tracks.track_files import NAMES, label_path
from voicepipe.cli.parts.picture_style import (
    GRID,
    INK,
    LEVEL_COLOUR,
    QUIET,
    SCORE_COLOUR,
    SPEECH_COLOUR,
    draw_into,
)
from voicepipe.cli.parts.trace import Extremes
from voicepipe.errors import AudioFormatError
from voicepipe.text import printable

__all__ = ["Label", "are_tracks", "draw_tracks", "read_labels"]

_COLUMNS = 2_000
_COLUMN_S = 0.0025
_PIECE = 65_536
_HEIGHT = 8.4
_FULL_SCALE = 32_768.0
_MOST_LABELS = 10_000
_MOST_TEXT_BYTES = 4_000_000
_LONGEST_TEXT = 36
_COLOURS = {"user": SPEECH_COLOUR, "program": LEVEL_COLOUR}
"""The colours of spans; other labels are moments or losses."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label of Audacity's kind."""

    begin_s: float
    end_s: float
    text: str


def are_tracks(path: str) -> bool:
    """Return True for a WAV file of as many channels as there are tracks, with a label file beside it."""
    if not os.path.isfile(label_path(path)) or not os.path.isfile(path):
        return False
    try:
        with WavReader(path) as file:
            return file.format.channels == len(NAMES)
    except AudioFormatError:
        return False


def read_labels(path: str) -> list[Label]:
    """Return the labels that belong to a file of tracks, in their order of time. Raises: OSError."""
    with open(label_path(path), encoding="utf-8", errors="replace") as file:
        lines = file.read(_MOST_TEXT_BYTES).splitlines()
    labels = [label for line in lines[:_MOST_LABELS] if (label := _label_of(line)) is not None]
    return sorted(labels, key=lambda label: (label.begin_s, label.end_s))


def _label_of(line: str) -> Label | None:
    parts = line.split("\t", 2)
    try:
        begin_s, end_s = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        return None  # the last line may be cut off, and Audacity writes lines of other kinds
    is_sane = 0 <= begin_s <= end_s < float("inf")
    return Label(begin_s, end_s, printable(parts[2] if len(parts) > 2 else "")) if is_sane else None


def draw_tracks(path: str, labels: Sequence[Label], picture: str | os.PathLike[str]) -> None:
    """Write the picture of a file of tracks. Raises: AudioFormatError, OSError."""
    tracks, duration_s = _read(path)
    with draw_into(picture, _HEIGHT) as figure:
        rows = figure.subplots(len(NAMES), 1, sharex=True, height_ratios=(1, 1, 1, 1, 1, 0.4))
        for axes, name, track in zip(rows, NAMES, tracks, strict=True):
            _draw_track(axes, name, track)
            _mark(axes, labels, duration_s)
        _write_texts(rows[0], labels, duration_s)
        rows[0].set_title(
            printable(os.path.basename(path)), loc="left", weight="bold", color=INK, parse_math=False, pad=64
        )
        rows[0].set_xlim(0, max(duration_s, 1e-3))
        rows[-1].set_xlabel("seconds by the microphone's clock; green: user, blue: program", color=INK)
        figure.align_ylabels()


def _read(path: str) -> tuple[list[tuple[Any, Any, Any]], float]:
    """Return the columns of each track (times in seconds, lowest, highest), and the length in seconds."""
    with WavReader(path) as file:
        rate, count = file.format.rate, file.num_samples
        all_tracks = [Extremes(max(1, round(rate * _COLUMN_S))) for _ in NAMES]
        while data := file.read(_PIECE):
            for track, audio in zip(
                all_tracks, np.frombuffer(data, np.int16).reshape(-1, len(NAMES)).T, strict=True
            ):
                track.add(audio)
    columns = []
    for track in all_tracks:
        at, lowest, highest = track.between(0, count, _COLUMNS)
        columns.append((at / rate, lowest / _FULL_SCALE, highest / _FULL_SCALE))
    return columns, count / rate


def _draw_track(axes: Any, name: str, track: tuple[Any, Any, Any]) -> None:
    at_s, lowest, highest = track
    is_speech = name == "speech"
    colour, bottom = (SPEECH_COLOUR, 0.0) if is_speech else (INK, lowest)
    axes.fill_between(at_s, bottom, highest, color=colour, linewidth=0, step="mid")
    peak = max(0.02, float(np.max(np.abs([lowest, highest]), initial=0.0)))
    axes.set_ylim(*((0, 0.6) if is_speech else (-1.1 * peak, 1.1 * peak)))
    axes.set_yticks([])
    note = "" if is_speech else f"\n{20 * np.log10(peak):.0f} dB"
    axes.set_ylabel(f"{name}{note}", rotation=0, ha="right", va="center", color=INK)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Any, labels: Iterable[Label], duration_s: float) -> None:
    """Shade the spans of user and program and what was lost, and draw a line at each moment."""
    for label in labels:
        if label.begin_s > duration_s:
            continue
        colour = _COLOURS.get(label.text.partition(",")[0])
        if colour is None and label.end_s - label.begin_s < 1e-3:
            axes.axvline(label.begin_s, color=SCORE_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)))
        else:
            shade = (colour or SCORE_COLOUR, 0.14 if colour else 0.3)
            axes.axvspan(label.begin_s, label.end_s, color=shade[0], alpha=shade[1], linewidth=0, zorder=0)


def _write_texts(axes: Any, labels: Iterable[Label], duration_s: float) -> None:
    """Write the texts above the first track, but for those whose colour says it all, and without room."""
    free_s = -1.0
    for label in labels:
        if label.text in _COLOURS or label.begin_s < free_s or label.begin_s > duration_s:
            continue
        free_s = label.begin_s + 0.014 * duration_s
        text = label.text if len(label.text) <= _LONGEST_TEXT else f"{label.text[: _LONGEST_TEXT - 1]}…"
        axes.annotate(
            text,
            (label.begin_s, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=35,
            fontsize=7.5,
            color=_COLOURS.get(label.text.partition(",")[0], QUIET),
            ha="left",
            va="bottom",
            annotation_clip=False,
            parse_math=False,
        )
