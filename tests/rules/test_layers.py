"""Imports point down only: the layers as a table of folders, and every import held to it."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

# From top to bottom: a folder, or a module of the root, and `voicepipe_devices` as a whole. A file imports
# from its own folder and from lower rows, also where an import is for type checkers only.
LAYERS = (
    ("__main__", "echo", "__pyinstaller"),
    ("cli",),
    ("runner",),
    ("service", "testing"),
    ("endpoints", "speech", "stages", "run"),
    ("canceller",),
    ("conversation",),
    ("pipeline",),
    ("frames",),
    ("params",),
    ("voicepipe_devices",),
    ("devices", "drift", "engines", "sample"),
    ("audio", "registry", "children", "settings"),
    ("census", "errors"),
    ("speakers",),
    ("report",),
    ("checks",),
    ("awaitables",),
    ("text", "log", "lifecycle", "version", "dialogue", "shadowing", "hints", "quick_init"),
)
ROW_OF = {name: row for row, names in enumerate(LAYERS) for name in names}

# Packages from which names are imported; the `__init__` of every other folder is its map and imports nothing.
PUBLIC = {
    "voicepipe",
    "voicepipe.audio",
    "voicepipe.census",
    "voicepipe.cli",
    "voicepipe.devices",
    "voicepipe.testing",
    "voicepipe_devices.fake",
    "voicepipe_devices.portaudio",
    "voicepipe_devices.wav",
}

HEAVY = {"sounddevice", "soxr", "webrtcvad", "pywebrtc_audio", "pytest", "scipy"}

ROOT = Path(__file__).resolve().parents[2]
TOPS = {"voicepipe": ROOT, "voicepipe_devices": ROOT / "devices"}
"""The folder that each package lies in."""


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


LOADER = ("voicepipe.homes_of", "voicepipe.lazy_names")
"""What stands in the package's own file and gathers no names: the loader of names. A file of its own would
add half to the time that `import voicepipe` takes."""


def imports_of(source: str, package: str) -> list[Import]:
    """Every import in the source of a module that lies in `package`."""
    reader = _Reader(package)
    reader.visit(ast.parse(source))
    return reader.found


def files() -> Iterator[tuple[str, Path]]:
    """Yield every module of both packages, and its file."""
    for package, top in TOPS.items():
        for path in sorted((top / package).rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


FILES = dict(files())
NAMES = {path: name for name, path in FILES.items()}


@functools.cache
def every_import() -> dict[Path, list[Import]]:
    """Return the imports of every file; only a worker that has these tests to run reads them all."""
    return {
        path: imports_of(
            path.read_text(encoding="utf-8"), name if path.stem == "__init__" else name.rpartition(".")[0]
        )
        for name, path in FILES.items()
    }


def row_name(module: str) -> str:
    """Return the table's name for a module: its folder, or itself in the root."""
    package, _, rest = module.partition(".")
    return package if package == "voicepipe_devices" or not rest else rest.partition(".")[0]


def module_of(imported: str) -> str | None:
    """Return the module that an import reaches: of `voicepipe.frames.Frame`, `voicepipe.frames`."""
    while imported and imported not in FILES:
        imported = imported.rpartition(".")[0]
    return imported or None


def pointing_up(importer: str, imports: Iterable[Import]) -> list[str]:
    """Return a line for each import that reaches a row that is not below the importer's."""
    own = row_name(importer)
    wrong = []
    for found in imports:
        if found.name in LOADER:
            continue
        reached = module_of(found.name)
        name = reached and row_name(reached)
        if name and name != own and ROW_OF.get(name, -1) <= ROW_OF[own]:
            wrong.append(
                f"{importer}, line {found.line}: imports {found.name}. {name} is not below {own} in LAYERS "
                f"({Path(__file__).name}): move what is needed down, or the importer up"
            )
    return wrong


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, by whatever way round."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(node: str, edges: Mapping[str, set[str]], into: list[str]) -> None:
        seen.add(node)
        for other in sorted(edges.get(node, ())):
            if other not in seen:
                visit(other, edges, into)
        into.append(node)

    for node in graph:
        if node not in seen:
            visit(node, graph, order)
    back: dict[str, set[str]] = {}
    for node, others in graph.items():
        for other in others:
            back.setdefault(other, set()).add(node)
    seen.clear()
    groups = []
    for node in reversed(order):
        if node not in seen:
            group: list[str] = []
            visit(node, back, group)
            groups.append(sorted(group))
    return [group for group in groups if len(group) > 1]


def test_every_folder_has_exactly_one_row() -> None:
    there = {row_name(module) for module in FILES} - {"voicepipe"}
    listed = [name for names in LAYERS for name in names]
    wrong = [f"{name} has no row in LAYERS: add it" for name in sorted(there - set(listed))]
    wrong += [
        f"LAYERS has {name}, and voicepipe/ does not: remove it" for name in sorted(set(listed) - there)
    ]
    wrong += [f"LAYERS has {name} more than once" for name in sorted(set(listed)) if listed.count(name) > 1]
    assert not wrong, "\n".join(wrong)


