"""The protocol of speech engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from voicepipe.awaitables import check_methods
from voicepipe.checks import check_count
from voicepipe.text import class_name, quote

__all__ = [
    "LONGEST_WINDOW_S",
    "SpeechEngine",
    "check_engine",
    "check_window",
    "gives_probability",
    "sample_scorer",
    "wants_level",
]

LONGEST_WINDOW_S = 0.1


class SpeechEngine(Protocol):
    """A judge of short windows of audio: speech, or not. `open_engine` makes them by name.

    It is called in the loop's thread, and must be done in a small part of a window's time. An engine whose
    attribute `wants_level` is True hears quiet audio made louder; any other hears it as it came. The
    scores of one whose attribute `gives_probability` is True are probabilities: a sure window counts more
    than a likely one. Those of any other are votes.

    A class may have `score_samples(samples)` beside `score`: the same of a numpy array of floats, in steps of
    16 bits, which is overwritten later. It is called then, and saves the way through bytes.
    """

    @property
    def rate(self) -> int:
        """Samples a second that it wants."""
        ...

    @property
    def window(self) -> int:
        """Samples that it judges at a time, at most 0.1 s."""
        ...

    def score(self, window: bytes) -> float:
        """Score the next window of mono int16, from 0 (surely no speech) to 1 (surely speech).

        From 0.5 it may begin a turn. From 0.4 it is a vote for speech, unless it is a probability.
        """
        ...

    def reset(self) -> None:
        """Forget everything heard: what comes next does not continue it."""
        ...


def check_engine(engine: SpeechEngine) -> SpeechEngine:
    """Return an engine as it is. Raises: TypeError, ValueError: it cannot be one."""
    for method in ("score", "reset"):
        if not callable(getattr(engine, method, None)):
            raise TypeError(f"engine must be a SpeechEngine, with {method}(), not {quote(engine)}")
    check_methods(engine, SpeechEngine, class_name(engine))
    rate = check_count("engine.rate", getattr(engine, "rate", None), at_least=1_000, at_most=384_000)
    longest = int(rate * LONGEST_WINDOW_S)
    check_count("engine.window", getattr(engine, "window", None), at_least=1, at_most=longest)
    return engine


def wants_level(engine: SpeechEngine) -> bool:
    """Return True for an engine that judges worse where audio is quiet, and says so."""
    return bool(getattr(engine, "wants_level", False))


def gives_probability(engine: SpeechEngine) -> bool:
    """Return True for an engine whose scores are probabilities, and that says so."""
    return bool(getattr(engine, "gives_probability", False))


def sample_scorer(engine: SpeechEngine) -> Callable[[Any], float] | None:
    """Return the method `score_samples` of an engine, if it is what its `score` calls; else None.

    A class that has both beside each other says so. One that overrides or wraps `score` alone does not.
    """
    own = vars(type(engine))
    is_own = "score" in own and "score_samples" in own and "score" not in getattr(engine, "__dict__", ())
    return engine.score_samples if is_own else None  # type: ignore[attr-defined]  # an optional method


def check_window(window: bytes, samples: int) -> None:
    """Raises: TypeError where it is no bytes, for the library would judge half of an int16 array in silence;
    ValueError where it is not exactly so many samples.
    """
    if not isinstance(window, bytes):
        raise TypeError(f"a window must be bytes, not {type(window).__name__}: use tobytes()")
    if len(window) != 2 * samples:
        raise ValueError(f"a window is {2 * samples} bytes ({samples} samples), not {len(window)}")
