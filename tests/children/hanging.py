"""A program whose sound processes hang, each in another phase, until it is killed; and the library for that.

python hanging.py WAY FOLDER PHASE...    a file in the folder for each phase that is reached
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import NoReturn

from support.blocking_drivers import Handle, Library
from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import DeviceInfo, StreamRequest
from voicepipe_devices.driver import CaptureCallback, Finished, Sides
from voicepipe_devices.sound_process.backend import OutsideBackend
from voicepipe_devices.sound_process.messages import Kind
from voicepipe_devices.sound_process.parent import SoundProcess

WAY, FOLDER = "VOICEPIPE_TEST_WAY", "VOICEPIPE_TEST_FOLDER"
PHASES = ("loading", "listing", "trying", "opening", "starting", "running", "closing")
WAYS = ("releasing the GIL", "holding the GIL", "stopped")


def hang(phase: str) -> None:
    """Tell that this phase is reached, with the process's id, and never return."""
    note = Path(os.environ[FOLDER], phase)
    note.with_suffix(".new").write_text(str(os.getpid()), encoding="utf-8")
    note.with_suffix(".new").rename(note)
    while True:
        if os.environ[WAY] == "holding the GIL":
            ctypes.PyDLL(None).sleep(60)
        elif os.environ[WAY] == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait(1)


class _HangingHandle(Handle):
    def __init__(self, phase: str, request: StreamRequest) -> None:
        super().__init__(request, lambda count: hang("running") if phase == "running" else None)
        self._phase = phase

    def start(self) -> None:
        if self._phase == "starting":
            hang("starting")
        super().start()

    def end(self) -> None:
        if self._phase == "closing":
            hang("closing")
        super().end()


class HangingLibrary(Library):
    def __init__(self, phase: str) -> None:
        super().__init__()
        self._phase = phase

    def devices(self) -> list[DeviceInfo]:
        if self._phase == "listing":
            hang("listing")
        return super().devices()

    def try_device(self, number: int, name: str) -> Sides:
        hang("trying")
        return super().try_device(number, name)

    def open_capture(self, request: StreamRequest, callback: CaptureCallback, finished: Finished) -> Handle:
        if self._phase == "opening":
            hang("opening")
        return _HangingHandle(self._phase, request)


def loading() -> NoReturn:
    hang("loading")
    raise AssertionError("it never returns")


listing, trying, opening, starting, running, closing = (
    partial(HangingLibrary, phase) for phase in PHASES if phase != "loading"
)

REQUEST = StreamRequest(AudioFormat(16_000), block_s=0.01)


async def reach(phase: str) -> None:
    """Bring a sound process to this phase."""
    driver = f"children.hanging:{phase}"
    if phase == "trying":
        process = await SoundProcess(lambda kind, body: None, lambda error: None).start(driver)
        await process.ask(Kind.TRY, b'{"number": 0, "name": ""}', "trying", 60)
    elif phase == "listing":
        await OutsideBackend(driver, "library", shares_air=False).devices()
    else:
        backend = OutsideBackend(driver, "library", shares_air=False)
        stream = await backend.open_input(REQUEST, lambda: None)
        await stream.start()
        if phase == "closing":
            # Files are the only sign that other processes give here, and nothing else runs in this loop.
            while len(list(Path(os.environ[FOLDER]).glob("*[a-z]"))) < len(PHASES) - 1:  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.01)
            await stream.close()
    await asyncio.Event().wait()


async def main(phases: list[str]) -> None:
    await asyncio.gather(*(reach(phase) for phase in phases), return_exceptions=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ[WAY], os.environ[FOLDER] = sys.argv[1:3]
    asyncio.run(main(sys.argv[3:]))
