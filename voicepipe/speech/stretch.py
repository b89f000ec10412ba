"""A stretch of audio without a gap: judged window by window, and what was found in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.convert import Converter, Quality
from voicepipe.audio.format import SAMPLE_BYTES, AudioFormat
from voicepipe.audio.rates.filter_plan import suits_short_filter
from voicepipe.awaitables import refuse_coroutine
from voicepipe.frames import Frame, InputAudioFrame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from voicepipe.speech.detectors.protocol import SpeechEngine, sample_scorer, wants_level
from voicepipe.speech.leveller import MOST_DB, Leveller
from voicepipe.speech.positions import are_of_one_origin
from voicepipe.speech.segmenter import Edge, Segmenter
from voicepipe.text import name_of

__all__ = ["Judgement", "Observe", "Stretch"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result for one window, for a meter or a picture."""

    position: int
    """Position of the sample behind the window, in the microphone's stream."""
    score: float
    """The score of the engine."""
    level_db: float
    """The root mean square of the window without its constant part, in dB below full scale."""
    noise_db: float
    """The noise floor."""
    speaking: bool
    """True while the user is speaking, as far as is certain now."""


Observe: TypeAlias = Callable[[Judgement], object]


class Stretch:
    """Audio without a gap, and what was found in it."""

    def __init__(
        self,
        position: int,
        first: InputAudioFrame,
        mixer: ChannelMixer | None,
        engine: SpeechEngine,
        segmenter: Segmenter,
        observe: Observe | None,
    ) -> None:
        self.segmenter = segmenter
        self._engine = engine
        self._observe = observe
        self._heard, self._wanted = first.format, AudioFormat(engine.rate)
        heard = AudioFormat(first.rate)
        self._mixer = mixer
        self._origin = first.origin
        # soxr's quick recipe dulls what is above 6 kHz, and engines hear other edges then.
        quality: Quality = "live" if suits_short_filter(heard.rate, engine.rate) else "HQ"
        self._converter = Converter(heard, self._wanted, quality=quality)
        # A change of rate costs as much by the call as by the sample: tiny frames gather to 10 ms first.
        gathered = max(1, heard.rate // 100) if heard.rate != engine.rate else 1
        self._converts = self._converter.is_needed
        self._gathered_bytes = heard.sample_bytes * gathered
        self._window_bytes = SAMPLE_BYTES * engine.window
        # So many samples of silence first: each window ends with a frame as it does where no rate changes.
        self._ahead = self._converter.lag
        self._raw, self._mono = b"", bytes(SAMPLE_BYTES * self._ahead)
        self._begin = self._end = position
        self._last = first
        self._intact = True
        """The engine has judged all that it was given; an exception may have escaped it."""
        # It is new with each stretch, as the engine is: the noise floor that it goes by is.
        leveller = Leveller(engine.window, engine.rate, most_db=MOST_DB if wants_level(engine) else 0.0)
        scorer = sample_scorer(engine)
        self._score: Callable[[Any], float] = scorer or engine.score
        self._level: Callable[[bytes, float], tuple[float, object]] = (
            leveller.take_samples if scorer else leveller.take
        )
        forget: Callable[[], object] = engine.reset
        refuse_coroutine("reset() of the engine", forget())

    def goes_on_with(self, frame: InputAudioFrame, position: int) -> bool:
        """Return True where the frame begins where this ends, in the same format, from the same origin."""
        if position != self._end or not self._intact:
            return False
        if frame.origin != self._origin and not are_of_one_origin(frame.origin, self._origin):
            return False
        return frame.format is self._heard or frame.format == self._heard

    def take(self, frame: InputAudioFrame) -> list[Frame]:
        """Take the next frame; return the facts that it made certain."""
        self._end += frame.num_samples
        self._last = frame
        heard = frame.data if self._mixer is None else self._mix(frame)
        if frame.ear is not None:
            heard = frame.ear
        mono = self._mono + (self._convert(heard) if self._converts else heard)
        if len(mono) < self._window_bytes:
            self._mono = mono
            return []
        self._mono = b""
        return self._judge(mono)

    def _mix(self, frame: InputAudioFrame) -> bytes:
        # Also where an ear takes its place: what it knows of the channels then stays fresh.
        assert self._mixer is not None
        return self._mixer.mix(frame.array).tobytes()

    def _convert(self, data: bytes) -> bytes:
        raw = self._raw + data if self._raw else data
        if len(raw) < self._gathered_bytes:
            self._raw = raw
            return b""
        self._raw = b""
        return self._converter.convert(raw)

    def finish(self) -> list[Frame]:
        """Return the last facts, and the end of a turn in progress: nothing follows."""
        facts: list[Frame] = []
        if self._intact:
            facts += self._judge(self._converter.convert(self._raw) + self._converter.flush())
        return facts + self._end_turn()

    def _end_turn(self) -> list[Frame]:
        return [self._fact(edge, self._end, self._end) for edge in self.segmenter.finish()]

    def _judge(self, mono: bytes) -> list[Frame]:
        """Judge every whole window; the rest waits."""
        if self._mono:
            mono = self._mono + mono
        facts: list[Frame] = []
        size, segmenter, score, level = self._window_bytes, self.segmenter, self._score, self._level
        self._intact = False
        at, end = 0, size
        while end <= len(mono):
            level_db, window = level(mono[at:end], segmenter.noise.level_db)
            at, end = end, end + size
            said = score(window)
            if type(said) is not float:
                said = float(refuse_coroutine("score() of the engine", said))
            edges = segmenter.add(said, level_db)
            if edges:
                decided = self._position(segmenter.windows)
                facts += [self._fact(edge, self._position(edge.at), decided) for edge in edges]
            if self._observe is not None:
                self._tell(said, level_db)
        self._intact, self._mono = True, mono[at:]
        return facts

    def _tell(self, said: float, level_db: float) -> None:
        assert self._observe is not None
        segmenter = self.segmenter
        position = self._position(segmenter.windows)
        told = Judgement(position, said, level_db, segmenter.noise.level_db, segmenter.speaking)
        if (result := self._observe(told)) is not None:
            refuse_coroutine(f"observe ({name_of(self._observe)})", result)

    def _position(self, windows: int) -> int:
        return min(self._end, self._begin + self._heard_samples(windows))

    def _heard_samples(self, windows: int) -> int:
        """Return the microphone's samples in so many windows, rounded."""
        wanted = self._wanted.rate
        judged = max(0, windows * self._engine.window - self._ahead)
        return (2 * judged * self._heard.rate + wanted) // (2 * wanted)

    def _fact(self, edge: Edge, position: int, decided: int) -> Frame:
        kind = UserStartedSpeakingFrame if edge.begins else UserStoppedSpeakingFrame
        last = self._last
        captured_s = last.captured_s
        if captured_s is not None:
            captured_s = captured_s + last.duration_s - (self._end - position) / self._heard.rate
        return kind(position, captured_s, decided, self._origin)
