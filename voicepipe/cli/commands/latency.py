"""`voicepipe latency`: measure by chirps the way of sound out of the program, through the air, and back."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from voicepipe.audio.format import AudioFormat
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.parts.chirp import Chirp, Trip, open_microphone, open_speaker, round_trip
from voicepipe.cli.parts.measurement import Measurement
from voicepipe.cli.terminal.screen import Screen, run_on_screen
from voicepipe.cli.terminal.wrapping import columns_of, wrap
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import Backend, StreamRequest

__all__ = ["LatencyOptions", "measure", "command_line", "read_options", "run"]

SETTLE_S = 0.5
"""The time for both streams to become steady."""
BLOCK_S = 0.01


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """The options of the measurement."""

    backend: str = "portaudio"
    mic: str = ""
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    block_s: float = BLOCK_S
    latency: str | float = "low"
    count: int = 20
    listen: float = 0.6
    """Seconds."""
    json: bool = False
    plot: str | None = None
    debug: bool = False


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Plays short chirps, listens for them, and measures the time of each: from the program to the "
        "microphone, and back into the program.",
        "0 measured, 1 failed or nothing was heard, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    parser.take("--backend", default="auto")
    parser.take("--mic", "--speaker")
    # What is set for other programs would make it another measurement.
    parser.take("--rate", default=48_000, from_settings=False)
    parser.take("--block", from_settings=False)
    parser.take(
        "--latency",
        default="low",
        help="latency of the devices: low, high, or seconds; default: low",
        from_settings=False,
    )
    parser.take("--count", "--listen", "--json")
    parser.take("--plot", help="draw the time of every chirp, as .png, .svg or .pdf (needs the extra plot)")
    parser.take("--debug", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> LatencyOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    return parser.options(
        LatencyOptions,
        given,
        backend=parser.hardware(given, "a file has no latency"),
        format=AudioFormat(given.rate),
        block_s=parser.block_s(given, BLOCK_S),
    )


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    return run_on_screen(program, lambda screen: _run(options, screen), debug=options.debug)


def _run(options: LatencyOptions, screen: Screen) -> int:
    draw: Callable[[Measurement, str], None] | None = None
    if options.plot is not None:
        from voicepipe.cli.parts.trips_picture import draw_trips  # before the work: matplotlib may be missing

        draw = draw_trips

    def progress(trips: Sequence[Trip | None]) -> None:
        if screen.is_live and not options.json:
            screen.status(f"chirp {len(trips)} of {options.count}")

    found = asyncio.run(measure(open_backend(options.backend), options, progress))
    screen.clear()
    for line in [json.dumps(found.as_dict(), indent=1)] if options.json else found.lines():
        print(line if options.json else wrap(line, columns_of(sys.stdout)))
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
            trips.append(await round_trip(microphone, speaker, chirp, options.listen))
            progress(trips)
        return Measurement(microphone.info, speaker.info, tuple(trips))
