"""The Silero voice activity detector: a small neural network, in numpy.

It is so small that numpy runs it: a spectrum, four convolutions and a recurrent layer, 230,000 weights. (The
C library that its weights are packed for takes 15 times as long, an ONNX runtime 20 times the memory.)
"""

from __future__ import annotations

import numpy as np

from voicepipe.speech.detectors.protocol import check_window
from voicepipe.speech.detectors.silero_weights import BINS, UNITS, Floats, shared_weights

__all__ = ["SileroEngine"]

CONTEXT = 64
"""Samples of the window before that are heard again."""
FRAME = 256
HOP = 128

ONE_HALF = np.float32(0.5)


class SileroEngine:
    """A `SpeechEngine` that hears well in noise; 32 ms at a time. Engines of one process share their weights.

    Raises:
        BackendMissingError: the file with its weights is damaged.
    """

    name = "silero"
    wants_level = True
    rate = 16_000
    window = 512

    def __init__(self) -> None:
        self._weights = weights = shared_weights()
        self._kernels, self._biases = weights.kernels, weights.biases
        self._taper: Floats = np.hanning(FRAME + 1)[:FRAME].astype(np.float32)
        self._make_room()
        self.reset()

    def _make_room(self) -> None:
        """Make the inputs of every layer, each with the silence around it, and the views of their pieces."""
        slide = np.lib.stride_tricks.sliding_window_view
        self._heard: Floats = np.zeros(CONTEXT + self.window + CONTEXT, np.float32)
        self._frames = slide(self._heard, FRAME)[::HOP]
        self._spectrum: Floats = np.zeros((6, BINS), np.float32)
        self._first: Floats = np.zeros((5, 128), np.float32)
        self._second: Floats = np.zeros((3, 64), np.float32)
        self._inputs = (
            slide(self._spectrum.reshape(-1), 3 * BINS)[::BINS],
            slide(self._first.reshape(-1), 3 * 128)[:: 2 * 128],
            self._second.reshape(1, -1),
        )

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard[:] = 0.0
        self._state: Floats = np.zeros(2 * UNITS, np.float32)
        """The input of the recurrent layer, and behind it its last output."""
        self._cell: Floats = np.zeros(UNITS, np.float32)

    def score(self, window: bytes) -> float:
        """Return the probability of speech.

        Raises:
            TypeError: it is no bytes.
            ValueError: it is not exactly one window.
        """
        check_window(window, self.window)
        heard = self._heard
        end = CONTEXT + self.window
        heard[:CONTEXT] = heard[end - CONTEXT : end]
        heard[CONTEXT:end] = np.frombuffer(window, np.int16)
        heard[CONTEXT:end] *= 1 / 32_768
        heard[end:] = heard[end - 2 : end - 2 - CONTEXT : -1]  # its mirror image
        self._spectrum[1:5] = np.abs(np.fft.rfft(self._frames * self._taper))
        self._layer(0, self._inputs[0], self._first[1:5])
        self._layer(1, self._inputs[1], self._second[1:3])
        third = np.empty((1, 64), np.float32)
        self._layer(2, self._inputs[2], third)
        self._layer(3, third, self._state[np.newaxis, :UNITS])
        return self._recur()

    def _layer(self, n: int, inputs: Floats, out: Floats) -> None:
        np.matmul(inputs, self._kernels[n], out=out)
        out += self._biases[n]
        np.maximum(out, 0.0, out=out)

    def _recur(self) -> float:
        gates: Floats = np.matmul(self._weights.gates, self._state).reshape(4 * UNITS)
        gates += self._weights.gate_bias
        np.tanh(gates, out=gates)
        new = gates[256:384].copy()
        # The logistic function of x is half of tanh(x / 2) and a half: without overflow, however large.
        gates *= ONE_HALF
        gates += ONE_HALF
        self._cell *= gates[128:256]
        self._cell += gates[:128] * new
        hidden: Floats = np.tanh(self._cell)
        hidden *= gates[384:]
        self._state[UNITS:] = hidden
        logit = float(np.maximum(hidden, 0.0) @ self._weights.last) + self._weights.last_bias
        return float(1.0 / (1.0 + np.exp(-logit)))
