"""The tests are laid out as the product is, and the programs that they start hear signals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.left_out import HEAVY_FOLDERS

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"


def test_every_folder_of_the_product_has_its_folder_of_tests() -> None:
    folders = {path.parent.name for path in (ROOT / "voicepipe").glob("[a-z]*/__init__.py")}
    assert sorted(folder for folder in folders if not (TESTS / folder).is_dir()) == []


def test_every_heavy_folder_is_there() -> None:
    assert [folder for folder in HEAVY_FOLDERS if not (TESTS / folder).is_dir()] == []


def test_a_program_that_a_test_starts_hears_ctrl_c_whatever_the_shell_made_pytest_ignore() -> None:
    script = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
