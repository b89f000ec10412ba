"""The round trips of one measurement, and their summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voicepipe.cli.parts.chirp import Trip
from voicepipe.devices.port import StreamInfo

__all__ = ["Measurement", "percentile"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """All chirps of one measurement."""

    microphone: StreamInfo
    speaker: StreamInfo
    trips: tuple[Trip | None, ...]
    """None stands for a chirp that was not heard."""

    @property
    def heard(self) -> list[Trip]:
        """The trips that were heard."""
        return [trip for trip in self.trips if trip is not None]

    def as_dict(self) -> dict[str, Any]:
        """Return the measurement for machines; times in milliseconds."""
        return {
            "microphone": self.microphone.device,
            "speaker": self.speaker.device,
            "rate": self.microphone.format.rate,
            "chirps": len(self.trips),
            "lost": len(self.trips) - len(self.heard),
            "round_trip_ms": _summary([trip.seconds for trip in self.heard]),
            "in_hand_ms": _summary([trip.in_hand_s for trip in self.heard]),
            "reported_ms": round(1e3 * (self.microphone.latency_s + self.speaker.latency_s), 2),
            "trips": [None if trip is None else asdict(trip) for trip in self.trips],
        }

    def lines(self) -> list[str]:
        """Return the measurement for a person."""
        way = f'"{self.speaker.device}" to "{self.microphone.device}", {self.microphone.format}'
        lines = [f"{way}: {len(self.heard)} of {len(self.trips)} chirps heard"]
        if not self.heard:
            return [*lines, "the microphone does not hear the speaker: turn both up, and unplug headphones"]
        for what, seconds in (
            ("to the microphone", [trip.seconds for trip in self.heard]),
            ("in the program", [trip.in_hand_s for trip in self.heard]),
        ):
            ms = _summary(seconds)
            lines.append(f"{what:<18} p50 {ms['p50']:.1f} ms  p95 {ms['p95']:.1f} ms  max {ms['max']:.1f} ms")
        reported_ms = 1e3 * (self.microphone.latency_s + self.speaker.latency_s)
        return [*lines, f"the devices report {reported_ms:.1f} ms for both directions, blocks not counted"]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    places = {"p50": 50.0, "p95": 95.0, "max": 100.0}
    return {name: round(1e3 * percentile(seconds, percent), 3) for name, percent in places.items()}
