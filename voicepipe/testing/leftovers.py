"""A block in a test that must leave nothing behind."""

from __future__ import annotations

import asyncio
from types import TracebackType

from voicepipe.census.census import Census, assert_nothing_left, take_census

__all__ = ["nothing_left"]


class nothing_left:  # noqa: N801  # reads as a statement, like contextlib's
    """A block that must leave nothing open that was not open before.

        with nothing_left():
            run_virtual(task.run())

    `async with` first lets the callbacks of finished tasks run. It also sees the tasks, timers and
    async generators of its loop. If the block raises, nothing is checked.

    Raises (at the end of the block):
        AssertionError: something is left; names each leftover, and its creator if known.
    """

    _before: Census

    def __enter__(self) -> None:
        self._before = take_census()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            assert_nothing_left(self._before)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(0)
        self.__exit__(kind, error, trace)
