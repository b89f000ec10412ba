"""Imports point down only: the design's layers as a table, and every import in the package held to it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# A module, or a package as a whole, may import from its own layer and from lower ones.
LAYERS = {
    1: (
        "version",
        "text",
        "checks",
        "lifecycle",
        "report",
        "errors",
        "registry",
        "air",
        "params",
        "frames",
        "audio",
    ),
    2: ("census", "devices", "drift"),
    3: ("pipeline",),
    4: ("stages", "speech", "endpoints", "run"),
    5: ("service", "testing"),
    6: ("runner",),
    7: ("cli", "echo", "__main__"),
}
MEANING = {
    1: "values",
    2: "mechanism",
    3: "pipeline",
    4: "stages and runs",
    5: "beside a run",
    6: "runner",
    7: "programs",
}

LAYER_OF = {module: layer for layer, modules in LAYERS.items() for module in modules}
# What `import voicepipe` runs gathers layers 1 to 4: under it, importing the package itself goes in a circle.
PACKAGE = "__init__"
LAYER_OF_PACKAGE = 7
HIGHEST_IN_PACKAGE = 7
HIGHEST_FOR_DEVICES = 2

HEAVY = {"sounddevice", "soxr", "webrtcvad", "pytest", "scipy"}

ROOT = Path(__file__).resolve().parents[1]
DEVICES = ROOT / "devices"


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a file imports, dotted from its top-level package."""

    name: str
    line: int
    for_typing: bool
    """Under `if TYPE_CHECKING`, so it never runs."""


class _Reader(ast.NodeVisitor):
    """Collects every import of a file, wherever it stands."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Import] = []
        self._for_typing = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package.split(".")
        base = above[: len(above) - node.level + 1] if node.level else []
        base += [node.module] if node.module else []
        for alias in node.names:
            self._add(".".join([*base, alias.name]), node)

    def visit_If(self, node: ast.If) -> None:
        outside = self._for_typing
        self._for_typing = outside or ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        self._visit_all(node.body)
        self._for_typing = outside
        self._visit_all([node.test, *node.orelse])

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func) in ("importlib.import_module", "import_module", "__import__"):
            match node.args:
                case [ast.Constant(str(name)), *_]:
                    self._add(name, node)
        self.generic_visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _add(self, name: str, node: ast.AST) -> None:
        self.found.append(Import(name, getattr(node, "lineno", 0), self._for_typing))


def imports_of(source: str, package: str) -> list[Import]:
    """Every import in the source of a module that lies in `package`."""
    reader = _Reader(package)
    reader.visit(ast.parse(source))
    return reader.found


def imports_of_file(path: Path, top: Path) -> list[Import]:
    """Every import in a file; its package's name begins below `top`."""
    return imports_of(path.read_text(encoding="utf-8"), ".".join(path.relative_to(top).parent.parts))


def module_of(path: Path) -> str:
    """The table's name for a file of voicepipe: a package in it counts as a whole."""
    first = path.relative_to(ROOT / "voicepipe").parts[0]
    return first.removesuffix(".py")


def files_of_voicepipe() -> list[Path]:
    """Every Python file of voicepipe."""
    return sorted((ROOT / "voicepipe").rglob("*.py"))


def too_high(imports: Iterable[Import], highest: int) -> Iterator[tuple[Import, str]]:
    """The imports from voicepipe that run and reach above layer `highest`, each with where it reaches."""
    for found in imports:
        top, _, rest = found.name.partition(".")
        module = rest.partition(".")[0]
        layer = LAYER_OF.get(module, LAYER_OF_PACKAGE)
        if top == "voicepipe" and not found.for_typing and layer > highest:
            where = f"{module}, layer {layer}" if module in LAYER_OF else "the package itself"
            yield found, f"voicepipe.{rest} ({where})" if rest else where


def complaints(path: Path, imports: Iterable[Import], highest: int) -> list[str]:
    """One line for each import that reaches above layer `highest`."""
    return [
        f"{path.relative_to(ROOT)}:{found.line}: imports {what}, and may import up to layer {highest} "
        f"({MEANING[highest]}): move what is needed down, or the module up in {Path(__file__).name}"
        for found, what in too_high(imports, highest)
    ]


