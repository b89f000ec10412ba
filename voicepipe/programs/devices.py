"""`voicepipe devices`: the microphones and speakers there are, and which would be taken."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from voicepipe.devices import DeviceInfo, open_backend
from voicepipe.errors import VoicepipeError
from voicepipe.programs.options import Parser

__all__ = ["DevicesOptions", "command_line", "read_options", "run"]


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
        "Lists the microphones and speakers there are, and which would be taken.",
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
        devices = asyncio.run(open_backend(options.backend).devices())
    except VoicepipeError as error:
        if options.debug:
            raise
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([asdict(device) for device in devices], indent=1))
    else:
        print("\n".join(_table(devices)))
    return 0


def _table(devices: list[DeviceInfo]) -> list[str]:
    if not devices:
        return ["there is no sound device: plug one in, or start the sound server"]
    width = max(len("name"), *(len(device.name) for device in devices))
    lines = [f"{'name':<{width}}  {'in':>3} {'out':>3} {'default Hz':>10}  taken by default as"]
    for device in devices:
        roles = ["microphone"] * device.default_input + ["speaker"] * device.default_output
        row = f"{device.name:<{width}}  {device.inputs:>3} {device.outputs:>3} {device.default_rate:>10}  "
        lines.append((row + " and ".join(roles)).rstrip())
    return lines
