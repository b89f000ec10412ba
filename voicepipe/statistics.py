"""How a device is doing: its callbacks, counted and timed by our own clock, and the rest of its figures.

A library's flags do not tell of a callback that came late, and a device that works badly still works: so
somebody who looks for the cause of a stutter finds it here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from voicepipe.frames import DeviceKind

__all__ = ["CallbackCounter", "CallbackCounts", "DeviceStatistics"]


class CallbackCounts(NamedTuple):
    """The callbacks of a stream so far."""

    calls: int = 0
    """How many there were."""
    late: int = 0
    """How many came so late that the device's buffer had run dry, or full, meanwhile."""
    underflows: int = 0
    """How often the device itself said that it ran dry."""
    longest_wait_s: float = 0.0
    """The longest time between two of them, in seconds."""

    def and_then(self, later: CallbackCounts) -> CallbackCounts:
        """Of both streams, one after the other."""
        return CallbackCounts(
            self.calls + later.calls,
            self.late + later.late,
            self.underflows + later.underflows,
            max(self.longest_wait_s, later.longest_wait_s),
        )


class CallbackCounter:
    """Counts the callbacks of one stream. One writer, the callback; anybody may read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls = self._late = 0
        self._longest_s = 0.0
        self._last_s = math.inf
        self._late_s = math.inf

    def expect(self, block_s: float, latency_s: float) -> None:
        """A callback is to come with every block, and what the device buffers lasts so long."""
        self._late_s = block_s + max(block_s, latency_s)

    def called(self) -> None:
        """The callback's."""
        now_s = self._clock()
        waited_s = now_s - self._last_s
        self._last_s = now_s
        self._calls += 1
        if waited_s > self._longest_s:
            self._longest_s = waited_s
        if waited_s > self._late_s:
            self._late += 1

    @property
    def last_s(self) -> float | None:
        """When the last one was, by the clock; None: there was none."""
        return None if self._last_s == math.inf else self._last_s

    def counts(self, underflows: int = 0) -> CallbackCounts:
        """As they are now."""
        return CallbackCounts(self._calls, self._late, underflows, self._longest_s)


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """One device of a run at one moment, over all streams there were. `dataclasses.asdict` makes it JSON.

    From `device_statistics()` of a `MicrophoneInput` or a `SpeakerOutput` while it runs, and for all of
    them from `report.devices`. Samples are those of the run, whatever the device's own rate is.
    """

    stage: str
    """The stage it belongs to."""
    kind: DeviceKind
    """What it is: "microphone" or "speaker"."""
    device: str
    """Its name, as it was opened; safe to print."""
    lost: bool
    """It is away at this moment."""
    rate: int
    """Samples a second of the run."""
    channels: int
    blocks: int
    """Callbacks; of a file, the pieces that were read or written."""
    samples: int
    """Samples that the microphone brought, or that were handed to the speaker; silence in between is none."""
    overflow: int
    """Samples that the microphone lost: in the device, or because the pipeline took too long."""
    underflow: int
    """How often the speaker said that it had run dry: a gap was heard."""
    late: int
    """Callbacks that came more than a block and the device's latency after the one before: time enough
    for its buffer to run dry, whether it said so or not. At least two blocks."""
    longest_wait_s: float
    """The longest time between two callbacks, in seconds."""
    reconnections: int
    """How often it was lost, and came back."""
    fill_s: float
    """Audio that waits, in seconds: captured, for the pipeline; or written, for the speaker."""
    latency_s: float
    """Between its callback and the air, in seconds, as the device reports it, our conversion included:
    the input latency of a microphone, the output latency of a speaker."""

    @property
    def troubles(self) -> str:
        """What went wrong, in a few words; empty where nothing did."""
        counts = {
            "lost samples": self.overflow,
            "underflow": self.underflow,
            "late": self.late,
            "reconnected": self.reconnections,
        }
        return ", ".join(f"{what} {count}" for what, count in counts.items() if count)

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.device}: {self.blocks} blocks, {self.samples} samples, "
            f"latency {1e3 * self.latency_s:.0f} ms, fill {1e3 * self.fill_s:.0f} ms, "
            f"longest wait {1e3 * self.longest_wait_s:.0f} ms; {self.troubles or 'no trouble'}"
            + ("; lost" if self.lost else "")
        )