def test_every_module_has_exactly_one_layer() -> None:
    there = {module_of(path) for path in files_of_voicepipe()} - {PACKAGE}
    listed = [module for modules in LAYERS.values() for module in modules]
    layers = ", ".join(f"{layer} {meaning}" for layer, meaning in MEANING.items())
    wrong = [
        f"voicepipe/{module} has no layer: add it to LAYERS in {Path(__file__).name} ({layers})"
        for module in sorted(there - set(listed))
    ]
    wrong += [f"LAYERS has {m}, and voicepipe/ has not: take it out" for m in sorted(set(listed) - there)]
    wrong += [f"LAYERS has {m} more than once" for m in sorted(set(listed)) if listed.count(m) > 1]
    assert not wrong, "\n".join(wrong)


def test_imports_in_voicepipe_point_down() -> None:
    wrong: list[str] = []
    for path in files_of_voicepipe():
        module = module_of(path)
        highest = HIGHEST_IN_PACKAGE if module == PACKAGE else LAYER_OF.get(module, LAYER_OF_PACKAGE)
        wrong += complaints(path, imports_of_file(path, ROOT), highest)
    assert not wrong, "\n".join(wrong)


def test_a_back_end_imports_values_and_mechanism_only() -> None:
    wrong: list[str] = []
    for path in sorted((DEVICES / "voicepipe_devices").rglob("*.py")):
        wrong += complaints(path, imports_of_file(path, DEVICES), HIGHEST_FOR_DEVICES)
    assert not wrong, "\n".join(wrong)


def test_voicepipe_never_imports_sounddevice() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line}: only a back end imports sounddevice"
        for path in files_of_voicepipe()
        for found in imports_of_file(path, ROOT)
        if found.name.partition(".")[0] in ("sounddevice", "_sounddevice")
    ]
    assert not wrong, "\n".join(wrong)


def test_importing_voicepipe_loads_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "import voicepipe\n"
        "from voicepipe import *\n"
        "print(json.dumps([voicepipe.__file__, *sorted(set(sys.modules) - before)]))"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    file, *loaded = json.loads(ran.stdout)
    assert Path(file).parent == ROOT / "voicepipe"
    assert "voicepipe.frames" in loaded
    assert HEAVY.isdisjoint(loaded), f"`import voicepipe` loads {sorted(HEAVY & set(loaded))}"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import voicepipe.run.task", "voicepipe.task"),
        ("import voicepipe.run.task as task", "voicepipe.task"),
        ("from voicepipe import task", "voicepipe.task"),
        ("from voicepipe.run.task import PipelineTask", "voicepipe.task.PipelineTask"),
        ("from . import task", "voicepipe.testing.task"),
        ("from .. import task", "voicepipe.task"),
        ("from ..task import PipelineTask", "voicepipe.task.PipelineTask"),
        ("def late():\n    import voicepipe.run.task", "voicepipe.task"),
        ("try:\n    import voicepipe.run.task\nexcept ImportError:\n    pass", "voicepipe.task"),
        ("if not TYPE_CHECKING:\n    import voicepipe.run.task", "voicepipe.task"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import voicepipe.run.task", "voicepipe.task"),
        ("importlib.import_module('voicepipe.task')", "voicepipe.task"),
    ],
)
def test_an_import_that_runs_is_found(source: str, name: str) -> None:
    assert [(i.name, i.for_typing) for i in imports_of(source, "voicepipe.testing")] == [(name, False)]


@pytest.mark.parametrize("condition", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_an_import_for_typing_is_told_apart(condition: str) -> None:
    found = imports_of(f"if {condition}:\n    import voicepipe.run.task\nimport voicepipe.audio", "voicepipe")
    assert [(i.name, i.for_typing) for i in found] == [("voicepipe.task", True), ("voicepipe.audio", False)]


@pytest.mark.parametrize(
    ("source", "highest", "complained"),
    [
        ("from voicepipe.frames import Frame", 1, False),
        ("from voicepipe.pipeline.mailbox import Mailbox", 1, True),
        ("from voicepipe.pipeline.mailbox import Mailbox", 2, False),
        ("from voicepipe import task", 3, True),
        ("from voicepipe import Pipeline", 4, True),
        ("import voicepipe", 4, True),
        ("from voicepipe.version import __version__", 5, False),
        ("import numpy", 1, False),
        ("from voicepipe_devices import fake", 1, False),
    ],
)
def test_an_import_that_points_up_is_complained_of(source: str, highest: int, complained: bool) -> None:
    assert bool(list(too_high(imports_of(source, "voicepipe"), highest))) is complained
