"""Small models in ONNX format, written by hand: they hear how loud the last tenth of a second is.

The more there is to hear in it, the surer they say that the turn goes on. ONNX is protobuf; these are the few
of its fields that such a model needs (onnx.proto3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["mel_model", "model_bytes", "raw_model", "write_model"]

FLOAT, INT64 = 1, 7
Input = tuple[str, int, Sequence[int | str]]
"""Its name, its type and its sizes; one that is left open has a name."""


def mel_model(bias: float = 6.0) -> bytes:
    """A model in smart-turn v3's shape. It hears the upper half of the bands in the last ten steps.

    For hiss there the probability is nearly 0; for silence, and for rumble, nearly 1. With a low bias it says
    of every turn that it goes on.
    """
    bands = [0.0] * 40 + [-0.5] * 40
    steps = [0.0] * 790 + [0.1] * 10
    nodes = [
        _node("MatMul", ["bands", "input_features"], "by_step"),
        _node("MatMul", ["by_step", "steps"], "sum"),
        _node("Add", ["sum", "bias"], "level"),
        _node("Sigmoid", ["level"], "logits"),
    ]
    weights = [
        _tensor("bands", [1, 80], bands),
        _tensor("steps", [800, 1], steps),
        _tensor("bias", [1], [bias]),
    ]
    return model_bytes(
        nodes, weights, [("input_features", FLOAT, ("batch", 80, 800))], ("logits", ["batch", 1, 1])
    )


def raw_model(samples: int | str = 128_000, *, is_marked: bool = False) -> bytes:
    """A model of audio. It hears the last 1,600 samples; with marks, those of `samples`' second half."""
    count = samples if isinstance(samples, int) else 128_000
    weights = [_tensor("steps", [count, 1], [0.0] * (count - 1_600) + [-0.01] * 1_600)]
    nodes = [_node("Abs", ["input_values"], "power")]
    inputs: list[Input] = [("input_values", FLOAT, ("batch", samples))]
    if is_marked:
        inputs.append(("attention_mask", INT64, ("batch", samples)))
        nodes += [
            _node("Cast", ["attention_mask"], "marks", to=FLOAT),
            _node("ReduceMean", ["marks"], "share", keepdims=1),
            _node("Identity", ["share"], "probabilities"),
        ]
    else:
        nodes += [
            _node("MatMul", ["power", "steps"], "sum"),
            _node("Sigmoid", ["sum"], "probabilities"),
        ]
    return model_bytes(nodes, weights, inputs, ("probabilities", ["batch", 1]))


def write_model(folder: Path, model: bytes) -> Path:
    """Write it to a file there, and return the path."""
    path = folder / "turns.onnx"
    path.write_bytes(model)
    return path


def model_bytes(
    nodes: Sequence[bytes],
    weights: Sequence[bytes],
    inputs: Sequence[Input],
    output: tuple[str, Sequence[int | str]],
) -> bytes:
    graph = [*(_field(1, node) for node in nodes), _field(2, b"turns"), *(_field(5, w) for w in weights)]
    graph += [_field(11, _value(*given)) for given in inputs]
    graph.append(_field(12, _value(output[0], FLOAT, output[1])))
    version = _field(2, 13)
    return _field(1, 7) + _field(7, b"".join(graph)) + _field(8, version)


def _node(kind: str, inputs: Iterable[str], output: str, **whole_numbers: int) -> bytes:
    attributes = [
        _field(5, _field(1, name.encode()) + _field(3, number) + _field(20, 2))
        for name, number in whole_numbers.items()
    ]
    names = [_field(1, name.encode()) for name in inputs]
    return b"".join([*names, _field(2, output.encode()), _field(4, kind.encode()), *attributes])


def _tensor(name: str, sizes: Iterable[int], values: Sequence[float]) -> bytes:
    data = struct.pack(f"<{len(values)}f", *values)
    dims = b"".join(_field(1, size) for size in sizes)
    return dims + _field(2, FLOAT) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, kind: int, sizes: Iterable[int | str]) -> bytes:
    dims = b"".join(
        _field(1, _field(1, size) if isinstance(size, int) else _field(2, size.encode())) for size in sizes
    )
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def _field(number: int, value: int | bytes) -> bytes:
    """A field of protobuf: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])
