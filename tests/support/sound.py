"""Sound for tests: noise without a zero in it, what was heard of it, and whose books must balance."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from support.stages import Loopback
from voicepipe import (
    AudioFormat,
    Limits,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    SeamReport,
    SpeakerOutput,
)
from voicepipe.devices.port import OutputStream, StreamRequest
from voicepipe.endpoints.kept_device import OnLoss
from voicepipe.testing import VirtualLoop
from voicepipe_devices.driver import Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard

Samples = npt.NDArray[np.int16]
RATE = 16_000
BLOCK = 320
BLOCK_S = 0.02
LATENCY_S = 2 * BLOCK_S
"""What the simulated card reports by default."""
THROUGH = ("MicrophoneInput device", "SpeakerOutput", "SpeakerOutput device")
"""The seams that audio passes between a microphone and a speaker with inline stages between."""


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> Samples:
    """Noise in which no sample is zero, so that an inserted zero shows."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    return (rng.integers(1, 9_000, count) * rng.choice([-1, 1], count)).astype(np.int16)


def speech(seconds: float, seed: int = 0) -> OutputAudioFrame:
    """A frame of noise for the speaker."""
    return OutputAudioFrame(noise(seconds, seed).tobytes())


def samples(data: bytes) -> Samples:
    """Bytes as samples."""
    return np.frombuffer(data, np.int16)


def heard(card: SimulatedCard) -> Samples:
    """What came out of the speaker, without the silence before and behind it."""
    played = samples(card.speaker.played())
    loud = np.flatnonzero(played)
    return played[loud[0] : loud[-1] + 1] if len(loud) else played[:0]


def sounds(card: SimulatedCard) -> Samples:
    """What came out of the speaker, without any silence."""
    played = samples(card.speaker.played())
    loud: Samples = played[played != 0]
    return loud


def virtual_loop() -> VirtualLoop:
    """The running loop; tests freeze it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def talk(
    card: SimulatedCard,
    *between: Processor,
    limits: Limits | None = None,
    input: AudioFormat | None = None,  # noqa: A002
    output: AudioFormat | None = None,
    on_loss: OnLoss = "wait",
) -> PipelineTask:
    """A task in which what the card's microphone hears comes out of its speaker."""
    ear = MicrophoneInput(card.backend(), on_loss=on_loss)
    mouth = SpeakerOutput(card.backend(), on_loss=on_loss)
    stages = [ear, *between, Loopback(), mouth]
    return PipelineTask(Pipeline(stages), limits=limits, input=input, output=output)


def seam(report: RunReport | None, name: str) -> SeamReport:
    """The seam of that name."""
    assert report is not None
    (found,) = [s for s in report.seams if s.name == name]
    return found


def assert_accounted(report: RunReport | None, *joined: str) -> RunReport:
    """Every sample came out or was dropped for a reason, and nobody had to be forced.

    `joined`: names of seams that hand audio on, one to the next: what one gave, the next took.
    """
    assert report is not None
    for each in report.seams:
        assert each.balanced, f"not balanced: {each}"
        assert each.held == 0, f"still holds audio: {each}"
    for first, second in itertools.pairwise(joined):
        given, taken = seam(report, first).given, seam(report, second).taken
        assert given == taken, f"{first} gave {given}, and {second} took {taken}"
    assert report.forced == ()
    return report


async def is_running(task: PipelineTask) -> None:
    """Return as soon as it runs: what is sent before is kept for the start, and nobody waits for room."""
    while task.state is not RunState.RUNNING:  # noqa: ASYNC110 (no time may pass)
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait, looking every 5 ms.

    Raises:
        AssertionError: it has not come true within the limit.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not condition():
        assert loop.time() < deadline, f"not within {limit_s} s"
        await asyncio.sleep(0.005)


class WatchedCard(SimulatedCard):
    """A card that also notes each callback of its speaker, and keeps the last stream opened there."""

    def __init__(self, name: str = "watched") -> None:
        super().__init__(name)
        self.stream: OutputStream
        self.calls: list[tuple[float, bytes]] = []
        """When the speaker's callback came, by the loop's clock, and what it gave."""
        self.queued: list[int] = []
        """How many samples waited when it came."""

    def backend(self) -> FakeBackend:
        return _WatchedBackend(self)

    def last_sound_s(self) -> float:
        """When the last sample that is not zero was handed to the device."""
        return max(when for when, data in self.calls if data.strip(b"\0"))


class _WatchedBackend(FakeBackend):
    def __init__(self, card: WatchedCard) -> None:
        super().__init__(card)
        self._watched = card

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        self._watched.stream = await super().open_output(request, wake)
        return self._watched.stream

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        loop = asyncio.get_running_loop()

        def watched(samples: int, sounds_s: float | None = None) -> bytes:
            self._watched.queued.append(self._watched.stream.queued)
            data = callback(samples, sounds_s)
            self._watched.calls.append((loop.time(), data))
            return data

        return await super().open_render(request, watched, finished)
