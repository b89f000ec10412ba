"""The ear while its canceller cannot be trusted: at first, and where the echo is not where it was."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.half_duplex.loudness_gate import LoudnessGate

__all__ = ["EarTrust"]

LEARNS = 250
"""Blocks of sound for which the suppressor learns its first path: between 1 and 2.4 s it leaves bursts of
echo that voice detectors take for a user, and hardly lets a voice through before."""
LEAST_FAR = 1e-6
"""The power of sound from which on it learns: -60 dB."""
DOUBTS = 2
"""The blocks in a row in which the linear filter doubts itself: the echo comes another way."""
USER = 50
"""The blocks behind a user in which he is the reason for doubts: a voice may upset the filter."""
SHUT = 100
"""The blocks behind the last doubt, or behind a move of the reference, until the suppressor has followed."""
REACH = 60
"""The blocks within which the sound of an echo is looked for, wherever it may be: 0.6 s."""
SMOOTH = 5
"""The blocks of which powers are the mean."""
CLEAR = 4.0
"""A user is louder than the loudest echo to expect by this factor of power: 6 dB."""
RISE, FALL = 1.05, 0.998
"""The steps of the usual loudest echo, for a block above and below it: one of twenty-five is above."""

_Ints = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float32]


class EarTrust:
    """Tells which blocks of the ear may be heard by judges.

    Before a suppressor has learnt its first path, and for a second after the echo has come another way, it
    leaves echo that sounds like a user. Then nothing is heard, but for what is clearly louder than the echo:
    of that, the words are heard. At first a gate that learns the echo band by band tells what is, and the
    canceller must hear a user, too: each is wrong now and then, where a voice has a first new sound. Later
    it is the level alone, as the delay of the echo may be another one.

    Args:
        rate: of the microphone, in samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._to_learn = LEARNS
        self._gate: LoudnessGate | None = LoudnessGate(rate)
        """None once the suppressor has learnt."""
        self._level = _LoudestEcho()
        self._doubts = self._shut = self._user = 0

    def doubt(self) -> None:
        """Note that the echo is looked for elsewhere from now on."""
        self._shut = SHUT

    def choose(
        self, ear: _Ints, words: _Ints, mic: _Ints, far: _Floats, *, is_sure: bool, hears_user: bool = False
    ) -> _Ints | None:
        """Return what a judge may hear of a block; None: nothing.

        Args:
            ear: of the canceller.
            words: of the same instants, mono.
            mic: the microphone of the newest instants, mono.
            far: what sounded then.
            is_sure: the linear filter has no doubt of itself.
            hears_user: a user surely speaks.
        """
        if self._gate is not None:
            return words if self._learn(self._gate, mic, far) and hears_user else None
        self._user = USER if hears_user else max(0, self._user - 1)
        self._doubts = 0 if is_sure or self._user else self._doubts + 1
        if self._doubts >= DOUBTS:
            self._shut = SHUT
        is_louder = self._level.is_below(mic, far, learns=not self._shut)
        if not self._shut:
            return ear
        self._shut -= 1
        return words if is_louder else None

    def _learn(self, gate: LoudnessGate, mic: _Ints, far: _Floats) -> bool:
        """Return True if somebody is louder than the echo, as far as it is known."""
        if float(far @ far) > LEAST_FAR * len(far):
            self._to_learn -= 1
        self._level.is_below(mic, far, learns=True)
        if not self._to_learn:
            self._gate = None
        return gate.gate(mic, far) and gate.has_learnt


class _LoudestEcho:
    """The most that the echo adds up to, whatever its delay, learnt from all that is heard."""

    def __init__(self) -> None:
        self._ratio = 1e-6
        """The usual power at the microphone, as a part of the loudest that sounded."""
        self._mic: deque[float] = deque(maxlen=SMOOTH)
        self._far: deque[float] = deque(maxlen=REACH)

    def is_below(self, mic: _Ints, far: _Floats, *, learns: bool) -> bool:
        """Return True if the microphone hears clearly more."""
        heard = mic.astype(np.float32)
        self._mic.append(float(heard @ heard) / len(heard) / 32_768**2)
        self._far.append(float(far @ far) / len(far))
        loudest = max(self._far)
        if loudest <= LEAST_FAR:
            return False
        power = sum(self._mic) / SMOOTH
        if learns:
            self._ratio *= RISE if power > self._ratio * loudest else FALL
        return power > CLEAR * self._ratio * loudest
