"""The facts of a stage that arise while it works, told when that piece of work is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voicepipe.frames import FactFrame

__all__ = ["FactPost"]


class FactPost:
    """Facts in their order. Whoever hears of one may change what the stage does, and so make others.

    Args:
        push: passes a fact on in both directions, at once.
    """

    def __init__(self, push: Callable[[FactFrame], None]) -> None:
        self._push = push
        self._facts: deque[FactFrame] = deque()
        self._is_sending = False
        self.is_closed = False
        """True once nothing is told any more."""

    def tell(self, fact: FactFrame) -> None:
        """Take a fact, to be told by the next `send`."""
        self._facts.append(fact)

    def send(self) -> None:
        """Tell the facts that were taken. Ignored where a fact is being told: the outer call tells all."""
        if self._is_sending or self.is_closed:
            return
        self._is_sending = True
        try:
            while self._facts:
                self._push(self._facts.popleft())
        finally:
            self._is_sending = False
