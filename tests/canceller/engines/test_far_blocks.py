"""The spectra of what sounded: the right ones, and none of what is over."""

from __future__ import annotations

import numpy as np

from voicepipe.canceller.engines.far_blocks import FarBlocks

BLOCK, SIZE, PARTITIONS = 4, 16, 3


def test_the_rows_are_the_spectra_of_the_last_blocks() -> None:
    far, rng = FarBlocks(BLOCK, SIZE, PARTITIONS), np.random.default_rng(1)
    sound = np.zeros(SIZE * 4, np.float32)
    for _ in range(60):
        block = rng.standard_normal(BLOCK).astype(np.float32)
        far.push(block)
        sound = np.concatenate([sound[BLOCK:], block])
        lags = [n * (SIZE - BLOCK) for n in range(PARTITIONS)]
        expected = [np.fft.rfft(sound[len(sound) - lag - SIZE : len(sound) - lag]) for lag in lags]
        assert np.allclose(far.spectra, expected, atol=1e-4)
        assert np.allclose(far.powers, np.square(np.abs(expected)), atol=1e-2)


def test_it_is_silent_again_when_nothing_of_a_sound_is_left() -> None:
    far, silence = FarBlocks(BLOCK, SIZE, PARTITIONS), np.zeros(BLOCK, np.float32)
    assert far.is_silent
    far.push(np.ones(BLOCK, np.float32))
    for _ in range(SIZE // BLOCK + (SIZE // BLOCK - 1) * (PARTITIONS - 1) - 1):
        assert not far.is_silent
        far.push(silence)
    assert not far.is_silent
    far.push(silence)
    assert far.is_silent
    assert not far.spectra[:-1].any()


def test_what_is_cleared_is_silent() -> None:
    far = FarBlocks(BLOCK, SIZE, PARTITIONS)
    far.push(np.ones(BLOCK, np.float32))
    far.clear()
    assert far.is_silent
    assert not far.spectra.any()
    assert not far.powers.any()
