"""Finds a piece of code by its function and its meaning, and puts another in its place.

A place is a class or a function, `Closing._clean_up`, that stands once in the two packages; where it stands
more than once, its module comes before it: `voicepipe.run.closing:Closing._clean_up`. A piece is an
expression, or one or more statements in a row. Layout, comments and the file do not
matter: a piece is found after a move.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["NotThereError", "Planted", "forget", "plant"]

PACKAGES = ("voicepipe", "devices/voicepipe_devices")


class NotThereError(LookupError):
    """A place or a piece is gone, or there is more than one of it."""


@dataclass(frozen=True)
class Planted:
    """A file, and its source with the other piece in it."""

    file: str
    """From the root of the checkout."""
    source: str


@dataclass(frozen=True)
class _Place:
    file: str
    source: str
    node: ast.AST


def plant(root: Path, place: str, old: str, new: str) -> Planted:
    """Return the file of a place with `new` in place of `old`.

    Raises:
        NotThereError: the place or `old` is not there exactly once.
    """
    found = _place(root, place)
    expression = _as_expression(old)
    if expression is not None and _as_expression(new) is not None:
        edits = [
            _edit_of_expression(statement, at, new) for statement, at in _expressions(found.node, expression)
        ]
    else:
        edits = [(run, new) for run in _runs(found.node, ast.parse(old).body)]
    if len(edits) != 1:
        raise NotThereError(f"{place} ({found.file}) has this {len(edits)} times instead of once: {old!r}")
    ((statements, text),) = edits
    return Planted(found.file, _replaced(found.source, statements, text))


def _as_expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


# -- places


@cache
def _places(root: Path) -> dict[str, list[_Place]]:
    """Return all classes and functions, by name and by module and name."""
    places: dict[str, list[_Place]] = {}
    for package in PACKAGES:
        top = (root / package).parent
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            module = ".".join(path.relative_to(top).with_suffix("").parts)
            for name, node in _definitions(ast.parse(source), ""):
                place = _Place(path.relative_to(root).as_posix(), source, node)
                for key in (name, f"{module}:{name}"):
                    places.setdefault(key, []).append(place)
    return places


def forget() -> None:
    """Forget the source that was read for other mutants."""
    _places.cache_clear()


def _definitions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _definitions(node, prefix)


def _place(root: Path, name: str) -> _Place:
    found = _places(root).get(name, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise NotThereError(
            f"{name} is in {', '.join(place.file for place in found)}: put its module before it"
        )
    raise NotThereError(f"there is no {name} in {' and '.join(PACKAGES)}")


# -- pieces


def _is_same(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)


def _expressions(place: ast.AST, wanted: ast.expr) -> list[tuple[ast.stmt, ast.expr]]:
    """Return the expressions that are the wanted one, each with the statement that it is in."""
    found = []

    def visit(node: ast.AST, statement: ast.stmt | None) -> None:
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, ast.expr) and statement is not None and _is_same(node, wanted):
            found.append((statement, node))
        for child in ast.iter_child_nodes(node):
            visit(child, statement)

    visit(place, None)
    return found


def _edit_of_expression(statement: ast.stmt, old: ast.expr, new: str) -> tuple[list[ast.stmt], str]:
    """Return the statement, and what it is with the other expression."""
    other = ast.parse(new, mode="eval").body

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return other if node is copied[id(old)] else self.generic_visit(node)

    copied: dict[int, ast.AST] = {}
    copy = deepcopy(statement, copied)  # the tree is shared; `copied` finds the copy of each node
    return [statement], ast.unparse(Exchange().visit(copy))


def _runs(place: ast.AST, wanted: list[ast.stmt]) -> list[list[ast.stmt]]:
    """Return the statements in a row that are the wanted ones."""
    found = []
    for node in ast.walk(place):
        for _, body in ast.iter_fields(node):
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                for at in range(len(body) - len(wanted) + 1):
                    run = body[at : at + len(wanted)]
                    if all(map(_is_same, run, wanted)):
                        found.append(run)
    return found


def _replaced(source: str, statements: list[ast.stmt], text: str) -> str:
    """Return the source with other text in place of some statements in a row."""
    lines = source.splitlines(keepends=True)
    first, last = statements[0], statements[-1]
    begin, end = first.lineno - 1, last.end_lineno or last.lineno
    if lines[begin].lstrip().startswith("elif "):
        text = f"el{text}"
    lines[begin:end] = [textwrap.indent(text, " " * first.col_offset) + "\n"]
    return "".join(lines)
