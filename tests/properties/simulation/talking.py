"""A canceller in a run: an engine that hands numbers on, and who watches what it is given and gives.

The numbers of the microphone are the words. So every sample says where it is from, and each block of the
reference says which of the speaker's samples it took for the echo.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from canceller.standing import LateEngine
from properties.simulation.cards import RATE, EagerMicrophone
from properties.simulation.talk import Talk
from voicepipe import (
    Frame,
    FrameDirection,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Processor,
)
from voicepipe.canceller.guard import guard_of
from voicepipe.canceller.stage import EchoCanceller
from voicepipe.endpoints.own_sound import OwnSound
from voicepipe.settings.sound import SoundSettings
from voicepipe.speakers import Speakers

if TYPE_CHECKING:
    from voicepipe import AudioFormat, Backend

__all__ = ["Cancelled", "CancellingMicrophone", "Witness", "cancelled_in", "cancellers"]


class NumberEngine(LateEngine):
    """Hands numbers on, late, and keeps what it was given."""

    name = "numbers"

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk.delay, rate=RATE)
        self._fails_at = talk.fails_at
        self.failures = 0
        """The times that it was asked and failed."""
        self.fails_from: int | None = None
        """The first number of the block with which it failed."""
        self.asked: list[tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]] = []
        """Each block of the microphone, and what sounded meanwhile."""

    def cancel(
        self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Return the numbers of before, as the ear and as the words."""
        if len(self.asked) + 1 == self._fails_at:
            self.failures += 1
            self.fails_from = int(mic[0, 0]) & 0xFFFF
            raise ValueError("it has no more numbers")
        self.asked.append((mic[:, 0].copy(), far.copy()))
        return super().cancel(mic, far)

    def forget(self) -> None:
        """Forget an earlier run."""
        self.asked, self.failures, self.fails_from = [], 0, None


class _OwnSound(OwnSound):
    """A microphone's protection, whose canceller has an engine for numbers."""

    def __init__(self, backend: Backend, engine: NumberEngine, *, may_fall_back: bool) -> None:
        self.engine = engine
        self._may_fall_back = may_fall_back
        super().__init__(backend, SoundSettings(), True, None)

    def begin(self, audio: AudioFormat, speakers: Speakers, label: str) -> None:
        """Open the canceller for a run."""
        self.forget()
        self._speakers, self._label = speakers, label
        if speakers.are_tapped:
            self.engine.reset()
            self.guard = guard_of(self.engine, speakers, label, may_fall_back=self._may_fall_back)


class CancellingMicrophone(EagerMicrophone):
    """A microphone that cancels, and whose engine is for numbers."""

    def listen_with(self, engine: NumberEngine, *, may_fall_back: bool) -> None:
        """Take that engine, before the first run."""
        self._own_sound = _OwnSound(self._backend, engine, may_fall_back=may_fall_back)


class Witness(InlineProcessor):
    """Keeps the audio that comes by."""

    def __init__(self, name: str, engine: NumberEngine) -> None:
        super().__init__(name=name)
        self.engine = engine
        self.frames: list[InputAudioFrame] = []

    def forget(self) -> None:
        """Forget an earlier run."""
        self.frames = []
        self.engine.forget()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Let everything by."""
        if isinstance(frame, InputAudioFrame):
            self.frames.append(frame)
        return (frame,)


def cancellers(microphone: MicrophoneInput, talk: Talk | None, name: str) -> list[Processor]:
    """Give a run its canceller; return what stands behind its microphone for it."""
    if talk is None:
        return []
    engine = NumberEngine(talk)
    witness = Witness(f"{name}.witness", engine)
    if isinstance(microphone, CancellingMicrophone):
        microphone.listen_with(engine, may_fall_back=talk.may_fall_back)
        return [witness]
    stage = EchoCanceller(engine=engine, may_fall_back=talk.may_fall_back, name=f"{name}.canceller")
    return [stage, witness]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What went into the canceller of a run, and what came out."""

    frames: list[InputAudioFrame]
    """What came out."""
    asked: list[tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]]
    """What its engine was given: blocks of the microphone, and what sounded meanwhile."""
    failures: int
    """The times that its engine was asked and failed."""
    fails_from: int | None
    """The first number of the block with which that failed."""


def cancelled_in(processors: Iterable[Processor]) -> Cancelled | None:
    """Return what the canceller among them did in the run that is over; None: there is none."""
    for each in processors:
        if isinstance(each, Witness):
            engine = each.engine
            return Cancelled(each.frames, engine.asked, engine.failures, engine.fails_from)
    return None
