"""The voice detectors by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from voicepipe.errors import BackendMissingError

if TYPE_CHECKING:
    from voicepipe.speech.detectors.protocol import SpeechEngine

__all__ = ["ENGINES", "engine_name", "open_engine"]

_log = logging.getLogger(__name__)


def _silero() -> SpeechEngine:
    from voicepipe.speech.detectors.silero import SileroEngine

    return SileroEngine()


def _webrtc() -> SpeechEngine:
    from voicepipe.speech.detectors.webrtc_robust import RobustWebRTCEngine

    return RobustWebRTCEngine()


def _plain() -> SpeechEngine:
    from voicepipe.speech.detectors.webrtc import WebRTCEngine

    return WebRTCEngine()


ENGINES: dict[str, Callable[[], SpeechEngine]] = {
    "silero": _silero,
    "webrtc": _webrtc,
    "webrtc-plain": _plain,
}
"""The best first. `silero` is an extra; `webrtc` is always there; `webrtc-plain` costs least."""


def open_engine(name: str) -> SpeechEngine:
    """Make an engine of that name; for `"auto"` the best that is installed, which the log names.

    Raises:
        ValueError: there is none of that name.
        BackendMissingError: its package is not installed; says what to install.
    """
    if name == "auto":
        return _best()
    make = ENGINES.get(name)
    if make is None:
        known = ", ".join(["auto", *ENGINES])
        raise ValueError(f"unknown speech engine {name!r}; choose {known}")
    return make()


def engine_name(engine: SpeechEngine) -> str:
    """Return the name of an engine: its `name`, or that of its class."""
    return str(getattr(engine, "name", type(engine).__name__))


def _best() -> SpeechEngine:
    missing: list[str] = []
    for name, make in ENGINES.items():
        try:
            engine = make()
        except BackendMissingError as error:
            missing.append(f"{name}: {error}")
        else:
            _log.info("the speech engine is %s%s", name, f" ({'; '.join(missing)})" if missing else "")
            return engine
    raise BackendMissingError(f"no speech engine is installed: {'; '.join(missing)}")
