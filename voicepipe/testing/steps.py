"""A virtual loop that counts its steps, and does something at one of them: for tests of every moment."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.testing.virtual import VirtualLoop

__all__ = ["SteppingLoop"]


class SteppingLoop(VirtualLoop):
    """Counts the loop's steps from `count_from_here()` on, and makes one call when it comes to a step.

        def cancelled_at(step):
            with asyncio.Runner(loop_factory=SteppingLoop) as runner:
                ...
                loop.count_from_here(step, task.cancel)

    A step is one round of the loop: every callback that was ready.
    """

    def __init__(self) -> None:
        self.steps = 0
        """Steps since they are counted."""
        self.called_s: float | None = None
        """When the call was made, by the loop's clock; None where the steps did not reach so far."""
        self._at = 0
        self._call: Callable[[], object] | None = None
        super().__init__()

    def count_from_here(self, step: int = 0, call: Callable[[], object] | None = None) -> None:
        """Begin to count; make the call between step number `step` and the next. Once."""
        self.steps, self._at, self._call, self.called_s = 0, step, call, None

    def advance(self, timeout: float | None) -> float | None:
        """For the selector: the loop has made a step."""
        self.steps += 1
        if self._call is not None and self.steps == self._at:
            call, self._call = self._call, None
            self.called_s = self.time()
            call()
            return 0.0
        return super().advance(timeout)
