"""How a stage's device stands at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from voicepipe.report import DeviceKind

__all__ = ["DeviceState"]


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A microphone or a speaker, as its stage knows it."""

    kind: DeviceKind
    device: str
    """Its name, printable."""
    callbacks: int | None = None
    """The device's signs of life, over all streams there were; None: its back end does not count them."""
    lost_s: float | None = None
    """For how long it has been lost, in seconds; None: it is not."""
    absent: str = ""
    """Why it cannot be had, where the last search found out: it is not plugged in, say."""
    absences: int = 0
    """Searches that found that out."""
    reconnections: int = 0
    """How often it came back."""
    taken: int | None = None
    """Blocks that the pipeline took from a microphone; None: of a speaker."""
    level_db: float | None = None
    """How loud the last block was, in dB below full scale; None: of a speaker, or nothing came yet."""
