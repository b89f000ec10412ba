"""The end of the process: in order, or at once."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import threading
from typing import NoReturn, TextIO

from voicepipe.devices.port import IN_A_LIBRARY
from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["end_at_once", "end_process", "has_reader_gone", "settle_output"]

_log = logger_of("voicepipe")


def end_process(status: int) -> NoReturn:
    """End the process, even if a thread refuses to end: it is named, and `atexit` functions do not run then.

    A reader of the output that has gone away changes nothing. Output that cannot be written, as on a full
    disk, is one line, and status 1 in place of 0.

    From here on Ctrl-C is the system's: it ends the process with no traceback.
    """
    _leave_ctrl_c_to_the_system()  # first: output that nobody reads may take for ever to be flushed
    others = set(threading.enumerate()) - {threading.current_thread()}
    # A library that hangs in a call of ours would hang in its `atexit` function too.
    held_by = sorted(
        printable(thread.name)
        for thread in others
        if not thread.daemon or thread.name.startswith(IN_A_LIBRARY)
    )
    if held_by:
        _log.warning("the process ends in spite of %s", ", ".join(held_by))
    error = settle_output()
    if error is not None and not has_reader_gone(error):
        status = status or 1
        with contextlib.suppress(OSError, ValueError):
            print(f"voicepipe: {error.strerror or error}", file=sys.stderr, flush=True)
    if held_by:
        os._exit(status)
    sys.exit(status)


def _leave_ctrl_c_to_the_system() -> None:
    """Let Ctrl-C end the process as the system does: a traceback at the interpreter's end helps nobody."""
    with contextlib.suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def settle_output() -> OSError | None:
    """Flush stdout and stderr. Where stdout fails, the rest of it goes nowhere; return that error.

    Otherwise the interpreter would try again in its last moment, fail, and say so with a status of its own.
    """
    errors = [_settle(stream) for stream in (sys.stdout, sys.stderr)]
    return errors[0]


def _settle(stream: TextIO | None) -> OSError | None:
    if stream is None:  # it was closed before the program began
        return None
    try:
        stream.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # it has no descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    except ValueError:
        pass  # closed
    return None


def has_reader_gone(error: OSError) -> bool:
    """Return True where nobody reads any more, as behind `head`; EIO: the terminal is closed."""
    return error.errno in (errno.EPIPE, errno.EIO)


def end_at_once(number: signal.Signals) -> NoReturn:
    """End the process now, and say so where that cannot block. From any thread."""
    said = f"\nvoicepipe: a third signal, {number.name}: the process ends at once\n"
    with contextlib.suppress(OSError, ValueError):
        stderr = -1 if sys.__stderr__ is None else sys.__stderr__.fileno()
        if sys.platform == "win32" or select.select([], [stderr], [], 0)[1]:
            os.write(stderr, said.encode())
    os._exit(128 + number)
