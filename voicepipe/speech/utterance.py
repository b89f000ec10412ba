"""The whole audio of one user turn, as one frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from voicepipe.audio.format import AudioFormat
from voicepipe.awaitables import check_methods, refuse_coroutine
from voicepipe.checks import check_number, check_seconds
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.speech.segmenter import quietest
from voicepipe.speech.vad import LOOK_BACK_S
from voicepipe.text import class_name, quote

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["EndOfTurn", "UtteranceCollector"]

_STEP_S = 0.02
"""The step of the search for the quietest place."""


class EndOfTurn(Protocol):
    """A judge of pauses: by the words or the tone it may know that a turn is not finished yet.

    It is called in the loop's thread, once for every pause, and must be done within milliseconds.
    """

    def is_finished(self, utterance: UtteranceFrame) -> bool:
        """Return True where the turn is over, given its audio so far with all pauses."""
        ...


class UtteranceCollector(InlineProcessor):
    """Gathers what the user says; stands behind a `VADProcessor`.

    Everything passes at once and unchanged. Behind each `UserStoppedSpeakingFrame` comes an
    `UtteranceFrame` with the microphone's audio from a little before the speech to a little
    behind it, sample for sample. An utterance never reaches into the one before, nor across
    a gap: where audio is missing (a jump of `position`), where its format changes, and at
    the End, it ends with what there is.

    If `end_of_turn` reports an unfinished turn, the utterance stays open for `patience_s`. Speech
    that begins until then belongs to it. (The facts are passed all the same: they tell of
    speech, the utterance of a turn.)

    While nobody speaks, only the last `preroll_s` and 3.6 s more are kept (for a start
    becomes certain later), and the newest frame.

    Args:
        preroll_s: audio before the speech, so that its first sound is whole, 0 to 10 s.
        tail_s: audio behind it, so that a soft ending is whole, 0 to 10 s; of that,
            only what has been heard when the end is certain.
        max_s: longer speech comes in parts, as soon as each is there, nothing lost and nothing
            twice: none is longer than this, 1 to 60 s, and it is cut at the quietest place of
            the last third.
        end_of_turn: a judge that may report an unfinished turn. None: every pause ends a turn.
        patience_s: the longest wait after the begin of a pause, 0 to 60 s.

    Raises:
        TypeError, ValueError: a time is out of its bounds, or `end_of_turn` is none.
    """

    def __init__(
        self,
        *,
        preroll_s: float = 0.7,
        tail_s: float = 0.3,
        max_s: float = 30.0,
        end_of_turn: EndOfTurn | None = None,
        patience_s: float = 3.0,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._preroll_s = check_seconds("preroll_s", preroll_s, at_most=10.0)
        self._tail_s = check_seconds("tail_s", tail_s, at_most=10.0)
        self._max_s = check_number("max_s", max_s, at_least=1.0, at_most=UtteranceFrame.longest_s)
        if end_of_turn is not None and not callable(getattr(end_of_turn, "is_finished", None)):
            raise TypeError(f"end_of_turn must have is_finished(), not {quote(end_of_turn)}")
        check_methods(end_of_turn, EndOfTurn, class_name(end_of_turn))
        self._end_of_turn = end_of_turn
        self._patience_s = check_seconds("patience_s", patience_s, at_most=60.0)
        self._heard: _Heard | None = None
        self._begin: int | None = None
        self._paused: int | None = None
        """The position of the pause in which it waits for more."""

    @property
    def collecting(self) -> bool:
        """True while an utterance is in progress."""
        return self._begin is not None

    @property
    def held(self) -> int:
        """The number of samples that are kept."""
        return 0 if self._heard is None else self._heard.end - self._heard.begin

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run."""
        self._forget()

    async def cleanup(self) -> None:
        """Let go of the audio."""
        self._forget()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the frame with the utterance that it ended behind it, or before it at a jump."""
        if direction is not FrameDirection.DOWNSTREAM:
            return (frame,)
        match frame:
            case InputAudioFrame():
                return self._listen(frame) if frame.num_samples else (frame,)
            case UserStartedSpeakingFrame():
                return (frame, *self._start(frame.position))
            case UserStoppedSpeakingFrame():
                return (frame, *self._stop(frame.position))
            case _:
                return (frame,)

    def on_end(self) -> Iterable[Frame]:
        """Return the utterance in progress, which ends here."""
        return self._finish()

    def _listen(self, frame: InputAudioFrame) -> Iterable[Frame]:
        heard = self._heard
        ended: list[Frame] = []
        if heard is None or not heard.goes_on_with(frame):
            ended = self._finish()
            heard = self._heard = _Heard(frame.position, frame.format)
        if self._begin is None:
            heard.drop_before(frame.position - heard.format.samples(self._preroll_s + LOOK_BACK_S))
        heard.add(frame)
        return (*ended, frame, *self._parts(), *self._run_out())

    def _start(self, position: int) -> Iterable[Frame]:
        heard = self._heard
        self._paused = None
        if heard is None or self._begin is not None:
            return ()
        begin = position - heard.format.samples(self._preroll_s)
        self._begin = min(max(begin, heard.begin), heard.end)
        return self._parts()

    def _stop(self, position: int) -> Iterable[Frame]:
        heard, begin = self._heard, self._begin
        if heard is None or begin is None or self._paused is not None:
            return ()
        end = position + heard.format.samples(self._tail_s)
        if self._end_of_turn is not None and begin < min(end, heard.end):
            so_far = heard.copy(
                begin, min(end, heard.end, begin + heard.format.samples(UtteranceFrame.longest_s))
            )
            if not refuse_coroutine("is_finished() of end_of_turn", self._end_of_turn.is_finished(so_far)):
                self._paused = position
                return self._run_out()
        return self._give(end)

    def _run_out(self) -> Iterator[Frame]:
        """Yield the unfinished utterance when the time for it is over."""
        heard, paused = self._heard, self._paused
        if heard is None or paused is None:
            return
        limit = paused + heard.format.samples(self._patience_s)
        if heard.end >= limit:
            yield from self._give(min(paused + heard.format.samples(self._tail_s), limit))

    def _finish(self) -> list[Frame]:
        """Yield the utterance in progress: nothing continues it."""
        heard, paused = self._heard, self._paused
        if heard is None or self._begin is None:
            given: list[Frame] = []
        elif paused is None:
            given = list(self._give(heard.end))
        else:
            given = list(self._give(paused + heard.format.samples(self._tail_s)))
        self._forget()
        return given

    def _parts(self) -> Iterator[Frame]:
        """Yield the parts of an utterance in progress that is longer than one frame should be."""
        heard = self._heard
        if heard is None or self._begin is None:
            return
        longest = int(self._max_s * heard.format.rate)
        while heard.end - self._begin > longest:
            end = heard.quietest(self._begin + longest - longest // 3, self._begin + longest)
            part = heard.cut(self._begin, end)
            self._begin = end
            yield part

    def _give(self, end: int) -> Iterator[Frame]:
        """Yield the utterance, up to `end` if so much was heard; nothing where its parts went further."""
        heard, begin = self._heard, self._begin
        self._begin = self._paused = None
        if heard is not None and begin is not None and begin < min(end, heard.end):
            yield heard.cut(begin, min(end, heard.end))

    def _forget(self) -> None:
        self._heard = self._begin = self._paused = None


class _Heard:
    """Audio without a gap, from its sample at `begin` to the one before `end`."""

    def __init__(self, position: int, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self.begin = self.end = position
        self._captured_s: float | None = None
        """When the sample at `end` is captured."""
        self._pieces: deque[bytes] = deque()

    def goes_on_with(self, frame: InputAudioFrame) -> bool:
        """Return True where the frame begins where this ends, in the same format."""
        mine = self.format
        return frame.position == self.end and frame.rate == mine.rate and frame.channels == mine.channels

    def add(self, frame: InputAudioFrame) -> None:
        """Add the next frame."""
        self._pieces.append(frame.data)
        self.end += frame.num_samples
        self._captured_s = None if frame.captured_s is None else frame.captured_s + frame.duration_s

    def drop_before(self, position: int) -> None:
        """Drop the pieces that end before a position."""
        pieces, sample = self._pieces, self.format.sample_bytes
        while pieces and self.begin + len(pieces[0]) // sample <= position:
            self.begin += len(pieces.popleft()) // sample

    def quietest(self, begin: int, end: int) -> int:
        """Return the middle of the quietest 60 ms between two positions."""
        step = max(1, self.format.samples(_STEP_S))
        audio = np.frombuffer(self.copy(begin, end).data, np.int16).astype(np.float64)
        blocks = len(audio) // (step * self.format.channels)
        squares = audio[: blocks * step * self.format.channels].reshape(blocks, -1) ** 2
        return begin + quietest(squares.sum(1).tolist()) * step + step // 2

    def copy(self, begin: int, end: int) -> UtteranceFrame:
        """Return the samples between two positions, all of them kept until now."""
        return self._frame(memoryview(b"".join(self._pieces)), begin, end)

    def cut(self, begin: int, end: int) -> UtteranceFrame:
        """Return the samples between two positions, and drop all before `end`."""
        data = memoryview(b"".join(self._pieces))
        frame = self._frame(data, begin, end)
        self._pieces = deque([bytes(data[(end - self.begin) * self.format.sample_bytes :])])
        self.begin = end
        return frame

    def _frame(self, data: memoryview, begin: int, end: int) -> UtteranceFrame:
        sample = self.format.sample_bytes
        captured_s = self._captured_s
        if captured_s is not None:
            captured_s -= (self.end - begin) / self.format.rate
        return UtteranceFrame(
            bytes(data[(begin - self.begin) * sample : (end - self.begin) * sample]),
            self.format.rate,
            self.format.channels,
            begin,
            captured_s,
        )
