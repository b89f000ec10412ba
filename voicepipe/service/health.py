"""The health of a program: the messages for the service manager, and their times.

================  ============================================================================
READY             every microphone has brought a block, and every speaker has asked for one
WATCHDOG          while sound flows, or a device is waited for that is known to be absent;
                  no more when a device has made no sign, and its recovery no progress, for
                  30 s; nor when for 30 s the pipeline took nothing of a microphone that
                  delivers, and whoever holds it up got on with nothing
EXTEND_TIMEOUT    the same, before READY; and while the program ends, which its own limits bound
STATUS            what it does, for a person
STOPPING          the End was asked for
================  ============================================================================

A stage that may wait for longer, for a service elsewhere, is not to stand in the way of the microphone's
audio: what is behind it is not heard meanwhile, and after 30 s that counts as deaf. A speaker that plays
a long answer gets on. A stage that says how long it may take (`may_take_s`) has that time, if it is longer
than the 30 s. One that is in nobody's way may wait for as long as it likes, and whether it hangs
nobody can tell from here: after a minute the status names it, and the log, once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from voicepipe.log import logger_of
from voicepipe.report import DeviceState
from voicepipe.run.stall import Holder

__all__ = ["Health", "Phase"]

LIMIT_S = 30.0
"""The time for which a device may make no sign, and its search no progress; or a stage hold everybody up."""
STATUS_S = 5.0
"""Numbers in the status are renewed so often; and a stage that holds everybody up is named after so long."""
LONG_S = 60.0
"""After so long a stage that gets on with nothing is named, though it holds nobody up."""
_EXTEND_S, _EXTENSION_S = 5.0, 20.0
_LONGEST_STEP_S = 5.0
"""Between two looks: more is a process that stood still itself, and proves nothing about a device."""

_log = logger_of("voicepipe")


class Phase(enum.Enum):
    """The phase of the program."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Health:
    """Looks at the devices and the stages now and then, at least every 5 s; times are by any one clock.

    Args:
        watchdog_s: after so many seconds without a ping the service manager acts; 0: it does not.
    """

    def __init__(self, watchdog_s: float = 0.0) -> None:
        self._ping_s = watchdog_s / 3
        self._flow, self._intake = _Flow(), _Intake()
        self._ready = self._stopping = self._complained = False
        self._last: dict[str, float] = {}
        """When each thing that is repeated was said last."""
        self._looked_s: float | None = None
        self._status = _Status()

    def look(
        self,
        now_s: float,
        phase: Phase,
        devices: Sequence[DeviceState],
        holding: Sequence[Holder] = (),
        *,
        speech: bool = False,
    ) -> dict[str, str]:
        """Return the message to send now; often an empty one.

        Args:
            holding: the stages with a frame in hand.
            speech: somebody speaks into a microphone.
        """
        stopping = phase is Phase.STOPPING
        well = self._is_well(now_s, devices, holding) or stopping
        message: dict[str, str] = {}
        if phase is Phase.RUNNING and not self._ready and all(d.callbacks != 0 for d in devices):
            self._ready = True
            message["READY"] = "1"
        if stopping and not self._stopping:
            self._stopping = True
            message["STOPPING"] = "1"
        if well and (stopping or not self._ready) and self._is_due("extend", now_s, _EXTEND_S):
            message["EXTEND_TIMEOUT_USEC"] = str(round(_EXTENSION_S * 1e6))
        if well and self._ping_s and self._is_due("ping", now_s, self._ping_s):
            message["WATCHDOG"] = "1"
        held_up = waits = ""
        if phase is Phase.RUNNING:
            held_up, waits = self._intake.held_up(STATUS_S), self._intake.waits()
        said = _status(phase, devices, held_up, waits, ready=self._ready, speech=speech)
        if status := self._status.renew(now_s, *said):
            message["STATUS"] = status
        return message

    def _is_well(self, now_s: float, devices: Sequence[DeviceState], holding: Sequence[Holder]) -> bool:
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, _LONGEST_STEP_S)
        self._looked_s = now_s
        self._flow.look(passed_s, devices)
        self._intake.look(passed_s, devices, holding)
        complaints = [*self._flow.complaints(devices), *self._intake.complaints()]
        if complaints and not self._complained:
            _log.error(
                "%s: the service manager's watchdog is not pinged any more, "
                "so that it starts this program again",
                "; ".join(complaints),
            )
        if self._complained and not complaints:
            _log.warning("sound flows again: the service manager's watchdog is pinged again")
        self._complained = bool(complaints)
        return not complaints

    def _is_due(self, what: str, now_s: float, every_s: float) -> bool:
        if what in self._last and now_s - self._last[what] < every_s:
            return False
        self._last[what] = now_s
        return True


class _Flow:
    """The time for which each device has given no sign: no callback, and no news of its absence."""

    def __init__(self) -> None:
        self._signs: dict[int, tuple[int | None, int]] = {}
        self._silent_s: dict[int, float] = {}

    def look(self, passed_s: float, devices: Sequence[DeviceState]) -> None:
        """Look at the devices; so much time has passed since the last look."""
        for place, device in enumerate(devices):
            sign = (device.callbacks, device.absences)
            counts = device.callbacks is not None or device.lost_s is not None
            still = counts and self._signs.get(place) == sign
            self._silent_s[place] = self._silent_s.get(place, 0.0) + passed_s if still else 0.0
            self._signs[place] = sign

    def complaints(self, devices: Sequence[DeviceState]) -> Iterator[str]:
        """Yield a sentence about anything that is wrong."""
        deaf = [d for place, d in enumerate(devices) if self._silent_s[place] >= LIMIT_S]
        if deaf:
            names = " and ".join(f"the {device.kind} {device.device}" for device in deaf)
            yield f"{names} made no sign for {LIMIT_S:g} s, and to open it again does not help"


