"""An engine that may fail, with what judges may hear of its ear."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.ear_noise import EarNoise
from voicepipe.canceller.ear_trust import EarTrust
from voicepipe.canceller.engines.samples import mono_of
from voicepipe.canceller.far_end import FarEnd
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.errors import EngineError

__all__ = ["AskedEngine"]

REFED_S = 0.3
"""Behind a loss an engine gets so much of what sounded before: the reach of a linear filter, and no less."""

_Ints: TypeAlias = npt.NDArray[np.int16]
_Floats: TypeAlias = npt.NDArray[np.float32]


class AskedEngine:
    """Asks an engine for each block, and checks what it answers. One that fails is not asked again.

    Args:
        engine: takes the echo out; None: nothing does.
        audio: the format of the microphone, where there is no engine.
        noise: gives the ear the noise of the room.
        trust: tells what of the ear may be heard.
        on_failure: called once with the error of the engine.
    """

    def __init__(
        self,
        engine: EchoEngine | None,
        audio: AudioFormat,
        *,
        noise: EarNoise | None = None,
        trust: EarTrust | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        self.format = audio if engine is None else AudioFormat(engine.rate, engine.channels)
        """The format of the microphone."""
        self.block = max(1, audio.rate // 100) if engine is None else engine.block
        """The samples of a block."""
        self.delay = 0 if engine is None else engine.delay
        """The samples by which ear and words lag behind the microphone."""
        self._engine = engine
        self._noise, self._trust = noise, trust
        self._on_failure = on_failure

    @property
    def works(self) -> bool:
        """True if there is an engine, and it has not failed."""
        return self._engine is not None

    def rest(self, mic: bytes) -> None:
        """Take a block of the microphone in which nothing sounds."""
        if self._noise is not None:
            self._noise.rest(mic)

    def cancel(self, mic: bytes, far: _Floats | None) -> tuple[bytes, bytes] | None:
        """Return the words and the ear of a block; None: the engine has failed.

        Args:
            mic: interleaved int16.
            far: what sounded at the same time; None: nothing.
        """
        engine = self._engine
        if engine is None:
            return None
        audio = np.frombuffer(mic, np.int16).reshape(-1, self.format.channels)
        sounded = np.zeros(len(audio), np.float32) if far is None else far
        try:
            ear, words = engine.cancel(audio, sounded)
            _check(words, audio.shape)
            _check(ear, audio.shape[:1])
            ear = self._for_judges(engine, ear, words, audio, sounded)
            return words.tobytes(), ear.tobytes()
        except Exception as error:  # an engine may be a user's, and the run goes on without it
            self._fail(error)
            return None

    def pass_over(self, far_end: FarEnd) -> None:
        """Let an engine that can hear what sounded while the microphone lost samples: rooms echo on."""
        pass_over = getattr(self._engine, "pass_over", None)
        if pass_over is None:
            return
        blocks = round(REFED_S * self.format.rate) // self.block
        lost_blocks = min(blocks, max(0, -(-far_end.lost // self.block)))
        try:
            pass_over(far_end.read_before(blocks * self.block), lost_blocks * self.block)
        except Exception as error:  # an engine may be a user's, and the run goes on without it
            self._fail(error)

    def _for_judges(self, engine: EchoEngine, ear: _Ints, words: _Ints, mic: _Ints, far: _Floats) -> _Ints:
        """Return what may be heard of the ear, with the noise of the room."""
        if self._noise is None or self._trust is None:
            return ear
        heard = self._trust.choose(
            ear,
            mono_of(words),
            mono_of(mic),
            far,
            is_sure=getattr(engine, "is_sure", True),
            hears_user=getattr(engine, "hears_user", False),
        )
        return self._noise.cover(heard)

    def _fail(self, error: Exception) -> None:
        self._engine = None
        if self._on_failure is not None:
            self._on_failure(error)


def _check(audio: object, shape: tuple[int, ...]) -> None:
    """Check an output of an engine. Raises: EngineError."""
    if not isinstance(audio, np.ndarray) or audio.dtype != np.int16 or audio.shape != shape:
        found = f"{audio.dtype} {audio.shape}" if isinstance(audio, np.ndarray) else type(audio).__name__
        raise EngineError(f"an echo engine must return int16 of shape {shape}, not {found}")
