"""The last of an echo, far below the microphone: silence takes its place at the ear."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.samples import to_int16

__all__ = ["ResidueGate"]

_FAR_BELOW = 1e-4
"""The ratio of power, -40 dB. A user so much quieter than the echo cannot be heard. What is left of an echo
in a quiet room can, once a voice detector has amplified it."""
_LONGEST_ECHO = 50
"""The blocks for which an echo may go on when its sound has ended."""

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int16]


class ResidueGate:
    """Silences an ear while something sounds and hardly anything of it is left. It fades over a block.

    Args:
        block: the samples of a block.
    """

    def __init__(self, block: int) -> None:
        self._block = block
        self.reset()

    def reset(self) -> None:
        """Begin again, open."""
        self._left = 0
        """The blocks for which an echo may still be there."""
        self._before = 0.0
        """The power of the microphone's last block: the ear lags."""
        self._share = 1.0

    def pass_on(self, ear: _Ints, mic: _Ints, far: _Floats) -> _Ints:
        """Return whole blocks of the ear, mono, or silence. `mic` is the audio that the ear was made of."""
        block = self._block
        if len(ear) == block:
            return self._pass_on(ear, mic, far)
        spans = [slice(at, at + block) for at in range(0, len(ear), block)]
        parts = [self._pass_on(ear[span], mic[span], far[span]) for span in spans]
        return np.concatenate(parts) if parts else ear

    def _pass_on(self, ear: _Ints, mic: _Ints, far: _Floats) -> _Ints:
        self._left = _LONGEST_ECHO if far.any() else max(self._left - 1, 0)
        before, self._share = self._share, 0.0 if self._left and self._is_residue(ear, mic) else 1.0
        if before == self._share:
            return ear if self._share else np.zeros_like(ear)
        faded: _Floats = np.linspace(before, self._share, len(ear), dtype=np.float32)
        faded *= ear
        return to_int16(faded)

    def _is_residue(self, ear: _Ints, mic: _Ints) -> bool:
        heard, self._before = self._before, _power(mic)
        return _power(ear) < _FAR_BELOW * max(heard, self._before)


def _power(audio: _Ints) -> float:
    """Return the mean square without the mean. A constant is no sound, and the canceller takes it out."""
    floats = audio.astype(np.float32)
    mean = float(floats.mean())
    return float(floats @ floats) / len(floats) - mean * mean
