"""Quick constructors for frozen dataclasses with slots, and quick copies of them.

A frozen dataclass writes each field with `object.__setattr__`, which looks the slot up by its name.
The slot's own setter takes half of that time, and a program makes a frame for every block of audio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from inspect import signature
from itertools import takewhile
from types import FunctionType
from typing import Any, TypeVar

__all__ = ["replacer_of", "setter_of", "with_quick_init"]

T = TypeVar("T")


def setter_of(kind: type, name: str) -> Callable[[object, object], None]:
    """Return the function that writes a slot of a class's objects, also of frozen ones."""
    setter: Callable[[object, object], None] = getattr(kind, name).__set__
    return setter


def with_quick_init(kind: type[T]) -> type[T]:
    """Give a dataclass with slots an `__init__` that does the same by their setters. A decorator.

    The class has no field with a default factory. A subclass that is a dataclass gets its own
    `__init__`, as ever.
    """
    made: Any = kind.__init__
    code = made.__code__
    placed = code.co_argcount
    itself, *names = parameters = [*code.co_varnames[: placed + code.co_kwonlyargcount]]
    if code.co_kwonlyargcount:
        parameters.insert(placed, "*")
    lines = [f"set_{name}({itself}, {name})" for name in names]
    if hasattr(kind, "__post_init__"):
        lines.append(f"{itself}.__post_init__()")
    setters = {f"set_{name}": setter_of(kind, name) for name in names}
    quick: Any = _compile("__init__", parameters, lines, setters)
    for attribute in ("__defaults__", "__kwdefaults__", "__annotations__", "__qualname__", "__module__"):
        setattr(quick, attribute, getattr(made, attribute))
    kind.__init__ = quick  # type: ignore[method-assign]  # as `dataclass` has done it
    return kind


def replacer_of(kind: type, name: str) -> Callable[[Any, Any], Any]:
    """Make a function that does the same as `replace(instance, name=value)`, in less time."""
    names = [each.name for each in fields(kind) if each.init]
    parameters = list(signature(kind).parameters.values())
    if any(each.default is each.empty and each.name not in names for each in parameters):
        # An InitVar, or an `__init__` of its own: `replace` knows what to say.
        return lambda instance, value: replace(instance, **{name: value})
    values = {each: "value" if each == name else f"instance.{each}" for each in names}
    placed = takewhile(
        lambda each: each.kind is each.POSITIONAL_OR_KEYWORD and each.name in values, parameters
    )
    first = [values.pop(each.name) for each in placed]
    given = ", ".join([*first, *(f"{each}={value}" for each, value in values.items())])
    return _compile("replaced", ["instance", "value"], [f"return kind({given})"], {"kind": kind})


def _compile(name: str, parameters: list[str], lines: list[str], names: dict[str, Any]) -> FunctionType:
    # With the name of this module, an error is laid to the line that calls, not to a line here.
    space = {"__name__": __name__, **names}
    body = "\n ".join(lines)
    exec(f"def {name}({', '.join(parameters)}):\n {body}", space)
    made: FunctionType = space.pop(name)
    return made
