"""Every dependency has a wheel for a Raspberry Pi: resolved for that platform, installed nowhere.

    python tests/arm/wheels.py            # aarch64, CPython 3.11 (bookworm) and 3.13 (trixie)

Prints each wheel, and ends with status 1 where one is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
"""Of Debian, which Raspberry Pi OS is made from: each has its CPython."""
GLIBC = {"3.11": 36, "3.13": 41}


def requirements() -> list[str]:
    """What voicepipe needs; a service needs no extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def wheels_for(python: str, kind: str = "aarch64") -> list[str]:
    """Options for pip: wheels alone, for the Debian that has this CPython, on that kind of machine."""
    platforms = [f"manylinux_2_{minor}_{kind}" for minor in range(GLIBC[python], 16, -1)]
    options = [f"--platform={platform}" for platform in (*platforms, f"manylinux2014_{kind}")]
    return ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *options]


def resolve(python: str, wanted: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Ask pip for wheels only; its stdout is a report."""
    command = [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report=-", "--target=nowhere", "--no-cache-dir", *wheels_for(python)),
    ]
    return subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)


def wheels(report: str) -> list[str]:
    """The files' names in a report of pip."""
    found = json.loads(report)["install"]
    return sorted(item["download_info"]["url"].rpartition("/")[2].partition("#")[0] for item in found)


def main() -> int:
    """Print them; returns the exit status."""
    missing = 0
    for python in RELEASES.values():
        done = resolve(python, requirements())
        print(f"CPython {python}, aarch64:")
        if done.returncode:
            missing = 1
            print("  " + "\n  ".join(done.stderr.strip().splitlines()[-3:]))
        else:
            print("  " + "\n  ".join(wheels(done.stdout)))
    return missing


if __name__ == "__main__":
    raise SystemExit(main())
