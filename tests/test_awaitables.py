"""A callback is async where its caller awaits it, and plain elsewhere, in whatever form it comes."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol
from unittest.mock import AsyncMock, MagicMock

import pytest

from voicepipe.awaitables import awaitable, check_async, check_methods, check_plain, refuse_coroutine


def plain(*_: object) -> int:
    return 3


def returns_nothing(*_: object) -> None:
    print("something")


def returns_constants(answer: object = None, *_: object) -> int | None:
    if answer:
        return 3
    return None


def returns_coroutine(*_: object) -> Coroutine[Any, Any, None]:
    return is_async()


def only_raises(*_: object) -> None:
    raise NotImplementedError


async def is_async(*_: object) -> None:
    pass


async def yields_async(*_: object) -> AsyncIterator[int]:
    yield 1


def yields(*_: object) -> Iterator[int]:
    yield 1


@types.coroutine
def old_coroutine(*_: object) -> Iterator[None]:
    yield


@functools.wraps(is_async)
def hides_async(*_: object) -> int:
    return plain()


class PlainCall:
    def __call__(self, *_: object) -> int:
        return plain()


class AsyncCall:
    async def __call__(self, *_: object) -> None:
        pass


class GeneratorCall:
    def __call__(self, *_: object) -> Iterator[int]:
        yield 1


class Methods:
    plain = plain
    is_async = is_async
    static_async = staticmethod(is_async)
    static_plain = staticmethod(plain)
    partial_async = functools.partialmethod(is_async)

    @classmethod
    async def class_async(cls) -> None:
        pass

    @classmethod
    def class_plain(cls) -> int:
        return plain()


ASYNC: dict[str, Callable[..., Any]] = {
    "async def": is_async,
    "partial": functools.partial(is_async, 1),
    "partial of a partial": functools.partial(functools.partial(is_async, 1), 2),
    "object": AsyncCall(),
    "method": Methods().is_async,
    "static method": Methods().static_async,
    "class method": Methods.class_async,
    "partial method": Methods().partial_async,
    "unbound": Methods.is_async,
    "mock": AsyncMock(),
}
PLAIN: dict[str, Callable[..., Any]] = {
    "def": plain,
    "partial": functools.partial(plain, 1),
    "object": PlainCall(),
    "method": Methods().plain,
    "static method": Methods().static_plain,
    "class method": Methods.class_plain,
    "class": dict,
    "built-in": len,
    "a wrapper that hides an async one": hides_async,
    "lambda that returns a coroutine": lambda: is_async(),
    "mock": MagicMock(),
}
GENERATORS: dict[str, Callable[..., Any]] = {
    "generator": yields,
    "partial": functools.partial(yields, 1),
    "object": GeneratorCall(),
}


@pytest.mark.parametrize("form", ASYNC)
def test_async_is_refused_where_plain_is_wanted_in_every_form(form: str) -> None:
    with pytest.raises(TypeError, match=r"^Stage.on_ending must be a plain def, not async def: it is"):
        check_plain("Stage.on_ending", ASYNC[form])


@pytest.mark.parametrize("form", PLAIN)
def test_plain_is_right_where_plain_is_wanted(form: str) -> None:
    check_plain("Stage.on_ending", PLAIN[form])


@pytest.mark.parametrize("form", GENERATORS)
def test_a_generator_is_refused_where_nothing_would_run_it(form: str) -> None:
    with pytest.raises(TypeError, match=r"must be a plain def, not a generator"):
        check_plain("look", GENERATORS[form])
    check_plain("process", GENERATORS[form], may_yield=True)
    with pytest.raises(TypeError, match=r"must be async def without yield, not a generator"):
        check_async("on_start", GENERATORS[form])


@pytest.mark.parametrize("check", [check_plain, check_async])
def test_an_async_generator_is_refused_everywhere(check: Callable[[str, object], None]) -> None:
    with pytest.raises(TypeError, match="not an async generator"):
        check("hook", yields_async)
    with pytest.raises(TypeError, match="not an async generator"):
        check_plain("hook", yields_async, may_yield=True)


@pytest.mark.parametrize("form", [*ASYNC, "old", "returns one", "lambda", "raises", "wrapper", "built-in"])
def test_whatever_may_return_an_awaitable_is_right_where_async_is_wanted(form: str) -> None:
    others: dict[str, Callable[..., Any]] = {
        "old": old_coroutine,
        "returns one": returns_coroutine,
        "lambda": lambda *_: is_async(),
        "raises": only_raises,
        "wrapper": functools.partial(hides_async, 1),
        "built-in": asyncio.sleep,
    }
    check_async("on_start", others.get(form) or ASYNC[form])


@pytest.mark.parametrize(
    "function",
    [
        returns_nothing,
        returns_constants,
        lambda *_: None,
        lambda *_: 3,
        functools.partial(returns_nothing, 1),
    ],
    ids=["nothing", "constants", "lambda", "number", "partial"],
)
def test_a_plain_function_that_can_return_nothing_to_await_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"^on_start must be async def, not a plain def: it is awaited$"):
        check_async("on_start", function)


def test_a_result_that_would_have_to_be_awaited_is_refused_and_closed() -> None:
    coroutine = is_async()
    with pytest.raises(TypeError, match=r"^look must be a plain def, not async def"):
        _ = refuse_coroutine("look", coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    with pytest.raises(TypeError, match=r"^look must be a plain def, not a generator"):
        refuse_coroutine("look", yields_async())
    with pytest.raises(TypeError, match=r"^look must be a plain def, not a generator"):
        refuse_coroutine("look", yields())


@pytest.mark.parametrize("result", [None, 3, "text", [], asyncio.Event], ids=str)
def test_any_other_result_of_a_plain_function_comes_back(result: Any) -> None:
    assert refuse_coroutine("look", result) is result
    with pytest.raises(TypeError, match=r"^on_start must be async def: its result is awaited"):
        awaitable("on_start", result)


async def test_any_awaitable_comes_back() -> None:
    future = asyncio.get_running_loop().create_future()
    coroutine, old = is_async(), old_coroutine()
    results: list[Any] = [coroutine, future, old]
    for result in results:
        assert awaitable("on_start", result) is result
    await coroutine


class Model(Protocol):
    async def load(self) -> None: ...

    def score(self) -> float: ...

    def parts(self) -> Iterable[int]: ...


class More(Model, Protocol):
    async def close(self) -> None: ...


class Right:
    async def load(self) -> None:
        pass

    def score(self) -> float:
        return 1.0

    def parts(self) -> Iterable[int]:
        yield 1


@pytest.mark.parametrize(
    ("method", "function", "message"),
    [
        ("load", returns_nothing, "Engine.load must be async def"),
        ("close", returns_nothing, "Engine.close must be async def"),
        ("score", is_async, "Engine.score must be a plain def, not async def"),
        ("score", yields, "Engine.score must be a plain def, not a generator"),
        ("parts", is_async, "Engine.parts must be a plain def, not async def"),
        ("parts", yields_async, "Engine.parts must be a plain def, not an async generator"),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("on", ["class", "instance"])
def test_methods_are_compared_with_those_of_a_model(
    method: str, function: Callable[..., Any], message: str, on: str
) -> None:
    check_methods(Right(), More, "Engine")
    thing = Right() if on == "instance" else type("Wrong", (Right,), {method: function})()
    if on == "instance":
        setattr(thing, method, function)
    with pytest.raises(TypeError, match=f"^{message}"):
        check_methods(thing, More, "Engine")
    check_methods(thing, More, "Engine", only={"load", "score", "parts"} - {method})
