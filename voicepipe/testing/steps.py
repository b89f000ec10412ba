"""A virtual event loop that counts its steps and makes a call at a chosen one, to test every moment."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.testing.virtual import VirtualLoop

__all__ = ["SteppingLoop"]


class SteppingLoop(VirtualLoop):
    """A loop that counts its steps from `count_from_here()` on, and makes one call after a given step.

        def cancelled_at(step):
            with asyncio.Runner(loop_factory=SteppingLoop) as runner:
                ...
                loop.count_from_here(step, task.cancel)

    A step is one round of the loop, with all callbacks that were ready.
    """

    def __init__(self) -> None:
        self.steps = 0
        """The number of steps since the count began."""
        self.called_s: float | None = None
        """The time of the call on the loop's clock; None if the loop made too few steps."""
        self._at = 0
        self._call: Callable[[], object] | None = None
        super().__init__()

    def count_from_here(self, step: int = 0, call: Callable[[], object] | None = None) -> None:
        """Begin to count, and make the call once, between step number `step` and the next."""
        self.steps, self._at, self._call, self.called_s = 0, step, call, None

    def advance(self, timeout: float | None) -> float | None:
        """Count a step. Called by the selector."""
        self.steps += 1
        if self._call is not None and self.steps == self._at:
            call, self._call = self._call, None
            self.called_s = self.time()
            call()
            return 0.0
        return super().advance(timeout)
