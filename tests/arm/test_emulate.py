"""The emulated system takes its settings from this machine, and leaves out what is there and no more."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from arm.emulate import not_emulated
from arm.system import HERE, ROOT, NotHereError, command_of, pip_settings


def test_every_test_that_is_left_out_exists_and_has_a_reason() -> None:
    for test, reason in not_emulated().items():
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name.partition("[")[0] in names, test
        assert reason.endswith("."), test


def test_pips_settings_are_those_of_this_machine_without_its_folders() -> None:
    listed = """\
:env:.cert='/etc/ssl/one.crt'
global.extra-index-url='file:///opt/packages https://index.invalid/simple'
global.find-links='/opt/wheels'
global.index-url='https://other.invalid/simple'
"""
    assert pip_settings(listed) == {
        "PIP_CERT": "/etc/ssl/one.crt",
        "PIP_EXTRA_INDEX_URL": "https://index.invalid/simple",
        "PIP_INDEX_URL": "https://other.invalid/simple",
    }


@pytest.mark.parametrize(
    ("readme", "name", "lines"),
    [("README.md", "echo", 1), ("README.md", "tests", 1), ("devices/raspberry-pi/README.md", "service", 5)],
)
def test_the_commands_are_found_in_the_readmes(readme: str, name: str, lines: int) -> None:
    assert len(command_of(ROOT / readme, name).splitlines()) == lines


def test_a_command_that_is_not_there_is_missed_by_name() -> None:
    with pytest.raises(NotHereError, match="no fenced block behind the line <!-- command: nothing -->"):
        command_of(ROOT / "README.md", "nothing")


def test_help_says_what_it_does() -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "emulate.py"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "not_emulated.txt" in done.stdout
