"""Every device of a back end, tried one after the other, under limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from voicepipe.devices import DeviceInfo
from voicepipe.errors import DeviceError, printable
from voicepipe.trial import DeviceTrial, SideTrial
from voicepipe_devices.driver import Sides

__all__ = ["TRY_S", "each_tried"]

TRY_S = 2.0
"""For one device; a sound server may hang."""
TRIALS_S = 8.0
"""For all of them."""


async def each_tried(
    devices: Sequence[DeviceInfo], one: Callable[[int, DeviceInfo], Awaitable[Sides]]
) -> list[DeviceTrial]:
    """Try one after the other; what does not answer, or is not reached in time, has that for its trouble."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + TRIALS_S
    trials: list[DeviceTrial] = []
    for number, device in enumerate(devices):
        if loop.time() >= until_s:
            trials.append(_untried(device, f"not tried: the others took {TRIALS_S:g} s"))
            continue
        try:
            trials.append(DeviceTrial(device, *await one(number, device)))
        except DeviceError as error:
            trials.append(_untried(device, error))
    return trials


def _untried(device: DeviceInfo, why: object) -> DeviceTrial:
    """A device of which nothing could be found out."""
    side = SideTrial(trouble=printable(why))
    return DeviceTrial(device, side if device.inputs else None, side if device.outputs else None)
