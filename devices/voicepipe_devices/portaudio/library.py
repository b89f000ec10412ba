"""PortAudio's library: loading it, and its errors in our words. The one module that imports sounddevice."""

from __future__ import annotations

import contextlib
import platform
import re
import sys
from collections.abc import Iterator
from typing import Any

from voicepipe.errors import (
    BackendMissingError,
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.text import printable
from voicepipe_devices.portaudio import alsa

__all__ = ["INSTALL_LINES", "install_line", "load", "translate_errors"]

INSTALL_LINES = {
    "debian": "sudo apt-get install -y libportaudio2",
    "fedora": "sudo dnf install -y portaudio",
    "suse": "sudo zypper install -y portaudio",
    "arch": "sudo pacman -S --needed portaudio",
    "alpine": "sudo apk add portaudio",
}
"""The commands that install PortAudio, by family of systems, as `ID` and `ID_LIKE` of os-release say."""

_INVALID_RATE, _INVALID_CHANNELS = -9997, -9998
_BUSY = -9985
_GONE = (
    -9993,
    -9996,
)  # an illegal combination of devices; an invalid device: unplugged since they were listed
_NOT_INITIALIZED = -10_000
_HOST_ERROR = -9999
_OPENING = re.compile(r"^Error opening Raw\w+: ")
"""The beginning of sounddevice's messages: what was being done."""


def load() -> Any:
    """Load the module sounddevice, which initializes PortAudio at its first import. May take its time.

    Raises:
        BackendMissingError: there is no PortAudio library, or it does not come up.
        DevicePermissionError: this process may not make callbacks.
    """
    with translate_errors("PortAudio"):
        try:
            import sounddevice
        except OSError as error:  # from ctypes: no library, or one that cannot be loaded
            raise BackendMissingError(
                f"the PortAudio library is not there ({printable(error)}); install it: {install_line()}"
            ) from error
        except ImportError as error:
            raise BackendMissingError(
                "the package sounddevice is not installed: python -m pip install sounddevice"
            ) from error
    return sounddevice


def install_line() -> str:
    """Return the command that installs PortAudio on this system."""
    if sys.platform in ("win32", "darwin"):  # its wheel brings the library
        return "python -m pip install --force-reinstall sounddevice"
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        for family in [release.get("ID", ""), *release.get("ID_LIKE", "").split()]:
            for known, line in INSTALL_LINES.items():
                if known in family:
                    return line
    return "the package is called portaudio, or libportaudio2"


@contextlib.contextmanager
def translate_errors(device: str) -> Iterator[None]:
    """Translate what sounddevice raises inside to a DeviceError that names the device.

    Raises:
        DeviceError: the class says what is wrong.
    """
    try:
        yield
    except DeviceError:
        raise
    except MemoryError as error:
        raise DevicePermissionError(
            f"{device}: callbacks are not allowed here: in a systemd unit, leave out MemoryDenyWriteExecute"
        ) from error
    except (
        Exception
    ) as error:  # PortAudioError has no base of its own, and cannot be named before it is imported
        if type(error).__name__ != "PortAudioError":
            raise
        raise _translation(device, error) from error


def _translation(device: str, error: Exception) -> DeviceError:
    message, code = printable(error.args[0] if error.args else error), 0
    message = _OPENING.sub("", message)
    if len(error.args) > 1 and isinstance(error.args[1], int):
        code = error.args[1]
    if message.startswith("Error initializing PortAudio"):
        return BackendMissingError(_not_started(message))
    if code in (_INVALID_RATE, _INVALID_CHANNELS):
        return DeviceFormatError(f"{device}: {message}")
    if code == _BUSY:
        return DeviceBusyError(f"{device} is in use by another program: close that first ({message})")
    if code in _GONE:
        return DeviceLostError(f"{device} is not there any more: plug it in again ({message})")
    if code == _HOST_ERROR:
        return DeviceError(
            f"{device} does not open, or not any more ({message}): plug it in, or restart the sound server"
        )
    if code == _NOT_INITIALIZED:
        return BackendMissingError(f"PortAudio is not running ({message}): start the program again")
    if message.startswith("Error querying device"):
        return DeviceNotFoundError(f"{device} is not there ({message})")
    return DeviceError(f"{device}: {message}; is the sound server running, and the device plugged in?")


def _not_started(message: str) -> str:
    fault = alsa.configuration_fault()
    return f"PortAudio does not start: {fault or message}"
