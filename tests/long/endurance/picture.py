"""Draws what was noted in a long run: latency, fill, memory and processor over time. Needs matplotlib."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw"]

_PANELS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("latency, microphone to speaker (ms)", {"latency_ms": ""}, "."),
    ("fill (ms)", {"mic_fill_ms": "microphone", "speaker_fill_ms": "speaker"}, "-"),
    (
        "memory (MB)",
        {
            "private_mb": "private, all processes",
            "program_private_mb": "private, the program",
            "pss_mb": "proportional, all processes",
        },
        "-",
    ),
    ("processor (% of a core)", {"cpu_percent": "all processes"}, "-"),
    (
        "not heard (ms in a second), and the machine",
        {"missing_ms": "not heard", "stood_still_ms": "stood still"},
        ".",
    ),
)


def draw(log: Path, file: Path) -> None:
    """Write the picture of that log, where there is matplotlib; say so where there is none."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        print(f"no picture, for there is no matplotlib ({error}): python -m pip install matplotlib")
        return
    noted: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(12, 3 * len(_PANELS)), layout="constrained")
    FigureCanvasAgg(figure)
    minutes = [second["t_s"] / 60 for second in noted]
    for place, (title, lines, style) in enumerate(_PANELS):
        axes = figure.add_subplot(len(_PANELS), 1, place + 1)
        for name, label in lines.items():
            values = [float("nan") if second.get(name) is None else second[name] for second in noted]
            axes.plot(minutes, values, style, markersize=2, linewidth=0.8, label=label)
        for begin, end in _stretches(noted):
            axes.axvspan(begin / 60, end / 60, color="0.85", zorder=0)
        axes.set_title(f"{title}; grey: a device is lost" if place == 0 else title, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if any(lines.values()):
            axes.legend(fontsize=8, loc="upper right")
    figure.axes[-1].set_xlabel("minutes")
    figure.savefig(file, dpi=100)


def _stretches(noted: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """When a device was lost: begin and end."""
    begin: float | None = None
    for second in noted:
        if second["lost"] and begin is None:
            begin = second["t_s"] - 1
        if not second["lost"] and begin is not None:
            yield begin, second["t_s"]
            begin = None
    if begin is not None:
        yield begin, noted[-1]["t_s"]
