"""Back ends over what `blocking_drivers` and `blocking_cards` make, by the function's name."""

from __future__ import annotations

import importlib

from voicepipe_devices.in_process import InsideBackend
from voicepipe_devices.sound_process.backend import OutsideBackend

__all__ = ["inside", "outside"]


def outside(name: str) -> OutsideBackend:
    """Its streams are in a process each."""
    return OutsideBackend(f"{_module(name)}:{name}", "library", shares_air=False)


def inside(name: str) -> InsideBackend:
    """Its streams are in this one."""
    make = getattr(importlib.import_module(_module(name)), name)
    return InsideBackend(make(), "library", shares_air=False)


def _module(name: str) -> str:
    return "support.blocking_cards" if name.startswith("card") else "support.blocking_drivers"
