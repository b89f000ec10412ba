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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicepipe.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, DevicePermissionError
from voicepipe.text import printable
from voicepipe_devices.portaudio.cards import PROC, known_cards, lines_of, steady_names_of
from voicepipe_devices.portaudio.choosing import Candidate, find_meant

__all__ = [
    "ADD_TO_AUDIO",
    "KernelDevice",
    "configuration_fault",
    "explain",
    "explain_busy",
    "find_unlisted",
    "kernel_devices",
]

ADD_TO_AUDIO = "sudo usermod -aG audio $USER, and log in again"
_SHARE = "end it, or start a sound server (PipeWire, PulseAudio), which shares devices"
_SERVERS = ("pipewire", "wireplumber", "pulseaudio", "jackd", "jackdbus")
_CAPTURE, _PLAYBACK, _NONBLOCK = 1, 0, 1
_LONGEST_COMMAND = 60
_NUMBERS = re.compile(r"\(hw:\d+,\d+\)")


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


def kernel_devices(*, capture: bool, proc: Path = PROC) -> Iterator[KernelDevice]:
    """Yield the devices of one direction, in the kernel's order."""
    letter = "c" if capture else "p"
    for card, device, name in _pcms(proc, "capture" if capture else "playback"):
        folder = proc / "asound" / f"card{card}" / f"pcm{device}{letter}"
        yield KernelDevice(card, device, name, f"pcmC{card}D{device}{letter}", _holder(folder, proc))


def _pcms(proc: Path, side: str) -> Iterator[tuple[int, int, str]]:
    """Yield card, device and name of the kernel's devices that capture, or that play back."""
    names = {card.number: card.name for card in known_cards(proc).values()}
    for line in lines_of(proc / "asound" / "pcm"):
        numbers, _, rest = line.partition(":")
        parts = [part.strip() for part in rest.split(" : ")]
        try:
            card, device = (int(number) for number in numbers.split("-"))
        except ValueError:
            continue
        if any(part.startswith(side) for part in parts):
            yield card, device, f"{names.get(card, f'card {card}')}: {parts[0]} (hw:{card},{device})"


def find_unlisted(listed: Sequence[str], *, capture: bool, proc: Path = PROC) -> list[Candidate]:
    """Return the kernel's devices that are missing among the names that PortAudio lists."""
    numbers = {number for name in listed for number in _NUMBERS.findall(name)}
    if not numbers:  # it lists what a sound server has, and no hardware
        return []
    known = known_cards(proc)
    return [
        Candidate(name, -1, "ALSA", steady_names_of(name, known))
        for card, device, name in _pcms(proc, "capture" if capture else "playback")
        if f"(hw:{card},{device})" not in numbers
    ]


def explain(
    error: DeviceNotFoundError,
    name: str,
    *,
    capture: bool,
    proc: Path = PROC,
    dev: Path = Path("/dev"),
) -> DeviceError:
    """Return the reason why there is no such device, as far as it is known; or the error as it is."""
    if error.is_ambiguous or not sys.platform.startswith("linux"):
        return error
    meant = _find_in_kernel(name, capture=capture, proc=proc)
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


def _find_in_kernel(name: str, *, capture: bool, proc: Path) -> list[KernelDevice]:
    """Return the kernel's devices that a name may mean; empty: all."""
    devices = list(kernel_devices(capture=capture, proc=proc))
    known = known_cards(proc)
    candidates = [
        Candidate(device.name, number, "ALSA", steady_names_of(device.name, known))
        for number, device in enumerate(devices)
    ]
    meant = find_meant(candidates, name, known) if name else candidates
    return [devices[candidate.index] for candidate in meant]


def explain_busy(error: DeviceBusyError, name: str, *, capture: bool, proc: Path = PROC) -> DeviceBusyError:
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


def _holder(folder: Path, proc: Path) -> str:
    for status in sorted(folder.glob("sub*/status")):
        for line in lines_of(status):
            if match := re.match(r"owner_pid\s*:\s*(\d+)", line):
                return _process_name(proc, int(match[1]))
    return ""


def _process_name(proc: Path, pid: int) -> str:
    """Return the name of a process: a Python program is better known by its arguments."""
    name = " ".join(lines_of(proc / str(pid) / "comm")) or "a program"
    if name.startswith("python"):
        with contextlib.suppress(OSError):
            words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
            name = " ".join([name, *words[1:]]).strip()[:_LONGEST_COMMAND]
    return f"{printable(name)} (pid {pid})"


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
