"""Opens devices, and prints what comes of it: `opening.py BACKEND WHAT...`, each WHAT "in|out:NAME:RATE".

"pause" waits for a line on stdin.
"""

from __future__ import annotations

import asyncio
import sys

from voicepipe import AudioFormat, open_backend
from voicepipe.devices.port import StreamRequest
from voicepipe.errors import DeviceError


async def main(name: str, whats: list[str]) -> None:
    """One line for each: what was opened, or the error."""
    backend = open_backend(name)
    for what in whats:
        if what == "pause":
            print("paused", flush=True)
            sys.stdin.readline()
            continue
        direction, device, rate = what.split(":")
        request = StreamRequest(AudioFormat(int(rate)), device=device)
        try:
            opening = backend.open_input if direction == "in" else backend.open_output
            stream = await opening(request, lambda: None)
        except DeviceError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        else:
            print(f"opened {stream.info.device}, {stream.info.format}", flush=True)
            await stream.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
