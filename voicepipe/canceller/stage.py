"""The echo canceller as a stage of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.guard import EchoGuard, guard_of
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.errors import EngineError
from voicepipe.frames import Frame, FrameDirection, InputAudioFrame, UserStartedSpeakingFrame
from voicepipe.log import logger_of
from voicepipe.params import StartParams
from voicepipe.pipeline.place import Place, makes, microphones_before
from voicepipe.pipeline.processor import InlineProcessor, label_of
from voicepipe.report import DropReason, EchoState, SeamReport
from voicepipe.speakers import Speakers
from voicepipe.text import printable, quote

__all__ = ["EchoCanceller"]

_log = logger_of("voicepipe")


class EchoCanceller(InlineProcessor):
    """Takes the echo of the run's speakers out of the microphone's audio, so that the user can talk over it.

    A `MicrophoneInput` on sound hardware does so by itself. With this stage you choose the engine, or the
    place; the microphone before it then neither cancels nor mutes. Frames come out some milliseconds later,
    at their own positions. `ear` is for judges, and `data`, the words, for listeners: see `InputAudioFrame`.

    While nothing sounds, `data` is that of the microphone, bit by bit. Where too little of the echo is
    taken away, it is half-duplex, with one warning: what is no louder than the echo is dropped, and counted
    as `muted`.

    Args:
        ear: the name of the canceller for judges.
        words: the name of the canceller for listeners.
        engine: an engine that gives both, and that belongs to this stage alone, in place of the names.
        may_fall_back: False: never half-duplex.

    Raises:
        TypeError: an argument has the wrong type.
    """

    takes: ClassVar[tuple[type[Frame], ...]] = (InputAudioFrame,)
    cancels_echo: ClassVar[bool] = True
    """The run's speakers must have taps."""

    def __init__(
        self,
        *,
        ear: str = "aec3",
        words: str = "kalman",
        engine: EchoEngine | None = None,
        may_fall_back: bool = True,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        for what, value in (("ear", ear), ("words", words)):
            if not isinstance(value, str):
                raise TypeError(f"{what} must be the name of a canceller, not {quote(value)}")
        self._ear, self._words, self._engine = ear, words, engine
        self._may_fall_back = may_fall_back
        self._microphone = ""
        """The label of the microphone before it."""
        self._reset(Speakers())

    def _reset(self, speakers: Speakers) -> None:
        self._speakers = speakers
        self._guard: EchoGuard | None = None
        self._format: AudioFormat | None = None
        """The format of the audio that came last."""
        self._state: EchoState | None = None
        self._has_warned = False
        self._taken = self._given = 0
        self._dropped: Counter[str] = Counter()
        self._rest_reason = DropReason.SHUTDOWN

    @property
    def echo(self) -> EchoState | None:
        """The echo at the microphone; None: no run has begun yet."""
        return self._state if self._guard is None else self._guard.state

    def check_place(self, place: Place) -> list[str]:
        """Look for the microphone before it, and warn of a judge in between, which hears the echo.

        Raises:
            ValueError: there are two microphones; says what to do.
        """
        sources = microphones_before(place)
        if len(sources) > 1:
            raise ValueError(
                f"two microphones come to one EchoCanceller, {sources[1]} and {sources[0]}: "
                "put one behind each microphone"
            )
        self._microphone = sources[0] if sources else ""
        early = [each.label for each in place.before if makes(each.stage, UserStartedSpeakingFrame)]
        return [
            f"{label} stands before {place.label}, so it takes the program's own voice for the user's: put "
            f"{place.label} between the microphone and {label}"
            for label in early
        ]

    async def on_start(self, params: StartParams) -> None:
        """Open the engine. Raises: EngineError, ValueError."""
        self._reset(params.speakers)
        self._open(params.input)
        params.speakers.note_echo(self._microphone, lambda: self.echo)

    def _open(self, audio: AudioFormat) -> None:
        engine, self._format = self._engine, audio
        if engine is None:
            from voicepipe.canceller.engines.registry import open_echo_engine  # here, for it needs numpy

            engine = open_echo_engine(audio.rate, audio.channels, ear=self._ear, words=self._words)
        elif (engine.rate, engine.channels) != (audio.rate, audio.channels):
            raise EngineError(
                f"the echo engine {printable(engine.name)} takes {engine.rate} Hz and {engine.channels} "
                f"channels, not {audio}: give PipelineTask its format as input="
            )
        else:
            engine.reset()
        label = self._microphone or label_of(self)
        self._guard = guard_of(engine, self._speakers, label, may_fall_back=self._may_fall_back)

    async def on_cancel(self) -> None:
        """Note that what is inside will go nowhere."""
        self._rest_reason = DropReason.CANCELLED

    async def cleanup(self) -> None:
        """Count the audio that is left as dropped; the figures stay for the report."""
        self._dropped[self._rest_reason] += self._held
        self._state, self._guard = self.echo, None

    @property
    def _held(self) -> int:
        """The samples inside."""
        return 0 if self._guard is None else self._guard.held

    def seams(self) -> list[SeamReport]:
        """Return the ledger of the audio that it cancels. Silence in place of audio came in, too."""
        dropped = {reason: count for reason, count in self._dropped.items() if count}
        return [SeamReport(f"{self.name} audio", self._taken, self._given, self._held, dropped)]

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return what is done of the microphone's audio; pass other frames on."""
        if direction is not FrameDirection.DOWNSTREAM or not isinstance(frame, InputAudioFrame):
            return (frame,)
        if self._guard is None or frame.format != self._format:
            return self._pass_other(frame)
        self._taken += frame.num_samples
        return self._count(self._guard, self._guard.put(frame))

    def _pass_other(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        """Pass on audio of another format, behind what is inside."""
        before = [] if self._guard is None else self._count(self._guard, self._guard.end())
        if frame.num_samples and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "%s passes audio of %s as it is: it was made for %s",
                label_of(self),
                frame.format,
                self._format,
            )
        return [*before, frame]

    def on_end(self) -> Iterable[Frame]:
        """Return what is inside."""
        return [] if self._guard is None else self._count(self._guard, self._guard.end())

    def _count(self, guard: EchoGuard, frames: list[InputAudioFrame]) -> list[InputAudioFrame]:
        muted = guard.take_muted()
        self._dropped[DropReason.MUTED] += sum(muted)
        self._taken += muted.silenced
        self._given += sum(frame.num_samples for frame in frames)
        return frames
