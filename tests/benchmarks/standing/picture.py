"""Draws the delay over time. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.standing.run import Run

__all__ = ["draw"]

_EVERY_S = 0.1


def draw(runs: Sequence[tuple[str, Run]], file: Path) -> None:
    """Write a picture with a panel for each run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3 * len(runs)), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, run) in enumerate(runs):
        axes = figure.add_subplot(len(runs), 1, place + 1)
        times = np.arange(0.0, len(run.tape.heard) / run.tape.rate - 0.2, _EVERY_S)
        delays = [run.tape.piece_ms(at_s) for at_s in times]
        axes.plot(times, [float("nan") if ms is None else ms for ms in delays], ".", markersize=3)
        for moment in run.moments:
            axes.axvspan(moment.begin_s, max(moment.end_s, moment.begin_s + 0.02), color="0.8", zorder=0)
        axes.set_title(f"{title}: delay (ms); grey: it stands still", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.axes[-1].set_xlabel("seconds")
    figure.savefig(file, dpi=100)
