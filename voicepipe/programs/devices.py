"""`voicepipe devices`: the microphones and speakers there are, and which would be taken."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from voicepipe.devices import DeviceInfo, open_backend
from voicepipe.errors import VoicepipeError
from voicepipe.programs.options import devices_options

__all__ = ["run"]


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = devices_options(arguments, program)
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
