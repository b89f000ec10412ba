"""The whole audio of one user turn, as one frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from voicepipe.audio import AudioFormat
from voicepipe.checks import check_number, check_seconds
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.processor import InlineProcessor
from voicepipe.vad import LOOK_BACK_S

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["UtteranceCollector"]


class UtteranceCollector(InlineProcessor):
    """Gathers what the user says; stands behind a `VADProcessor`.

    Everything passes at once and unchanged. Behind each `UserStoppedSpeakingFrame` comes an
    `UtteranceFrame` with the microphone's audio from a little before the speech to a little
    behind it, sample for sample. An utterance never reaches into the one before, nor across
    a gap: where audio is missing (a jump of `position`), where its format changes, and at
    the End, it ends with what there is.

    While nobody speaks, only the last `preroll_s` and 1.5 s more are kept (for a start
    becomes certain later), and the newest frame.

    Args:
        preroll_s: how much comes before the speech, so that its first sound is whole, 0 to 10 s.
        tail_s: how much comes behind it, so that a soft ending is whole, 0 to 10 s; of that,
            only what has been heard when the end is certain.
        max_s: longer speech comes in parts of this length, as soon as each is there, nothing
            lost and nothing twice, 1 to 60 s.

    Raises:
        TypeError, ValueError: a time is out of its bounds.
    """

    def __init__(
        self, *, preroll_s: float = 0.5, tail_s: float = 0.3, max_s: float = 30.0, name: str = ""
    ) -> None:
        super().__init__(name=name)
        self._preroll_s = check_seconds("preroll_s", preroll_s, at_most=10.0)
        self._tail_s = check_seconds("tail_s", tail_s, at_most=10.0)
        self._max_s = check_number("max_s", max_s, at_least=1.0, at_most=UtteranceFrame.longest_s)
        self._heard: _Heard | None = None
        self._begin: int | None = None

    @property
    def collecting(self) -> bool:
        """An utterance is in progress."""
        return self._begin is not None

    @property
    def held(self) -> int:
        """Samples that are kept."""
        return 0 if self._heard is None else self._heard.end - self._heard.begin

    async def on_start(self, params: StartParams) -> None:
        """Nothing of an earlier run counts."""
        self._forget()

    async def cleanup(self) -> None:
        """Let go of the audio."""
        self._forget()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """The frame, and behind it the utterance that it ended; before a jump, what ends there."""
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
        """An utterance in progress ends here."""
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
        return (*ended, frame, *self._parts())

    def _start(self, position: int) -> Iterable[Frame]:
        heard = self._heard
        if heard is None or self._begin is not None:
            return ()
        begin = position - heard.format.samples(self._preroll_s)
        self._begin = min(max(begin, heard.begin), heard.end)
        return self._parts()

    def _stop(self, position: int) -> Iterable[Frame]:
        heard = self._heard
        if heard is None or self._begin is None:
            return ()
        return self._give(position + heard.format.samples(self._tail_s))

    def _finish(self) -> list[Frame]:
        """Nothing continues what was heard."""
        heard = self._heard
        given = [] if heard is None or self._begin is None else list(self._give(heard.end))
        self._forget()
        return given

    def _parts(self) -> Iterator[Frame]:
        """What of an utterance in progress is longer than one frame should be."""
        heard = self._heard
        if heard is None or self._begin is None:
            return
        longest = int(self._max_s * heard.format.rate)
        while heard.end - self._begin > longest:
            part = heard.cut(self._begin, self._begin + longest)
            self._begin += longest
            yield part

    def _give(self, end: int) -> Iterator[Frame]:
        """The utterance, up to `end` if so much was heard; nothing where its parts went further."""
        heard, begin = self._heard, self._begin
        self._begin = None
        if heard is not None and begin is not None and begin < min(end, heard.end):
            yield heard.cut(begin, min(end, heard.end))

    def _forget(self) -> None:
        self._heard = self._begin = None


class _Heard:
    """Audio without a gap, from its sample at `begin` to the one before `end`."""

    def __init__(self, position: int, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self.begin = self.end = position
        self._captured_s: float | None = None
        """When the sample at `end` is captured."""
        self._pieces: deque[bytes] = deque()

    def goes_on_with(self, frame: InputAudioFrame) -> bool:
        """Whether the frame begins where this ends, in the same format."""
        mine = self.format
        return frame.position == self.end and frame.rate == mine.rate and frame.channels == mine.channels

    def add(self, frame: InputAudioFrame) -> None:
        """The next frame."""
        self._pieces.append(frame.data)
        self.end += frame.num_samples
        self._captured_s = None if frame.captured_s is None else frame.captured_s + frame.duration_s

    def drop_before(self, position: int) -> None:
        """Let go of pieces that end before it."""
        pieces, sample = self._pieces, self.format.sample_bytes
        while pieces and self.begin + len(pieces[0]) // sample <= position:
            self.begin += len(pieces.popleft()) // sample

    def cut(self, begin: int, end: int) -> UtteranceFrame:
        """The samples between, all of them kept until now; what comes before `end` is let go of."""
        sample = self.format.sample_bytes
        data = memoryview(b"".join(self._pieces))
        cut = (begin - self.begin) * sample, (end - self.begin) * sample
        captured_s = self._captured_s
        if captured_s is not None:
            captured_s -= (self.end - begin) / self.format.rate
        self._pieces = deque([bytes(data[cut[1] :])])
        self.begin = end
        return UtteranceFrame(
            bytes(data[cut[0] : cut[1]]), self.format.rate, self.format.channels, begin, captured_s
        )
