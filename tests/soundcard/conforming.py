"""Runs the port's promises on the card of its environment: `conforming.py BACKEND DEVICE RATE`"""

from __future__ import annotations

import asyncio
import sys

from voicepipe import AudioFormat, open_backend
from voicepipe.devices.port import StreamRequest
from voicepipe.testing import BACKEND_CHECKS, nothing_left


async def main(backend: str, device: str, rate: int) -> None:
    """Run every check, and look for what each of them left."""
    # So much in store that a busy machine tears no gap, which the promises exclude.
    request = StreamRequest(AudioFormat(rate, 2), device=device, block_s=0.01, latency=0.2)
    for check in BACKEND_CHECKS:
        async with nothing_left():
            await check(open_backend(backend), request)
        print(check.__name__, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
