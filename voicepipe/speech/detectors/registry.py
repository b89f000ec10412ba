"""Speech engines by name: those that are built in, and those that other packages add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from voicepipe.log import logger_of
from voicepipe.registry import Registry
from voicepipe.speech.detectors.protocol import SpeechEngine, check_engine

__all__ = ["DEFAULT_ENGINE", "ENGINES", "ENGINE_NAMES", "EngineFactory", "engine_name", "open_engine"]

EngineFactory: TypeAlias = Callable[[], SpeechEngine]
"""Returns a new speech engine; a class will do. Another package adds one by an entry point:

    [project.entry-points."voicepipe.engines"]
    mine = "my_package:MyEngine"

Raises: BackendMissingError, where the engine lacks something that can be installed.
"""

_log = logger_of(__name__)


def _silero() -> SpeechEngine:
    from voicepipe.speech.detectors.silero import SileroEngine

    return SileroEngine()


def _webrtc() -> SpeechEngine:
    from voicepipe.speech.detectors.webrtc_robust import RobustWebRTCEngine

    return RobustWebRTCEngine()


def _plain() -> SpeechEngine:
    from voicepipe.speech.detectors.webrtc import WebRTCEngine

    return WebRTCEngine()


ENGINES: dict[str, EngineFactory] = {
    "silero": _silero,
    "webrtc": _webrtc,
    "webrtc-plain": _plain,
}
"""The best first. All are always there; `webrtc-plain` costs least."""

DEFAULT_ENGINE = "silero"
"""The one that is taken where nobody chooses; "auto" means it too."""


_engines = Registry("speech engine", "voicepipe.engines", ENGINES, check_engine, ("auto", *ENGINES))


class _EngineNames:
    """The names that `open_engine` takes. Other packages are looked up only for one that is not built in."""

    def __contains__(self, name: object) -> bool:
        return name == "auto" or name in _engines

    def __iter__(self) -> Iterator[str]:
        yield "auto"
        yield from _engines


ENGINE_NAMES = _EngineNames()


def open_engine(name: str) -> SpeechEngine:
    """Open a new engine of that name; "auto" is the best built-in one.

    Any name that is not in `ENGINES` is looked up among the entry points of the group `voicepipe.engines`, by
    which other packages add theirs (`EngineFactory`). The log names the one that "auto" takes.

    Raises:
        ValueError: there is none of that name; lists all that there are.
        BackendMissingError: a file or a package that it needs is missing or damaged; names it.
    """
    if name != "auto":
        return _engines.make(name)
    _log.info("the speech engine is %s", DEFAULT_ENGINE)
    return _engines.make(DEFAULT_ENGINE)


def engine_name(engine: SpeechEngine) -> str:
    """Return an engine's `name`, or its class's."""
    return str(getattr(engine, "name", type(engine).__name__))
