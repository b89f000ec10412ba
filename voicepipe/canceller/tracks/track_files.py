"""The files of a recording of all tracks: one WAV file of six channels, and a label file beside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from voicepipe.audio.files.private_files import make_private_folders
from voicepipe.audio.files.regular_file import open_regular
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.audio.format import AudioFormat
from voicepipe.text import printable

__all__ = ["NAMES", "TrackFiles", "label_path"]

NAMES = ("microphone", "ear", "words", "reference", "speaker", "speech")
"""The tracks, in the order of the channels."""
T = TypeVar("T")
Rows: TypeAlias = npt.NDArray[np.int16]
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def label_path(path: str) -> str:
    """Return the path of the label file that belongs to a file of tracks."""
    return f"{os.path.splitext(path)[0]}.txt"


class TrackFiles:
    """Writes the tracks and the labels. Both files are new, their owner's alone, and good at any time.

    Args:
        path: of the WAV file; a missing folder is made, for the owner alone.
        rate: in samples a second.

    Raises:
        FileExistsError: one of the files is there.
        AudioFormatError, OSError: one cannot be made.
    """

    def __init__(self, path: str, rate: int) -> None:
        self.path, self.labels_path = path, label_path(path)
        if folder := os.path.dirname(path):
            make_private_folders(folder)
        self._wav = _create(path, lambda: WavWriter(path, AudioFormat(rate, len(NAMES)), new=True))
        try:
            self._labels = _create(self.labels_path, lambda: open_regular(self.labels_path, _NEW))
        except BaseException:  # whatever it is, no half of the pair stays
            self._wav.close()
            os.unlink(path)
            raise

    @property
    def written(self) -> int:
        """The rows in the file."""
        return self._wav.num_samples

    def write(self, rows: Rows) -> None:
        """Append rows, shape (count, 6). Raises: OSError."""
        self._wav.write(rows.tobytes())
        self._wav.update_header()

    def rewrite(self, at: int, rows: Rows) -> None:
        """Replace rows from row `at` on. Raises: OSError."""
        self._wav.rewrite(at, rows.tobytes())

    def label(self, begin_s: float, end_s: float, text: str) -> None:
        """Append a label. Raises: OSError."""
        line = f"{max(0.0, begin_s):.6f}\t{max(0.0, begin_s, end_s):.6f}\t{printable(text)}\n".encode()
        while line:
            line = line[os.write(self._labels, line) :]

    def close(self) -> None:
        """Close both files; without a row, remove them. A second call does nothing. Raises: OSError."""
        labels, self._labels = self._labels, -1
        if labels < 0:
            return
        try:
            self._wav.close()
        finally:
            os.close(labels)
            if not self._wav.num_samples:
                os.unlink(self.path)
                os.unlink(self.labels_path)


def _create(path: str, create: Callable[[], T]) -> T:
    """Return what is made anew at that path. Raises: FileExistsError: says what to do."""
    try:
        return create()
    except FileExistsError:
        reason = "already exists: choose another name or delete it"
        raise FileExistsError(errno.EEXIST, reason, path) from None
