"""The delay of live sound, from the air at the microphone to the air at the speaker, as it is now."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from voicepipe.devices.port import OutputStream
from voicepipe.frames import AudioFrame

__all__ = ["GROWN_S", "LASTS_S", "Delay", "Growth", "sounding_s"]

EVERY_S = 0.2
"""The time from one measurement to the next. Nothing is computed in between."""
RECENT = 3
"""The delay is the median of so many measurements: one that a busy loop has made late does not count."""
FRESH_S = 2.0
"""A delay is forgotten when no live audio has come for so long."""
GROWN_S = 0.1
"""A delay that has grown by more is told of."""
LASTS_S = 5.0
"""The time for which it must have stayed so. The speaker leaves out what is late, and has done so by then."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A delay that has grown, and stays so."""

    least_s: float
    """The least delay that there was."""
    now_s: float
    """The present one."""
    before_s: float
    """The part of the growth that arose before the speaker."""


def sounding_s(stream: OutputStream, ahead_s: float, now_s: float, latency_s: float) -> float | None:
    """Return the time at which a sample sounds that is queued now; None if the device has no clock.

    Args:
        stream: the stream.
        ahead_s: the duration of what waits before the sample.
        now_s: this moment.
        latency_s: the time from a callback of the device to the air.
    """
    asked_s = stream.asked_s
    if asked_s is None:
        return None
    info = stream.info
    block_s = info.format.seconds(info.block)
    at_s = asked_s + block_s + ahead_s
    if at_s < now_s:  # it has run dry, and takes the sample when it asks the next time
        at_s = now_s + (asked_s - now_s) % block_s
    return at_s + latency_s


@dataclass(slots=True)
class _Measured:
    """The measurements of one microphone's sound."""

    at_s: float = -math.inf
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    """The times from the capture to the speaker's stage."""
    least_s: float = math.inf
    least_age_s: float = math.inf
    grown_since_s: float | None = None

    @property
    def delay_s(self) -> float:
        return _median(self.delays)


def _median(values: Collection[float]) -> float:
    return sorted(values)[len(values) // 2]


class Delay:
    """The delay of the live sound that a speaker plays. In the loop's thread."""

    def __init__(self) -> None:
        self.tell: Callable[[Growth], None] | None = None
        """The function that is called once, when the delay has grown and stays so."""
        self.longest_s: float | None = None
        """The longest delay so far, in seconds; None: no live audio was played."""
        self.due_s = -math.inf
        """The time of the next measurement."""
        self._measured: dict[str, _Measured] = {}
        self._stream: OutputStream | None = None

    def now_s(self, now_s: float | None) -> float | None:
        """Return the delay in seconds, of several microphones the longest.

        Args:
            now_s: this moment, without which an old delay counts too.

        Returns:
            The delay; None if no live audio was played, or not for some seconds.
        """
        oldest_s = self.due_s - EVERY_S if now_s is None else now_s
        delays = [m.delay_s for m in self._measured.values() if oldest_s - m.at_s < FRESH_S]
        return max(delays, default=None)

    def measure(
        self, frame: AudioFrame, stream: OutputStream, ahead_s: float, now_s: float, latency_s: float
    ) -> None:
        """Measure the delay of a live frame that comes now; the arguments are those of `sounding_s`."""
        self.due_s = now_s + EVERY_S
        sounds_s = sounding_s(stream, ahead_s, now_s, latency_s)
        if frame.captured_s is None or sounds_s is None:
            return
        if stream is not self._stream:  # another device has another latency
            self._stream, self._measured = stream, {}
        self._add(self._of(frame.origin, now_s), sounds_s - frame.captured_s, now_s - frame.captured_s)

    def _of(self, origin: str, now_s: float) -> _Measured:
        """Return the measurements of a microphone; new ones after a pause."""
        measured = self._measured.get(origin)
        if measured is None or now_s - measured.at_s >= FRESH_S:
            self._measured = {o: m for o, m in self._measured.items() if now_s - m.at_s < FRESH_S}
            measured = self._measured[origin] = _Measured()
        measured.at_s = now_s
        return measured

    def _add(self, measured: _Measured, delay_s: float, age_s: float) -> None:
        measured.delays.append(delay_s)
        measured.ages.append(age_s)
        if len(measured.delays) < RECENT:
            return
        now_s = measured.delay_s
        self.longest_s = max(now_s, self.longest_s or 0.0)
        measured.least_s = min(measured.least_s, now_s)
        measured.least_age_s = min(measured.least_age_s, _median(measured.ages))
        self._watch(measured, now_s)

    def _watch(self, measured: _Measured, now_s: float) -> None:
        """Tell of a delay that has grown, and has stayed so."""
        if now_s - measured.least_s <= GROWN_S:
            measured.grown_since_s = None
        elif measured.grown_since_s is None:
            measured.grown_since_s = measured.at_s
        elif measured.at_s - measured.grown_since_s >= LASTS_S and self.tell is not None:
            tell, self.tell = self.tell, None
            before_s = _median(measured.ages) - measured.least_age_s
            tell(Growth(measured.least_s, now_s, before_s))
