"""The Silero voice activity detector: a small neural network, in numpy.

It is so small that numpy runs it: a spectrum, four convolutions and a recurrent layer, 230,000 weights. (The
C library that its weights are packed for takes 15 times as long, an ONNX runtime 20 times the memory.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from voicepipe.speech.detectors.protocol import check_window
from voicepipe.speech.detectors.silero_weights import BINS, SLICES, UNITS, Floats, shared_weights

__all__ = ["SileroEngine"]

CONTEXT = 64
"""Samples of the window before that are heard again."""
FRAME = 256
HOP = 128
FULL_SCALE = 32_768

Samples = npt.NDArray[Any]
# Arrays, for numpy takes four times as long with numbers, and with arrays of unlike shapes.
NOTHING, ONE_HALF = np.array(0.0, np.float32), np.array(0.5, np.float32)


class SileroEngine:
    """A `SpeechEngine` that hears well in noise; 32 ms at a time. Engines of one process share their weights.

    Raises:
        BackendMissingError: the file with its weights is damaged.
    """

    name = "silero"
    wants_level = True
    gives_probability = True
    rate = 16_000
    window = 512
    _remembered = np.array(0.999, np.float32)
    """The part of its memory that each window leaves, beside what the gates keep: it fades in 32 s. The
    network was trained on short pieces; after a minute of music or rain it would miss the first words."""

    def __init__(self) -> None:
        self._weights = weights = shared_weights()
        # The samples come in steps of 16 bits: a power of two, so the sums are the same as after a division.
        taper = np.hanning(FRAME + 1)[:FRAME].astype(np.float32) / FULL_SCALE
        slide = np.lib.stride_tricks.sliding_window_view
        # The inputs of every layer, each with the silence around it, and the views of their pieces.
        heard = np.zeros(CONTEXT + self.window + CONTEXT, np.float32)
        end = CONTEXT + self.window
        self._context, self._new, self._beyond = heard[:CONTEXT], heard[CONTEXT:end], heard[end:]
        self._last, self._mirrored = heard[end - CONTEXT : end], heard[end - 2 : end - 2 - CONTEXT : -1]
        self._frames, self._taper = slide(heard, FRAME)[::HOP], taper
        self._tapered: Floats = np.empty(self._frames.shape, np.float32)
        spectrum = np.zeros((6, BINS), np.float32)
        self._spectrum = spectrum[1:5]
        first, second = np.zeros((5, 128), np.float32), np.zeros((3, 64), np.float32)
        third = np.zeros(64, np.float32)
        self._state: Floats = np.zeros(2 * UNITS, np.float32)
        """The input of the recurrent layer, and behind it its last output."""
        self._fourth, self._hidden = self._state[:UNITS], self._state[UNITS:]
        self._cell: Floats = np.zeros(UNITS, np.float32)
        inputs = (
            slide(spectrum.reshape(-1), 3 * BINS)[::BINS],
            slide(first.reshape(-1), 3 * 128)[:: 2 * 128],
            second.reshape(-1),
            third,
        )
        outputs = (first[1:5], second[1:3], third, self._fourth)
        self._layers = tuple(
            (each.dot, kernel, np.tile(bias, out.size // bias.size), out, out.reshape(-1))
            for each, kernel, bias, out in zip(inputs, weights.kernels, weights.biases, outputs, strict=True)
        )
        gates = np.empty((SLICES, 4 * UNITS // SLICES), np.float32)
        self._sliced, self._gates = gates, gates.reshape(-1)
        self._enter, self._keep, self._between, self._out = self._gates.reshape(4, UNITS)

    def reset(self) -> None:
        """Forget everything heard."""
        for kept in (self._last, self._state, self._cell):
            kept.fill(0.0)

    def score(self, window: bytes) -> float:
        """Return the probability of speech.

        Raises:
            TypeError: it is no bytes.
            ValueError: it is not exactly one window.
        """
        check_window(window, self.window)
        return self.score_samples(np.frombuffer(window, np.int16))

    def score_samples(self, samples: Samples) -> float:
        """Return the probability of speech in a window of int16, or of the same numbers as floats."""
        self._context[:] = self._last
        self._new[:] = samples
        self._beyond[:] = self._mirrored
        np.multiply(self._frames, self._taper, self._tapered)
        np.abs(np.fft.rfft(self._tapered), self._spectrum)
        for dot, kernel, bias, out, flat in self._layers:
            dot(kernel, out)
            np.add(flat, bias, flat)
            np.maximum(flat, NOTHING, out=flat)
        return self._recur()

    def _recur(self) -> float:
        weights, gates, cell, hidden = self._weights, self._gates, self._cell, self._hidden
        np.matmul(weights.gates, self._state, self._sliced)
        np.add(gates, weights.gate_bias, gates)
        np.tanh(gates, gates)
        new = self._between.copy()
        # The logistic function of x is half of tanh(x / 2) and a half: without overflow, however large.
        np.multiply(gates, ONE_HALF, gates)
        np.add(gates, ONE_HALF, gates)
        np.multiply(cell, self._keep, cell)
        np.multiply(cell, self._remembered, cell)
        np.add(cell, np.multiply(new, self._enter, new), cell)
        np.multiply(np.tanh(cell, hidden), self._out, hidden)
        logit = float(np.maximum(hidden, NOTHING).dot(weights.last)) + weights.last_bias
        return 1.0 / (1.0 + math.exp(-logit))
