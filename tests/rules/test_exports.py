"""Public names: each has its home module, a place in `__all__`, and a docstring."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import voicepipe
import voicepipe.testing

ROOT = Path(__file__).resolve().parents[2]

LAZY = {"voicepipe": voicepipe, "voicepipe.testing": voicepipe.testing}
"""Packages whose names are imported when they are first asked for."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file, read and not imported: a back end's import needs its library."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def exported(self) -> list[str] | None:
        """What `__all__` lists; None where there is no plain list of strings."""
        for node in self.tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name("__all__")], value=ast.List(elts=names))
                    | ast.AnnAssign(target=ast.Name("__all__"), value=ast.List(elts=names))
                ):
                    texts = [name.value for name in names if isinstance(name, ast.Constant)]
                    return [str(text) for text in texts] if len(texts) == len(names) else None
        return None


def read_modules(top: Path, package: str) -> Iterator[Module]:
    """Every public module of a package that lies in the folder `top`."""
    for path in sorted((top / package).rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield Module(".".join(parts), path, ast.parse(path.read_text(encoding="utf-8")))


MODULES = [*read_modules(ROOT, "voicepipe"), *read_modules(ROOT / "devices", "voicepipe_devices")]
EXPORTED = {module.name: module.exported or [] for module in MODULES}


def names_bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements bind, also under `if` and `try`."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (
                    name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
                )
            case ast.If():
                yield from names_bound([*node.body, *node.orelse])
            case ast.Try():
                handled = [child for handler in node.handlers for child in handler.body]
                yield from names_bound([*node.body, *handled, *node.orelse, *node.finalbody])


def undocumented(body: Iterable[ast.stmt], owner: str = "") -> Iterator[str]:
    """The public classes, functions and methods that have no docstring, each with its line."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_") or _is_another_form(node):
            continue
        if not ast.get_docstring(node):
            yield f"line {node.lineno}: {owner}{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, f"{owner}{node.name}.")


def _is_another_form(node: Definition) -> bool:
    """An overload, or a property's setter: the docstring stands at the main form."""
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return not decorators.isdisjoint({"overload", "setter", "deleter"})


def typed_names(package: str) -> dict[str, str]:
    """Each name that a lazy package shows the type checkers, with its home module."""
    tree = next(module for module in MODULES if module.name == package).tree
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name  # else a type checker takes it for private
    }


def test_every_module_has_a_list_of_its_exports() -> None:
    wrong = [f"{module.path}: {fault}" for module in MODULES for fault in faults_of_list(module)]
    assert not wrong, "\n".join(wrong)


def faults_of_list(module: Module) -> Iterator[str]:
    """Yield what is wrong with a module's list of its names."""
    if module.name == "voicepipe_devices":
        if list(names_bound(module.tree.body)):
            yield "it only holds the back ends"
    elif module.name in LAZY:
        return  # their names are found by asking
    elif module.exported is None:
        yield 'it has no `__all__ = ["..."]`'
    elif twice := sorted({name for name in module.exported if module.exported.count(name) > 1}):
        yield f"`__all__` has {twice} more than once"


def test_what_a_module_exports_is_there() -> None:
    missing = {
        str(module.path): sorted(gone)
        for module in MODULES
        if (gone := set(module.exported or []) - set(names_bound(module.tree.body)))
    }
    assert not missing, "`__all__` has what the module has not"


def test_what_is_public_has_a_docstring() -> None:
    wrong = [f"{module.path} begins with none" for module in MODULES if not ast.get_docstring(module.tree)]
    wrong += [f"{module.path}: {missing}" for module in MODULES for missing in undocumented(module.tree.body)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", LAZY)
def test_the_names_that_are_found_are_those_that_type_checkers_see(package: str) -> None:
    assert typed_names(package) == LAZY[package]._HOMES, "add it in both lists of the package"


@pytest.mark.parametrize("package", LAZY)
def test_a_home_module_makes_exports_and_documents_its_names(package: str) -> None:
    for name, home in LAZY[package]._HOMES.items():
        found = getattr(LAZY[package], name)
        assert found is getattr(sys.modules[home], name)
        if name in ("__version__", "BACKEND_CHECKS"):  # values
            continue
        assert name in EXPORTED.get(home, [name]), f"add {name} to `__all__` in {home}"
        assert found.__module__ == home or package != "voicepipe", f"{name} is made in {found.__module__}"
        assert found.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("def go(): ...", ["line 1: go has no docstring"]),
        ("async def go(): ...", ["line 1: go has no docstring"]),
        ("class Cart: ...", ["line 1: Cart has no docstring"]),
        ("class Cart:\n 'A cart.'\n def go(self): ...", ["line 3: Cart.go has no docstring"]),
        ("class Cart:\n 'A cart.'\n def _go(self): ...", []),
        ("class _Cart:\n def go(self): ...", []),
        ("@overload\ndef go(): ...", []),
        ("class Cart:\n 'A cart.'\n @load.setter\n def load(self, value): ...", []),
        ("def go():\n 'Move.'", []),
    ],
)
def test_a_missing_docstring_is_found(source: str, missing: list[str]) -> None:
    assert list(undocumented(ast.parse(source).body)) == missing


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import numpy.typing as npt", ["npt"]),
        ("import numpy.typing", ["numpy"]),
        ("from numpy import int16, int32 as long", ["int16", "long"]),
        ("first, second = 1, 2", ["first", "second"]),
        ("length: int = 3", ["length"]),
        ("try:\n a = 1\nexcept OSError:\n b = 2", ["a", "b"]),
        ("if True:\n def go(): ...\nelse:\n class Cart: ...", ["go", "Cart"]),
        ("def go():\n inner = 1", ["go"]),
    ],
)
def test_the_names_of_a_module_are_found(source: str, names: list[str]) -> None:
    assert list(names_bound(ast.parse(source).body)) == names


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'voicepipe' has no attribute 'Pipelines'"):
        voicepipe.Pipelines  # type: ignore[attr-defined]  # noqa: B018  # to ask for it is the test


def test_dir_names_what_was_not_asked_for_yet() -> None:
    assert set(voicepipe._HOMES) <= set(dir(voicepipe))
