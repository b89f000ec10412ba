"""Impulse responses of rooms that there are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_count, check_number, check_seconds

__all__ = ["room_impulse"]


def room_impulse(
    rate: int = 16_000,
    *,
    reverberation_s: float = 0.3,
    delay_s: float = 0.005,
    level_db: float = -6.0,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Return the impulse response of a room, for `SimulatedCard.room`: floats, shape (taps,).

    It is the direct sound, and behind it noise that decays by 60 dB in the reverberation time. The noise
    has half of the direct sound's energy.

    Args:
        rate: samples per second.
        reverberation_s: the time in which the room's sound decays by 60 dB, up to 3 s: 0.3 is a living room,
            0.6 an empty one. 0: there is the direct sound only.
        delay_s: the time from the loudspeaker to the microphone, up to 0.5 s; 3 ms for each metre.
        level_db: the level of the echo of white noise, beside what was played, -96 to 40.
        seed: another room of the same kind.

    Raises:
        TypeError, ValueError: a number is out of its bounds.
    """
    reverberation_s = check_seconds("reverberation_s", reverberation_s, at_most=3.0)
    direct = AudioFormat(rate).samples(check_seconds("delay_s", delay_s, at_most=0.5))
    decay = np.arange(1, AudioFormat(rate).samples(reverberation_s) + 1)
    impulse = np.zeros(direct + 1 + len(decay))
    if len(decay):
        bits = np.random.PCG64(check_count("seed", seed)).random_raw(len(decay))
        tail = (bits / 2**63 - 1) * 10 ** (-3 * decay / len(decay))
        impulse[direct + 1 :] = tail / np.sqrt(2 * np.sum(tail * tail))
    impulse[direct] = 1.0
    gain = 10 ** (check_number("level_db", level_db, at_least=-96.0, at_most=40.0) / 20)
    impulse *= gain / np.sqrt(np.sum(impulse * impulse))
    return impulse
