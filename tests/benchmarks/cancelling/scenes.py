"""A room, a program and a user: what is said when, and how loud its echo is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from benchmarks.cancelling.rooms import RATE, Floats, Room, overdriven, through
from benchmarks.cancelling.voices import USER_DB, Said

__all__ = ["Ints", "Onset", "Scene", "conversation", "ints", "listening"]

NOISE_DB = -78.0
"""The noise of a quiet room and its microphone."""
FADE_S = 0.01
"""A program that is interrupted fades out."""
LOUD_DB = 35.0
"""What is so far below the loudest does not count for a level."""

Ints = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Onset:
    """A user begins to speak."""

    at: int
    """The first sample."""
    end: int
    said: Said


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What sounds in a room, all at 16 kHz, full scale at 1."""

    name: str
    far: Floats
    """What the loudspeaker is handed."""
    user: Floats
    """What the microphone hears besides: the user, and noise."""
    ways: tuple[Floats, ...]
    """Impulse responses from the loudspeaker to the microphone: the first, and one more for each change."""
    drive: float = 0.0
    """How far the loudspeaker is overdriven."""
    onsets: tuple[Onset, ...] = ()
    changed: tuple[int, ...] = ()
    """The samples at which the way changed."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.far) / RATE

    @property
    def clean(self) -> Ints:
        """The user alone, as the microphone would give it."""
        return ints(self.user)

    def microphone(self) -> Ints:
        """Mix what a microphone gives whose clock is the loudspeaker's."""
        played = overdriven(self.far, self.drive)
        edges = pairwise([0, *self.changed, len(played)])
        parts = [through(played, way)[begin:end] for way, (begin, end) in zip(self.ways, edges, strict=True)]
        return ints(self.user + np.concatenate(parts))


def listening(
    name: str,
    far: Floats,
    rooms: Sequence[Room],
    *,
    echo_db: float = 0.0,
    seed: int = 0,
    drive: float = 0.0,
    changed_s: Sequence[float] = (),
) -> Scene:
    """Make a scene in which nobody talks over the program.

    Args:
        name: of the scene.
        far: what the loudspeaker is handed.
        rooms: the first one, and one more for each change.
        echo_db: the echo against the speech of a user.
        seed: of the noise.
        drive: how far the loudspeaker is overdriven.
        changed_s: the times at which the next room begins.
    """
    changed = tuple(round(RATE * at_s) for at_s in changed_s)
    ways = _ways(far, rooms, echo_db, drive)
    return Scene(name, far, _noise(len(far), seed), ways, drive, (), changed)


def conversation(
    name: str,
    far: Floats,
    room: Room,
    words: Sequence[Said],
    *,
    echo_db: float,
    seed: int,
    stops_s: float | None,
    lead_s: float = 4.0,
    drive: float = 0.0,
) -> Scene:
    """Make a scene in which a user talks over a program, time and again.

    Args:
        name: of the scene.
        far: speech of a program; it begins again where there is too little.
        room: where they are.
        words: what the user says, one after the other.
        echo_db: the echo against the user's speech.
        seed: of the noise, and of the pauses.
        stops_s: the time after which the program stops; None: it goes on.
        lead_s: for how long the program speaks before each.
        drive: how far the loudspeaker is overdriven.
    """
    onsets, count = _onsets(words, lead_s, seed)
    ways = _ways(far, [room], echo_db, drive)
    far, user = np.resize(far, count).copy(), _noise(count, seed)
    for onset in onsets:
        user[onset.at : onset.end] += onset.said.audio
        if stops_s is not None:
            _hush(far, onset.at + round(stops_s * RATE), onset.end + round(0.7 * RATE))
    return Scene(name, far, user, ways, drive, onsets)


def ints(audio: Floats) -> Ints:
    """Return it as a sound card gives it."""
    return np.clip(np.rint(audio * 32_768), -32_768, 32_767).astype(np.int16)


def _onsets(words: Sequence[Said], lead_s: float, seed: int) -> tuple[tuple[Onset, ...], int]:
    """Return when each is said, and the samples of it all."""
    random = np.random.default_rng(seed)
    at, onsets = 0, []
    for each in words:
        at += round(RATE * (lead_s + random.uniform(0, 1.5)))
        onsets.append(Onset(at, at + len(each.audio), each))
        at += len(each.audio) + RATE
    return tuple(onsets), at


def _ways(far: Floats, rooms: Sequence[Room], echo_db: float, drive: float) -> tuple[Floats, ...]:
    """Make the echo as loud as wanted, where it is loud."""
    played = overdriven(far[: 60 * RATE], drive)
    wanted = 10 ** ((USER_DB + echo_db) / 20)
    return tuple(room.impulse * wanted / _level(through(played, room.impulse)) for room in rooms)


def _noise(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 10 ** (NOISE_DB / 20), count)


def _hush(far: Floats, begin: int, end: int) -> None:
    fade = round(FADE_S * RATE)
    piece = far[begin : begin + fade]
    piece *= np.linspace(1, 0, len(piece))
    far[begin + fade : end] = 0


def _level(audio: Floats) -> float:
    """Return the root mean square where it is loud."""
    power = np.mean(audio[: len(audio) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power > np.max(power) * 10 ** (-LOUD_DB / 10)])))
