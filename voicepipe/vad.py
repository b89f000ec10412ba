"""Voice activity detection: audio in, the same audio and facts out.

    microphone -> VADProcessor -> UtteranceCollector -> ...

A fact comes later than what it tells of, for it takes some speech to be certain of speech
and some silence to be certain of silence. So it points back by position.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from voicepipe.audio import SAMPLE_BYTES, AudioFormat
from voicepipe.checks import check_count, check_seconds
from voicepipe.convert import Converter
from voicepipe.errors import shown
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.processor import InlineProcessor
from voicepipe.webrtc import WebRTCEngine

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["LOOK_BACK_S", "SpeechEngine", "VADProcessor"]

LONGEST_START_S = 1.0
LONGEST_WINDOW_S = 0.1
LOOK_BACK_S = 1.5
"""How far before the frame that made it certain a start may lie, at most, in seconds: the longest
`start_s`, two of the longest windows, and what a change of rate holds back."""

SPEECH = 0.5
"""A window with this score or more votes for speech."""
TO_START = 2 / 3
"""The share of the windows in `start_s` that begins a turn. Not all: a word has soft places."""
TO_HOLD = 1 / 2
HOLD_S = 0.2
"""The share of the windows in this time, or in `start_s` if that is shorter, that keeps a turn going.
Not one alone: knocks and hisses get a vote now and then, and would join one turn to the next."""


class SpeechEngine(Protocol):
    """What judges whether a short window of audio is speech. `WebRTCEngine` is one.

    It is called in the loop's thread, and must be done in a small part of a window's time.
    """

    @property
    def rate(self) -> int:
        """Samples a second that it wants."""
        ...

    @property
    def window(self) -> int:
        """Samples that it judges at a time, at most 0.1 s."""
        ...

    def score(self, window: bytes) -> float:
        """How surely this is speech, 0 to 1: the next window of mono int16."""
        ...

    def reset(self) -> None:
        """Forget everything heard: what comes next does not continue it."""
        ...


class VADProcessor(InlineProcessor):
    """Finds where the user speaks in the microphone's audio, of any rate and channels.

    Audio passes at once and unchanged. Behind the frame that made it certain comes a
    `UserStartedSpeakingFrame` with the position where speech began, and later a
    `UserStoppedSpeakingFrame` with the position where it ended. The positions do not depend
    on how the audio is cut into frames. Where audio is missing (a jump of `position`), where
    its format changes, and at the End, a turn ends with the last sample heard.

    Args:
        engine: what judges; it belongs to this stage alone. None: a `WebRTCEngine()`.
        start_s: a turn begins when two thirds of this time were speech, 0 to 1 s. The shorter,
            the sooner it is noticed, and the more noises are taken for speech.
        stop_s: a turn ends after so long a silence, 0 to 60 s. The shorter, the sooner an
            answer may begin, and the more often a pause for thought counts as the end.

    Raises:
        TypeError, ValueError: a time is out of its bounds, or `engine` is none.
        BackendMissingError: the default engine's package is not installed.
    """

    def __init__(
        self,
        engine: SpeechEngine | None = None,
        *,
        start_s: float = 0.2,
        stop_s: float = 0.8,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        check_seconds("start_s", start_s, at_most=LONGEST_START_S)
        check_seconds("stop_s", stop_s, at_most=60.0)
        self._engine = engine = WebRTCEngine() if engine is None else _checked(engine)
        windows_a_second = engine.rate / engine.window
        self._start = max(1, round(start_s * windows_a_second))
        self._hold = max(1, round(min(start_s, HOLD_S) * windows_a_second))
        self._stop = max(1, round(stop_s * windows_a_second))
        self._stretch: _Stretch | None = None

    @property
    def speaking(self) -> bool:
        """The user is speaking, as far as is certain."""
        return self._stretch is not None and self._stretch.turns.speaking

    async def on_start(self, params: StartParams) -> None:
        """Nothing of an earlier run counts."""
        self._stretch = None

    async def cleanup(self) -> None:
        """Nobody speaks any more."""
        self._stretch = None

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """The frame, and what became certain with it; before a jump, what ends there."""
        if direction is not FrameDirection.DOWNSTREAM or not isinstance(frame, InputAudioFrame):
            return (frame,)
        if not frame.num_samples:
            return (frame,)
        ended: list[Frame] = []
        stretch = self._stretch
        if stretch is None or not stretch.goes_on_with(frame):
            ended = self._finish()
            turns = _Turns(self._start, self._hold, self._stop)
            stretch = self._stretch = _Stretch(frame.position, frame.format, self._engine, turns)
        return (*ended, frame, *stretch.take(frame))

    def on_end(self) -> Iterable[Frame]:
        """A turn in progress ends here."""
        return self._finish()

    def _finish(self) -> list[Frame]:
        stretch, self._stretch = self._stretch, None
        return [] if stretch is None else stretch.finish()


class _Turns:
    """Votes in, the edges of turns out, counted in windows. Knows no clock and no audio.

    Args:
        start: windows that vote on a start.
        hold: windows that vote on whether a turn goes on; no more than `start`.
        stop: windows after its last speech that end a turn.
    """

    def __init__(self, start: int, hold: int, stop: int) -> None:
        self._to_start = math.ceil(start * TO_START)
        self._to_hold = math.ceil(hold * TO_HOLD)
        self._stop = stop
        self._start_mask, self._hold_mask = (1 << start) - 1, (1 << hold) - 1
        self._votes = 0
        self._spoken = 0
        self.windows = 0
        """Windows judged."""
        self.speaking = False

    def judge(self, speech: bool) -> int | None:
        """One more window. Where a turn began or ended, if that is certain now; `speaking` says which."""
        self.windows += 1
        votes = self._votes = (self._votes << 1 | speech) & self._start_mask
        if not self.speaking:
            return self._begin(votes) if speech and votes.bit_count() >= self._to_start else None
        if speech:
            if (votes & self._hold_mask).bit_count() >= self._to_hold:
                self._spoken = self.windows
        elif self.windows - self._spoken >= self._stop:
            self.speaking = False
            self._votes = 0
            return self._spoken
        return None

    def _begin(self, votes: int) -> int:
        self.speaking = True
        self._spoken = self.windows
        return self.windows - votes.bit_length()


class _Stretch:
    """Audio without a gap, and what was found in it."""

    def __init__(self, position: int, heard: AudioFormat, engine: SpeechEngine, turns: _Turns) -> None:
        self.turns = turns
        self._engine = engine
        self._heard, self._wanted = heard, AudioFormat(engine.rate)
        self._converter = Converter(heard, self._wanted)
        # A change of rate costs more by the call than by the sample: tiny frames gather to 10 ms first.
        gathered = max(1, heard.rate // 100) if heard.rate != engine.rate else 1
        self._gathered_bytes = heard.sample_bytes * gathered
        self._window_bytes = SAMPLE_BYTES * engine.window
        self._raw = self._mono = b""
        self._begin = self._end = position
        self._captured_s: float | None = None
        """When the sample at `_end` is captured."""
        self._intact = True
        """The engine has judged all that it was given; an exception may have escaped it."""
        engine.reset()

    def goes_on_with(self, frame: InputAudioFrame) -> bool:
        """Whether the frame begins where this ends, in the same format."""
        heard = self._heard
        return (
            frame.position == self._end
            and frame.rate == heard.rate
            and frame.channels == heard.channels
            and self._intact
        )

    def take(self, frame: InputAudioFrame) -> list[Frame]:
        """The next frame. What became certain with it."""
        self._end += frame.num_samples
        self._captured_s = None if frame.captured_s is None else frame.captured_s + frame.duration_s
        raw = self._raw + frame.data if self._raw else frame.data
        whole = len(raw) - len(raw) % self._gathered_bytes
        self._raw = raw[whole:]
        return self._judge(self._converter.convert(raw[:whole])) if whole else []

    def finish(self) -> list[Frame]:
        """Nothing follows: what is certain now, and the end of a turn in progress."""
        facts: list[Frame] = []
        if self._intact:
            facts += self._judge(self._converter.convert(self._raw) + self._converter.flush())
        if self.turns.speaking:
            self.turns.speaking = False
            facts.append(self._fact(self._end))
        return facts

    def _judge(self, mono: bytes) -> list[Frame]:
        """Every whole window; the rest waits."""
        if self._mono:
            mono = self._mono + mono
        facts: list[Frame] = []
        size, judge, score = self._window_bytes, self.turns.judge, self._engine.score
        whole = len(mono) - len(mono) % size
        self._intact = False
        for at in range(0, whole, size):
            edge = judge(bool(score(mono[at : at + size]) >= SPEECH))  # numpy's bool has 64 bits at most
            if edge is not None:
                facts.append(self._fact(min(self._end, self._begin + self._heard_samples(edge))))
        self._intact = True
        self._mono = mono[whole:]
        return facts

    def _heard_samples(self, windows: int) -> int:
        """How many samples of what was heard so many windows are, rounded."""
        wanted = self._wanted.rate
        return (2 * windows * self._engine.window * self._heard.rate + wanted) // (2 * wanted)

    def _fact(self, position: int) -> Frame:
        kind = UserStartedSpeakingFrame if self.turns.speaking else UserStoppedSpeakingFrame
        captured_s = self._captured_s
        if captured_s is not None:
            captured_s -= (self._end - position) / self._heard.rate
        return kind(position, captured_s)


def _checked(engine: SpeechEngine) -> SpeechEngine:
    """Raises TypeError and ValueError where it cannot be one."""
    for method in ("score", "reset"):
        if not callable(getattr(engine, method, None)):
            raise TypeError(f"engine must be a SpeechEngine, with {method}(), not {shown(engine)}")
    rate = check_count("engine.rate", getattr(engine, "rate", None), at_least=1_000, at_most=384_000)
    longest = int(rate * LONGEST_WINDOW_S)
    check_count("engine.window", getattr(engine, "window", None), at_least=1, at_most=longest)
    return engine
