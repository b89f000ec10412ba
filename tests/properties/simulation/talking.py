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
    from voicepipe import AudioFormat, Backend, StartParams

__all__ = ["Cancelled", "CancellingMicrophone", "cancelled_in", "cancellers"]


class NumberEngine(LateEngine):
    """Hands numbers on, late, and keeps what it was given."""

    name = "numbers"

    def __init__(self, delay: int) -> None:
        super().__init__(delay, rate=RATE)
        self.asked: list[tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]] = []
        """Each block of the microphone, and what sounded meanwhile."""

    def cancel(
        self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Return the numbers of before, as the ear and as the words."""
        self.asked.append((mic[:, 0].copy(), far.copy()))
        return super().cancel(mic, far)


class _OwnSound(OwnSound):
    """A microphone's protection, whose canceller has an engine for numbers."""

    def __init__(self, backend: Backend, engine: NumberEngine) -> None:
        self.engine = engine
        super().__init__(backend, SoundSettings(), True, None)

    def begin(self, audio: AudioFormat, speakers: Speakers, label: str) -> None:
        """Open the canceller for a run."""
        self.forget()
        self._speakers, self._label = speakers, label
        if speakers.are_tapped:
            self.engine.reset()
            self.guard = guard_of(self.engine, speakers, label, may_fall_back=False)


class CancellingMicrophone(EagerMicrophone):
    """A microphone that cancels, and whose engine is for numbers."""

    def listen_with(self, engine: NumberEngine) -> None:
        """Take that engine, before the first run."""
        self._own_sound = _OwnSound(self._backend, engine)


class Witness(InlineProcessor):
    """Keeps the audio that comes by."""

    def __init__(self, name: str, engine: NumberEngine) -> None:
        super().__init__(name=name)
        self.engine = engine
        self.frames: list[InputAudioFrame] = []

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run."""
        self.frames, self.engine.asked = [], []

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Let everything by."""
        if isinstance(frame, InputAudioFrame):
            self.frames.append(frame)
        return (frame,)


def cancellers(microphone: MicrophoneInput, talk: Talk | None, name: str) -> list[Processor]:
    """Give a run its canceller; return what stands behind its microphone for it."""
    if talk is None:
        return []
    engine = NumberEngine(talk.delay)
    witness = Witness(f"{name}.witness", engine)
    if isinstance(microphone, CancellingMicrophone):
        microphone.listen_with(engine)
        return [witness]
    return [EchoCanceller(engine=engine, may_fall_back=False, name=f"{name}.canceller"), witness]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What went into the canceller of a run, and what came out."""

    frames: list[InputAudioFrame]
    """What came out."""
    asked: list[tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]]
    """What its engine was given: blocks of the microphone, and what sounded meanwhile."""


def cancelled_in(processors: Iterable[Processor]) -> Cancelled | None:
    """Return what the canceller among them did in the run that is over; None: there is none."""
    for each in processors:
        if isinstance(each, Witness):
            return Cancelled(each.frames, each.engine.asked)
    return None
