"""Two cancellers as one engine: one for the ear, one for the words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.engines.delay import Delay
from voicepipe.canceller.engines.near_end import NearEnd
from voicepipe.canceller.engines.part import Canceller, block_of
from voicepipe.canceller.engines.samples import mono_of

__all__ = ["EarAndWords"]

_Ints = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float32]

_LOUDEST = 8.0
"""Several speakers at once may be louder than full scale. What is louder than this is no sound."""


class EarAndWords:
    """An `EchoEngine` of two cancellers that get the same bare microphone. Neither hears the other's output.

    (A canceller for the ear behind a linear one stops suppressing when the loudspeaker distorts.)

    Args:
        ear: gets one channel: the mix, or the better channel where that is better.
        words: gets all channels.
        source: the format of the microphone.
    """

    def __init__(self, ear: Canceller, words: Canceller, source: AudioFormat) -> None:
        self.name = f"{ear.name} and {words.name}"
        self.rate, self.channels = source.rate, source.channels
        self.block = block_of(source.rate)
        self.delay = max(ear.delay, words.delay)
        self._source = source
        self._ear, self._words = ear, words
        self._near_end = NearEnd(self.block)
        self._ear_later = Delay(self.delay - ear.delay)
        self._words_later = Delay(self.delay - words.delay, (source.channels,))
        self._mixer = self._new_mixer()

    def cancel(self, mic: _Ints, far: _Floats) -> tuple[_Ints, _Ints]:
        """Take the echo of `far` out of whole blocks of the microphone.

        Returns:
            The ear, shape (samples,), and the words, shape (samples, channels).

        Raises:
            ValueError: these are no whole blocks, or not as much of both.
        """
        if len(mic) % self.block or len(mic) != len(far):
            raise ValueError(
                f"whole blocks of {self.block} samples are cancelled, not {len(mic)} of the microphone"
                f" and {len(far)} of the speakers"
            )
        far = _plausible(far)
        mono = mic if self._mixer is None else self._mixer.mix(mic)
        ear = self._ear.cancel(mono, far).reshape(-1)
        words = self._words.cancel(mic, far)
        ear, later = self._ear_later.pass_on(ear), self._words_later.pass_on(words)
        return self._hear_user(ear, later, words, mic), later

    @property
    def is_sure(self) -> bool:
        """True where nothing speaks against the path that the canceller for the words has learnt."""
        return self._near_end.is_sure and bool(getattr(self._words, "is_sure", True))

    @property
    def hears_user(self) -> bool:
        """True while a user surely speaks over the echo."""
        return self._near_end.hears_user

    def pass_over(self, far: _Floats, lost: int) -> None:
        """Go on behind a loss of the microphone as if it had lost nothing but its own samples.

        The linear filter gets anew what sounded, and tells the echo that nobody captured. The other
        canceller hears that in place of the microphone.

        Args:
            far: what sounded last, up to the next block: whole blocks.
            lost: the last samples of it, while which the microphone captured nothing: whole blocks.
        """
        pass_over = getattr(self._words, "pass_over", None)
        if pass_over is None:
            return
        far = _plausible(far)
        echo = pass_over(far, lost)
        if len(echo):
            self._ear.cancel(echo if self._mixer is None else self._mixer.mix(echo), far[-len(echo) :])

    def _hear_user(self, ear: _Ints, later: _Ints, words: _Ints, mic: _Ints) -> _Ints:
        if self._words.delay or not len(ear):
            return ear
        audio = (ear, mono_of(later), mono_of(words), mono_of(mic))
        if len(ear) == self.block:
            return self._near_end.mix(*audio)
        blocks = range(0, len(ear), self.block)
        return np.concatenate(
            [self._near_end.mix(*(each[at : at + self.block] for each in audio)) for at in blocks]
        )

    def reset(self) -> None:
        """Forget the path of the echo, and all audio: a new stream begins."""
        for part in (self._ear, self._words, self._near_end, self._ear_later, self._words_later):
            part.reset()
        self._mixer = self._new_mixer()

    def _new_mixer(self) -> ChannelMixer | None:
        return ChannelMixer(self._source) if self._source.channels > 1 else None


def _plausible(far: _Floats) -> _Floats:
    """Return what sounded, without what cannot have: numbers that are none, or far beyond full scale."""
    # The usual case; false for NaN. Unlike other products, this one does not warn of an overflow.
    if float(np.vdot(far, far)) <= _LOUDEST**2:
        return far
    return np.clip(np.nan_to_num(far, nan=0.0, posinf=0.0, neginf=0.0), -_LOUDEST, _LOUDEST)
