"""Plays a scene through real PortAudio and a virtual card in a room. The user is silent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.cancelling.scenes import Scene, ints
from benchmarks.cancelling.subjects import AEC3, AEC3_DELAY, BARE, OURS, Heard, Taken, aec3, bare
from soundcard.plugging import CannotRunError, PluggedCard, plugged
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.canceller.tracks.track_files import NAMES

__all__ = ["real"]

CARD_RATE = 48_000
SPARE_S = 60.0
TRACKS = "tracks.wav"
_PROGRAM = Path(__file__).with_name("real_program.py")


def real(scene: Scene) -> Taken:
    """Play a scene on a virtual card.

    Raises:
        CannotRunError: the card cannot be put in, or the program fails.
    """
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        card = stack.enter_context(plugged(folder / "card", rate=CARD_RATE))
        card.room(_at_card(scene.ways[0]), scene.drive)
        timers = [
            threading.Timer(at / RATE, card.room, (_at_card(way), scene.drive))
            for at, way in zip(scene.changed, scene.ways[1:], strict=True)
        ]
        np.save(folder / "far.npy", ints(scene.far))
        for timer in timers:
            stack.callback(timer.cancel)
            timer.start()
        told = _run(card, folder, scene.seconds)
        counted = card.mic.xruns + card.speaker.xruns
        return _taken(folder / TRACKS, len(scene.far), f"{counted} overruns and underruns; {told}")


def _run(card: PluggedCard, folder: Path, seconds: float) -> str:
    """Play it; return what the run says of the echo. Raises: CannotRunError."""
    command = [sys.executable, str(_PROGRAM), str(folder / "far.npy"), str(folder / TRACKS)]
    done = subprocess.run(
        command,
        env={**os.environ, **card.env},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds + SPARE_S,
    )
    if done.returncode:
        raise CannotRunError(
            f"the program on the virtual card failed: {done.stderr.strip().splitlines()[-1]}"
        )
    return done.stdout.strip()


def _taken(file: Path, count: int, told: str) -> Taken:
    """Cut the scene out of the recorded tracks: from the first sample that sounded on."""
    with WavReader(file) as wav:
        rows = np.frombuffer(wav.read(wav.num_samples), np.int16).reshape(-1, len(NAMES))
    tracks = dict(zip(NAMES, rows.T.copy(), strict=True))
    mic, far = tracks["microphone"], tracks["reference"] / 32_768
    begin = int(np.argmax(far != 0))
    scene = slice(begin, begin + count)
    ours = Heard(tracks["ear"], tracks["words"], AEC3_DELAY / RATE)
    ears = {BARE: bare(mic), AEC3: aec3(mic, far), OURS: ours}
    cut = {name: Heard(each.ear[scene], each.words[scene], each.late_s) for name, each in ears.items()}
    return Taken(mic[scene], cut, told)


def _at_card(way: Floats) -> Sequence[float]:
    """Return an impulse response at the rate of the card."""
    import soxr

    taps: list[float] = (soxr.resample(way, RATE, CARD_RATE, "HQ") * RATE / CARD_RATE).tolist()
    return taps
