"""What the log says of one device: opened, absent, lost, back; and when it says so again."""

from __future__ import annotations

import logging
from typing import Literal

from voicepipe.devices.port import StreamInfo
from voicepipe.endpoints.reminder import Reminder
from voicepipe.errors import DeviceError
from voicepipe.report import DeviceKind
from voicepipe.text import printable

__all__ = ["DeviceLog", "OnLoss"]

OnLoss = Literal["wait", "end", "fail"]
"""What the loss of a device does to the run."""

_log = logging.getLogger("voicepipe")
_ADVICE: dict[str, str] = {
    "wait": "plug it in again, or start the sound server; the run goes on and looks for it",
    "end": "the run ends for it",
}


class DeviceLog:
    """Logs the life of one device, and repeats itself at most every five minutes."""

    def __init__(self, kind: DeviceKind, device: str, on_loss: OnLoss) -> None:
        self._kind = kind
        self.device = printable(device) or "(the default one)"
        """What the device is called: as it was asked for, or as it was found."""
        self._on_loss = on_loss
        self._reminder = Reminder()

    def opened(self, info: StreamInfo) -> None:
        """Say how it was opened."""
        _log.info("the %s %s", self._kind, info.how)

    def absent(self, error: DeviceError, now_s: float) -> None:
        """Say that it is not there at the start, and waited for."""
        if self._reminder.is_due(now_s):
            why = printable(error)
            _log.warning("the %s %s is not there (%s): the run waits for it", self._kind, self.device, why)

    def lost(self, error: DeviceError, since_s: float, now_s: float, *, ending: bool) -> None:
        """Say that it is lost, or still lost, and what to do."""
        if not self._reminder.is_due(now_s):
            return
        lost = f"lost for {now_s - since_s:.0f} s" if now_s - since_s >= 1 else "lost"
        advice = "the run is ending" if ending else _ADVICE[self._on_loss]
        _log.warning("the %s %s is %s (%s): %s", self._kind, self.device, lost, printable(error), advice)

    def back(self, info: StreamInfo, lost_s: float, now_s: float) -> None:
        """Say that it works again, if it was said that it did not."""
        if self._reminder.works_again(now_s):
            device = printable(info.device)
            _log.info("the %s %s is back after %.1f s: %s", self._kind, device, lost_s, info.how)
