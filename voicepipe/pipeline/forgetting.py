"""Stages that forget to pass frames on: their code has no use for a frame but to look at it."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from types import FunctionType
from typing import NamedTuple

from voicepipe.frames import Frame
from voicepipe.pipeline.place import is_ours
from voicepipe.pipeline.processor import InlineProcessor, Processor

__all__ = ["Forgetting", "code_at", "constructs", "forgetting_of"]

_LOOKS = frozenset({"isinstance", "type", "id", "len", "repr", "str", "print", "getattr", "hasattr"})
"""Functions that only look at a frame."""
_LOGS = frozenset({"debug", "info", "warning", "error"})


class Forgetting(NamedTuple):
    """The code that is given a frame and passes none of them on."""

    at: str
    """The file and line at which it begins."""
    cure: str
    """The statement that it lacks."""


def forgetting_of(stage: Processor) -> Forgetting | None:
    """Return the code of a stage that never passes on what it is given; None if it does, or may."""
    function = _handler(stage)
    if function is None or not _only_looks(function):
        return None
    is_inline = isinstance(stage, InlineProcessor)
    cure = "return (frame,)" if is_inline else "await self.push_frame(frame, direction)"
    return Forgetting(code_at(stage), cure)


def code_at(stage: Processor) -> str:
    """Return the file and line of the code that handles a stage's frames; its class if that is not known."""
    function = _handler(stage)
    if function is None:
        return type(stage).__name__
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def _handler(stage: Processor) -> FunctionType | None:
    """Return the user's own function that handles the frames of a stage."""
    if is_ours(stage):
        return None
    function = getattr(getattr(stage, _hook_of(stage), None), "__func__", None)
    is_own = isinstance(function, FunctionType) and function.__module__.partition(".")[0] != "voicepipe"
    return function if is_own else None


def _hook_of(stage: Processor) -> str:
    return "process" if isinstance(stage, InlineProcessor) else "process_frame"


def constructs(stage: Processor, kind: type[Frame]) -> bool:
    """Return True if the source of the stage's class makes frames of this class, or may."""
    try:
        source = inspect.getsource(type(stage))
    except (OSError, TypeError):
        return True
    return re.search(rf"\b{kind.__name__}\s*[(.]", source) is not None


@functools.lru_cache(maxsize=256)
def _only_looks(function: FunctionType) -> bool:
    """Return True if the function's source shows that it only looks at its frame."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, or packed without its source
        return False
    defined = tree.body[0]
    if not isinstance(defined, _FUNCTIONS) or defined.decorator_list or len(defined.args.args) < 2:
        return False
    name = defined.args.args[1].arg
    harmless = {id(name) for node in ast.walk(tree) for name in _looked_at(node)}
    return not any(
        isinstance(node, ast.Name) and node.id == name and id(node) not in harmless for node in ast.walk(tree)
    )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _looked_at(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that the node only looks at."""
    match node:
        case ast.Attribute(value=ast.Name() as name, attr=attribute) if attribute != "with_data":
            return [name]
        case ast.Call(func=ast.Name(id=called), args=arguments) if called in _LOOKS:
            return arguments
        case ast.Call(func=ast.Attribute(attr=called), args=arguments) if called in _LOGS:
            return arguments
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Match(subject=subject) if not any(
            isinstance(each, ast.MatchAs) and each.name for each in ast.walk(node)
        ):
            return [subject]
        case ast.FormattedValue(value=value):
            return [value]
    return []
