"""An engine's process whose requests say what it does: it answers, waits, hangs, fails or crashes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from voicepipe.engines.child import Handler, serve


def main() -> None:
    serve(make)


def make(arguments: list[str]) -> Handler:
    for argument in arguments:
        start(*argument.split(":", 1))
    return handle


def start(what: str, more: str = "") -> None:
    """Do this before the engine is loaded."""
    if what == "fail":
        raise ValueError(more)
    if what == "crash":
        sys.stderr.write("no such model\n")
        os.abort()
    if what == "slow":
        time.sleep(float(more))  # a model that takes long to load, in a real process
    if what == "once":  # it crashes at every start but the first
        if os.path.exists(more):
            os._exit(7)
        open(more, "w").close()


def handle(body: bytes, cancelled: threading.Event) -> bytes:
    what, _, more = body.decode().partition(":")
    if what == "wait":
        cancelled.wait(60)
        return b"was cancelled"
    if what == "native":  # native code that holds the GIL
        ctypes.PyDLL(None).sleep(60)
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "crash":
        sys.stderr.write("out of luck\n")
        os.abort()
    if what == "fail":
        raise KeyError(more)
    if what == "print":
        print(more)
        sys.stderr.write(f"{more}\n" * 5_000)
    if what == "noise":  # a library that writes into the pipe as if it were its own
        for descriptor in range(3, 64):
            with suppress(OSError):
                os.write(descriptor, b"\xff" * 64)
    if what == "nice":
        return str(os.nice(0)).encode()
    if what == "large":
        return b"x" * int(more)
    return str(os.getpid()).encode()
