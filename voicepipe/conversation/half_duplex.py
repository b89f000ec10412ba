"""The advice for an interrupter behind a microphone that hears nothing while the program sounds."""

from __future__ import annotations

from collections.abc import Sequence

from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.processor import Processor, label_of

__all__ = ["half_duplex_advice"]


def half_duplex_advice(processors: Sequence[Processor]) -> str:
    """Return a line for the log if nobody can interrupt the program; else an empty text."""
    # By an attribute, not by the class: a run without an interrupter need not import it.
    interrupter = next((each for each in processors if getattr(each, "lets_interrupt", False)), None)
    if interrupter is None:
        return ""
    microphone = next((each for each in processors if isinstance(each, DeviceStage) and each.mutes), None)
    if microphone is None:
        return ""
    return (
        f"half-duplex: {label_of(microphone)} is muted while the program sounds, so {label_of(interrupter)} "
        "hears nobody then; use headphones, and mute=False for the microphone"
    )
