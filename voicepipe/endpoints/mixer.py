"""The mix of several sources of a speaker: added up, each with its gain, and never wrapped round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicepipe.endpoints.ramp import Ramp

if TYPE_CHECKING:
    from voicepipe.endpoints.source import Source

__all__ = ["mix"]


def mix(sources: Sequence[Source], volume: Ramp, at: int, samples: int, channels: int) -> bytes | memoryview:
    """Return so many samples for this position: what the sources have, and silence behind it.

    Each source notes that it was written. One source alone, at full gain, passes as it is.
    """
    if not samples:
        return b""
    ready = [source for source in sources if source.ready]
    if len(ready) == 1 and ready[0].ready >= samples and volume.is_full(at) and ready[0].gain.is_full(at):
        return ready[0].write(at, samples)
    parts = [(source, source.write(at, samples)) for source in ready]
    import numpy as np  # here, for a voice alone needs none of it

    total = np.zeros((samples, channels), np.float32)
    for source, data in parts:
        audio = np.frombuffer(data, np.int16).reshape(-1, channels)
        gain = source.gain.over(at, samples)
        total[: len(audio)] += audio * (gain if isinstance(gain, (int, float)) else gain[: len(audio)])
    total *= volume.over(at, samples)
    np.rint(total, out=total)
    return np.clip(total, -32_768, 32_767).astype(np.int16).tobytes()
