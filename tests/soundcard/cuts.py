"""Sound that never pauses, and each place at which some of it is missing in what was played."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from soundcard.card import Card
from soundcard.rooms import Samples

__all__ = ["Cut", "EndlessNoise", "cuts"]

_AHEAD_S = 5.0
"""The test may stand still for so long."""
_PIECE_S = 0.5
_FADE = 240
"""Samples: the sound on both sides of what a speaker leaves out is faded into each other for 5 ms."""
_OVERLAPPING = 4
"""So many cuts may fall into each other's fades, where a machine stands still again and again."""
_WINDOW = 64
"""So many samples of noise occur once."""
_HEARD_S = 0.1


class EndlessNoise:
    """Noise in a microphone from before a program opens it until after its end, without a sample of silence.

    So whatever is left out shows. In a pause it would not.
    """

    def __init__(self, card: Card) -> None:
        self._card = card
        self._random = np.random.default_rng(1)
        self._pieces: list[Samples] = []
        self._heard: list[Samples] = []
        self._heard_to = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="endless noise")
        self.begin = self._end = card.now(card.mic) + round(0.1 * card.rate)
        """The card's frame of its first sample."""

    def __enter__(self) -> Self:
        self._say()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _say(self) -> None:
        while self._end < self._card.now(self._card.mic) + _AHEAD_S * self._card.rate:
            piece = self._random.integers(1, 9_000, round(_PIECE_S * self._card.rate)).astype(np.int16)
            self._card.put(self._end, array.array("h", piece.tobytes()))
            self._pieces.append(piece)
            self._end += len(piece)

    def _go_on(self) -> None:
        while not self._over.wait(_PIECE_S / 2):
            self._say()

    def since(self, frame: int) -> Samples:
        """Return all that it has said from that frame of the card on."""
        return np.concatenate(self._pieces)[frame - self.begin :]

    def listen(self, is_over: Callable[[], bool]) -> None:
        """Hear the speaker until then, from the start of its stream or from where this ended before.

        The card forgets what is older than 10 s.
        """
        card, size = self._card, round(_HEARD_S * self._card.rate)
        self._heard_to = self._heard_to or card.speaker.base
        was_over = False
        while not was_over:
            was_over = is_over()
            self._heard.append(np.array(card.heard(self._heard_to, size), dtype=np.int16))
            self._heard_to += size

    @property
    def played(self) -> Samples:
        """What the speaker played, without silence: that stands before it and where it ran dry."""
        heard = np.concatenate(self._heard)
        return np.asarray(heard[heard != 0], np.int16)


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in what was spoken, and the number of samples that are missing from there on."""

    at: int
    samples: int
    fade: int
    """The samples on both sides that are faded into each other; 0: a seam as sharp as a card makes it."""


def cuts(played: Samples, spoken: Samples) -> Iterator[Cut]:
    """Yield every cut. All else that was played is what was spoken, in order, from its first sample on.

    Cuts that fall into each other's fades are one. A cut before the last 6 ms cannot be told from any other
    sound: their count alone tells of it.

    Raises:
        AssertionError: something was played that was not spoken, or not then.
    """
    at = gone = 0
    while at < len(played):
        end = min(len(played), len(spoken) - gone)
        different = np.flatnonzero(played[at:end] != spoken[at + gone : end + gone])
        if not len(different):
            assert end == len(played), f"{len(played) - end} samples more than were spoken"
            return
        at += int(different[0])
        cut = _cut_at(at, gone, played, spoken)
        if cut is None:
            return
        yield cut
        at, gone = at + cut.fade, gone + cut.samples


def _cut_at(at: int, gone: int, played: Samples, spoken: Samples) -> Cut | None:
    """Return the cut before this sample of what was played; None where too little comes behind it."""
    for fade in range(0, (_OVERLAPPING + 1) * _FADE, _FADE):
        window = played[at + fade : at + fade + _WINDOW]
        if len(window) < _WINDOW:
            return None
        samples = _place_of(window, spoken[at + fade + gone :])
        if samples:
            if fade <= _FADE:
                _check_fade(played[at : at + fade], spoken[at + gone :], samples)
            return Cut(at + gone, samples, fade)
    raise AssertionError(f"what was played from sample {at} on was not spoken: {played[at : at + 5]}...")


def _place_of(window: Samples, spoken: Samples) -> int | None:
    for place in np.flatnonzero(spoken[: len(spoken) - len(window) + 1] == window[0]):
        if np.array_equal(spoken[place : place + len(window)], window):
            return int(place)
    return None


def _check_fade(faded: Samples, spoken: Samples, gone: int) -> None:
    """Each sample lies between the two that are faded into each other."""
    both = np.stack([spoken[: len(faded)], spoken[gone : gone + len(faded)]])
    between = (both.min(axis=0) - 1 <= faded) & (faded <= both.max(axis=0) + 1)
    assert np.all(between), "what is left out is not faded over"
