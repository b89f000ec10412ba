"""A stage that lets only some frames pass."""

from __future__ import annotations

from collections.abc import Iterable

from voicepipe.frames import Frame, FrameDirection, SystemFrame
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.text import quote

__all__ = ["FrameFilter"]


class FrameFilter(InlineProcessor):
    """A filter that passes frames of some classes and drops the others. System frames always pass.

    Facts, such as `UserStartedSpeakingFrame`, are passed by the framework, so no filter can drop them.

        FrameFilter(OutputAudioFrame)          only this class and its subclasses
        FrameFilter(drop=TextFrame)            everything but this one

    Args:
        keep: the classes that pass.
        drop: the classes that do not pass, even if `keep` contains them.
        direction: filter only frames that travel in this direction; None: both directions.

    Raises:
        TypeError: an argument is not a class of frames, or `direction` is not a FrameDirection.
    """

    def __init__(
        self,
        *keep: type[Frame],
        drop: type[Frame] | tuple[type[Frame], ...] = (),
        direction: FrameDirection | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        dropped = drop if isinstance(drop, tuple) else (drop,)
        for kind in (*keep, *dropped):
            if not (isinstance(kind, type) and issubclass(kind, Frame)):
                raise TypeError(f"keep and drop must be classes of frames, not {quote(kind)}")
        if direction is not None and not isinstance(direction, FrameDirection):
            raise TypeError(f"direction must be a FrameDirection or None, not {quote(direction)}")
        self._keep = keep or (Frame,)
        self._drop = dropped
        self._direction = direction

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Pass the frame on or drop it."""
        if isinstance(frame, SystemFrame) or self._direction not in (None, direction):
            return (frame,)
        passes = isinstance(frame, self._keep) and not isinstance(frame, self._drop)
        return (frame,) if passes else ()
