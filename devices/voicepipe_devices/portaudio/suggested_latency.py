"""The latency to suggest to PortAudio: what was asked for, but more than PipeWire's "low"."""

from __future__ import annotations

import os
import sys

__all__ = ["PIPEWIRE_LOW_S", "is_pipewires", "suggest_latency"]

PIPEWIRE_LOW_S = 0.04
"""Behind PipeWire PortAudio's own "low" crackles: 40 to 60 ms do not."""
_BY_ITS_PLUGIN = ("default", "pulse", "sysdefault")
"""ALSA's names for whatever sound server there is."""


def suggest_latency(latency: str | float, device: str) -> str | float:
    """Return the latency for a device of that name, in seconds, or in PortAudio's word."""
    return PIPEWIRE_LOW_S if latency == "low" and is_pipewires(device) else latency


def is_pipewires(device: str) -> bool:
    """Return True if the device of that name is PipeWire's."""
    name = device.casefold()
    return "pipewire" in name or (name in _BY_ITS_PLUGIN and _pipewire_runs())


def _pipewire_runs() -> bool:
    if sys.platform != "linux":
        return False
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR")
    folder = folder or f"/run/user/{os.getuid()}"
    return os.path.exists(os.path.join(folder, os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0"))
