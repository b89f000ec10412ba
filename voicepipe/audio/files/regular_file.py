"""Regular files, opened so that nothing waits: a FIFO, a device or a folder is refused."""

from __future__ import annotations

import os
import stat

from voicepipe.errors import AudioFormatError
from voicepipe.text import printable

__all__ = ["open_regular"]

_AS_BYTES = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """Open a regular file, and return its descriptor. A new one is its owner's alone.

    Raises:
        AudioFormatError: there is something else at `path`.
        OSError: it cannot be opened.
    """
    is_new = False
    try:
        _check_regular(os.stat(path), path)  # before: to open a FIFO is noticed at its other end
    except FileNotFoundError:
        is_new = True  # opening it makes it, or says so
    descriptor = os.open(path, flags | _AS_BYTES | _AT_ONCE, 0o600)
    try:
        _check_regular(os.fstat(descriptor), path)
        if is_new:
            os.chmod(path, 0o600)  # a umask may have taken the owner's own rights
    except BaseException:  # at Ctrl-C too, no descriptor may stay
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise AudioFormatError(f"{printable(os.fspath(path))} is {kind}; use a WAV file on a disk")
