"""The descriptors that another event loop, uvloop, keeps open for itself: they are no leak of the program."""

from __future__ import annotations

import sys

__all__ = ["descriptors_of_uvloop"]


def descriptors_of_uvloop(targets: dict[str, str]) -> set[str]:
    """Return those of these descriptors that libuv, the engine of uvloop, has opened for itself.

    With its first loop it makes a pipe for all signals, which stays, with one byte in it for a lock
    (`uv__signal_global_once_init`). With its first stream a loop opens /dev/null, until it is closed
    (`uv__stream_init`).

    Args:
        targets: by the number of each descriptor, the thing that it refers to.
    """
    if "uvloop" not in sys.modules:
        return set()
    own: set[str] = set()
    ends = list(targets.values())
    for number, target in targets.items():
        is_null = target == "/dev/null" and int(number) > 2 and _is_for_reading(int(number))
        is_lock = target.startswith("pipe:") and ends.count(target) == 2 and _bytes_in(int(number)) == 1
        if is_null or is_lock:
            own.add(number)
    return own


def _is_for_reading(number: int) -> bool:
    import fcntl  # which only Unix has
    import os

    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except OSError:
        return False


def _bytes_in(number: int) -> int:
    """Return the number of bytes that wait in a pipe."""
    import fcntl
    import termios

    try:
        return int.from_bytes(fcntl.ioctl(number, termios.FIONREAD, bytes(4)), sys.byteorder)
    except OSError:
        return 0
