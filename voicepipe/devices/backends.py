"""Back ends by name: those of `voicepipe_devices`, and those that other packages add."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TypeAlias

from voicepipe.awaitables import check_methods
from voicepipe.devices.port import Backend
from voicepipe.errors import BackendMissingError
from voicepipe.registry import Registry
from voicepipe.shadowing import ShadowNaming
from voicepipe.text import class_name, quote

__all__ = ["BackendFactory", "backend_of", "open_backend"]

BackendFactory: TypeAlias = Callable[[str], Backend]
"""Returns a back end for the text behind the name's colon: "" for "jack", "hw:1" for "jack:hw:1".

Another package adds one by an entry point in its `pyproject.toml`:

    [project.entry-points."voicepipe.backends"]
    jack = "voicepipe_jack:open_backend"

Raises: ValueError, where the text is wrong; DeviceError, where the back end cannot be used here.
"""
_REQUIRED = ("name", "shares_air", "lost_for_good", "devices", "open_input", "open_output")


def backend_of(backend: Backend | str) -> Backend:
    """Return a back end as it is, or open it by its name.

    Raises:
        TypeError: it is neither.
        ValueError, BackendMissingError: as `open_backend`.
    """
    return open_backend(backend) if isinstance(backend, str) else _check_backend(backend)


def open_backend(name: str | None = None) -> Backend:
    """Open the back end of that name.

    "portaudio": sound hardware. "wav:IN.wav,OUT.wav": a file for a microphone, and one for a
    speaker; either may be left out. "fake": a simulated card. Any other name is looked up among the
    entry points of the group `voicepipe.backends`, by which other packages add theirs (`BackendFactory`).
    Without a name the environment variable VOICEPIPE_BACKEND has it; by default it is "portaudio".

    Raises:
        TypeError: the name is no text.
        ValueError: there is none of that name, or the text behind the colon is wrong.
        BackendMissingError: its package is not installed, or does not work.
    """
    if not isinstance(name, str | None):
        raise TypeError(f"a back end's name must be text, not {quote(name)}; choose {_backends.choices()}")
    if name is None:
        name = os.environ.get("VOICEPIPE_BACKEND", "auto")
        name = "portaudio" if name in ("", "auto") else name
    kind, _, argument = name.partition(":")
    with ShadowNaming():
        return _backends.make(kind, argument)


def _check_backend(backend: Backend) -> Backend:
    """Raises: TypeError: it is no back end."""
    missing = [member for member in _REQUIRED if not hasattr(backend, member)]
    if isinstance(backend, type) or "open_input" in missing or "open_output" in missing:
        raise TypeError(
            f"{quote(backend)} is no back end; choose {_backends.choices()}, or an object with open_input "
            "and open_output, as SimulatedCard().backend() returns"
        )
    if missing:
        raise TypeError(
            f"the back end {quote(backend)} has no {' and no '.join(missing)}: "
            "derive its class from voicepipe.devices.Backend, which has defaults"
        )
    check_methods(backend, Backend, class_name(backend))
    return backend


def _open_portaudio(argument: str) -> Backend:
    return _open_ours("portaudio", argument)


def _open_wav(argument: str) -> Backend:
    return _open_ours("wav", argument)


def _open_fake(argument: str) -> Backend:
    return _open_ours("fake", argument)


def _open_ours(module: str, argument: str) -> Backend:
    """Open a back end of the package `voicepipe_devices`. Raises: BackendMissingError, ValueError."""
    try:
        factory: BackendFactory = importlib.import_module(f"voicepipe_devices.{module}").open_backend
    except ModuleNotFoundError as error:
        if error.name not in ("voicepipe_devices", f"voicepipe_devices.{module}"):
            raise
        raise BackendMissingError(
            "the package voicepipe_devices is not installed: in a checkout, run `pip install -e .`, "
            "or put its folder `devices` on PYTHONPATH"
        ) from error
    return factory(argument)


_backends = Registry(
    "back end",
    "voicepipe.backends",
    {"portaudio": _open_portaudio, "wav": _open_wav, "fake": _open_fake},
    _check_backend,
    ("portaudio", "wav:IN.wav,OUT.wav", "fake"),
)
