"""The hooks for PyInstaller, without it; tests/long/frozen.py builds real programs."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from children.looking import ROOT, run_python
from voicepipe.children.start import MARK

HOOKS = ROOT / "voicepipe" / "__pyinstaller"


def test_pyinstaller_finds_the_hooks() -> None:
    (point,) = (
        point for point in entry_points(group="pyinstaller40") if point.module.startswith("voicepipe")
    )
    assert [Path(folder) for folder in point.load()()] == [HOOKS]


def test_every_program_with_voicepipe_gets_the_hook_that_begins_it() -> None:
    listed = ast.literal_eval((HOOKS / "rthooks.dat").read_text(encoding="utf-8"))
    assert listed == {"voicepipe": ["pyi_rth_voicepipe.py"]}
    assert [path.name for path in (HOOKS / "rthooks").iterdir()] == listed["voicepipe"]


BEGIN = """
import runpy, sys
sys.frozen = True
runpy.run_path({hook!r})
from voicepipe.children.interpreter import find_interpreter
print(find_interpreter().kind.name)
"""


@pytest.mark.parametrize(("mark", "out"), [(None, "FROZEN\n"), ("1 9999 some.module", "")])
def test_the_hook_that_begins_a_program_lets_it_serve_and_not_run_on(mark: str | None, out: str) -> None:
    environment = {} if mark is None else {MARK: mark}
    hook = os.fspath(HOOKS / "rthooks" / "pyi_rth_voicepipe.py")
    assert run_python("-c", BEGIN.format(hook=hook), **environment).stdout == out


def imported_by_name() -> Iterator[str]:
    """Yield the packages that voicepipe imports by `import_module`: PyInstaller does not see them."""
    for path in (ROOT / "voicepipe").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(str(name))]):
                    yield name.partition(".")[0]


def test_what_is_imported_by_name_is_packed() -> None:
    """Save for extras, which a program imports itself where it wants them."""
    hook = (HOOKS / "hook-voicepipe.py").read_text(encoding="utf-8")
    extras = {"matplotlib", "prometheus_client", "voicepipe", "voicepipe_devices"}
    assert sorted(name for name in {*imported_by_name()} - extras if f'"{name}"' not in hook) == []


def test_pyinstallers_own_hook_for_the_voice_detector_is_replaced() -> None:
    """It wants the metadata of a package `webrtcvad`, and so ends the build."""
    assert '"webrtcvad-wheels"' in (HOOKS / "hook-webrtcvad.py").read_text(encoding="utf-8")
    assert importlib.util.find_spec("webrtcvad") is not None