def test_imports_point_down() -> None:
    wrong = [
        line
        for path, imports in every_import().items()
        if NAMES[path] != "voicepipe"  # the list of all public names
        for line in pointing_up(NAMES[path], imports)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {
        NAMES[path]: {reached for found in imports if (reached := module_of(found.name))} - {NAMES[path]}
        for path, imports in every_import().items()
    }
    found = circles(graph)
    assert not found, "\n".join("these import each other: " + ", ".join(group) for group in found)


def test_the_init_of_a_folder_imports_nothing() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line}: imports {found.name}; import from the module itself instead"
        for path, imports in every_import().items()
        if path.stem == "__init__" and NAMES[path] not in PUBLIC
        for found in imports
        if not found.name.startswith("__future__.")
    ]
    assert not wrong, "\n".join(wrong)


def test_voicepipe_never_imports_sounddevice() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line}: only a back end imports sounddevice"
        for path, imports in every_import().items()
        if path.is_relative_to(ROOT / "voicepipe")
        for found in imports
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
        ("import voicepipe.run.task", "voicepipe.run.task"),
        ("import voicepipe.run.task as task", "voicepipe.run.task"),
        ("from voicepipe.run import task", "voicepipe.run.task"),
        ("from voicepipe.run.task import PipelineTask", "voicepipe.run.task.PipelineTask"),
        ("from . import task", "voicepipe.testing.task"),
        ("from .. import frames", "voicepipe.frames"),
        ("from ..run.task import PipelineTask", "voicepipe.run.task.PipelineTask"),
        ("def late():\n    import voicepipe.run.task", "voicepipe.run.task"),
        ("try:\n    import voicepipe.run.task\nexcept ImportError:\n    pass", "voicepipe.run.task"),
        ("if not TYPE_CHECKING:\n    import voicepipe.run.task", "voicepipe.run.task"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import voicepipe.run.task", "voicepipe.run.task"),
        ("importlib.import_module('voicepipe.run.task')", "voicepipe.run.task"),
    ],
)
def test_an_import_that_runs_is_found(source: str, name: str) -> None:
    assert [(i.name, i.for_typing) for i in imports_of(source, "voicepipe.testing")] == [(name, False)]


@pytest.mark.parametrize("condition", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_an_import_for_typing_is_told_apart(condition: str) -> None:
    source = f"if {condition}:\n    import voicepipe.run.task\nimport voicepipe.audio"
    found = [(i.name, i.for_typing) for i in imports_of(source, "voicepipe")]
    assert found == [("voicepipe.run.task", True), ("voicepipe.audio", False)]


@pytest.mark.parametrize(
    ("importer", "source", "complained"),
    [
        ("voicepipe.pipeline.seat", "from voicepipe.frames import Frame", False),
        ("voicepipe.pipeline.seat", "from voicepipe.pipeline.mailbox import Mailbox", False),
        ("voicepipe.pipeline.seat", "from voicepipe.run.task import PipelineTask", True),
        (
            "voicepipe.pipeline.seat",
            "if TYPE_CHECKING:\n    from voicepipe.run.task import PipelineTask",
            True,
        ),
        ("voicepipe.stages.gain", "from voicepipe.speech.vad import VADProcessor", True),
        ("voicepipe.stages.gain", "from voicepipe import Pipeline", True),
        ("voicepipe.stages.gain", "import voicepipe", True),
        ("voicepipe.stages.gain", "import numpy", False),
        ("voicepipe_devices.streams", "from voicepipe.devices.port import DeviceInfo", False),
        ("voicepipe_devices.streams", "from voicepipe.frames import Frame", True),
        ("voicepipe.cli.arguments.sound_source", "from voicepipe_devices import fake", False),
    ],
)
def test_an_import_that_points_up_is_complained_of(importer: str, source: str, complained: bool) -> None:
    assert bool(pointing_up(importer, imports_of(source, importer.rpartition(".")[0]))) is complained


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]


FOLDERS = sorted(
    path.parent
    for top, folder in TOPS.items()
    for path in (folder / top).rglob("__init__.py")
    if "__all__: list[str] = []" in path.read_text(encoding="utf-8")
)
"""The folders whose `__init__` is a map, and nothing else."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_map_of_a_folder_names_all_that_is_in_it(folder: Path) -> None:
    listed = (folder / "__init__.py").read_text(encoding="utf-8")
    inside = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/*.py")
    }
    unlisted = sorted(name for name in inside - {"__init__"} if not re.search(rf"\b{name}\b", listed))
    assert not unlisted
