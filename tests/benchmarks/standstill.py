"""Live sound before and after a standstill, in ms from the mouth to the ear:

    python tests/benchmarks/standstill.py                    # every row, 20 standstills each: ten minutes
    python tests/benchmarks/standstill.py --only simulated                # in virtual time: some seconds
    python tests/benchmarks/standstill.py --only card-10 --each --plot delay.png
    python tests/benchmarks/standstill.py --only card --busy             # beside two busy loops
    python tests/benchmarks/standstill.py --only pipecat --pipecat PYTHON

The program, the process of its microphone or of its speaker, or all of them stand still for 10 to 1,500 ms,
once or several times in short order, at random moments: by SIGSTOP on the virtual card, through real
PortAudio; by the clock of virtual time on the simulated card. The delay is found by correlation of what was
said with what is heard. A program of one process stands still as a whole.

The exit status is 1 where two seconds later the delay of a row of voicepipe is not back to within 10 ms of
that just before, or at first. A standstill of the microphone may make it shorter for good.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (1, 2)]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))

from benchmarks.plot import MissingMatplotlibError, check_matplotlib
from benchmarks.standing import card, simulated
from benchmarks.standing.picture import draw
from benchmarks.standing.plan import Standstill, standstills
from benchmarks.standing.run import Run
from benchmarks.table import Cell, Table
from soundcard.plugging import CannotRunError, plugged
from soundcard.test_standing_still import busy_loops

__all__ = ["main", "row_of"]

BACK_MS = 10.0
"""The delay is the same again, if it differs by no more."""
_HALF_MS = 0.5
"""And by so much it differs with the phases of two streams that run on undisturbed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One program that stands still."""

    title: str
    play: Callable[[Sequence[Standstill]], Run]
    is_ours: bool = True
    """It is voicepipe, which promises something."""


def _on_card(command: card.Command) -> Callable[[Sequence[Standstill]], Run]:
    def play(plan: Sequence[Standstill]) -> Run:
        with TemporaryDirectory(prefix="standstill-") as folder, plugged(Path(folder) / "card") as there:
            return card.play(there, command, plan)

    return play


def _simulated(way: simulated.Way) -> Callable[[Sequence[Standstill]], Run]:
    return lambda plan: simulated.play(way, plan)


_WAYS = {
    "simulated-10": ("simulated card, 10 ms", simulated.Way()),
    "simulated-20": ("simulated card, 20 ms", simulated.Way(0.02)),
    "simulated-jitter": ("simulated card, 10 ms, jitter 8 ms", simulated.Way(jitter_s=0.008)),
    "simulated-rate": ("simulated card, 10 ms, voice of another rate", simulated.Way(resampled=True)),
    "simulated-music": ("simulated card, 10 ms, music under it", simulated.Way(background=True)),
    "simulated-steady": ("simulated card, 10 ms, steady", simulated.Way(steady=True)),
    "simulated-steady-20": (
        "simulated card, 20 ms, steady, 100 ppm",
        simulated.Way(0.02, steady=True, drift_ppm=100.0),
    ),
}
_OUTSIDE, _INSIDE = ("--backend", "portaudio"), ("--backend", "portaudio:inside")
_COMMANDS = {
    "card-10": ("live echo, 10 ms", card.echo(0.01, *_OUTSIDE)),
    "card-20": ("live echo, 20 ms", card.echo(0.02, *_OUTSIDE)),
    "card-steady": ("live echo, 10 ms, steady", card.echo(0.01, *_OUTSIDE, "--steady")),
    "card-steady-20": ("live echo, 20 ms, steady", card.echo(0.02, *_OUTSIDE, "--steady")),
    "card-inside": ("live echo, 10 ms, one process", card.echo(0.01, *_INSIDE)),
}
ROWS = {
    **{name: Row(title, _simulated(way)) for name, (title, way) in _WAYS.items()},
    **{name: Row(title, _on_card(command)) for name, (title, command) in _COMMANDS.items()},
    "bridge": Row("bare bridge, 10 ms", _on_card(card.bridge(0.01)), is_ours=False),
}
_COLUMNS = (
    "program",
    "standstills",
    "delay at first",
    "at the end",
    "worst at once",
    "worst 2 s later",
    "late",
    "not found",
)


def row_of(title: str, run: Run) -> tuple[tuple[Cell, ...], float]:
    """Return the row of the table, and the worst difference that a standstill has made."""
    delays = run.delays
    soon = max((each.rose_ms for each in delays if each.rose_ms is not None), default=None)
    found = [each.grew_ms for each in delays if each.grew_ms is not None]
    worst = max(found, default=None)
    lost = len(delays) - len(found)
    late = run.dropped_ms.get("late", 0.0) if run.counts else None
    row = (title, len(delays), delays[0].before_ms, delays[-1].after_ms, soon, worst, late, lost)
    return row, float("inf") if lost or worst is None else worst


def _each(run: Run) -> Table:
    rows = tuple(
        (
            f"{moment.begin_s:6.1f} s {moment.standstill}",
            *(delays.before_ms, delays.soon_ms, delays.after_ms, delays.grew_ms),
        )
        for moment, delays in zip(run.moments, run.delays, strict=True)
    )
    return Table("each", "ms", ("standstill", "before", "at once", "2 s later", "difference"), rows)


def _measure(options: argparse.Namespace) -> Iterator[tuple[tuple[Cell, ...], str, Run]]:
    """Yield each row of the table, what is wrong with it, and its run."""
    plan = standstills(options.count, options.seed)
    for name in options.only:
        row = options.rows[name]
        with busy_loops(2) if options.busy else nullcontext():
            run = row.play(plan)
        cells, worst = row_of(row.title, run)
        yield cells, row.title if row.is_ours and worst > BACK_MS + _HALF_MS else "", run


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="ROWS", help=f"some of {','.join(ROWS)},pipecat")
    parser.add_argument("--count", type=int, default=20, help="standstills for each row (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--busy", action="store_true", help="beside two busy loops")
    parser.add_argument("--each", action="store_true", help="show every standstill")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the delay over time (needs matplotlib)"
    )
    parser.add_argument("--pipecat", metavar="PYTHON", help="an interpreter that has pipecat-ai and PyAudio")
    options = parser.parse_args(arguments)
    options.rows = dict(ROWS)
    if options.pipecat:
        play = _on_card(card.pipecat(options.pipecat))
        options.rows["pipecat"] = Row("pipecat-ai, local audio", play, is_ours=False)
    options.only = _chosen(options.only, options.rows, parser)
    if options.count < 1:
        parser.error("--count must be at least 1")
    if options.plot is not None:
        try:
            check_matplotlib()
        except MissingMatplotlibError as error:
            parser.error(str(error))
    return options


def _chosen(text: str, rows: dict[str, Row], parser: argparse.ArgumentParser) -> list[str]:
    """Return the names of the rows: a name stands for all that begin with it."""
    chosen = []
    for word in text.split(",") if text else ["simulated", "card", "bridge", "pipecat"]:
        found = [word] if word in rows else [name for name in rows if name.startswith(f"{word}-")]
        if not found and text:
            parser.error(f"unknown row {word}; choose {', '.join(rows)}, simulated or card")
        chosen += found
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit status."""
    options = _options(arguments)
    rows, wrong, runs = [], [], []
    try:
        for cells, fault, run in _measure(options):
            rows.append(cells)
            runs.append((str(cells[0]), run))
            wrong += [fault] if fault else []
            print(f"{cells[0]}: done", file=sys.stderr, flush=True)
            if options.each:
                print(f"\n{cells[0]}\n{_each(run)}\n", flush=True)
    except CannotRunError as error:
        print(f"standstill.py: {error}", file=sys.stderr)
        return 2
    title = "From the mouth to the ear, ms" + (", both cores busy" if options.busy else "")
    print(Table("standstill", title, _COLUMNS, tuple(rows)))
    if options.plot is not None:
        draw(runs, options.plot)
    if wrong:
        print(f"\nnot back within 2 s to within {BACK_MS:g} ms: {'; '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
