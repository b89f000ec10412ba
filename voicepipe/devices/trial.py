"""The formats at which devices open, found by trying."""

from __future__ import annotations

from dataclasses import dataclass

from voicepipe.devices.values import DeviceInfo

__all__ = ["CHANNELS", "RATES", "DeviceTrial", "SideTrial"]

RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
"""The usual rates, which are tried."""
CHANNELS = (1, 2, 4, 6, 8)
"""The usual numbers of channels."""


@dataclass(frozen=True, slots=True)
class SideTrial:
    """One direction of a device: a microphone, or a speaker."""

    rates: tuple[int, ...] = ()
    """Those of the usual rates, and its own, at which it opens."""
    channels: tuple[int, ...] = ()
    """Those of the usual numbers of channels, and its most, with which it opens."""
    taken_rate: int = 0
    """The rate that would be taken for what was asked for; 0: none."""
    taken_channels: int = 0
    trouble: str = ""
    """The reason why it does not open, or was not tried; empty where all is well. Safe to print."""


@dataclass(frozen=True, slots=True)
class DeviceTrial:
    """One device, and what its directions do; None: it has not that direction."""

    device: DeviceInfo
    microphone: SideTrial | None = None
    speaker: SideTrial | None = None
