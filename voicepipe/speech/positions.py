"""The positions of a stream of input audio: where each frame lies, and from which microphone it is."""

from __future__ import annotations

from voicepipe.audio.format import AudioFormat
from voicepipe.frames import InputAudioFrame
from voicepipe.pipeline.place import Place, microphones_before

__all__ = ["StreamPositions", "are_of_one_origin", "refuse_two_microphones"]

_SHORT_S = 0.5
_SHORT_FRAMES = 2
"""Audio of one microphone between two of another is short if it is no longer than one of these."""
_MOST_SHORT = 6
"""So many short pieces in a row are two microphones at once, and not one chosen after another."""


class StreamPositions:
    """The positions of the frames that one stage hears.

    Frames of unknown origin that are all at position 0 have no position: each follows the one before it.
    """

    def __init__(self) -> None:
        self._format: AudioFormat | None = None
        self._end = 0
        """The position behind the last frame of unknown origin."""
        self._lacks = False
        """True if the last frame may have lacked a position."""
        self._origin = ""
        self._frames, self._heard_s = 0, 0.0
        """The length of the present piece of one microphone, while it is short."""
        self._is_short = True
        self._short = 0
        """The number of short pieces in a row."""

    @property
    def has_begun(self) -> bool:
        """True once there was a frame."""
        return self._format is not None

    def place(self, frame: InputAudioFrame) -> int:
        """Return the position of the next frame.

        Raises:
            ValueError: the audio of two microphones alternates; says what to do.
        """
        if not frame.origin:
            return self._follow_on(frame)
        if self._is_short or frame.origin != self._origin:
            self._add_to_piece(frame)
        self._lacks = False
        return frame.position

    def _follow_on(self, frame: InputAudioFrame) -> int:
        position = frame.position
        lacks = not position
        if lacks and self._lacks and frame.format == self._format:
            position = self._end
        self._lacks, self._format = lacks, frame.format
        self._end = position + frame.num_samples
        return position

    def _add_to_piece(self, frame: InputAudioFrame) -> None:
        if frame.origin != self._origin:
            self._change_origin(frame.origin)
        self._format = frame.format
        self._frames += 1
        self._heard_s += frame.duration_s
        self._is_short = self._frames <= _SHORT_FRAMES or self._heard_s < _SHORT_S

    def _change_origin(self, origin: str) -> None:
        before, self._origin = self._origin, origin
        self._short = self._short + 1 if before and self._is_short else 0
        self._frames, self._heard_s, self._is_short = 0, 0.0, True
        if self._short >= _MOST_SHORT:
            raise _two_microphones(before, origin)


def refuse_two_microphones(place: Place) -> None:
    """Check that at most one microphone feeds the stage. Raises: ValueError: two do; says what to do.

    Where a stage of the user's stands in between, the audio will tell.
    """
    sources = microphones_before(place)
    if len(sources) > 1:
        raise _two_microphones(sources[1], sources[0])


def _two_microphones(first: str, second: str) -> ValueError:
    return ValueError(
        f"it hears two microphones at once, {first} and {second}: give each a branch of its own, as in "
        "ParallelPipeline([microphone, VADProcessor(), ...], [...])"
    )


def are_of_one_origin(first: str, second: str) -> bool:
    """Return True if two labels of microphones are equal, or one is unknown."""
    return first == second or not first or not second
