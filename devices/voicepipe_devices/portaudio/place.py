"""The place of PortAudio: in a process of its own, or in this one, where no other can be made."""

from __future__ import annotations

import sys
from functools import cache

from voicepipe.children.interpreter import find_interpreter
from voicepipe.children.start import is_child
from voicepipe.errors import BackendMissingError, LaunchError
from voicepipe.log import logger_of

__all__ = ["OUTSIDE_BY_DEFAULT", "is_outside"]

OUTSIDE_BY_DEFAULT = sys.platform == "linux"
"""True on Linux: a sound server that dies takes PortAudio with it, and only a kill helps (measured). On
other systems nothing has been measured."""
_log = logger_of("voicepipe.sound")


def is_outside(asked: str) -> bool:
    """Return True where PortAudio gets a process of its own: "outside", or by default where it can.

    Raises:
        BackendMissingError: no process can be made, and "outside" was asked for; or this is a child itself.
    """
    if asked == "inside" or not (asked or OUTSIDE_BY_DEFAULT):
        return False
    try:
        find_interpreter()
    except LaunchError as error:
        if asked or is_child():
            raise BackendMissingError(f"sound gets no process of its own: {error}") from error
        _warn_once(str(error))
        return False
    return True


@cache
def _warn_once(reason: str) -> None:
    _log.warning(
        "sound runs inside this program, where a sound server that dies can take it along: %s", reason
    )
