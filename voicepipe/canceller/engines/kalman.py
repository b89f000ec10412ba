"""A linear echo canceller in numpy: it takes out the echo that it can explain, and touches no word."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.echo_path import EchoPath
from voicepipe.canceller.engines.far_blocks import FarBlocks
from voicepipe.canceller.engines.part import block_of
from voicepipe.canceller.engines.path_watch import PathWatch
from voicepipe.canceller.engines.samples import FULL_SCALE, to_int16
from voicepipe.checks import check_count

__all__ = ["Kalman"]

_SPECTRUM_BLOCKS = 8
"""The blocks of a spectrum. The longer it is, the better it tells the tones of a voice apart, and the faster
it learns: with 2 blocks 14 dB after 1.5 s, with 8 blocks 17, with 16 no more."""
_PARTITIONS = 4
"""Each of 70 ms: together they cover an echo of 0.28 s."""

_Ints = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float32]


class Kalman:
    """Subtracts the echo by a partitioned Kalman filter for each channel. It delays nothing.

    It learns in two seconds, and begins again where the path changes. While no echo is there, the output is
    the microphone, bit by bit. It is never louder than the microphone, but for moments.

    Args:
        rate: samples a second, a multiple of 100.
        channels: the channels of the microphone.

    Raises:
        ValueError: a block of 10 ms is not a whole number of samples.
    """

    name = "kalman"
    delay = 0

    def __init__(self, rate: int, channels: int = 1) -> None:
        self._block = block = block_of(rate)
        self._far = FarBlocks(block, _SPECTRUM_BLOCKS * block, _PARTITIONS)
        self._filters = [
            _Filter(EchoPath(rate, block, _SPECTRUM_BLOCKS * block, _PARTITIONS))
            for _ in range(check_count("channels", channels, at_least=1))
        ]

    def cancel(self, mic: _Ints, far: _Floats) -> _Ints:
        """Take the echo of `far` out of whole blocks of the microphone. Shapes: see `Canceller`."""
        block = self._block
        if len(mic) == block:
            return self._cancel(mic, far)
        parts = [self._cancel(mic[at : at + block], far[at : at + block]) for at in range(0, len(mic), block)]
        return np.concatenate(parts) if parts else mic

    @property
    def is_sure(self) -> bool:
        """True where no filter doubts the path that it has learnt."""
        return all(each.is_sure for each in self._filters)

    def pass_over(self, far: _Floats, lost: int) -> _Ints:
        """Take anew what sounded up to the next block: a loss of the microphone has moved it.

        Args:
            far: whole blocks, as many as the filter reaches.
            lost: the samples at its end that the microphone lost: whole blocks.

        Returns:
            The echo of those, as far as the path is known, shape (lost, channels).
        """
        block = self._block
        self._far.clear()
        echoes = [np.zeros((0, len(self._filters)), np.float32)]
        for at in range(0, len(far), block):
            self._far.push(far[at : at + block])
            if at >= len(far) - lost:
                echoes.append(np.stack([each.echo(self._far) for each in self._filters], axis=1))
        return to_int16(np.concatenate(echoes) * np.float32(FULL_SCALE))

    def reset(self) -> None:
        """Forget the path of the echo, and all audio."""
        self._far.clear()
        for each in self._filters:
            each.reset()

    def _cancel(self, mic: _Ints, far: _Floats) -> _Ints:
        self._far.push(far)
        if self._far.is_silent:
            return mic
        words = np.empty(mic.shape, np.float32)
        for channel, each in enumerate(self._filters):
            heard = mic[:, channel] * np.float32(1 / FULL_SCALE)
            words[:, channel] = each.cancel(heard, self._far)
        words *= np.float32(FULL_SCALE)
        return to_int16(words)


class _Filter:
    """The filter of one channel."""

    def __init__(self, path: EchoPath) -> None:
        self._path = path
        self._watch = PathWatch()

    @property
    def is_sure(self) -> bool:
        return self._watch.is_sure

    def reset(self) -> None:
        self._path.forget()
        self._watch.reset()

    def echo(self, far: FarBlocks) -> _Floats:
        return self._path.echo(far)

    def cancel(self, mic: _Floats, far: FarBlocks) -> _Floats:
        echo = self._path.echo(far)
        words = self._watch.take_out(mic, echo)
        if self._watch.is_wrong:
            self.reset()
        else:
            self._path.learn(far, mic - echo)
        if not math.isfinite(float(words @ words)):  # never seen; but the words are the user's
            self.reset()
            return mic
        return words
