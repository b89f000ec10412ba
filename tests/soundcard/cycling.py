"""Opens a microphone and a speaker, lets them run for a moment and closes them: `cycling.py DEVICE TIMES`.

After each time it prints, in one line: its open descriptors, its child processes, its bytes of memory.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

from voicepipe import AudioFormat
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import InputStream, StreamRequest

FORMAT = AudioFormat(48_000)
PATIENCE_S = 5.0


async def main(device: str, times: int) -> None:
    """So many times, one after the other, in one event loop."""
    backend = open_backend("portaudio")
    request = StreamRequest(FORMAT, device=device)
    for _ in range(times):
        news = asyncio.Event()
        microphone = await backend.open_input(request, news.set)
        speaker = await backend.open_output(request, lambda: None)
        await microphone.start()
        await speaker.start()
        await hears(microphone, news)
        await microphone.close()
        await speaker.close()
        gc.collect()
        print(descriptors(), children(), memory(), flush=True)


async def hears(microphone: InputStream, news: asyncio.Event) -> None:
    """Wait for the first block."""
    async with asyncio.timeout(PATIENCE_S):
        while microphone.read() is None:
            news.clear()
            await news.wait()


def descriptors() -> int:
    """How many files and sockets are open."""
    return len(os.listdir("/proc/self/fd"))


def children() -> int:
    """How many child processes there are, of all threads."""
    return sum(len(tasks.read_text().split()) for tasks in Path("/proc/self/task").glob("*/children"))


def memory() -> int:
    """Bytes that are resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
