"""Cancellers by name: those that are built in, and those that other packages add."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.engines.part import Canceller, check_canceller
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.errors import EngineError
from voicepipe.registry import Registry

__all__ = [
    "CANCELLERS",
    "DEFAULT_EAR",
    "DEFAULT_WORDS",
    "CancellerFactory",
    "default_engine",
    "open_canceller",
    "open_echo_engine",
]

CancellerFactory: TypeAlias = Callable[[int, int], Canceller]
"""Returns a new canceller for a rate and a number of channels; a class will do. Another package adds one:

    [project.entry-points."voicepipe.cancellers"]
    mine = "my_package:MyCanceller"

Raises: EngineError, where it lacks something that can be installed; ValueError, where the rate is not for it.
"""


def _aec3(rate: int, channels: int) -> Canceller:
    from voicepipe.canceller.engines.aec3 import AEC3

    return AEC3(rate, channels)


def _kalman(rate: int, channels: int) -> Canceller:
    from voicepipe.canceller.engines.kalman import Kalman

    return Kalman(rate, channels)


def _speex(rate: int, channels: int) -> Canceller:
    from voicepipe.canceller.engines.speex import Speex

    return Speex(rate, channels)


CANCELLERS: dict[str, CancellerFactory] = {"aec3": _aec3, "kalman": _kalman, "speex": _speex}
"""Any of them may be the ear, or keep the words."""

DEFAULT_EAR = "aec3"
DEFAULT_WORDS = "kalman"

_cancellers = Registry("echo canceller", "voicepipe.cancellers", CANCELLERS, check_canceller)


def open_canceller(name: str, rate: int, channels: int = 1) -> Canceller:
    """Open a new canceller of that name, of this package or of another one (`CancellerFactory`).

    Raises:
        ValueError: there is none of that name; lists all that there are. Or it does not take this rate.
        EngineError: something that it needs is missing or damaged; names it.
        BackendMissingError: another package's does not work; names the package.
    """
    return _cancellers.make(name, rate, channels)


def open_echo_engine(
    rate: int, channels: int = 1, *, ear: str = DEFAULT_EAR, words: str = DEFAULT_WORDS
) -> EchoEngine:
    """Open the engine for a microphone: `ear` and `words` are names of cancellers.

    Raises:
        ValueError: there is no canceller of that name, or it does not take this rate.
        EngineError: something that a canceller needs is missing or damaged; names it.
        BackendMissingError: another package's does not work; names the package.
    """
    from voicepipe.canceller.engines.pair import EarAndWords

    parts = open_canceller(ear, rate, 1), open_canceller(words, rate, channels)
    return EarAndWords(*parts, AudioFormat(rate, channels))


def default_engine(rate: int, channels: int) -> EchoEngine:
    """Open the engine for a microphone of which nobody said more.

    Raises:
        EngineError: it does not take this format, or something that it needs is missing or damaged.
    """
    try:
        return open_echo_engine(rate, channels)
    except ValueError as error:
        raise EngineError(str(error)) from error
