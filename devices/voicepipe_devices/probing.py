"""Trials of devices: the formats at which they open, found by asking for one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from voicepipe.audio.format import MOST_CHANNELS, AudioFormat
from voicepipe.devices.port import DeviceInfo, StreamRequest
from voicepipe.devices.trial import CHANNELS, RATES, DeviceTrial, SideTrial
from voicepipe.errors import DeviceError, DeviceFormatError
from voicepipe.text import printable
from voicepipe_devices.driver import Sides
from voicepipe_devices.formats import formats

__all__ = ["TRY_S", "try_devices", "try_side"]


TRY_S = 2.0
"""For one device; a sound server may hang."""
TRIALS_S = 8.0
"""For all of them."""


async def try_devices(
    devices: Sequence[DeviceInfo], one: Callable[[int, DeviceInfo], Awaitable[Sides]]
) -> list[DeviceTrial]:
    """Try one after the other. The trial of one that does not answer, or is not reached in time, says so."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + TRIALS_S
    trials: list[DeviceTrial] = []
    for number, device in enumerate(devices):
        if loop.time() >= until_s:
            trials.append(_failed_trial(device, f"not tried: the others took {TRIALS_S:g} s"))
            continue
        try:
            trials.append(DeviceTrial(device, *await one(number, device)))
        except DeviceError as error:
            trials.append(_failed_trial(device, error))
    return trials


def _failed_trial(device: DeviceInfo, why: object) -> DeviceTrial:
    """Return the trial of a device of which nothing could be found out."""
    side = SideTrial(trouble=printable(why))
    return DeviceTrial(device, side if device.inputs else None, side if device.outputs else None)


Check = Callable[[AudioFormat], None]
"""Raises DeviceFormatError where a format is refused, another DeviceError where the device is not well."""


def try_side(
    check: Check, request: StreamRequest, most: int, default_rate: int, *, capture: bool
) -> SideTrial:
    """Try one direction of a device that has so many channels."""
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
