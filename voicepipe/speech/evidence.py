"""Scores read as evidence: how much each window says for speech, or against it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HOLD", "PROBABILITY", "SPEECH", "VOTE", "Reading"]

SPEECH = 0.5
"""A window with this score or more may begin a segment."""
HOLD = 0.4
"""A window with this score or more is a vote for speech, and any other is one against it."""

NEUTRAL = 0.45
"""A window of this probability says nothing. A little less than one half: a voice has soft places."""
LIKELY = 0.75
"""A window of this probability counts once."""
SURE = 3.0
"""No window counts more often. One alone may be enough for a beginning, and is not for two."""
DOUBT = 2.0
"""No window takes away more. More would be forgotten anyway: evidence never falls below nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The way in which the scores of an engine are read."""

    weigh: Callable[[float], float]
    """Returns how many windows of likely speech one window stands for; less than 0: it speaks against it."""
    to_start: float
    """The share of `start_s` that must be likely speech for a beginning."""
    to_start_in_calm: float
    """The same where the engine has heard nothing for a while that is like speech."""
    to_go_on: float
    """The share of `start_s` that makes a segment certain, and with that goes on after a lapse."""
    whole: bool
    """Such a share is a number of whole windows."""
    run_up: float
    """A score that rises to speech from so little rises with its first consonant."""
    run_up_s: float
    """The longest time that it takes to rise."""


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


_ZERO = _log_odds(NEUTRAL)
_ONE = _log_odds(LIKELY) - _ZERO
_MOST = 1.0 / (1.0 + math.exp(-SURE * _ONE - _ZERO))
_LEAST = 1.0 / (1.0 + math.exp(DOUBT * _ONE - _ZERO))


def of_probability(score: float) -> float:
    """Return the evidence of a probability, by its odds: 0.98 says more than twice as much as 0.8."""
    if score <= _LEAST:
        return -DOUBT
    if score >= _MOST:
        return SURE
    return (math.log(score / (1.0 - score)) - _ZERO) / _ONE


def of_vote(score: float) -> float:
    """Return the evidence of a score of which is known only that more means speech."""
    return 1.0 if score >= HOLD else -1.0


PROBABILITY = Reading(of_probability, 1 / 2, 1 / 6, 2 / 3, whole=False, run_up=0.1, run_up_s=0.25)
VOTE = Reading(of_vote, 2 / 3, 2 / 3, 1 / 3, whole=True, run_up=0.2, run_up_s=0.16)
"""A calm room makes no vote surer: the engine that gives it is as sure of a knock as of a word."""
