"""Your own back end: a microphone that hears a sine, and a speaker that measures what it plays.

A back end only has to open streams. With `voicepipe_devices.streams` it says how to call
back for every block; the ring, the clock, the watch on the device and the close are there.
"""

import asyncio
from collections.abc import Callable

import numpy as np

import voicepipe as vp
from voicepipe.devices import DeviceInfo, StreamInfo, StreamRequest
from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback
from voicepipe_devices.streams import DriverBackend


class Beat:
    """An open stream: calls back once for every block, until it is closed."""

    def __init__(self, name: str, request: StreamRequest, block: Callable[[int], None]) -> None:
        self.info = StreamInfo(name, request.format, request.block, latency_s=0.0)
        self._block = block

    async def start(self) -> None:
        self._beating = asyncio.create_task(self._beat(), name=self.info.device)

    async def close(self) -> None:
        if hasattr(self, "_beating"):
            self._beating.cancel()
            await asyncio.wait([self._beating])

    async def _beat(self) -> None:
        position, began_s = 0, asyncio.get_running_loop().time()
        while True:
            position += self.info.block
            due_s = began_s + position / self.info.format.rate
            await asyncio.sleep(due_s - asyncio.get_running_loop().time())
            self._block(position - self.info.block)


class SineBackend(DriverBackend):
    """Hears 440 Hz."""

    name = "sine"
    shares_air = False

    async def devices(self) -> list[DeviceInfo]:
        return [DeviceInfo("sine", inputs=1, outputs=1, default_rate=16_000)]

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Beat:
        loop, rate = asyncio.get_running_loop(), request.format.rate

        def block(position: int) -> None:
            moments = (position + np.arange(request.block)) / rate
            sound = np.rint(8_000 * np.sin(2 * np.pi * 440 * moments)).astype(np.int16)
            sound = np.repeat(sound, request.format.channels)
            callback(sound.tobytes(), loop.time() - request.block / rate, 0)

        return Beat("sine", request, block)

    async def open_render(self, request: StreamRequest, callback: RenderCallback, finished: Finished) -> Beat:
        def block(position: int) -> None:
            level = vp.Level.of(callback(request.block))
            if position % request.format.rate < request.block:
                print(f"{position / request.format.rate:4.1f} s  {level.rms_db:6.1f} dB")

        return Beat("meter", request, block)


async def main() -> None:
    backend = SineBackend()
    stages = [vp.MicrophoneInput(backend), vp.Loopback(), vp.SpeakerOutput(backend)]
    task = vp.PipelineTask(vp.Pipeline(stages))
    asyncio.get_running_loop().call_later(1.5, task.end)
    print(await task.run())


if __name__ == "__main__":
    asyncio.run(main())
