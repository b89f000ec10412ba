"""The first act of a child process: it binds itself to its program, then runs its module."""

from __future__ import annotations

import importlib
import os
import sys

from voicepipe.children.lifeline import hold

__all__ = ["MARK", "freeze_support", "has_freeze_support", "is_child", "serve"]

MARK = "VOICEPIPE_CHILD"
"""The environment variable that a child has, with its orders. A process that has it starts no other."""
_begins_with_freeze_support = False


def is_child() -> bool:
    """Return True in a child process, also where another program runs in it than was expected."""
    return MARK in os.environ


def has_freeze_support() -> bool:
    """Return True where this program, started again as a child, serves as one and does nothing else."""
    return _begins_with_freeze_support


def freeze_support() -> None:
    """Let a frozen program serve as its own child processes: call it as the program's first statement.

    A program frozen by cx_Freeze, Nuitka or py2exe has no Python beside it, so its sound process is the
    program once more. There this call serves the sound, and never returns. PyInstaller makes it by itself,
    before the first statement. In a program that is not frozen it does nothing.
    """
    global _begins_with_freeze_support
    if is_child():
        serve()
    _begins_with_freeze_support = True


def serve() -> None:
    """Serve as the child that the environment orders. Never returns."""
    status = 1
    try:
        program, lifeline, module = _orders()
        hold(lifeline, program)
        importlib.import_module(module).main()
        status = 0
    except BaseException:  # whatever it is: the program behind this call must not run
        import traceback  # costs 3 ms, and is seldom needed

        traceback.print_exc()
    finally:
        os._exit(status)


def _orders() -> tuple[int, int, str]:
    """Return the program's id, the descriptor of the lifeline, and the module to run."""
    try:
        program, lifeline, module = os.environ[MARK].split(" ")
        os.fstat(int(lifeline))
        return int(program), int(lifeline), module
    except (ValueError, OSError):
        sys.stderr.write(f"voicepipe: {MARK} is set, and this is no child process of voicepipe; unset it\n")
        os._exit(2)
