"""The reason why a device is missing from PortAudio's list, on Linux: one that does not open is left out.

The kernel knows who holds its devices, and ALSA says why it does not open one. Asked only when
something is wrong already, in whatever process PortAudio is in.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voicepipe.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, DevicePermissionError
from voicepipe.text import printable

__all__ = ["ADD_TO_AUDIO", "KernelDevice", "configuration_fault", "explain", "explain_busy", "kernel_devices"]

ADD_TO_AUDIO = "sudo usermod -aG audio $USER, and log in again"
_SHARE = "end it, or start a sound server (PipeWire, PulseAudio), which shares devices"
_SERVERS = ("pipewire", "wireplumber", "pulseaudio", "jackd", "jackdbus")
_CAPTURE, _PLAYBACK, _NONBLOCK = 1, 0, 1
_LONGEST_COMMAND = 60


@dataclass(frozen=True, slots=True)
class KernelDevice:
    """A microphone or a speaker of the kernel's."""

    card: int
    device: int
    name: str
    """As PortAudio would call it: "USB Audio: Mono (hw:1,0)"."""
    node: str
    """The name of its file in /dev/snd."""
    holder: str
    """The process that has it open, as "NAME (pid N)"; empty: none."""


def kernel_devices(*, capture: bool, proc: Path = Path("/proc")) -> Iterator[KernelDevice]:
    """Yield the devices of one direction, in the kernel's order."""
    cards = dict(_cards(proc))
    side, letter = ("capture", "c") if capture else ("playback", "p")
    for line in _lines(proc / "asound" / "pcm"):
        numbers, _, rest = line.partition(":")
        names = [part.strip() for part in rest.split(" : ")]
        try:
            card, device = (int(number) for number in numbers.split("-"))
        except ValueError:
            continue
        if not any(part.startswith(side) for part in names):
            continue
        name = f"{cards.get(card, f'card {card}')}: {names[0]} (hw:{card},{device})"
        folder = proc / "asound" / f"card{card}" / f"pcm{device}{letter}"
        yield KernelDevice(card, device, name, f"pcmC{card}D{device}{letter}", _holder(folder, proc))


def explain(
    error: DeviceNotFoundError,
    name: str,
    *,
    capture: bool,
    proc: Path = Path("/proc"),
    dev: Path = Path("/dev"),
) -> DeviceError:
    """Return the reason why there is no such device, as far as it is known; or the error as it is."""
    if error.is_ambiguous or not sys.platform.startswith("linux"):
        return error
    meant = [d for d in kernel_devices(capture=capture, proc=proc) if name.casefold() in d.name.casefold()]
    for device in meant:
        if device.holder:
            return _busy_error(device.name, device.holder)
    closed = [d.node for d in meant if not os.access(dev / "snd" / d.node, os.R_OK | os.W_OK)]
    if closed:
        return DevicePermissionError(f"no right to {dev / 'snd' / closed[0]}: {ADD_TO_AUDIO}")
    what = f"the {'microphone' if capture else 'speaker'}{f' {printable(repr(name))}' if name else ''}"
    match _refusal(name or "default", capture=capture):
        case errno.EBUSY:
            return DeviceBusyError(f"{what} is in use by another program: {_SHARE}")
        case errno.EACCES | errno.EPERM:
            return DevicePermissionError(f"no right to {what}: {ADD_TO_AUDIO}")
    return error


def explain_busy(
    error: DeviceBusyError, name: str, *, capture: bool, proc: Path = Path("/proc")
) -> DeviceBusyError:
    """Return an error that names who holds the device, where that is known; or the error as it is."""
    for device in kernel_devices(capture=capture, proc=proc):
        if device.holder and f"(hw:{device.card},{device.device})" in name:
            return _busy_error(name, device.holder)
    return error


def configuration_fault() -> str:
    """Return the fault in ALSA's configuration, in a line; empty: none, or it cannot be asked."""
    alsa = _library()
    status = 0 if alsa is None else int(alsa.snd_config_update())
    if status >= 0:
        return ""
    return (
        f"ALSA's configuration cannot be read ({os.strerror(-status)}): "
        "look at ~/.asoundrc, /etc/asound.conf and ALSA_CONFIG_PATH"
    )


def _busy_error(name: str, holder: str) -> DeviceBusyError:
    if holder.startswith(_SERVERS):
        cure = "which shares it: install its plugin for ALSA (pipewire-alsa, or libasound2-plugins)"
        return DeviceBusyError(f"{printable(name)} is in use by {holder}, {cure}")
    return DeviceBusyError(f"{printable(name)} is in use by {holder}: {_SHARE}")


def _cards(proc: Path) -> Iterator[tuple[int, str]]:
    """Yield number and name of each card, out of lines as " 1 [Device         ]: USB-Audio - USB Audio"."""
    for line in _lines(proc / "asound" / "cards"):
        if match := re.match(r"\s*(\d+) \[.*?\]: \S+ - (.*)", line):
            yield int(match[1]), match[2].strip()


def _holder(folder: Path, proc: Path) -> str:
    for status in sorted(folder.glob("sub*/status")):
        for line in _lines(status):
            if match := re.match(r"owner_pid\s*:\s*(\d+)", line):
                return _process_name(proc, int(match[1]))
    return ""


def _process_name(proc: Path, pid: int) -> str:
    """Return the name of a process: a Python program is better known by its arguments."""
    name = " ".join(_lines(proc / str(pid) / "comm")) or "a program"
    if name.startswith("python"):
        with contextlib.suppress(OSError):
            words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
            name = " ".join([name, *words[1:]]).strip()[:_LONGEST_COMMAND]
    return f"{printable(name)} (pid {pid})"


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libasound.so.2")
    except OSError:
        return None


def _refusal(name: str, *, capture: bool) -> int:
    """Return the error number with which ALSA refuses to open it; 0: it opens it, or cannot be asked."""
    alsa = _library()
    if alsa is None or not re.fullmatch(r"[\w.-]+", name):  # a longer one may have a plugin run a command
        return 0
    handle = ctypes.c_void_p()
    stream = _CAPTURE if capture else _PLAYBACK
    status = int(alsa.snd_pcm_open(ctypes.byref(handle), name.encode(), stream, _NONBLOCK))
    if status >= 0:
        alsa.snd_pcm_close(handle)
    return max(0, -status)
