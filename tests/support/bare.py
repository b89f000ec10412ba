"""The environment of a program that a test starts with nothing of the user's settings."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["bare"]

ROOT = Path(__file__).parents[2]
OF_THE_MACHINE = ("PATH", "SYSTEMROOT", "QEMU_CPU")
"""Where programs are; without what Windows opens no socket; and which processor an emulator emulates."""


def bare(**variables: str) -> dict[str, str]:
    """This checkout's packages, what is the machine's, and these variables."""
    kept = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "devices"))), **variables}
