"""Folders and files that are their owner's alone, whatever the umask."""

from __future__ import annotations

import os
from typing import IO

__all__ = ["create_private_file", "make_private_folders"]

_FOLDER, _FILE = 0o700, 0o600


def make_private_folders(path: str) -> None:
    """Make a folder, and those above it that are missing, for the owner alone.

    One that exists stays as it is. `os.makedirs` gives its mode to the last folder only.

    Raises:
        OSError: one cannot be made.
    """
    missing: list[str] = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        try:
            os.mkdir(folder, _FOLDER)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise NotADirectoryError(20, "not a folder", folder) from None
        else:
            os.chmod(folder, _FOLDER)  # a umask may have taken the owner's own rights


def create_private_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file to be written from its beginning; a new one is for the owner alone. Raises: OSError."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _FILE)
    except FileExistsError:
        return open(path, "wb")  # for the caller to close
    os.chmod(path, _FILE)
    return os.fdopen(number, "wb")
