"""Runs the port's promises over PortAudio on the card of its environment: `conforming.py DEVICE RATE`"""

from __future__ import annotations

import asyncio
import sys

import test_backend_port as port
from voicepipe import AudioFormat
from voicepipe.census import assert_nothing_left, take_census
from voicepipe.devices import StreamRequest
from voicepipe_devices.portaudio import PortAudioBackend


async def main(device: str, rate: int) -> None:
    """Run every check, and look for what each of them left."""
    port.REQUEST = StreamRequest(AudioFormat(rate, 2), device=device, block_s=0.01, latency=0.03)
    for check in port.CHECKS:
        before = take_census()
        await check(PortAudioBackend())
        assert_nothing_left(before)
        print(check.__name__, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
