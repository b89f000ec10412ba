"""The ear while the program thinks and speaks: the user's start is known at once, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    Interrupter,
    InterruptionFrame,
    MicrophoneInput,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    SpeakerOutput,
    UserStartedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe.testing import SimulatedCard, run_virtual, silence, tone

RATE = 16_000
ONSETS_S = (1.0, 6.0, 15.0, 33.0)


class Loud:
    """A voice detector that takes loud audio for speech."""

    rate, window = RATE, 320

    def reset(self) -> None:
        """Forget nothing."""

    def score(self, window: bytes) -> float:
        return float(np.abs(np.frombuffer(window, np.int16)).max() > 1_000)


class Thinker(FrameProcessor):
    """Awaits for long, and then speaks for long."""

    takes = (UtteranceFrame,)
    cut_on_interruption = True

    def __init__(self, thinks_s: float, speaks_s: float) -> None:
        super().__init__(name="thinker")
        self.thinks_s, self.speaks_s = thinks_s, speaks_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(self.thinks_s)
        for _ in range(round(self.speaks_s)):
            await self.push_frame(OutputAudioFrame.from_array(tone(1.0)))


class Greedy(FrameProcessor):
    """Takes every frame, and stands for long over each utterance."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, UtteranceFrame):
            await asyncio.sleep(30.0)
        await self.push_frame(frame, direction)


class When(FrameProcessor):
    """Notes when it is told of the user's start."""

    takes = ()

    def __init__(self) -> None:
        super().__init__(name="when")
        self.times: list[float] = []

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        if isinstance(fact, UserStartedSpeakingFrame):
            self.times.append(asyncio.get_running_loop().time())


LAYOUTS: dict[str, Callable[[Processor, Processor], list[Processor]]] = {
    "in a line": lambda interrupter, thinker: [interrupter, thinker],
    "behind a greedy stage": lambda interrupter, thinker: [interrupter, Greedy(), thinker],
    "in branches": lambda interrupter, thinker: [
        interrupter,
        ParallelPipeline([thinker], [Greedy(), Thinker(30.0, 0.0)]),
    ],
    "the interrupter in a branch": lambda interrupter, thinker: [
        ParallelPipeline([interrupter, thinker], [Greedy()])
    ],
}


@pytest.mark.parametrize(("thinks_s", "speaks_s"), [(30.0, 0.0), (0.0, 60.0), (30.0, 60.0), (2.0, 5.0)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.heavy(after=6)
def test_the_user_is_noticed_at_once(layout: str, thinks_s: float, speaks_s: float) -> None:
    card = SimulatedCard()
    told, decided = When(), When()
    at_subscriber: list[float] = []
    thinker, interrupter = Thinker(thinks_s, speaks_s), Interrupter()
    stages = LAYOUTS[layout](interrupter, thinker)
    backend = card.backend()
    task = PipelineTask(
        Pipeline(
            [
                MicrophoneInput(backend),
                VADProcessor(Loud()),
                decided,
                UtteranceCollector(),
                *stages,
                told,
                SpeakerOutput(backend),
            ]
        )
    )

    def see(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            at_subscriber.append(asyncio.get_running_loop().time())

    task.subscribe(see)
    card.mic.hear(b"".join(_user()))
    report = run_virtual(_for(task, 40.0))
    assert len(decided.times) == len(ONSETS_S)
    for onset_s, time, told_s, seen_s in zip(ONSETS_S, decided.times, told.times, at_subscriber, strict=True):
        assert onset_s < time < onset_s + 0.5
        assert told_s - time < 0.02
        assert seen_s - time < 0.02
    for seam in report.seams:
        # A stage that itself takes the microphone's audio, and stands, loses what is older than 2 s.
        may = {"overflow"} if seam.name.startswith("Greedy") else set()
        assert set(seam.dropped) <= {"interrupted", "shutdown", "cancelled"} | may
    assert all(seam.balanced for seam in report.seams)


def _user() -> Iterator[bytes]:
    """Yield 40 s of the microphone: silence, with a second of speech at each onset."""
    at_s = 0.0
    for onset_s in ONSETS_S:
        yield silence(onset_s - at_s).tobytes()
        yield tone(1.0).tobytes()
        at_s = onset_s + 1.0


async def _for(task: PipelineTask, seconds: float) -> RunReport:
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    await asyncio.sleep(seconds)
    task.cancel()
    return await running


def test_it_interrupts_within_20_ms_of_the_decision() -> None:
    card = SimulatedCard()
    backend, told = card.backend(), When()
    cuts: list[float] = []
    task = PipelineTask(
        Pipeline(
            [
                MicrophoneInput(backend),
                VADProcessor(Loud()),
                told,
                UtteranceCollector(),
                Interrupter(),
                Thinker(0.5, 60.0),
                SpeakerOutput(backend),
            ]
        )
    )

    def see(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame):
            cuts.append(asyncio.get_running_loop().time())

    task.subscribe(see)
    card.mic.hear(b"".join(_user()))
    run_virtual(_for(task, 40.0))
    assert len(cuts) == 3  # nothing was to be stopped at the first
    assert all(cut - told_s < 0.02 for cut, told_s in zip(cuts, told.times[1:], strict=True))


@pytest.mark.parametrize(
    ("length_s", "cuts"), [(0.2, False), (0.3, False), (0.4, False), (0.7, True), (2.0, True)]
)
def test_min_s_is_the_length_of_the_speech_not_of_the_silence_behind_it(length_s: float, cuts: bool) -> None:
    # The end of 0.3 s of speech is certain 0.45 s later: by the clock, min_s would be over by then.
    card = SimulatedCard()
    backend, interrupter = card.backend(), Interrupter(min_s=0.5)
    task = PipelineTask(
        Pipeline(
            [
                MicrophoneInput(backend),
                VADProcessor(Loud(), preset="responsive"),
                UtteranceCollector(),
                interrupter,
                Thinker(0.5, 20.0),
                SpeakerOutput(backend),
            ]
        )
    )
    parts = [silence(1.0), tone(1.0), silence(3.0), tone(length_s), silence(3.0)]
    card.mic.hear(b"".join(part.tobytes() for part in parts))
    states: list[str] = []

    async def watch() -> RunReport:
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        for _ in range(800):
            await asyncio.sleep(0.01)
            if not states or states[-1] != interrupter.state:
                states.append(interrupter.state)
        task.cancel()
        return await running

    run_virtual(watch())
    ducked = states.index("ducked")
    assert states[ducked - 1] == "speaking"
    assert (states[ducked + 1] == "speaking") is not cuts
