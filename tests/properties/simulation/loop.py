"""An event loop in virtual time that sees who touches it, and what goes wrong in it unseen."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from voicepipe.devices.hardware import Tick
from voicepipe.testing import VirtualLoop
from voicepipe.testing.virtual import VirtualHardware

__all__ = ["WatchedLoop"]

Ts = TypeVarTuple("Ts")


class _ForeignHardware(VirtualHardware):
    """Its calls come from where no event loop runs, as a sound card's thread does."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        def foreign() -> None:
            running = asyncio._get_running_loop()
            asyncio._set_running_loop(None)
            try:
                callback()
            finally:
                asyncio._set_running_loop(running)

        return super().call_at(when, foreign)


class WatchedLoop(VirtualLoop):
    """From the hardware's world, only `call_soon_threadsafe` may be called."""

    def __init__(self) -> None:
        self.outrages: list[str] = []
        """What nobody would have seen."""
        self.frozen: list[tuple[float, float]] = []
        """When it stood still: from, to."""
        super().__init__()
        self.hardware = _ForeignHardware(self)
        self.set_exception_handler(self._unseen)

    def _unseen(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.outrages.append(f"nobody sees: {context.get('message')}: {context.get('exception')!r}")

    def _touched(self, what: str) -> None:
        if self.hardware.ticking:
            place = traceback.extract_stack(limit=4)[0]
            self.outrages.append(f"{what} from the audio side, at {place.filename}:{place.lineno}")

    def freeze(self, seconds: float) -> None:
        from_s = self.time()
        super().freeze(seconds)
        self.frozen.append((from_s, self.time()))

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._touched("call_soon")
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._touched("call_at")
        return super().call_at(when, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        self._touched("create_future")
        return super().create_future()

    def create_task(self, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        self._touched("create_task")
        return super().create_task(*args, **kwargs)
