"""`voicepipe latency`: how long sound takes out of the program, through the air, and back, by chirps."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from voicepipe.audio import AudioFormat
from voicepipe.devices import Backend, StreamInfo, StreamRequest, open_backend
from voicepipe.programs.options import Parser
from voicepipe.programs.probe import Chirp, Trip, open_microphone, open_speaker, round_trip
from voicepipe.programs.screen import Screen, run_on_screen

__all__ = [
    "LatencyOptions",
    "Measurement",
    "measure",
    "command_line",
    "percentile",
    "read_options",
    "run",
]

SETTLE_S = 0.5
"""For both streams to run as they will."""
BLOCK_S = 0.01


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What is to be measured."""

    backend: str = "portaudio"
    mic: str = ""
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    block_s: float = BLOCK_S
    latency: str | float = "low"
    count: int = 20
    listen_s: float = 0.6
    json: bool = False
    plot: str | None = None
    debug: bool = False


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Plays short chirps, listens for them, and says how long each was on its way: from the "
        "program to the microphone, and until the program has it in hand again.",
        "0 measured, 1 failed or nothing was heard, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    parser.take("--backend", default="auto")
    parser.take("--mic", "--speaker")
    # What is set for other programs would make it another measurement.
    parser.take("--rate", default=48_000, from_settings=False)
    parser.take("--block", from_settings=False)
    parser.take("--latency", default="low", from_settings=False)
    parser.take("--count", "--listen", "--json")
    parser.take("--plot", help="draw every chirp's way (needs matplotlib)")
    parser.take("--debug", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> LatencyOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    return LatencyOptions(
        parser.hardware(given, "a file has no latency"),
        given.mic,
        given.speaker,
        AudioFormat(given.rate),
        parser.block_s(given, BLOCK_S),
        given.latency,
        given.count,
        given.listen,
        given.json,
        given.plot,
        given.debug,
    )


@dataclass(frozen=True, slots=True)
class Measurement:
    """All chirps of one measurement."""

    microphone: StreamInfo
    speaker: StreamInfo
    trips: tuple[Trip | None, ...]
    """None: it was not heard."""

    @property
    def heard(self) -> list[Trip]:
        """Those that were heard."""
        return [trip for trip in self.trips if trip is not None]

    def as_dict(self) -> dict[str, Any]:
        """For machines; times in milliseconds."""
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
        """For a person."""
        lost = len(self.trips) - len(self.heard)
        lines = [f"{self.speaker.device} to {self.microphone.device}, {self.microphone.format}: {lost} lost"]
        if not self.heard:
            return [*lines, "the microphone does not hear the speaker: turn both up, and use no headphones"]
        for what, seconds in (
            ("to the microphone", [trip.seconds for trip in self.heard]),
            ("in hand again", [trip.in_hand_s for trip in self.heard]),
        ):
            ms = _summary(seconds)
            lines.append(f"{what:<18} p50 {ms['p50']:.1f} ms  p95 {ms['p95']:.1f} ms  max {ms['max']:.1f} ms")
        reported_ms = 1e3 * (self.microphone.latency_s + self.speaker.latency_s)
        return [*lines, f"the devices report {reported_ms:.1f} ms for both directions, blocks not counted"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    places = {"p50": 50.0, "p95": 95.0, "max": 100.0}
    return {name: round(1e3 * percentile(seconds, percent), 3) for name, percent in places.items()}


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: LatencyOptions, screen: Screen) -> int:
    draw: Callable[[Measurement, str], None] | None = None
    if options.plot is not None:
        from voicepipe.programs.picture import draw_trips  # before the work: matplotlib may be missing

        draw = draw_trips

    def progress(trips: Sequence[Trip | None]) -> None:
        if screen.is_live and not options.json:
            screen.status(f"chirp {len(trips)} of {options.count}")

    found = asyncio.run(measure(open_backend(options.backend), options, progress))
    screen.clear()
    print(json.dumps(found.as_dict(), indent=1) if options.json else "\n".join(found.lines()))
    if draw is not None and options.plot is not None:
        draw(found, options.plot)
    return 0 if found.heard else 1


async def measure(
    backend: Backend, options: LatencyOptions, progress: Callable[[Sequence[Trip | None]], None]
) -> Measurement:
    """Play chirps one after the other, at odd moments of the devices' blocks, and listen for each.

    Raises:
        DeviceError: a device cannot be opened, or is lost.
    """
    wish = StreamRequest(options.format, block_s=options.block_s, latency=options.latency)
    chirp = Chirp(options.format)
    trips: list[Trip | None] = []
    async with (
        open_microphone(backend, wish, options.mic) as microphone,
        open_speaker(backend, wish, options.speaker) as speaker,
    ):
        await asyncio.sleep(SETTLE_S)
        for _ in range(options.count):
            await asyncio.sleep(random.uniform(0.0, options.block_s))
            trips.append(await round_trip(microphone, speaker, chirp, options.listen_s))
            progress(trips)
        return Measurement(microphone.info, speaker.info, tuple(trips))
