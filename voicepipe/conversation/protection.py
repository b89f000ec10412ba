"""The lines at the start of a run about the protection from the program's own sound."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.processor import Processor, label_of

__all__ = ["protection_lines"]

_CURE = "or use headphones, with cancel=False and mute=False for the microphone"


def protection_lines(processors: Sequence[Processor]) -> Iterator[tuple[int, str]]:
    """Yield for each microphone that hears a speaker its protection, and the level for the log.

    It is a warning where an interrupter stands behind a microphone that cannot cancel, as it ought to.
    """
    # By an attribute, not by the class: a run without an interrupter need not import it.
    interrupts = any(getattr(each, "lets_interrupt", False) for each in processors)
    for stage in processors:
        echo = stage.echo if isinstance(stage, DeviceStage) else None
        if echo is None:
            continue
        line = f"{label_of(stage)}: {echo.announcement}"
        if interrupts and echo.protection == "half-duplex" and echo.reason:
            yield logging.WARNING, f"{line}; {_CURE}"
        else:
            yield logging.INFO, line
