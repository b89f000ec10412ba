"""The speech in a file, segment by segment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from voicepipe.audio.files.sound_file import SoundReader, open_sound_file
from voicepipe.audio.format import AudioFormat
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.speech.segmenter import SegmenterSettings
from voicepipe.speech.vad import VADProcessor

__all__ = ["Hearing", "Segment", "Segments", "hear"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, from and to in samples of its stream."""

    begin: int
    end: int


class Segments:
    """Makes segments of frames, as they come."""

    def __init__(self) -> None:
        self.begin: int | None = None
        """The beginning of the segment in progress."""

    def note(self, frame: Frame) -> Segment | None:
        """Return the segment that ended with this frame."""
        match frame:
            case UserStartedSpeakingFrame(position=position):
                self.begin = position
            case UserStoppedSpeakingFrame(position=position) if self.begin is not None:
                segment, self.begin = Segment(self.begin, position), None
                return segment
        return None


@dataclass(frozen=True, slots=True)
class Hearing:
    """The result for a whole file."""

    path: str
    format: AudioFormat
    num_samples: int
    engine: str
    settings: SegmenterSettings
    segments: tuple[Segment, ...]
    took_s: float
    remarks: tuple[str, ...] = ()
    """Faults of the file that it was read in spite of."""

    @property
    def duration_s(self) -> float:
        """The length of the file, in seconds."""
        return self.format.seconds(self.num_samples)

    @property
    def spoken_s(self) -> float:
        """The length of all speech in it, in seconds."""
        return self.format.seconds(sum(segment.end - segment.begin for segment in self.segments))


def hear(
    path: str | os.PathLike[str],
    vad: VADProcessor,
    observe: Callable[[bytes, AudioFormat], object] | None = None,
) -> Hearing:
    """Find the speech in a file, as fast as it goes and in bounded memory.

    Args:
        path: of a sound file.
        vad: a fresh stage.
        observe: called with every piece of audio, a second long.

    Raises:
        AudioFormatError, OSError: the file cannot be read.
    """
    began_s = time.perf_counter()
    finder, segments, position = Segments(), list[Segment](), 0
    with open_sound_file(path) as file:
        for frame in _frames(file):
            segments.extend(_segments(finder, vad.process(frame, FrameDirection.DOWNSTREAM)))
            position += frame.num_samples
            if observe is not None:
                observe(frame.data, file.format)
        segments.extend(_segments(finder, vad.on_end()))
        took_s = time.perf_counter() - began_s
        return Hearing(
            os.fspath(path),
            file.format,
            position,
            engine_name(vad.engine),
            vad.settings,
            tuple(segments),
            took_s,
            file.remarks,
        )


def _segments(finder: Segments, frames: Iterable[Frame]) -> Iterator[Segment]:
    return filter(None, map(finder.note, frames))


def _frames(file: SoundReader) -> Iterator[InputAudioFrame]:
    position = 0
    while data := file.read(file.format.rate):
        frame = InputAudioFrame(data, file.format.rate, file.format.channels, position)
        position += frame.num_samples
        yield frame
