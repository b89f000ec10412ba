"""Draws the reduction of an echo over time, with what befalls the card. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.reduction import over_time
from benchmarks.cancelling.scenes import Scene, listening
from benchmarks.cancelling.simulated import Air, simulated
from benchmarks.cancelling.subjects import AEC3, OURS, Taken
from benchmarks.cancelling.voices import program
from benchmarks.plot import check_matplotlib

__all__ = ["draw"]

SECONDS = 75.0
PATH_S = 20.0
JUMP_S, JUMP_BY_S = 40.0, 0.2
LOST_S = (55.0, 57.0, 59.0, 61.0)


def draw(plan: Plan, file: Path) -> None:
    """Write a picture of a minute in a room: a change of path, a jump of the delay, and losses.

    Raises:
        MissingMatplotlibError: there is no matplotlib.
        ValueError: the name of the file ends in an unknown format.
    """
    check_matplotlib()
    scene = listening(
        f"a simulated room of seed {plan.seed}",
        program(SECONDS, plan.seed),
        plan.rooms_of(0.3, 2),
        seed=plan.seed,
        changed_s=[PATH_S],
    )
    _draw(scene, simulated(Air(jumps=((JUMP_S, JUMP_BY_S),), lost_s=LOST_S))(scene), file)


def _draw(scene: Scene, taken: Taken, file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, audio, style in (
        (f"{OURS}: the ear", taken.heard[OURS].ear, "C0-"),
        (f"{OURS}: the words", taken.heard[OURS].words, "C2-"),
        (AEC3, taken.heard[AEC3].ear, "C1:"),
    ):
        axes.plot(*over_time(taken.mic, audio), style, label=name)
    for at_s, what in (
        (PATH_S, "another path"),
        (JUMP_S, f"{1e3 * JUMP_BY_S:.0f} ms later"),
        *((at_s, "20 ms lost" if at_s == LOST_S[0] else "") for at_s in LOST_S),
    ):
        axes.axvline(at_s, color="0.5", linewidth=0.8)
        axes.text(at_s + 0.3, 1.0, what, fontsize=8, color="0.3")
    axes.set_title(f"Echo reduced, in the second before (dB); {scene.name}", fontsize=10)
    axes.set_xlabel("seconds")
    axes.set_xlim(0, scene.seconds)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    figure.savefig(file, dpi=110)
