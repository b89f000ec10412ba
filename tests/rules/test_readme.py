"""The README tells the truth: its code is the examples', and the examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.bare import bare

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
TESTS = [name for name in EXAMPLES if name.startswith("test_")]
PROGRAMS = [name for name in EXAMPLES if name not in TESTS]
VOICE = ROOT / "voicepipe" / "data" / "speech.wav"


def test_every_python_block_names_its_file() -> None:
    assert len(BLOCKS) == README.count("```python") >= 2


@pytest.mark.parametrize(("file", "block"), BLOCKS, ids=[file for file, _ in BLOCKS])
def test_a_python_block_is_the_examples_code(file: str, block: str) -> None:
    assert block.strip() in (ROOT / file).read_text(encoding="utf-8")


def test_every_example_is_named() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    unnamed = [name for name in (*PROGRAMS, *TESTS) if name not in guide]
    assert not unnamed


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.heavy(after=2)
def test_an_example_runs(program: str, tmp_path: Path) -> None:
    said = tmp_path / "said.wav"
    files = (str(VOICE), str(tmp_path / "louder.wav")) if program == "louder.py" else ()
    done = run_python(
        *("-W", "error", str(ROOT / "examples" / program), *files),
        VOICEPIPE_BACKEND=f"wav:{VOICE},{said}",
    )
    assert done.returncode == 0, done.stderr
    # A back end that is paced in real time has late audio where the machine stood still, and says so.
    assert [line for line in done.stderr.splitlines() if not line.endswith("counted as `late`")] == []


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.heavy
def test_the_test_of_an_example_passes(test: str) -> None:
    done = run_python("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(ROOT / "examples" / test))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_a_wrong_call_of_the_file_example_says_what_is_right() -> None:
    done = run_python(str(ROOT / "examples" / "louder.py"))
    assert done.returncode == 1
    assert "python louder.py IN.wav OUT.wav" in done.stderr


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in the checkout, with the packages on its path as pytest has them."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=bare(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
