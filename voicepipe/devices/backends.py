"""Back ends by name: those of `voicepipe_devices`, and those that other packages add."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from voicepipe.audio.amplify import check_gain
from voicepipe.awaitables import check_methods
from voicepipe.devices.port import Backend
from voicepipe.devices.values import StreamRequest
from voicepipe.errors import BackendMissingError
from voicepipe.registry import Registry
from voicepipe.settings.sound import SoundSettings, read_sound_settings
from voicepipe.shadowing import ShadowNaming
from voicepipe.text import class_name, quote

__all__ = ["BackendFactory", "backend_of", "open_backend", "settings_of"]

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

    Without a name it is the one that `voicepipe config` shows, or else "portaudio"; and the stages over it
    take from the settings what the program's code does not say: devices, latency, gain, cancel, mute, and
    the voice detector and the preset of a `VADProcessor` in the same pipeline. VOICEPIPE_BACKEND=fake is
    then "fake:voice", whose microphone hears a bundled voice.

    Raises:
        TypeError: the name is no text.
        ValueError: there is none of that name, or the text behind the colon is wrong.
        BackendMissingError: its package is not installed, or does not work.
        SettingsError: without a name: a setting is wrong; it names the setting and its place.
    """
    if not isinstance(name, str | None):
        raise TypeError(f"a back end's name must be text, not {quote(name)}; choose {_backends.choices()}")
    if name is None:
        return _open_by_settings(read_sound_settings())
    kind, _, argument = name.partition(":")
    with ShadowNaming():
        return _backends.make(kind, argument)


def settings_of(backend: Backend) -> SoundSettings:
    """Return the settings that a back end carries; none are set unless it was opened by them."""
    return getattr(backend, "settings", None) or SoundSettings()


def _open_by_settings(settings: SoundSettings) -> Backend:
    """Raises: SettingsError, BackendMissingError."""
    asked = settings.backend or "auto"
    name = {"auto": "portaudio", "fake": "fake:voice"}.get(asked, asked)
    backend = settings.check(lambda: open_backend(name), "backend")
    _check_settings(settings)
    if backend.name in ("wav", "fake"):  # the names of devices are for when there is hardware
        settings = replace(settings, mic=None, mic_channel=None, speaker=None)
    backend.settings = settings
    return backend


def _check_settings(settings: SoundSettings) -> None:
    """Raises: SettingsError: a value is out of its bounds."""
    requests: dict[str, dict[str, Any]] = {
        "mic": {"device": settings.mic},
        "speaker": {"device": settings.speaker},
        "mic_channel": {"channel": settings.mic_channel},
        "latency": {"latency": settings.latency},
    }
    for name, request in requests.items():
        if getattr(settings, name) is not None:
            settings.check(functools.partial(StreamRequest, **request), name)
    if (gain_db := settings.gain_db) is not None:
        settings.check(lambda: check_gain(gain_db), "gain_db")


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
