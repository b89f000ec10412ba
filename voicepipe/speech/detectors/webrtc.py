"""WebRTC's voice activity detector, behind a high-pass that takes the hum and rumble out."""

from __future__ import annotations

import importlib
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from voicepipe.checks import check_count, check_number
from voicepipe.errors import BackendMissingError
from voicepipe.speech.detectors.protocol import check_window
from voicepipe.text import printable, quote

__all__ = ["Detector", "NewDetector", "WebRTCEngine", "load_detector"]

_Floats = npt.NDArray[np.float64]
_BLOCK = 16
"""Samples that the high-pass takes in one row; every window is a multiple of it."""


class WebRTCEngine:
    """A `SpeechEngine` over the package webrtcvad-wheels. It says 0 or 1, nothing between.

    Args:
        mode: 0 to 3; the higher, the less noise it takes for speech.
        high_pass_hz: what lies below is taken out first, 20 to 4000 Hz; 0: nothing is. It
            has no need of the lowest tones of a voice, and mistakes mains hum and wind for one.
        window_ms: 10, 20 or 30; the longer, the surer each verdict and the less work, and the coarser
            the positions.

    Raises:
        TypeError, ValueError: an argument is not one of these.
        BackendMissingError: the package is not installed.
    """

    name = "webrtc-plain"
    rate = 16_000

    def __init__(self, mode: int = 3, *, high_pass_hz: float = 200.0, window_ms: int = 30) -> None:
        self._mode = check_count("mode", mode, at_most=3)
        if check_count("window_ms", window_ms) not in (10, 20, 30):
            raise ValueError(f"window_ms must be 10, 20 or 30, not {quote(window_ms)}")
        self.window = self.rate * window_ms // 1000
        cutoff_hz = check_number("high_pass_hz", high_pass_hz, at_least=0.0, at_most=4_000.0)
        if 0 < cutoff_hz < 20:
            raise ValueError(f"high_pass_hz must be 0, or 20 to 4000, not {quote(high_pass_hz)}")
        self._high_pass = _HighPass(cutoff_hz, self.rate, self.window) if cutoff_hz else None
        self._new_vad = load_detector()
        self._vad = self._new_vad(self._mode)

    def reset(self) -> None:
        """Forget everything heard. The library has no way to, so a new detector takes the old one's place."""
        self._vad = self._new_vad(self._mode)
        if self._high_pass is not None:
            self._high_pass.reset()

    def score(self, window: bytes) -> float:
        """Return 1.0 for speech, else 0.0.

        Raises:
            TypeError: it is no bytes. (The library would judge half of an int16 array, in silence.)
            ValueError: it is not exactly one window.
        """
        check_window(window, self.window)
        if self._high_pass is not None:
            window = self._high_pass.process(window)
        return 1.0 if self._vad.is_speech(window, self.rate) else 0.0


class Detector(Protocol):
    """The part of `webrtcvad.Vad` that is used here; the package has no types."""

    def is_speech(self, buf: bytes, sample_rate: int) -> bool:
        """Return whether a window of int16 is speech."""
        ...


class NewDetector(Protocol):
    """`webrtcvad.Vad`, which takes a mode from 0 to 3."""

    def __call__(self, mode: int) -> Detector: ...


def load_detector() -> NewDetector:
    """Import the library's class, when it is first needed. Raises: BackendMissingError."""
    try:
        # Here, for a program that never listens needs none of it.
        new_vad: NewDetector = importlib.import_module("webrtcvad").Vad
    except ImportError as error:  # the original `webrtcvad` is one, too: it wants pkg_resources
        raise BackendMissingError(
            f"the package webrtcvad-wheels is not installed ({printable(error)}): "
            "python -m pip install webrtcvad-wheels"
        ) from error
    return new_vad


class _HighPass:
    """A second-order Butterworth high-pass over windows of one length, in int16.

    A recursive filter needs its own last output for every sample, which in Python costs a
    loop. Here its state is carried from block to block of 16 samples by one small matrix,
    and the blocks are then independent of each other: three products a window. (One matrix
    for the whole window is 20 times the work, and so large that BLAS would start threads.)
    """

    def __init__(self, cutoff_hz: float, rate: int, window: int) -> None:
        rows = window // _BLOCK
        step, gain, out, through = _state_space(cutoff_hz, rate)
        powers = [np.linalg.matrix_power(step, n) for n in range(_BLOCK + 1)]
        # The state after a block, from its samples and the state before it.
        self._to_state: _Floats = np.array([powers[_BLOCK - 1 - n] @ gain for n in range(_BLOCK)])
        # The states at the beginning of every block and behind the last, from what each block adds.
        over_block = [np.linalg.matrix_power(powers[_BLOCK], n) for n in range(rows + 1)]
        carry = np.zeros((2 * (rows + 1), 2 * (rows + 1)))
        for row in range(rows + 1):
            for before in range(row + 1):
                carry[2 * row : 2 * row + 2, 2 * before : 2 * before + 2] = over_block[row - before]
        self._carry: _Floats = carry
        # What comes out of a block, from its samples and the state before it.
        impulse = [through, *(float(out @ powers[n] @ gain) for n in range(_BLOCK - 1))]
        to_output = np.zeros((_BLOCK + 2, _BLOCK))
        for n in range(_BLOCK):
            to_output[n, n:] = impulse[: _BLOCK - n]
            to_output[_BLOCK:, n] = out @ powers[n]
        self._to_output: _Floats = to_output
        self._blocks: _Floats = np.zeros((rows, _BLOCK + 2))
        self._added: _Floats = np.zeros(2 * (rows + 1))

    def reset(self) -> None:
        """Begin anew: there was silence before the next window."""
        self._added[:2] = 0.0

    def process(self, window: bytes) -> bytes:
        """Filter one window; what goes beyond full scale is clipped."""
        blocks, added = self._blocks, self._added
        rows = len(blocks)
        audio = blocks[:, :_BLOCK]
        audio[...] = np.frombuffer(window, np.int16).reshape(rows, _BLOCK)
        added[2:] = (audio @ self._to_state).ravel()
        states = self._carry @ added
        blocks[:, _BLOCK:] = states[:-2].reshape(rows, 2)
        added[:2] = states[-2:]
        filtered = blocks @ self._to_output
        np.rint(filtered, out=filtered)
        np.maximum(filtered, -32768.0, out=filtered)
        np.minimum(filtered, 32767.0, out=filtered)
        return filtered.astype(np.int16).tobytes()


def _state_space(cutoff_hz: float, rate: int) -> tuple[_Floats, _Floats, _Floats, float]:
    """Compute the four parts of a Butterworth high-pass, by the bilinear transform.

    With input x and output y: state' = step @ state + gain * x, y = out @ state + through * x. The
    coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook with Q = 1/sqrt(2).
    """
    turn = 2 * math.pi * cutoff_hz / rate
    alpha = math.sin(turn) / math.sqrt(2)
    a0 = 1 + alpha
    b0 = b2 = (1 + math.cos(turn)) / 2 / a0
    b1 = -2 * b0
    a1, a2 = -2 * math.cos(turn) / a0, (1 - alpha) / a0
    step = np.array([[-a1, 1.0], [-a2, 0.0]])
    gain = np.array([b1 - a1 * b0, b2 - a2 * b0])
    return step, gain, np.array([1.0, 0.0]), b0
