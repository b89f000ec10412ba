"""A run in which a microphone's sound goes straight to a speaker, and how late it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from support.sound import Samples, assert_accounted, noise, samples, virtual_loop
from support.stages import Loopback
from voicepipe import (
    AudioFormat,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    SpeakerOutput,
)
from voicepipe_devices.fake import FakeBackend, SimulatedCard

__all__ = ["Live", "delay_of"]


def delay_of(said: Samples, played: Samples, at_s: float, rate: int = 16_000) -> float:
    """How many seconds before it was heard, at that time, sound was said; NaN where it is not found."""
    at, width = round(at_s * rate), rate // 20
    piece = played[at : at + width].astype(np.float64)
    first = max(0, at - 4 * rate)
    part = said[first : at + 4 * rate].astype(np.float64)
    size = 1 << (len(part) + width).bit_length()
    alike = np.fft.irfft(np.fft.rfft(part, size) * np.fft.rfft(piece, size).conj(), size)[: len(part)]
    place = int(np.argmax(alike))
    found = alike[place] > 0.5 * float((piece**2).sum()) > 0
    return (at - first - place) / rate if found else float("nan")


@dataclass
class Live:
    """One run. Times are in virtual seconds."""

    standstills: Sequence[tuple[float, float]] = ()
    """When the loop stands still, and for how long."""
    seconds: float = 8.0
    mic_block_s: float = 0.02
    block_s: float = 0.02
    between: Sequence[Processor] = ()
    mic_ppm: float = 0.0
    said: Samples = field(default_factory=lambda: noise(0.0))
    output: AudioFormat | None = None
    at: Sequence[tuple[float, Callable[[Live], object]]] = ()
    """What else happens."""
    card: SimulatedCard = field(default_factory=SimulatedCard)
    backend: Callable[[SimulatedCard], FakeBackend] = SimulatedCard.backend
    speaking: dict[str, Any] = field(default_factory=dict)
    """Arguments of the speaker."""

    def __post_init__(self) -> None:
        if not len(self.said):
            self.said = noise(self.seconds + 0.1)
        self.card.mic.drift_ppm = self.mic_ppm
        self.card.mic.hear(self.said)
        backend = self.backend(self.card)
        self.speaker = SpeakerOutput(backend, block_s=self.block_s, **self.speaking)
        self.microphone = MicrophoneInput(backend, block_s=self.mic_block_s, mute=False)
        stages = [self.microphone, *self.between, Loopback(), self.speaker]
        self.task = PipelineTask(Pipeline(stages), output=self.output)
        self.report: RunReport

    async def run(self) -> Live:
        """Run it to its end; the books balance."""
        loop = virtual_loop()
        for at_s, seconds in self.standstills:
            loop.call_later(at_s, loop.freeze, seconds)
        for at_s, act in self.at:
            loop.call_later(at_s, _act, act, self)
        loop.call_later(self.seconds, self.task.end)
        self.report = assert_accounted(await self.task.run())
        return self

    @property
    def played(self) -> Samples:
        """What came out of the speaker."""
        return samples(self.card.speaker.played())

    @property
    def rate(self) -> int:
        """The speaker's."""
        return 16_000 if self.output is None else self.output.rate

    def delay_s(self, at_s: float) -> float:
        """How late it is heard at that time, but for what never changes."""
        played = self.played
        if self.rate != 16_000:
            played = played[:: self.rate // 16_000]
        return delay_of(self.said, played, at_s)

    @property
    def late_s(self) -> float:
        """How much was left out."""
        return sum(seam.dropped.get("late", 0) for seam in self.report.seams) / self.rate


def _act(act: Callable[[Live], object], live: Live) -> None:
    result = act(live)
    if asyncio.iscoroutine(result):
        task = asyncio.ensure_future(result)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Future[object]] = set()
