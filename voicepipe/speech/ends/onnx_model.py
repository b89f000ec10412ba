"""A model of turns from an ONNX file, in the process that runs it."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.engines.child import Handler, serve
from voicepipe.errors import BackendMissingError
from voicepipe.speech.ends.log_mel import BANDS, RATE, STEPS, WINDOW, log_mel, normalise
from voicepipe.text import printable, quote

__all__ = ["ANSWER", "HEAD", "INSTALL", "LONGEST_S", "OnnxModel", "main"]

HEAD = struct.Struct("<II")
"""The rate and the channels of a request's audio, which follows."""
ANSWER = struct.Struct("<d")
LONGEST_S = 16.0
"""No model hears more than this."""
INSTALL = "python -m pip install 'onnxruntime>=1.20', or this project with its extra [onnx]"
_LEAST_SAMPLES = RATE // 2
_ONLY_ERRORS = 3

_Floats = npt.NDArray[np.float32]


def main() -> None:
    """Serve the model whose file is the first argument."""
    serve(_load)


def _load(arguments: list[str]) -> Handler:
    model = OnnxModel(arguments[0])

    def judge(body: bytes, cancelled: threading.Event) -> bytes:
        rate, channels = HEAD.unpack_from(body)
        return ANSWER.pack(model.judge(_to_mono(body[HEAD.size :], AudioFormat(rate, channels))))

    return judge


def _to_mono(data: bytes, source: AudioFormat) -> _Floats:
    """Return a microphone's audio at 16 kHz, mono, full scale 1."""
    mixer = ChannelMixer(source) if source.channels > 1 else None
    converter = Converter(source, AudioFormat(RATE), quality="HQ", mixer=mixer)
    mono = converter.convert(data) + converter.flush()
    return np.frombuffer(mono, np.int16).astype(np.float32) / np.float32(32_768)


class OnnxModel:
    """A model that tells from the last seconds of a turn if it is over.

    Its kind shows in its inputs, and both kinds hear 16 kHz mono, scaled to a variance of one:

    * [1, 80, 800]: log-mel spectrum of 8 s, zeros in front of a shorter turn (smart-turn v3);
    * [1, samples]: audio, zeros in front; or behind it, where a second input [1, samples] marks what is
      audio (smart-turn v2). 8 s, or 16 s with marks, where the model leaves the number open.

    Args:
        path: the file.

    Raises:
        BackendMissingError: the package onnxruntime is not installed.
        ValueError: the file is no such model; says what it is.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._session = _open(path)
        self._feeds = self._choose_feeds()
        self.judge(np.zeros(0, np.float32))

    def judge(self, audio: _Floats) -> float:
        """Return the probability that the turn with this audio so far is over. At 16 kHz, mono.

        Raises:
            ValueError: the model gives something else.
        """
        try:
            (given, *_) = self._session.run(None, self._feeds(audio))
        except Exception as error:  # whatever its runtime raises
            raise ValueError(f"{self._name} fails: {_first_line(error)}") from error
        values = np.asarray(given)
        if values.size != 1 or not np.issubdtype(values.dtype, np.floating) or not 0 <= values.item() <= 1:
            raise ValueError(
                f"{self._name} gives {quote(values.tolist() if values.size < 9 else values.shape)}; "
                "it must give one probability, from 0 to 1"
            )
        return float(values.item())

    @property
    def _name(self) -> str:
        return printable(os.path.basename(self._path))

    def _choose_feeds(self) -> Callable[[_Floats], dict[str, npt.NDArray[Any]]]:
        """Return the function that makes the model's inputs of audio."""
        inputs = self._session.get_inputs()
        match [(given.type, _sizes(given.shape)) for given in inputs]:
            case [("tensor(float)", (1, 80, 800))]:
                return lambda audio: {inputs[0].name: log_mel(_last(audio, WINDOW))[np.newaxis]}
            case [("tensor(float)", (1, samples))] if samples == 0 or samples >= _LEAST_SAMPLES:
                count = samples or WINDOW
                return lambda audio: {inputs[0].name: normalise(_last(audio, count))[np.newaxis]}
            case [("tensor(float)", (1, samples)), ("tensor(int64)", (1, marks))] if samples == marks:
                count = samples or int(LONGEST_S * RATE)
                return lambda audio: _mark([given.name for given in inputs], audio, count)
        found = ", ".join(f"{given.name} {given.type}{given.shape}" for given in inputs) or "none"
        raise ValueError(
            f"{self._name} is no model of turns: its inputs are {printable(found)}; expected is one, "
            f"tensor(float)[1, {BANDS}, {STEPS}] (smart-turn v3), or tensor(float)[1, samples] for audio"
        )


def _open(path: str) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else it reports to its makers, and writes to the user's home
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendMissingError(
            f"the package onnxruntime is not installed ({printable(error)}); install it: {INSTALL}"
        ) from error
    onnxruntime.set_default_logger_severity(_ONLY_ERRORS)
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1  # the other cores are for the program
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever its runtime raises
        raise ValueError(
            f"{printable(path)} cannot be read as an ONNX model: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), type(error).__name__))


def _sizes(shape: Sequence[object]) -> tuple[int, ...]:
    """Return the sizes of an input; one that the model leaves open is 1 for the first, else 0."""
    sizes = [size if isinstance(size, int) else 0 for size in shape]
    return (sizes[0] or 1, *sizes[1:]) if sizes else ()


def _last(audio: _Floats, count: int) -> _Floats:
    """Return the last so many samples, with zeros in front of a shorter turn."""
    return np.pad(audio[-count:], (max(0, count - len(audio)), 0))


def _mark(names: list[str], audio: _Floats, count: int) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of a model that is told which samples are audio: zeros follow."""
    audio = audio[-count:]
    behind = (0, count - len(audio))
    scaled = normalise(audio) if len(audio) else audio
    marks = np.pad(np.ones(len(audio), np.int64), behind)
    return {names[0]: np.pad(scaled, behind)[np.newaxis], names[1]: marks[np.newaxis]}
