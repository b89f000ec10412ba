"""The log messages about one device: opened, absent, lost, back; and their repetition."""

from __future__ import annotations

import logging
from typing import Literal

from voicepipe.devices.port import StreamInfo
from voicepipe.endpoints.reminder import Reminder
from voicepipe.errors import DeviceError
from voicepipe.log import logger_of
from voicepipe.report import DeviceKind
from voicepipe.text import printable

__all__ = ["DeviceLog", "OnLoss"]

OnLoss = Literal["wait", "end", "fail"]
"""The policy for the loss of a device: wait for it, end the run, or fail."""

_log = logger_of("voicepipe")
_ADVICE: dict[str, str] = {
    "wait": "plug it in again, or start the sound server; the run goes on and tries to open it again",
    "end": "the run ends, as on_loss='end' says",
}


class DeviceLog:
    """The log of one device's life. It repeats a message at most every five minutes."""

    def __init__(self, kind: DeviceKind, device: str, on_loss: OnLoss) -> None:
        self._kind = kind
        self.device = printable(device)
        """The name of the device, requested or opened; empty: the default one."""
        self._on_loss = on_loss
        self._reminder = Reminder()

    @property
    def _name(self) -> str:
        return f'the {self._kind} "{self.device}"' if self.device else f"the default {self._kind}"

    def log_opened(self, info: StreamInfo) -> None:
        """Log that the device was opened, and how; warn where another has its name."""
        _log.log(logging.WARNING if info.note else logging.INFO, "the %s %s", self._kind, info.how)

    def log_absent(self, error: DeviceError, now_s: float) -> None:
        """Log that the device is absent at the start, and that the run waits for it."""
        if self._reminder.is_due(now_s):
            why = printable(error)
            _log.warning("%s is absent (%s); the run waits for it", self._name, why)

    def log_changed(self, info: StreamInfo) -> None:
        """Log that another device is used from now on."""
        _log.info("the %s was changed: now %s", self._kind, info.how)

    def log_refused(self, device: str, error: DeviceError) -> str:
        """Log that the device was not changed, and return that line."""
        asked = f'"{printable(device)}"' if device else f"the default {self._kind}"
        line = f"{self._name} was not changed to {asked} ({printable(error)}); it stays in use"
        _log.warning("%s", line)
        return line

    def log_lost(self, error: DeviceError, since_s: float, now_s: float, *, ending: bool) -> None:
        """Log that the device is lost, or still lost, and what to do."""
        if not self._reminder.is_due(now_s):
            return
        lost = f"lost for {now_s - since_s:.0f} s" if now_s - since_s >= 1 else "lost"
        advice = "the run is ending" if ending else _ADVICE[self._on_loss]
        _log.warning("%s is %s (%s): %s", self._name, lost, printable(error), advice)

    def log_back(self, info: StreamInfo, lost_s: float, now_s: float) -> None:
        """Log that the device works again, if its loss was logged."""
        if self._reminder.note_recovery(now_s):
            device = printable(info.device)
            _log.info('the %s "%s" is back after %.1f s: %s', self._kind, device, lost_s, info.how)
