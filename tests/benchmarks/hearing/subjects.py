"""What is compared: our stages with each engine, and what other projects do by default."""

from __future__ import annotations

import importlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.hearing.conditions import RATE, Ints
from benchmarks.hearing.scoring import Detection
from voicepipe.errors import BackendMissingError
from voicepipe.frames import (
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.speech.utterance import UtteranceCollector
from voicepipe.speech.vad import VADProcessor

__all__ = ["SUBJECTS", "OurStages", "Subject", "listen"]

BLOCKS_A_SECOND = 50
"""Audio is handed over in so many pieces."""


class Subject(Protocol):
    """Finds speech in what it is given."""

    def hear(self, audio: bytes, heard_s: float) -> list[Detection]:
        """The next block, and how much has been heard with it. What has ended with it."""
        ...

    def end(self, heard_s: float) -> list[Detection]:
        """No more comes."""
        ...


def listen(subject: Subject, audio: Ints, rate: int = RATE) -> tuple[list[Detection], float]:
    """All that it finds, and the processor time that it took, in seconds."""
    found: list[Detection] = []
    size = rate // BLOCKS_A_SECOND
    began_s = time.process_time()
    for at in range(0, len(audio), size):
        block = audio[at : at + size]
        found += subject.hear(block.tobytes(), (at + len(block)) / rate)
    found += subject.end(len(audio) / rate)
    return found, time.process_time() - began_s


class OurStages:
    """A `VADProcessor` and the `UtteranceCollector` behind it."""

    def __init__(self, vad: VADProcessor) -> None:
        self._vad = vad
        self._collector = UtteranceCollector()
        self.rate = RATE
        """Of the audio that it hears."""
        self._position = 0
        self._began_s = self._start_said_s = self._ended_s = 0.0
        self._ends: deque[tuple[float, float]] = deque()

    def hear(self, audio: bytes, heard_s: float) -> list[Detection]:
        frame = InputAudioFrame(audio, self.rate, 1, self._position)
        self._position += frame.num_samples
        return self._note(self._vad.process(frame, FrameDirection.DOWNSTREAM), heard_s)

    def end(self, heard_s: float) -> list[Detection]:
        return [*self._note(self._vad.on_end(), heard_s)]

    def _note(self, frames: Any, heard_s: float) -> list[Detection]:
        found: list[Detection] = []
        rate = self.rate
        for frame in frames:
            for out in self._collector.process(frame, FrameDirection.DOWNSTREAM):
                match out:
                    case UserStartedSpeakingFrame(position=position):
                        self._began_s, self._start_said_s = position / rate, heard_s
                    case UserStoppedSpeakingFrame(position=position):
                        self._ended_s = position / rate
                    case UtteranceFrame(position=position):
                        times = self._began_s, self._start_said_s, position / rate, self._ended_s, heard_s
                        found.append(Detection(*times))
        return found


class InARow:
    """Speech begins after so long a stretch of it, and ends after so long a stretch of none: what most
    projects do.
    """

    def __init__(self, score: Callable[[bytes], bool], window: int, start_s: float, stop_s: float) -> None:
        self._score, self._window = score, window
        self._to_start = max(1, round(start_s * RATE / window))
        self._to_stop = max(1, round(stop_s * RATE / window))
        self._rest = b""
        self._judged = self._row = 0
        self._open: tuple[float, float] | None = None

    def hear(self, audio: bytes, heard_s: float) -> list[Detection]:
        self._rest += audio
        found: list[Detection] = []
        size = 2 * self._window
        while len(self._rest) >= size:
            window, self._rest = self._rest[:size], self._rest[size:]
            self._judged += 1
            found += self._judge(self._score(window), heard_s)
        return found

    def end(self, heard_s: float) -> list[Detection]:
        return self._close(heard_s, heard_s) if self._open else []

    def _judge(self, speech: bool, heard_s: float) -> list[Detection]:
        changes = speech is (self._open is None)
        self._row = self._row + 1 if changes else 0
        edge_s = (self._judged - self._row) * self._window / RATE
        if self._open is None and self._row >= self._to_start:
            self._open, self._row = (edge_s, heard_s), 0
        elif self._open is not None and self._row >= self._to_stop:
            return self._close(edge_s, heard_s)
        return []

    def _close(self, ended_s: float, heard_s: float) -> list[Detection]:
        assert self._open is not None
        (began_s, said_s), self._open, self._row = self._open, None, 0
        return [Detection(began_s, said_s, began_s, ended_s, heard_s)]


class Pipecat:
    """The best-known framework's analyzer, with its own defaults."""

    def __init__(self) -> None:
        module = _installed("pipecat.audio.vad.silero", "pipecat-ai[silero]")
        self._analyzer: Any = module.SileroVADAnalyzer(sample_rate=RATE)
        self._analyzer.set_sample_rate(RATE)
        self._params: Any = self._analyzer.params
        window: int = self._analyzer.num_frames_required()
        self._row = InARow(self._is_speech, window, self._params.start_secs, self._params.stop_secs)

    def hear(self, audio: bytes, heard_s: float) -> list[Detection]:
        return self._row.hear(audio, heard_s)

    def end(self, heard_s: float) -> list[Detection]:
        return self._row.end(heard_s)

    def _is_speech(self, window: bytes) -> bool:
        sure = self._analyzer.voice_confidence(window) >= self._params.confidence
        volume: float = self._analyzer._get_smoothed_volume(window)
        self._analyzer._prev_volume = volume
        return bool(sure and volume >= self._params.min_volume)


def _installed(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BackendMissingError(f"{package} is not installed ({error})") from None


def _plain_webrtc() -> Subject:
    vad = importlib.import_module("webrtcvad").Vad(3)
    return InARow(lambda window: vad.is_speech(window, RATE), 320, 0.2, 0.8)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "plain webrtcvad, 0.2/0.8 s": _plain_webrtc,
    "pipecat-ai": Pipecat,
    "webrtc-plain": lambda: OurStages(VADProcessor("webrtc-plain")),
    "webrtc": lambda: OurStages(VADProcessor("webrtc")),
    "webrtc, responsive": lambda: OurStages(VADProcessor("webrtc", preset="responsive")),
    "silero": lambda: OurStages(VADProcessor("silero")),
    "silero, responsive": lambda: OurStages(VADProcessor("silero", preset="responsive")),
}
"""By the name that the table shows. Each call makes one that has heard nothing."""
