"""`voicepipe devices`: list the microphones and speakers, with the formats at which they open."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import Backend, DeviceInfo
from voicepipe.devices.trial import CHANNELS, RATES, DeviceTrial, SideTrial
from voicepipe.errors import VoicepipeError

__all__ = [
    "DevicesOptions",
    "command_line",
    "read_options",
    "run",
    "describe_side",
    "device_lines",
]


_STEADY = ("card", "socket")
"""The fields for names that only some devices have."""


@dataclass(frozen=True, slots=True)
class DevicesOptions:
    """The options of the list."""

    backend: str
    json: bool
    debug: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Lists the microphones and speakers, the rates and channels at which each opens, and the format "
        "that is taken for 16 kHz mono. Nothing is recorded or played.",
        "0 listed, 1 failed, 2 wrong usage",
    )
    parser.take("--backend", default="portaudio")
    parser.take("--json")
    parser.take("--debug", action="store_true", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> DevicesOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.parse_args(arguments)
    return parser.options(
        DevicesOptions, given, backend="portaudio" if given.backend == "auto" else given.backend
    )


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    try:
        trials = asyncio.run(_trials(open_backend(options.backend)))
    except VoicepipeError as error:
        if options.debug:
            raise
        complain(program, error)
        return 1
    if options.json:
        print(json.dumps([_fields(trial) for trial in trials], indent=1))
    else:
        for line in device_lines(trials):
            print(wrap(line, columns_of(sys.stdout), 16 if line.startswith(" ") else 4))
    return 0


async def _trials(backend: Backend) -> list[DeviceTrial]:
    trials = await backend.trials()
    return [*trials, *_in_use(trials)] if backend.name == "portaudio" else trials


def _in_use(trials: Sequence[DeviceTrial]) -> Iterator[DeviceTrial]:
    """Yield the kernel's devices that another program has: the library does not list those."""
    from voicepipe_devices.portaudio.alsa import kernel_devices
    from voicepipe_devices.portaudio.cards import known_cards, steady_names_of

    listed = [trial.device.name for trial in trials]
    for capture in (True, False):
        for kernels in kernel_devices(capture=capture):
            if kernels.holder and kernels.name not in listed:
                side = SideTrial(trouble=f"in use by {kernels.holder}")
                steady = steady_names_of(kernels.name, known_cards())
                device = DeviceInfo(kernels.name, 0, 0, 0, False, False, "ALSA", *steady)
                yield DeviceTrial(device, side if capture else None, None if capture else side)


def _fields(trial: DeviceTrial) -> dict[str, object]:
    sides = {"microphone": trial.microphone, "speaker": trial.speaker}
    about = {name: value for name, value in asdict(trial.device).items() if name not in _STEADY or value}
    return {
        **about,
        **{kind: None if side is None else asdict(side) for kind, side in sides.items()},
    }


def device_lines(trials: Sequence[DeviceTrial]) -> Iterator[str]:
    """Yield the list for a person: each device with its names, and the formats at which it opens."""
    if not trials:
        yield "no sound device found: plug one in, start the sound server, or end the program that uses it"
    for trial in trials:
        device = trial.device
        yield ", ".join(filter(None, (f'"{device.name}"', device.host))) + _role(device)
        if device.card:
            steady = " or ".join(f'"{name}"' for name in (device.card, device.socket) if name)
            yield f"    {'steady name':<12}{steady}"
        for kind, side in (("microphone", trial.microphone), ("speaker", trial.speaker)):
            if side is not None:
                yield f"    {kind:<12}{describe_side(side)}"
        if trial.microphone is None and trial.speaker is None:
            kind = "microphone" if device.inputs else "speaker"
            most = _channels(device.inputs or device.outputs)
            yield f"    {kind:<12}{device.default_rate / 1000:g} kHz, {most}"


def _role(device: DeviceInfo) -> str:
    roles = ["microphone"] * device.default_input + ["speaker"] * device.default_output
    return f" (default {' and '.join(roles)})" if roles else ""


def describe_side(side: SideTrial) -> str:
    """Return the formats at which a device opens, and the one that is taken."""
    if side.trouble:
        return side.trouble
    opens = f"{_some(side.rates, RATES, 1000)} kHz, {_some(side.channels, CHANNELS)} channel"
    opens += "" if side.channels == (1,) else "s"
    taken = side.taken_rate, side.taken_channels
    if taken == (0, 0):
        return f"{opens}; not usable for 16 kHz mono"
    how = "as it is" if taken == (16_000, 1) else f"from {taken[0] / 1000:g} kHz, {_channels(taken[1])}"
    return f"{opens}; 16 kHz mono {how}"


def _some(found: Sequence[int], usual: Sequence[int], unit: int = 1) -> str:
    """Return "1 to 8" where all the usual values between are there; else each of them."""
    between = [value for value in usual if found[0] <= value <= found[-1]]
    if len(found) > 2 and set(between) <= set(found):
        return f"{found[0] / unit:g} to {found[-1] / unit:g}"
    *others, last = [f"{value / unit:g}" for value in found]
    return f"{', '.join(others)} or {last}" if others else last


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
