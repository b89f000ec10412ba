"""Words and ear of a block: the engine's while something sounds, else the microphone's own audio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.asked_engine import AskedEngine
from voicepipe.canceller.far_end import FarEnd

__all__ = ["BlockMaker"]

_FADE_BLOCKS = 1
"""The engine is fed with so many blocks of before when it begins, besides its own delay."""


class BlockMaker:
    """Makes words and ear of a microphone's blocks, late by the engine's delay.

    While nothing sounds, the engine rests. Where it begins it gets the blocks of before, and the audio
    fades from one to the other.

    Args:
        engine: takes the echo out.
        far_end: the sound of the speakers.
    """

    def __init__(self, engine: AskedEngine, far_end: FarEnd) -> None:
        self._engine, self._far_end = engine, far_end
        self._channels = engine.format.channels
        self._block_bytes = engine.block * engine.format.sample_bytes
        self._lag = engine.delay * engine.format.sample_bytes
        self._warm_up = self._block_bytes * (-(-engine.delay // engine.block) + _FADE_BLOCKS)
        """The bytes of before that the engine gets when it begins."""
        self._recent = bytes(self._lag + self._warm_up + self._block_bytes)
        """The last samples."""
        self._is_awake = False

    @property
    def is_cancelling(self) -> bool:
        """True while the engine is at work."""
        return self._is_awake and self._engine.works

    def make(self, mic: bytes, far: npt.NDArray[np.float32] | None) -> tuple[bytes, bytes | None]:
        """Return the words and the ear of the next block; the ear is None where nothing was cancelled."""
        before, self._recent = self._recent, (self._recent + mic)[-len(self._recent) :]
        if far is None or not self._engine.works:
            return self._rest(before, mic)
        return self._cancel(before, mic, far)

    def begin_anew(self) -> None:
        """Forget what was heard before."""
        self._is_awake = False
        self._recent = bytes(len(self._recent))

    def _rest(self, before: bytes, mic: bytes) -> tuple[bytes, bytes | None]:
        """Return the microphone's own audio, delayed like everything; fade to it if something has sounded."""
        plain = self._delay_of(before, mic)
        self._engine.rest(mic)
        if not self._is_awake:
            return plain, None
        self._is_awake = False
        made = self._engine.cancel(mic, None)
        return (plain, None) if made is None else (self._fade(made[0], plain), None)

    def _cancel(self, before: bytes, mic: bytes, far: npt.NDArray[np.float32]) -> tuple[bytes, bytes | None]:
        begins = not self._is_awake
        if not begins and self._far_end.lost:
            self._engine.pass_over(self._far_end)
        if begins:
            self._is_awake = True
            self._warm_up_with(before[-self._warm_up :])
        made = self._engine.cancel(mic, far)
        plain = self._delay_of(before, mic)
        if made is None:
            return plain, None
        words, ear = made
        return (self._fade(plain, words) if begins else words), ear

    def _warm_up_with(self, before: bytes) -> None:
        """Let the engine hear what was heard before it began."""
        for at in range(0, len(before), self._block_bytes):
            self._engine.cancel(before[at : at + self._block_bytes], None)

    def _delay_of(self, before: bytes, mic: bytes) -> bytes:
        if not self._lag:
            return mic
        return (before + mic)[-len(mic) - self._lag : -self._lag]

    def _fade(self, old: bytes, new: bytes) -> bytes:
        """Return audio that goes from one to the other."""
        first, second = (np.frombuffer(each, np.int16).reshape(-1, self._channels) for each in (old, new))
        share = np.arange(1, len(first) + 1)[:, None] / (len(first) + 1)
        return np.rint(first + share * (second.astype(np.float64) - first)).astype(np.int16).tobytes()
