"""A speaker whose time stamps jump again and again: the reference reads on, whatever they say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from canceller.scripted_clocks import read_noted
from voicepipe.canceller.reference.reference import Reference
from voicepipe.speakers import Sounded, Tapped

RATE, BLOCK = 16_000, 320
LEVEL = 8_208
SOUND = np.full(BLOCK, LEVEL, np.int16).tobytes()


@pytest.mark.parametrize("seed", [74, 95, 3])
def test_steps_that_overtake_each_other_are_read_over(seed: int) -> None:
    """PulseAudio's stamps jump by 40 ms and more in the first half second of a stream."""
    dice = random.Random(seed)
    ahead, period = dice.choice([2, 5, 10]), dice.choice([5, 6, 7, 9])
    reference, off_s = Reference(RATE), 0.0
    for number in range(200):
        if number % period == 0:
            off_s = dice.choice([-0.04, -0.02, 0.02, 0.04, 0.0, 0.005])
        sounded = Sounded(SOUND, number * BLOCK, 10 + number * 0.02 + off_s)
        reference.put("speaker", Tapped(number, 0, RATE, 1, sounded))
        if number >= ahead:
            at = number - ahead
            found = read_noted(reference, at * BLOCK, 10 + at * 0.02, BLOCK)
            assert found is not None
            assert len(found) == BLOCK
            # What sounded, or silence where the device says that it played nothing.
            assert set(np.rint(found * 32_768).astype(int).tolist()) <= {0, LEVEL}
