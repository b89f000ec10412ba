"""Back ends by name."""

from __future__ import annotations

import importlib
import os

from voicepipe.devices.port import Backend
from voicepipe.errors import BackendMissingError
from voicepipe.text import printable, shown

__all__ = ["backend_of", "open_backend"]

_BACKENDS = {
    "portaudio": "'portaudio'",
    "wav": "'wav:IN.wav,OUT.wav'",
    "fake": "'fake'",
}
"""The back ends, each as one would write it."""


_WITH_ARGUMENT = ("portaudio", "wav")


def backend_of(backend: Backend | str) -> Backend:
    """A back end as it is, or opened by its name.

    Raises:
        TypeError: it is neither.
        ValueError, BackendMissingError: as `open_backend`.
    """
    if isinstance(backend, str):
        return open_backend(backend)
    if isinstance(backend, type) or not (hasattr(backend, "open_input") and hasattr(backend, "open_output")):
        raise TypeError(
            f"{shown(backend)} is no back end: {_names()} would be right, or an object with open_input "
            "and open_output, as SimulatedCard().backend() returns"
        )
    return backend


def open_backend(name: str | None = None) -> Backend:
    """The back end of that name, from the package `voicepipe_devices`.

    "portaudio": sound hardware. "wav:IN.wav,OUT.wav": a file for a microphone, and one for a
    speaker; either may be left out. "fake": a simulated card. Without a name it is what the
    environment variable VOICEPIPE_BACKEND says, or else sound hardware.

    Raises:
        TypeError: it is no text.
        ValueError: there is none of that name, or what stands behind the colon is not right.
        BackendMissingError: the package is not installed.
    """
    if not isinstance(name, str | None):
        raise TypeError(f"a back end's name must be text, not {shown(name)}: {_names()} would be right")
    if name is None:
        name = os.environ.get("VOICEPIPE_BACKEND", "auto")
        name = "portaudio" if name in ("", "auto") else name
    kind, colon, argument = name.partition(":")
    if kind not in _BACKENDS:
        raise ValueError(f"there is no back end {printable(repr(name))}: {_names()} would be right")
    if colon and kind not in _WITH_ARGUMENT:
        raise ValueError(f"the back end {kind!r} takes nothing behind its name: {printable(repr(name))}")
    try:
        module = importlib.import_module(f"voicepipe_devices.{kind}")
    except ModuleNotFoundError as error:
        if error.name not in ("voicepipe_devices", f"voicepipe_devices.{kind}"):
            raise
        raise BackendMissingError(
            "the package voicepipe_devices is not installed: in a checkout, run `pip install -e .`, "
            "or put its folder `devices` on PYTHONPATH"
        ) from error
    backend: Backend = module.open_backend(argument) if kind in _WITH_ARGUMENT else module.open_backend()
    return backend


def _names() -> str:
    return " or ".join(_BACKENDS.values())
