"""A judge of the end of a turn: a model in an ONNX file, in a process of its own."""

from __future__ import annotations

import importlib.util
import os

from voicepipe.engines.process import EngineProcess
from voicepipe.errors import BackendMissingError
from voicepipe.frames import UtteranceFrame
from voicepipe.speech.ends.onnx_model import ANSWER, HEAD, INSTALL, LONGEST_S
from voicepipe.text import printable, quote

__all__ = ["OnnxEndOfTurn"]

_CHILD = "voicepipe.speech.ends.onnx_model"


class OnnxEndOfTurn:
    """An `EndOfTurn` by a model that hears the tone, such as smart-turn v3 or v2.

    The model is a file of yours. It runs in a child process, which begins with the run and ends with it, so
    the microphone never waits for it. One that crashes or hangs is started again.

    Args:
        path: the ONNX file. Its input is a log-mel spectrum of 8 s [1, 80, 800], or audio [1, samples] at
            16 kHz; it gives the probability that the turn is over. Any microphone's format will do.

    Raises:
        ValueError: there is no such file. `start` raises it for a file that is no such model.
        BackendMissingError: the package onnxruntime is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path must be the name of an ONNX file, not {quote(path)}")
        self._path = os.path.abspath(path)
        if not os.path.isfile(self._path):
            raise ValueError(f"no such file: {printable(self._path)}; name a model of turns in ONNX format")
        if importlib.util.find_spec("onnxruntime") is None:
            raise BackendMissingError(
                f"a judge from an ONNX file needs the package onnxruntime; install it: {INSTALL}"
            )
        self._process = EngineProcess(_CHILD, [self._path], name="the judge of turns")

    async def start(self) -> None:
        """Start the process, and load the model.

        Raises:
            ValueError: the file is no such model; says what it is.
            EngineError, LaunchError: the process cannot be started, or is not ready in time.
        """
        await self._process.start()

    async def finished(self, utterance: UtteranceFrame) -> float:
        """Return the probability that the turn with this audio so far is over.

        Raises:
            EngineError: the process has crashed or gave no answer. It is made again.
            ValueError: the model gives no probability.
        """
        audio = utterance.format
        data = utterance.data[-audio.samples(LONGEST_S) * audio.sample_bytes :]
        answer = await self._process.request(HEAD.pack(audio.rate, audio.channels) + data)
        (probability,) = ANSWER.unpack(answer)
        return float(probability)

    async def close(self) -> None:
        """End the process."""
        await self._process.close()
