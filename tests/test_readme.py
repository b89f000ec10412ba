"""The README tells the truth: its code is the examples', and the examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
PROGRAMS = sorted(path.name for path in (ROOT / "examples").glob("*.py") if not path.name.startswith("test_"))


def test_every_python_block_names_its_file() -> None:
    assert len(BLOCKS) == README.count("```python") == 2


@pytest.mark.parametrize(("file", "block"), BLOCKS, ids=[file for file, _ in BLOCKS])
def test_a_python_block_is_the_examples_code(file: str, block: str) -> None:
    assert block.strip() in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_runs(program: str) -> None:
    done = run_python(str(ROOT / "examples" / program))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_example_test_passes() -> None:
    done = run_python(
        "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(ROOT / "examples" / "test_parrot.py")
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in the checkout, with the packages on its path as pytest has them."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'devices'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
