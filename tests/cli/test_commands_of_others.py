"""Commands that other packages add by the entry points `voicepipe.commands`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.bare import bare

SINGING = '''
"""Sing a song."""
import argparse

def command_line(program):
    parser = argparse.ArgumentParser(program)
    parser.add_argument("--loud", action="store_true")
    return parser

def run(arguments, program):
    print(program, *arguments)
    return 7
'''


class Packages:
    """A folder of installed packages, and a program that sees them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, source: str, *commands: str) -> None:
        module = name.replace("-", "_")
        (self._folder / f"{module}.py").write_text(source)
        about = self._folder / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{command} = {module}:run\n" for command in commands]
        (about / "entry_points.txt").write_text("".join(["[voicepipe.commands]\n", *lines]))

    def voicepipe(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "voicepipe", *arguments],
            env=bare(PYTHONPATH=str(self._folder)),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


def test_a_command_of_another_package_is_run_described_and_completed(packages: Packages) -> None:
    packages.add("voicepipe-sing", SINGING, "sing")
    assert packages.voicepipe("sing", "a", "b") == (7, "voicepipe sing a b\n", "")
    status, out, err = packages.voicepipe("--help")
    assert (status, err) == (0, "")
    assert "  sing        Sing a song.\n" in out
    status, out, err = packages.voicepipe("completion", "bash")
    assert (status, err) == (0, "")
    assert "--loud" in out
    _, _, err = packages.voicepipe("sin")
    assert err == "voicepipe: unknown command 'sin'; did you mean sing?\n"


def test_a_docstring_of_its_own_goes_before_the_module_s(packages: Packages) -> None:
    source = SINGING.replace("    print", '    """Sing aloud.\n\n    And long."""\n    print')
    packages.add("voicepipe-sing", source, "sing")
    assert "  sing        Sing aloud.\n" in packages.voicepipe("--help")[1]


def test_a_built_in_name_wins(packages: Packages) -> None:
    packages.add("voicepipe-sing", SINGING, "config")
    status, out, _ = packages.voicepipe("config", "--json")
    assert status == 0
    assert "voicepipe config" not in out
    assert packages.voicepipe("--help")[1].count("  config ") == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("run = 3", "TypeError: voicepipe_broken:run is not a function"),
    ],
)
@pytest.mark.heavy(after=1)
def test_a_broken_package_is_named_in_one_line_and_breaks_nothing_else(
    packages: Packages, source: str, why: str
) -> None:
    packages.add("voicepipe-broken", source, "broken")
    packages.add("voicepipe-sing", SINGING, "sing")
    line = f"voicepipe: command broken of the package voicepipe-broken is broken: {why}\n"
    assert packages.voicepipe("broken") == (1, "", line)
    status, out, err = packages.voicepipe("--help")
    assert (status, err) == (0, line)
    assert "  sing " in out
    assert packages.voicepipe("--version")[2] == ""
    assert packages.voicepipe("config", "--json")[2] == "", "built-in commands do not look at it"
    status, out, err = packages.voicepipe("completion", "bash")
    assert (status, err) == (0, line)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("return 'no'", "TypeError: it returned 'no' in place of"),
    ],
)
def test_a_command_that_fails_is_one_line(packages: Packages, body: str, why: str) -> None:
    packages.add("voicepipe-broken", f"def run(arguments, program):\n    {body}\n", "broken")
    status, out, err = packages.voicepipe("broken")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert why in err
