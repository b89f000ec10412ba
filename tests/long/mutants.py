"""Plants bugs in a copy of the source, one at a time, and shows what turns red for each.

    python tests/long/mutants.py                 # all of them, and a table
    python tests/long/mutants.py sink forgets    # those whose name has one of these words

A mutant is a piece of a function and what stands there instead (`planting`); one whose place is gone is an
error. Each must turn a seed of the simulation red within 500, or says why the simulation cannot see it; and
the tests that are named for it. The exit status is 1 if one survives.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from long.canceller_mutants import CANCELLER_MUTANTS
from long.device_mutants import DEVICE_MUTANTS
from long.echo_mutants import ECHO_MUTANTS
from long.engine_mutants import ENGINE_MUTANTS
from long.fact_mutants import FACT_MUTANTS
from long.file_mutants import FILE_MUTANTS
from long.frame_mutants import FRAME_MUTANTS
from long.hearing_mutants import HEARING_MUTANTS
from long.late_mutants import LATE_MUTANTS
from long.mutant import Mutant
from long.object_mutants import OBJECT_MUTANTS
from long.planting import NotThereError, plant
from long.protection_mutants import PROTECTION_MUTANTS
from long.reference_mutants import REFERENCE_MUTANTS
from long.room_mutants import ROOM_MUTANTS
from long.run_mutants import RUN_MUTANTS
from long.screen_mutants import SCREEN_MUTANTS
from long.service_mutants import SERVICE_MUTANTS
from long.speaker_mutants import SPEAKER_MUTANTS
from long.talk_mutants import TALK_MUTANTS
from long.tap_mutants import TAP_MUTANTS
from long.track_mutants import TRACK_MUTANTS
from long.turn_mutants import TURN_MUTANTS

ROOT = Path(__file__).parents[2]
RED_BY_TIMEOUT_S = 60
SEEDS = 500


MUTANTS = (
    *RUN_MUTANTS,
    *SERVICE_MUTANTS,
    *OBJECT_MUTANTS,
    *HEARING_MUTANTS,
    *DEVICE_MUTANTS,
    *FILE_MUTANTS,
    *TALK_MUTANTS,
    *PROTECTION_MUTANTS,
    *TAP_MUTANTS,
    *TRACK_MUTANTS,
    *SPEAKER_MUTANTS,
    *LATE_MUTANTS,
    *FACT_MUTANTS,
    *TURN_MUTANTS,
    *ENGINE_MUTANTS,
    *ECHO_MUTANTS,
    *FRAME_MUTANTS,
    *REFERENCE_MUTANTS,
    *ROOM_MUTANTS,
    *CANCELLER_MUTANTS,
    *SCREEN_MUTANTS,
)


def plant_in(folder: Path, mutant: Mutant) -> None:
    """Change the copy.

    Raises:
        NotThereError: today's source has no such place, or not this piece in it.
    """
    try:
        planted = plant(ROOT, mutant.place, mutant.old, mutant.new)
    except NotThereError as error:
        raise NotThereError(f"the mutant {mutant.name!r} has lost its place: {error}") from None
    (folder / planted.file).write_text(planted.source, encoding="utf-8")


def first_red_seed(mutant: Mutant) -> str:
    """What the simulation says of it: "seed N: the rule that it breaks", or "" where no seed turns red."""
    with planted(mutant) as folder:
        command = [sys.executable, "tests/long/simulate.py", str(SEEDS), "--first-red"]
        done = subprocess.run(
            command, cwd=folder, env=environment_of(folder), capture_output=True, text=True, check=False
        )
    if done.returncode and not done.stdout:  # ended from outside: it hung
        return [line for line in done.stderr.splitlines() if line.startswith("seed ")][-1] + ": hangs"
    return done.stdout.strip()


def environment_of(folder: Path) -> dict[str, str]:
    """The environment in which Python, in a test's own processes too, finds the copy before the checkout."""
    path = os.pathsep.join(str(folder / part) for part in ("", "devices", "tests"))
    return {**os.environ, "PYTHONPATH": path}


def turns_red(mutant: Mutant) -> str:
    """How its tests took it: "red", "red (hangs)", or "SURVIVES"."""
    with planted(mutant) as folder:
        options = ["-x", "-q", "-n0", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *options, *mutant.tests.split()]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment_of(folder),
                capture_output=True,
                timeout=RED_BY_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "red (hangs)"
        return {0: "SURVIVES", 1: "red"}.get(done.returncode, f"pytest failed: {done.stdout.decode()[-300:]}")


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path]:
    """A copy of the checkout with the bug in it. Raises: NotThereError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "checkout"
        leave = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=leave)
        plant_in(folder, mutant)
        yield folder


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    seed: str
    """What the simulation said; empty where nothing."""
    tests: str
    """What its tests said; empty where there are none."""

    @property
    def is_caught(self) -> bool:
        """By all that should."""
        return bool(self.seed or self.mutant.unseen) and (
            self.tests.startswith("red") or not self.mutant.tests
        )

    def __str__(self) -> str:
        seed = self.seed or (f"(unseen: {self.mutant.unseen})" if self.mutant.unseen else "SURVIVES")
        tests = f"{self.tests}: {self.mutant.tests}" if self.tests else "(no test of its own)"
        return f"{self.mutant.name}\n    {seed.splitlines()[0][:150]}\n    {tests}"


def verdict(mutant: Mutant) -> Verdict:
    """Plant it, and look."""
    seed = "" if mutant.unseen else first_red_seed(mutant)
    return Verdict(mutant, seed, turns_red(mutant) if mutant.tests else "")


def main(arguments: list[str]) -> int:
    """Look at the mutants whose name has one of the words, or at all; print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="mutants whose name has it; default: all")
    parser.add_argument("--list", action="store_true", help="only the names")
    options = parser.parse_args(arguments)
    words: list[str] = options.words
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    if not chosen:
        parser.error(f"no mutant has {' or '.join(words)} in its name: --list shows them")
    if options.list:
        print(*(mutant.name for mutant in chosen), sep="\n")
        return 0
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = []
        for each in pool.map(verdict, chosen):
            print(each, flush=True)
            verdicts.append(each)
    seen = sum(bool(each.seed) for each in verdicts)
    caught = sum(each.is_caught for each in verdicts)
    print(f"{caught} of {len(chosen)} caught, {seen} by a seed, in {time.monotonic() - began:.0f} s")
    return caught < len(chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
