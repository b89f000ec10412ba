"""Plays a scene through real PortAudio and a virtual card in a room. The user is silent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.cancelling.scenes import Scene, ints
from benchmarks.cancelling.subjects import AEC3, BARE, OURS, Heard, Taken, aec3, at_its_time, bare
from soundcard.plugging import PluggedCard, plugged

__all__ = ["CARD_RATE", "Losing", "real"]

CARD_RATE = 48_000
SPARE_S = 60.0
_PROGRAM = Path(__file__).with_name("real_program.py")


@dataclass(frozen=True, slots=True)
class Losing:
    """Losses of the card that it does not own up to."""

    side: str
    seconds: float
    every_s: float


def real(losing: Losing | None = None) -> Callable[[Scene], Taken]:
    """Return what plays a scene on a virtual card.

    Its calls raise: CannotRunError: the card cannot be put in.
    """
    return lambda scene: _play(scene, losing)


def _play(scene: Scene, losing: Losing | None) -> Taken:
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        card = stack.enter_context(plugged(folder / "card", rate=CARD_RATE))
        card.room(_at_card(scene.ways[0]), scene.drive)
        if losing is not None:
            card.loss(losing.side, losing.seconds, losing.every_s)
        timers = [
            threading.Timer(at / RATE, card.room, (_at_card(way), scene.drive))
            for at, way in zip(scene.changed, scene.ways[1:], strict=True)
        ]
        np.save(folder / "far.npy", ints(scene.far))
        for timer in timers:
            stack.callback(timer.cancel)
            timer.start()
        _run(card, folder, scene.seconds)
        return _taken(folder / "heard.npz", len(scene.far))


def _run(card: PluggedCard, folder: Path, seconds: float) -> None:
    command = [sys.executable, str(_PROGRAM), str(folder / "far.npy"), str(folder / "heard.npz")]
    env = {**os.environ, **card.env}
    subprocess.run(command, env=env, check=True, stdin=subprocess.DEVNULL, timeout=seconds + SPARE_S)


def _taken(file: Path, count: int) -> Taken:
    with np.load(file) as heard:
        mic, far, delay = heard["mic"], heard["far"].astype(np.float64), int(heard["delay"])
        ear, words = (at_its_time(heard[each], delay, len(mic)) for each in ("ear", "words"))
        told = str(heard["told"])
    begin = int(np.argmax(np.abs(far) > 0))
    scene = slice(begin, begin + count)
    ears = {BARE: bare(mic), AEC3: aec3(mic, far), OURS: Heard(ear, words, delay / RATE)}
    cut = {name: Heard(each.ear[scene], each.words[scene], each.late_s) for name, each in ears.items()}
    return Taken(mic[scene], cut, told)


def _at_card(way: Floats) -> Sequence[float]:
    """Return an impulse response at the rate of the card."""
    import soxr

    taps: list[float] = (soxr.resample(way, RATE, CARD_RATE, "HQ") * RATE / CARD_RATE).tolist()
    return taps
