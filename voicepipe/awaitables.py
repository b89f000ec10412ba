"""Plain functions and async functions: a check that a callback is of the kind that its caller wants."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Awaitable, Iterable
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType
from typing import Any, TypeVar

from voicepipe.text import class_name

__all__ = ["awaitable", "check_async", "check_methods", "check_plain", "methods_of", "refuse_coroutine"]

T = TypeVar("T")
_PLAIN = "must be a plain def, not"
_NEVER_WAITS = "it is called at once and must not wait"


def check_plain(what: str, function: object, *, may_yield: bool = False, advice: str = _NEVER_WAITS) -> None:
    """Check that a call of the function runs it, and leaves nothing to await.

    Args:
        what: the function, for the error: "Stage.on_interruption".
        may_yield: True if a generator is as good as a list of results.
        advice: the end of the error.

    Raises:
        TypeError: it is an async function, an async generator, or a generator.
    """
    if kind := _kind_of(function, may_yield=may_yield):
        raise TypeError(f"{what} {_PLAIN} {kind}: {advice}")


def check_async(what: str, function: object) -> None:
    """Check that a call of the function may return something to await.

    A plain function may do so too, for example a lambda that returns a coroutine.

    Raises:
        TypeError: it is a generator, or a plain function that returns nothing.
    """
    if kind := _kind_of_generator(function):
        raise TypeError(f"{what} must be async def without yield, not {kind}")
    if _returns_constants(function):
        raise TypeError(f"{what} must be async def, not a plain def: it is awaited")


def check_methods(
    thing: object,
    model: type,
    name: str,
    only: Iterable[str] | None = None,
    *,
    advice: str = _NEVER_WAITS,
) -> None:
    """Check that the methods of a thing are async where those of the model are, and plain elsewhere.

    Args:
        thing: an object, or a class. Methods that it lacks are not checked.
        model: a base class or a protocol.
        name: the name of the thing, for the error.
        only: the names of the methods to check. None: all of them.
        advice: the end of the error for a method that must be plain.

    Raises:
        TypeError: a method is of the wrong kind; names it.
    """
    methods = methods_of(model)
    for method in methods if only is None else only:
        function = getattr(thing, method, None)
        if not callable(function):
            continue
        is_async, may_yield = methods[method]
        if is_async:
            check_async(f"{name}.{method}", function)
        else:
            check_plain(f"{name}.{method}", function, may_yield=may_yield, advice=advice)


def refuse_coroutine(what: str, result: T) -> T:
    """Return the result of a plain function, unless it is something that would have to be awaited.

    Raises:
        TypeError: it is a coroutine, which is closed, or a generator.
    """
    if isinstance(result, CoroutineType):
        result.close()
        raise TypeError(f"{what} {_PLAIN} async def: {_NEVER_WAITS}")
    if isinstance(result, (GeneratorType, AsyncGeneratorType)):
        raise TypeError(f"{what} {_PLAIN} a generator: {_NEVER_WAITS}")
    return result


def awaitable(what: str, result: Awaitable[T]) -> Awaitable[T]:
    """Return the result of an async function, if it can be awaited.

    Raises:
        TypeError: it cannot.
    """
    if type(result) is CoroutineType or inspect.isawaitable(result):
        return result
    raise TypeError(f"{what} must be async def: its result is awaited, and it returned {class_name(result)}")


@functools.cache
def methods_of(model: type) -> dict[str, tuple[bool, bool]]:
    """Return the public methods of a model: for each, if it is async, and if a generator may stand for it."""
    methods: dict[str, tuple[bool, bool]] = {}
    for base in reversed(model.__mro__):
        for name, function in vars(base).items():
            if isinstance(function, FunctionType) and not name.startswith("_"):
                several = str(function.__annotations__.get("return", "")).startswith(("Iterable", "list"))
                methods[name] = (inspect.iscoroutinefunction(function), several)
    return methods


def _kind_of(function: object, *, may_yield: bool) -> str:
    """Return the kind of a function whose call does not run it; an empty string for any other."""
    if _matches(inspect.iscoroutinefunction, function):
        return "async def"
    generator = _kind_of_generator(function)
    return "" if may_yield and generator == "a generator" else generator


def _kind_of_generator(function: object) -> str:
    if _matches(inspect.isasyncgenfunction, function):
        return "an async generator"
    if _matches(inspect.isgeneratorfunction, function) and not _matches(_is_old_coroutine, function):
        return "a generator"
    return ""


def _matches(test: Any, function: object) -> bool:
    """Return True if the test holds for a function, or for the `__call__` of an object."""
    call = None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004
    return bool(test(function) or test(call))


def _is_old_coroutine(function: object) -> bool:
    """Return True for a generator that `types.coroutine` has made awaitable."""
    code = _code_of(function)
    return code is not None and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _returns_constants(function: object) -> bool:
    """Return True for a plain Python function that can return nothing but constants, such as None."""
    code = _code_of(function)
    if code is None or code.co_flags & _NOT_PLAIN or _matches(inspect.iscoroutinefunction, function):
        return False
    before, returns = "", 0
    for step in dis.get_instructions(code):
        if step.opname == "RETURN_VALUE" and before != "LOAD_CONST":
            return False
        returns += step.opname in ("RETURN_VALUE", "RETURN_CONST")
        before = step.opname
    return returns > 0


def _code_of(function: object) -> CodeType | None:
    """Return the code of a Python function, a method, or a partial of one; None for another object."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


_NOT_PLAIN = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
