"""The speech in a file: its segments, and the result of every window."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.wav_file import WavReader
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.speech.detectors.registry import engine_name
from voicepipe.speech.segmenter import SegmenterSettings
from voicepipe.speech.stretch import Judgement
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
    judgements: tuple[Judgement, ...]
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


def hear(path: str | os.PathLike[str], vad: VADProcessor, judgements: list[Judgement]) -> Hearing:
    """Find the speech in a file, as fast as it goes.

    Args:
        path: of a WAV file.
        vad: a fresh stage whose observer is `judgements.append`.
        judgements: the list that it fills.

    Raises:
        AudioFormatError, OSError: the file cannot be read.
    """
    began_s = time.perf_counter()
    finder, segments = Segments(), list[Segment]()
    with WavReader(path) as file:
        for frame in (*_through(vad, _frames(file)), *vad.on_end()):
            if segment := finder.note(frame):
                segments.append(segment)
        took_s = time.perf_counter() - began_s
        return Hearing(
            os.fspath(path),
            file.format,
            file.num_samples,
            engine_name(vad.engine),
            vad.settings,
            tuple(segments),
            tuple(judgements),
            took_s,
            file.remarks,
        )


def _frames(file: WavReader) -> Iterator[InputAudioFrame]:
    position = 0
    while data := file.read(file.format.rate):
        frame = InputAudioFrame(data, file.format.rate, file.format.channels, position)
        position += frame.num_samples
        yield frame


def _through(vad: VADProcessor, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield from (out for out in vad.process(frame, FrameDirection.DOWNSTREAM) if out is not frame)
