"""A child that says its process id, and waits for ever."""

from __future__ import annotations

import os
import threading


def main() -> None:
    print(os.getpid(), flush=True)
    threading.Event().wait()
