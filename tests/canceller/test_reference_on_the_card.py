"""The reference in whole runs on a simulated card, whose microphone hears its speaker after 8 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from canceller.standing import LateEngine
from support.room_talk import RATE, Talk
from voicepipe import EchoCanceller, MicrophoneInput
from voicepipe.testing import Losses, SimulatedCard

Ints = npt.NDArray[np.int16]
SLOPE, SPAN = 4, 60_000
ECHO_S, LEAD_S = 0.008, 0.004
RAMP = (SLOPE * np.arange(15 * RATE) % SPAN - SPAN // 2).astype(np.int16)
FALL = 4_000
"""Where the ramp falls back, filters ring."""


class Comparing(LateEngine):
    """Notes, block by block, how far the reference is from where the echo says that it should be."""

    def __init__(self) -> None:
        super().__init__(delay=0)
        self.beside: list[float | None] = []
        """In samples; None: nothing to compare."""

    def cancel(self, mic: Ints, far: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        heard, sounded = mic[:, 0].astype(float), far * 32_768.0
        both = np.concatenate((heard, sounded))
        if both.any() and np.abs(both).max() < SPAN / 2 - FALL:
            apart = np.median((sounded - heard) / SLOPE) - (ECHO_S + LEAD_S) * RATE
            self.beside.append(float(apart))
        else:
            self.beside.append(None)
        return super().cancel(mic, far)


async def listen(
    card: SimulatedCard,
    *seconds: float,
    happen: Callable[[], object] = lambda: None,
    loss: Losses | None = None,
) -> Comparing:
    """Play a ramp, once or more often. In the middle of the first one something happens."""
    impulse = np.zeros(round(ECHO_S * RATE) + 1)
    impulse[-1] = 1.0
    card.room(impulse, loss=loss)
    engine = Comparing()
    talk = Talk(card, MicrophoneInput(card.backend()), [EchoCanceller(engine=engine, may_fall_back=False)])

    async def program() -> None:
        asyncio.get_running_loop().call_later(seconds[0] / 2, happen)
        for each in seconds:
            await talk.speak(each, RAMP)

    await talk.run(program)
    return engine


def compared(engine: Comparing, from_s: float = 0.0, to_s: float = 1e9) -> list[float]:
    """Return how far it was from it, in the blocks of that time of sound."""
    blocks = engine.beside[int(from_s * 100) : int(to_s * 100)]
    return [beside for beside in blocks if beside is not None]


async def test_the_echo_is_where_the_reference_says_that_it_is() -> None:
    engine = await listen(SimulatedCard(), 3.0)
    beside = compared(engine, 0.1, 2.9)
    assert len(beside) > 100
    assert max(beside) - min(beside) == 0.0
    assert abs(beside[0]) <= 1.0


@pytest.mark.heavy
@pytest.mark.parametrize("ppm", [150.0, -150.0, 300.0])
async def test_another_clock_is_followed(ppm: float) -> None:
    card = SimulatedCard()
    card.speaker.drift_ppm = ppm
    engine = await listen(card, 10.0)
    beside = compared(engine, 7.0, 9.8)
    assert len(beside) > 100
    assert max(beside) - min(beside) < 0.8  # the room moves in steps too
    assert max(map(abs, beside)) < 16


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("side", ["mic", "speaker"])
async def test_it_is_back_behind_each_loss(side: str) -> None:
    card = SimulatedCard()
    lose = (card.mic if side == "mic" else card.speaker).lose
    engine = await listen(card, 6.0, happen=lambda: lose(0.03))
    before, behind = compared(engine, 0.1, 2.9), compared(engine, 3.2, 5.9)
    assert min(len(before), len(behind)) > 100
    assert max(map(abs, before)) < 2.0
    assert max(map(abs, behind)) < 2.0


@pytest.mark.heavy
async def test_losses_come_again_and_again() -> None:
    card = SimulatedCard()
    engine = await listen(card, 10.0, loss=Losses(0.013, 1.0, side="both", seed=3))
    beside = compared(engine, 0.1, 9.9)
    assert np.percentile(np.abs(beside), 80) < 2.0


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("side", ["mic", "speaker"])
async def test_unsteady_stamps_move_nothing(side: str) -> None:
    card = SimulatedCard()
    (card.mic if side == "mic" else card.speaker).jitter_stamps(0.001)
    engine = await listen(card, 6.0)
    beside = compared(engine, 0.1, 5.9)
    assert max(beside) - min(beside) == 0.0
    assert max(map(abs, beside)) < 0.003 * RATE


async def test_a_speaker_that_was_unplugged_is_aligned_when_it_is_back() -> None:
    card = SimulatedCard()

    def replug() -> None:
        card.speaker.unplug()
        asyncio.get_running_loop().call_later(0.5, card.speaker.replug)

    engine = await listen(card, 2.0, 3.0, happen=replug)
    behind = compared(engine)[-150:-10]
    assert len(behind) > 100
    assert max(map(abs, behind)) < 2.0
