"""The wait of a source for a verdict: what comes of its audio must not depend on the machine's speed."""

from __future__ import annotations

from voicepipe.pipeline.mailbox import Waiter, wake

__all__ = ["Hold"]

_NOBODY: list[Waiter] = []
"""An empty list that all runs share until somebody waits. It is never changed."""


class Hold:
    """A congested place without data: some stage has a question that the last audio has raised.

    Whoever pushed that audio waits until the question is answered, as it waits for room in a mailbox.
    Live audio waits for nobody. In the loop's thread.
    """

    __slots__ = ("_held", "_waiting", "count")

    def __init__(self) -> None:
        self._held = 0
        self.count = 0
        """The number of questions that there have been."""
        self._waiting = _NOBODY

    @property
    def congested(self) -> bool:
        """True while a question is open."""
        return self._held > 0

    def begin(self) -> None:
        """Open a question. Each must be closed by one `end`."""
        self._held += 1
        self.count += 1

    def end(self) -> None:
        """Close a question; after the last one, the sources go on."""
        self._held -= 1
        if not self._held:
            waiting, self._waiting = self._waiting, _NOBODY
            for waiter in waiting:
                wake(waiter)

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when no question is open."""
        if self._waiting is _NOBODY:
            self._waiting = []
        self._waiting.append(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Forget a future that is no longer waited for."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def relieve(self) -> None:
        """Do nothing: a question holds no data."""
