"""Looking at what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voicepipe.checks import check_callable
from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.processor import InlineProcessor

__all__ = ["Tap"]


class Tap(InlineProcessor):
    """Shows every frame that passes to a function, and passes it on unchanged.

    Args:
        look: called as `look(frame, direction)`; must not wait. An exception in it is an
            error of this stage.
        kind: only frames of this class, or of these classes.

    Raises:
        TypeError: `look` cannot be called, or `kind` is no class of frames.
    """

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
                raise TypeError(f"a Tap looks at classes of frames, not {one!r}")
        self._look = look
        self._kind = kind

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Look, and pass on."""
        if isinstance(frame, self._kind):
            self._look(frame, direction)
        return (frame,)