class _Intake:
    """The time for which the pipeline has taken nothing of a microphone that delivers; and its cause."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int | None, int | None]] = {}
        self._untaken_s: dict[int, float] = {}
        self._still: dict[str, tuple[Holder, float]] = {}
        """The time without progress of each stage with a frame in hand."""

    def look(self, passed_s: float, devices: Sequence[DeviceState], holding: Sequence[Holder]) -> None:
        """Look at the devices; so much time has passed since the last look."""
        for place, device in enumerate(devices):
            callbacks, taken = self._seen.get(place, (None, None))
            if device.taken is None or device.taken != taken or device.lost_s is not None:
                self._untaken_s[place] = 0.0
            elif device.callbacks != callbacks:
                self._untaken_s[place] += passed_s
            self._seen[place] = (device.callbacks, device.taken)
        before = self._still
        self._still = {holder.stage: (holder, self._still_s(holder, passed_s)) for holder in holding}
        for stage, (holder, still_s) in self._still.items():
            long_s = max(LONG_S, holder.may_take_s)
            if still_s >= long_s > before[stage][1] and not self.held_up(STATUS_S):  # that is said elsewhere
                _log.warning(
                    "%s has got on with nothing for %g s, at %s: it waits for something, or hangs",
                    stage,
                    long_s,
                    holder.where,
                )

    def _still_s(self, holder: Holder, passed_s: float) -> float:
        before, still_s = self._still.get(holder.stage, (None, 0.0))
        return still_s + passed_s if before is not None and before.mark == holder.mark else 0.0

    def held_up(self, limit_s: float) -> str:
        """Return the stage that has held the microphone up for so long, or has let its audio be lost; or "".

        Where there is none and yet nothing moves, all stages wait for each other.
        """
        if deaf := self._standing(limit_s, deaf=True):
            return deaf
        if max(self._untaken_s.values(), default=0.0) < limit_s:
            return ""
        return self._standing(limit_s) or ("" if self._still else "nobody in particular")

    def _is_over_its_time(self) -> bool:
        """Return True unless every stage that holds the microphone up has said that it may take longer."""
        standing = [(h, still_s) for h, still_s in self._still.values() if still_s >= LIMIT_S]
        return not standing or any(still_s >= holder.may_take_s for holder, still_s in standing)

    def waits(self) -> str:
        """Return the stage that made no progress for a minute, in the way of others or not; or ""."""
        return self._standing(LONG_S, patient=True)

    def _standing(self, limit_s: float, *, patient: bool = False, deaf: bool = False) -> str:
        stuck = [
            holder
            for holder, still_s in self._still.values()
            if still_s >= max(limit_s, holder.may_take_s if patient else 0.0) and (holder.deaf or not deaf)
        ]
        return " and ".join(f"{holder.stage} at {holder.where}" for holder in stuck)

    def complaints(self) -> Iterator[str]:
        """Yield a sentence about anything that is wrong."""
        if (who := self.held_up(LIMIT_S)) and self._is_over_its_time():
            yield f"the pipeline took nothing of the microphone for {LIMIT_S:g} s, held up by {who}"


class _Status:
    """The line for a person: at once when what is done changes, now and then when a number does."""

    def __init__(self) -> None:
        self._doing = self._line = ""
        self._said_s = 0.0

    def renew(self, now_s: float, doing: str, numbers: str) -> str:
        """Return the line where it is time to send it, or ""."""
        line = doing + numbers
        if line == self._line or (doing == self._doing and now_s - self._said_s < STATUS_S):
            return ""
        self._doing, self._line, self._said_s = doing, line, now_s
        return line


def _status(
    phase: Phase, devices: Sequence[DeviceState], held_up: str, waits: str, *, ready: bool, speech: bool
) -> tuple[str, str]:
    """Return the state for a person, and the numbers behind it."""
    if phase is Phase.STOPPING:
        return "ending: what was accepted is heard to its end", ""
    for device in devices:
        if device.lost_s is not None:
            why = f": {device.absent}" if device.absent else ""
            return f"waiting for the {device.kind} {device.device}", f", for {device.lost_s:.0f} s{why}"
    if held_up:
        return f"deaf: held up by {held_up}", ""
    if not ready:
        return "starting", ""
    parts = [f"{device.level_db:.0f} dB" for device in devices if device.level_db is not None]
    parts += ["speech"] if speech else []
    parts += [f"delay {1e3 * device.delay_s:.0f} ms" for device in devices if device.delay_s is not None]
    parts += [device.echo.figures for device in devices if device.echo is not None]
    parts.append(f"{sum(device.reconnections for device in devices)} reconnections")
    doing = f"sound flows, but nothing gets on in {waits}" if waits else "sound flows"
    return doing, ": " + ", ".join(parts)
