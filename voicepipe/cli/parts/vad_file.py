"""What is heard in a file: its segments of speech, and what was judged on the way."""

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
from voicepipe.speech.vad import Judgement, VADProcessor

__all__ = ["Hearing", "Segment", "Segments", "hear"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, from and to in samples of its stream."""

    begin: int
    end: int


class Segments:
    """Makes segments of the facts, as they come."""

    def __init__(self) -> None:
        self.begin: int | None = None
        """Where the one in progress began."""

    def note(self, frame: Frame) -> Segment | None:
        """The segment that ended with this frame."""
        match frame:
            case UserStartedSpeakingFrame(position=position):
                self.begin = position
            case UserStoppedSpeakingFrame(position=position) if self.begin is not None:
                segment, self.begin = Segment(self.begin, position), None
                return segment
        return None


@dataclass(frozen=True, slots=True)
class Hearing:
    """All that was found in a file."""

    path: str
    format: AudioFormat
    num_samples: int
    engine: str
    settings: SegmenterSettings
    segments: tuple[Segment, ...]
    judgements: tuple[Judgement, ...]
    took_s: float

    @property
    def duration_s(self) -> float:
        """How long the file is."""
        return self.format.seconds(self.num_samples)

    @property
    def spoken_s(self) -> float:
        """How much of it is speech."""
        return self.format.seconds(sum(segment.end - segment.begin for segment in self.segments))


def hear(path: str | os.PathLike[str], vad: VADProcessor, judgements: list[Judgement]) -> Hearing:
    """Find the speech in a file, as fast as it goes.

    Args:
        path: of a WAV file.
        vad: a stage that has heard nothing, and tells `judgements.append` what it observes.
        judgements: what it has told.

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
