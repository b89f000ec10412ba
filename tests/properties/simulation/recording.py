"""The recording of a run, as its files are at the moment at which the run has returned."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicepipe.audio.files.wav_file import WavReader

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Label", "Recording", "recording_at"]

CHANNELS = 6
_OPEN = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Label:
    """A line of the label file."""

    begin_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """The two files of a recording."""

    rows: npt.NDArray[np.uint16]
    """The tracks, as numbers: shape (count, 6); empty where there is no file."""
    labels: tuple[Label, ...]
    faults: tuple[str, ...]
    """What is wrong with the files themselves."""


def recording_at(path: Path) -> Recording:
    """Return the recording whose WAV file has that path, alone in its folder."""
    import numpy as np

    files = sorted(path.parent.iterdir()) if path.parent.exists() else []
    faults = [*_faults_of_folder(path, files), *(line for file in files for line in _faults_of_file(file))]
    if path not in files:
        return Recording(np.zeros((0, CHANNELS), np.uint16), (), tuple(faults))
    with WavReader(path) as wav:
        data = wav.read(wav.num_samples)
        faults += wav.remarks
    size = path.stat().st_size
    said = int.from_bytes(path.read_bytes()[4:8], "little") + 8
    if said != size:
        faults.append(f"the header says {said} bytes, and the file has {size}")
    lines = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    rows = np.frombuffer(data, np.uint16).reshape(-1, CHANNELS)
    return Recording(rows, tuple(_label_in(line) for line in lines), tuple(faults))


def _label_in(line: str) -> Label:
    begin, end, text = line.split("\t")
    return Label(float(begin), float(end), text)


def _faults_of_folder(path: Path, files: list[Path]) -> Iterator[str]:
    if files and files != sorted([path, path.with_suffix(".txt")]):
        yield f"the folder has {[file.name for file in files]}"
    for descriptor in _OPEN.iterdir() if _OPEN.exists() else ():
        if os.path.islink(descriptor) and os.readlink(descriptor).startswith(f"{path.parent}{os.sep}"):
            yield f"{os.readlink(descriptor)} is still open"


def _faults_of_file(file: Path) -> Iterator[str]:
    status = file.stat()
    if stat.S_IMODE(status.st_mode) != 0o600:
        yield f"{file.name} has the mode {stat.S_IMODE(status.st_mode):o}"
    if not status.st_size:
        yield f"{file.name} is empty"
