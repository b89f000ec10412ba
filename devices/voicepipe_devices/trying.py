"""Finds out what a device opens at, by asking for one format after the other."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.audio import MOST_CHANNELS, AudioFormat
from voicepipe.devices import StreamRequest
from voicepipe.errors import DeviceError, DeviceFormatError, printable
from voicepipe.trial import CHANNELS, RATES, SideTrial
from voicepipe_devices.formats import formats

__all__ = ["tried"]


Check = Callable[[AudioFormat], None]
"""Raises DeviceFormatError where a format is refused, another DeviceError where the device is not well."""


def tried(check: Check, request: StreamRequest, most: int, default_rate: int, *, capture: bool) -> SideTrial:
    """One direction of a device that has so many channels."""
    wanted = formats(request, most, default_rate, capture=capture)
    try:
        taken = next((audio for audio in wanted if _opens(check, audio)), None)
        channels = taken.channels if taken else wanted[0].channels
        own = {default_rate} if 1_000 <= default_rate <= 384_000 else set[int]()
        rates = [rate for rate in sorted({*RATES, *own}) if _opens(check, AudioFormat(rate, channels))]
        if not rates:
            return SideTrial(trouble=f"it refuses every usual rate; its own is {default_rate} Hz")
        rate = taken.rate if taken else rates[0]
        counts = sorted({n for n in (*CHANNELS, most) if n <= min(most, MOST_CHANNELS)})
        open_counts = [n for n in counts if _opens(check, AudioFormat(rate, n))]
    except DeviceError as error:
        return SideTrial(trouble=printable(error))
    taken_as = (taken.rate, taken.channels) if taken else (0, 0)
    return SideTrial(tuple(rates), tuple(open_counts), *taken_as)


def _opens(check: Check, audio: AudioFormat) -> bool:
    try:
        check(audio)
    except DeviceFormatError:
        return False
    return True
