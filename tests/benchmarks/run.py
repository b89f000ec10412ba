"""Measure what voicepipe costs, beside the floors of plain asyncio in the same run.

    python tests/benchmarks/run.py [--quick] [--only SECTION,...] [--repeats N] [--json FILE] [--plot FILE]

Measures the voicepipe beside it in the checkout; where there is none, the installed one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import voicepipe
from benchmarks import (
    busy,
    collection,
    density,
    detection,
    echo,
    hops,
    imports,
    latency,
    lifecycle,
    making,
    many_stages,
    pipecat,
    plot,
    resampling,
)
from benchmarks.table import Table

_SECTIONS = {
    "hops": hops.measure,
    "making": making.measure,
    "latency": latency.measure,
    "lifecycle": lifecycle.measure,
    "stages": many_stages.measure,
    "collection": collection.measure,
    "density": density.measure,
    "imports": imports.measure,
    "resampling": resampling.measure,
    "vad": detection.measure,
    "echo": echo.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each table as it is done. Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for file in (options.json, options.plot):
        if file is not None and not file.parent.is_dir():
            parser.error(f"there is no folder {str(file.parent)!r} to write {file.name} to")
    if options.plot is not None:
        try:
            plot.check_matplotlib()
        except plot.MissingMatplotlibError as error:
            parser.error(str(error))
    repeats = options.repeats or (2 if options.quick else 7)
    about = _about(repeats, options.busy)
    print(", ".join(f"{what} {value}" for what, value in about.items()))
    with busy.busy(options.busy):
        tables, status = _measure(options, repeats)
    if options.json is not None:
        found = {"about": about, "tables": {table.name: table.records() for table in tables}}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if options.plot is not None:
        plot.draw(tables, options.plot)
    return status


def _measure(options: argparse.Namespace, repeats: int) -> tuple[list[Table], int]:
    """Print each table as it is done. Returns them, and the exit code."""
    tables: list[Table] = []
    sections: dict[str, Callable[..., list[Table]]] = {
        **_SECTIONS,
        "echo": partial(echo.measure, pipecat=options.pipecat),
    }
    for section in options.only:
        for table in sections[section](repeats, quick=options.quick):
            print(f"\n{table}", flush=True)
            tables.append(table)
    if options.pipecat is None:
        return tables, 0
    try:
        tables.append(pipecat.measure(options.pipecat, repeats, tables, quick=options.quick))
    except RuntimeError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return tables, 1
    print(f"\n{tables[-1]}", flush=True)
    return tables, 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Measure what voicepipe costs, beside the floors of plain asyncio in the same run.",
        epilog="A ratio is the median over the repeats, with its lowest and highest value. echo needs the "
        "virtual sound card (Linux), and as root installs what that lacks, as tests/soundcard/up does.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few rounds of each, to see that all of it works"
    )
    parser.add_argument(
        "--only",
        type=_sections,
        default=list(_SECTIONS),
        metavar="SECTIONS",
        help=f"some of {','.join(_SECTIONS)} (default: all)",
    )
    parser.add_argument(
        "--repeats", type=_count, metavar="N", help="how often each is measured (default: 7; quick: 2)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw them into this file, .png or .svg (needs matplotlib)"
    )
    parser.add_argument(
        "--pipecat",
        metavar="PYTHON",
        help="measure pipecat-ai too, with this interpreter that has it, beside what was measured here",
    )
    parser.add_argument(
        "--busy",
        choices=list(busy.NICE),
        help="keep every processor busy meanwhile, with a loop each at this priority",
    )
    return parser


def _sections(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _SECTIONS:
            raise argparse.ArgumentTypeError(f"there is no {name!r}: choose from {', '.join(_SECTIONS)}")
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1, not {text!r}")
    return int(text)


def _about(repeats: int, priority: str | None) -> dict[str, str | int]:
    return {
        "voicepipe": voicepipe.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "repeats": repeats,
        "processors": "as they are" if priority is None else f"kept busy, priority {priority}",
    }


if __name__ == "__main__":
    sys.exit(main())
