"""A stage that shows passing frames to a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voicepipe.awaitables import refuse_coroutine
from voicepipe.checks import check_callable
from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.text import name_of, quote

__all__ = ["Tap"]


class Tap(InlineProcessor):
    """A tap: a function sees every frame that passes. All frames go on unchanged.

    Args:
        look: called as `look(frame, direction)`; must not wait. An exception in it counts as
            an error of this stage.
        kind: the class of frames to show, or a tuple of classes.

    Raises:
        TypeError: `look` is not callable, or is async, or `kind` is not a class of frames.
    """

    takes: tuple[type[Frame], ...] = ()

    def __init__(
        self,
        look: Callable[[Frame, FrameDirection], object],
        kind: type[Frame] | tuple[type[Frame], ...] = Frame,
        *,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        check_callable("look", look)
        for one in kind if isinstance(kind, tuple) else (kind,):
            if not (isinstance(one, type) and issubclass(one, Frame)):
                raise TypeError(f"kind must be a class of frames or a tuple of them, not {quote(one)}")
        self._look = look
        self._kind = kind
        kinds = kind if isinstance(kind, tuple) else (kind,)
        # One that shows every frame shows those that are there. It needs none.
        self.takes = tuple(each for each in kinds if each is not Frame)

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Show the frame to the function, and pass it on."""
        if isinstance(frame, self._kind):
            result = self._look(frame, direction)
            if result is not None:
                refuse_coroutine(f"look ({name_of(self._look)})", result)
        return (frame,)
