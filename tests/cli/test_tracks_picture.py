"""`voicepipe vad TRACKS --plot`: the tracks of a recorded conversation, with its labels."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from voicepipe.canceller.tracks.track_files import NAMES, TrackFiles
from voicepipe.cli.parts.tracks_picture import Label, are_tracks, read_labels

RATE = 16_000


def recording(path: Path, seconds: float = 2.0) -> Path:
    """Write a recording: a tone in each track, and labels."""
    files = TrackFiles(str(path), RATE)
    tone = 3_000 * np.sin(np.arange(round(seconds * RATE)) / 8)
    files.write(np.rint(np.repeat(tone[:, None], len(NAMES), axis=1)).astype(np.int16))
    files.label(1.0, 1.5, "user")
    files.label(0.2, 0.9, "program, interrupted")
    files.label(0.0, 0.0, "cancelling: aec3 and $kalman$")
    files.close()
    return path


LABELS = [
    Label(0.0, 0.0, "cancelling: aec3 and $kalman$"),
    Label(0.2, 0.9, "program, interrupted"),
    Label(1.0, 1.5, "user"),
]


def test_labels_are_read_by_time_and_a_line_that_is_none_is_left_out(tmp_path: Path) -> None:
    path = recording(tmp_path / "talk.wav")
    with open(path.with_suffix(".txt"), "a", encoding="utf-8") as file:
        file.write("\\\t200\t300\nnan\tnan\tno time\n2.0\t1.0\tbackwards\n1.9\t1.9\tlate \x1b[31m\n1.95\t1.")
    assert read_labels(str(path)) == [*LABELS, Label(1.9, 1.9, "late \\x1b[31m")]


def test_other_files_are_no_tracks(tmp_path: Path) -> None:
    assert are_tracks(str(recording(tmp_path / "talk.wav")))
    (tmp_path / "talk.txt").unlink()
    assert not are_tracks(str(tmp_path / "talk.wav")), "without labels"
    assert not are_tracks(str(tmp_path / "none.wav"))
    with wave.open(str(tmp_path / "mono.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(320))
    (tmp_path / "mono.txt").write_text("1\t2\tnotes of mine\n")
    assert not are_tracks(str(tmp_path / "mono.wav"))
    (tmp_path / "mono.wav").write_text("no sound")
    assert not are_tracks(str(tmp_path / "mono.wav"))


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(("name", "begins"), [("talk.png", b"\x89PNG"), ("talk.svg", b"<?xml")])
def test_tracks_are_drawn_and_their_labels_are_printed(name: str, begins: bytes, tmp_path: Path) -> None:
    path = recording(tmp_path / "日本 $1$.wav")
    # In a process of its own: matplotlib keeps its fonts open.
    done = subprocess.run(
        [sys.executable, "-m", "voicepipe", "vad", str(path), "--plot", str(tmp_path / name)],
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path / "fonts")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{label.begin_s:10.3f} {label.end_s:10.3f}   {label.text}" for label in LABELS
    ]
    drawn = (tmp_path / name).read_bytes()
    assert drawn.startswith(begins)
    if name.endswith("svg"):
        named = drawn.decode()
        assert all(f"<!-- {track}" in named for track in NAMES), "each track has its name"
        assert "<!-- program, interrupted -->" in named
