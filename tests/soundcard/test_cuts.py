"""Every place at which sound is missing is found, and what is not the sound is refused."""

from __future__ import annotations

import numpy as np
import pytest

from soundcard.cuts import cuts
from soundcard.rooms import Samples

SPOKEN = np.random.default_rng(2).integers(1, 9_000, 48_000).astype(np.int16)
FADE = 240


def without(sound: Samples, at: int, samples: int, *, fade: int = FADE) -> Samples:
    """Leave so many samples out, as a speaker does; without a fade, as a card does."""
    ramp = np.arange(fade) / max(1, fade)
    first, last = sound[at : at + fade], sound[at + samples : at + samples + fade]
    faded = (first * (1 - ramp) + last * ramp).astype(np.int16)
    return np.concatenate([sound[:at], faded, sound[at + samples + fade :]])


@pytest.mark.parametrize("at", [0, 1, 20_000, 47_000 - FADE])
@pytest.mark.parametrize("samples", [1, 480, 960])
@pytest.mark.parametrize("fade", [0, FADE])
def test_a_cut_is_found_at_every_place(at: int, samples: int, fade: int) -> None:
    if at + samples + fade > 47_900:
        at = 47_900 - samples - fade
    (cut,) = cuts(without(SPOKEN, at, samples, fade=fade), SPOKEN)
    # The first samples of a fade are hardly changed.
    assert (cut.samples, cut.fade) == (samples, fade)
    assert at <= cut.at <= at + (3 if fade else 0)


def test_cuts_in_a_row_are_all_found() -> None:
    played = without(without(without(SPOKEN, 30_000, 480), 10_000, 480), 5_000, 20, fade=0)
    assert [cut.samples for cut in cuts(played, SPOKEN)] == [20, 480, 480]
    assert list(cuts(SPOKEN[:30_000], SPOKEN)) == []


@pytest.mark.parametrize("apart", [100, FADE, 2 * FADE - 1])
def test_cuts_in_each_others_fades_are_one(apart: int) -> None:
    played = without(without(SPOKEN, 10_000, 480), 10_000 + apart, 480)
    assert sum(cut.samples for cut in cuts(played, SPOKEN)) == 960


@pytest.mark.parametrize("at", [0, 100, 40_000])
def test_what_was_not_spoken_is_refused(at: int) -> None:
    played = SPOKEN.copy()
    played[at] += 1
    with pytest.raises(AssertionError, match="not spoken"):
        list(cuts(played, SPOKEN))


def test_an_abrupt_change_is_no_fade() -> None:
    played = without(SPOKEN, 20_000, 480)
    played[20_100:20_200] = 9_999
    with pytest.raises(AssertionError, match="not faded"):
        list(cuts(played, SPOKEN))


def test_sound_that_is_played_twice_is_refused() -> None:
    played = np.concatenate([SPOKEN[:20_000], SPOKEN[19_000:]])
    with pytest.raises(AssertionError):
        list(cuts(played, SPOKEN))
