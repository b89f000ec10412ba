"""Runs the port's promises on the card of its environment: `conforming.py BACKEND DEVICE RATE`"""

from __future__ import annotations

import asyncio
import sys

import test_backend_port as port
from voicepipe import AudioFormat, open_backend
from voicepipe.census import assert_nothing_left, take_census
from voicepipe.devices import StreamRequest


async def main(backend: str, device: str, rate: int) -> None:
    """Run every check, and look for what each of them left."""
    port.REQUEST = StreamRequest(AudioFormat(rate, 2), device=device, block_s=0.01, latency=0.03)
    for check in port.CHECKS:
        before = take_census()
        await check(open_backend(backend))
        assert_nothing_left(before)
        print(check.__name__, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
