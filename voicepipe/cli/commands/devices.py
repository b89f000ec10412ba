"""`voicepipe devices`: the microphones and speakers there are, what they open at, and what would be taken."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from voicepipe.cli.parts.options import Parser
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import Backend, DeviceInfo
from voicepipe.devices.trial import CHANNELS, RATES, DeviceTrial, SideTrial
from voicepipe.errors import VoicepipeError

__all__ = ["DevicesOptions", "command_line", "read_options", "run", "shown"]


@dataclass(frozen=True, slots=True)
class DevicesOptions:
    """What is to be listed."""

    backend: str
    json: bool
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Lists the microphones and speakers there are, the rates and channels at which each opens, "
        "and what would be taken of it for 16 kHz mono. Nothing is recorded or played.",
        "0 listed, 1 failed, 2 wrong usage",
    )
    parser.take("--backend", default="portaudio")
    parser.take("--json")
    parser.take("--debug", action="store_true", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> DevicesOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    given = command_line(program).parse_args(arguments)
    return DevicesOptions("portaudio" if given.backend == "auto" else given.backend, given.json, given.debug)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    try:
        trials = asyncio.run(_trials(open_backend(options.backend)))
    except VoicepipeError as error:
        if options.debug:
            raise
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([_fields(trial) for trial in trials], indent=1))
    else:
        print("\n".join(_lines(trials)))
    return 0


async def _trials(backend: Backend) -> list[DeviceTrial]:
    trials = await backend.trials()
    return [*trials, *_held(trials)] if backend.name == "portaudio" else trials


def _held(trials: Sequence[DeviceTrial]) -> Iterator[DeviceTrial]:
    """The kernel's devices that another program has, for which they are not in the library's list."""
    from voicepipe_devices.portaudio.alsa import kernel_devices

    listed = [trial.device.name for trial in trials]
    for capture in (True, False):
        for kernels in kernel_devices(capture=capture):
            if kernels.holder and kernels.name not in listed:
                side = SideTrial(trouble=f"in use by {kernels.holder}")
                device = DeviceInfo(kernels.name, 0, 0, 0, host="ALSA")
                yield DeviceTrial(device, side if capture else None, None if capture else side)


def _fields(trial: DeviceTrial) -> dict[str, object]:
    sides = {"microphone": trial.microphone, "speaker": trial.speaker}
    return {
        **asdict(trial.device),
        **{kind: None if side is None else asdict(side) for kind, side in sides.items()},
    }


def _lines(trials: Sequence[DeviceTrial]) -> Iterator[str]:
    if not trials:
        yield "there is no sound device: plug one in, start the sound server, or end what uses it"
    for trial in trials:
        device = trial.device
        yield ", ".join(filter(None, (device.name, device.host))) + _role(device)
        for kind, side in (("microphone", trial.microphone), ("speaker", trial.speaker)):
            if side is not None:
                yield f"    {kind:<12}{shown(side)}"
        if trial.microphone is None and trial.speaker is None:
            kind = "microphone" if device.inputs else "speaker"
            most = _channels(device.inputs or device.outputs)
            yield f"    {kind:<12}{device.default_rate / 1000:g} kHz, {most}"


def _role(device: DeviceInfo) -> str:
    roles = ["microphone"] * device.default_input + ["speaker"] * device.default_output
    return f" (the default {' and '.join(roles)})" if roles else ""


def shown(side: SideTrial) -> str:
    """What it opens at, and what would be taken."""
    if side.trouble:
        return side.trouble
    opens = f"{_some(side.rates, RATES, 1000)} kHz, {_some(side.channels, CHANNELS)} channel"
    opens += "" if side.channels == (1,) else "s"
    taken = side.taken_rate, side.taken_channels
    if taken == (0, 0):
        return f"{opens}; 16 kHz mono cannot be had"
    how = "as it is" if taken == (16_000, 1) else f"from {taken[0] / 1000:g} kHz, {_channels(taken[1])}"
    return f"{opens}; 16 kHz mono {how}"


def _some(found: Sequence[int], usual: Sequence[int], unit: int = 1) -> str:
    """As "1 to 8", where all the usual ones between are there; else each of them."""
    between = [value for value in usual if found[0] <= value <= found[-1]]
    if len(found) > 2 and set(between) <= set(found):
        return f"{found[0] / unit:g} to {found[-1] / unit:g}"
    *others, last = [f"{value / unit:g}" for value in found]
    return f"{', '.join(others)} or {last}" if others else last


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
