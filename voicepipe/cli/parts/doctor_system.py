"""Checks of the system under the sound library: versions, sound servers, permissions."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from voicepipe.children.command import run_command
from voicepipe.cli.parts.doctor_finding import Finding
from voicepipe.text import printable
from voicepipe.version import __version__

__all__ = ["permissions", "pulse_devices", "servers", "software"]

ANSWER_S = 2.0
"""A sound server that is well answers in a hundredth of this."""


def software() -> Finding:
    """Return the versions."""
    try:
        sounddevice = f", sounddevice {version('sounddevice')}"
    except PackageNotFoundError:
        sounddevice = ", no sounddevice"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Finding("software", "good", f"voicepipe {__version__}, {python}{sounddevice}, {sys.platform}")


def permissions(folder: Path = Path("/dev/snd")) -> Iterator[Finding]:
    """Check the rights of this user to the sound hardware that the kernel knows."""
    if not folder.is_dir():
        return
    pcms = sorted(folder.glob("pcm*"))
    closed = [pcm.name for pcm in pcms if not os.access(pcm, os.R_OK | os.W_OK)]
    if closed:
        yield Finding(
            "permissions",
            "bad",
            f"no right to {', '.join(closed)} in {folder}: sudo usermod -aG audio $USER, and log in again",
        )
    elif pcms:
        yield Finding("permissions", "good", f"{len(pcms)} sound devices of the kernel are usable")


# -- sound servers ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Server:
    """A sound server that may be there."""

    name: str
    socket: Path
    unit: str
    """Its name for systemd."""
    question: tuple[str, ...]
    """A command that asks it something; it may be missing."""

    @property
    def restart(self) -> str:
        return f"systemctl --user restart {self.unit}"


def servers() -> Iterator[Finding]:
    """Check that each sound server with a socket answers; and PulseAudio's devices."""
    if sys.platform != "linux":
        return
    there = [server for server in _servers() if server.socket.exists()]
    for server in there:
        finding = _ask(server)
        yield finding
        if finding.verdict == "good" and server.question[0] == "pactl":
            yield from pulse_devices()
    if not there:
        text = "no PipeWire and no PulseAudio: the sound library uses ALSA or JACK itself"
        yield Finding("server", "note", text)


def _servers() -> Iterator[_Server]:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    pipewire = Path(os.environ.get("PIPEWIRE_RUNTIME_DIR") or runtime)
    yield _Server("PipeWire", pipewire / "pipewire-0", "pipewire", ("pw-cli", "info", "0"))
    given = os.environ.get("PULSE_SERVER", "")
    pulse = Path(os.environ.get("PULSE_RUNTIME_PATH") or runtime / "pulse") / "native"
    if given.startswith(("unix:", "/")):
        pulse = Path(given.removeprefix("unix:"))
    name = "PulseAudio (or its replacement)"
    yield _Server(name, pulse, "pulseaudio pipewire-pulse", ("pactl", "info"))


def _ask(server: _Server) -> Finding:
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(ANSWER_S)
            caller.connect(str(server.socket))
    except OSError as error:
        why = f"{server.name} does not answer ({printable(error)})"
        return Finding("server", "bad", f"{why}: {server.restart}")
    if shutil.which(server.question[0]) is None:
        return Finding("server", "good", f"{server.name} takes connections")
    try:
        answer = _output(*server.question)
    except TimeoutError:
        why = f"{server.name} hangs: it takes connections, and no answer came within {ANSWER_S:g} s"
        return Finding("server", "bad", f"{why}: {server.restart}")
    if answer is None:
        return Finding("server", "note", f"{server.name} takes connections")
    return Finding("server", "good", f"{server.name} answers")


def _output(*command: str) -> str | None:
    """Return the output of a command; None where it fails. Raises: TimeoutError: it does not end."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = run_command(command, limit_s=ANSWER_S, environment=environment)
    except TimeoutError:
        raise
    except OSError:
        return None
    return None if done.returncode else done.stdout


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of PulseAudio for a thing that has another name here."""

    pulse: str
    ours: str
    default: str
    """The line of `pactl info`."""


_WORDS = (
    _Word("source", "microphone", "Default Source"),
    _Word("sink", "speaker", "Default Sink"),
)


def pulse_devices() -> Iterator[Finding]:
    """Check that PulseAudio has a default microphone and speaker, and that they are not muted."""
    try:
        about = _fields(_output("pactl", "info") or "")
        for word in _WORDS:
            listed = (_output("pactl", "list", f"{word.pulse}s") or "").split("\n\n")
            devices = {fields.get("Name", ""): fields for fields in map(_fields, listed)}
            yield _of_pulse(word, about.get(word.default, ""), devices)
    except TimeoutError:
        pass  # it has just answered, and will be found out later


def _of_pulse(word: _Word, default: str, devices: dict[str, dict[str, str]]) -> Finding:
    device, name = devices.get(default), printable(default)
    if device is None:
        return Finding(
            word.pulse, "bad", f"PulseAudio has no {word.ours}: plug one in, or restart the sound server"
        )
    if device.get("Mute") == "yes":
        cure = f"pactl set-{word.pulse}-mute @DEFAULT_{word.pulse.upper()}@ 0"
        return Finding(word.pulse, "bad", f"PulseAudio has muted the {word.ours} {name}: {cure}")
    if device.get("Monitor of Sink", "n/a") != "n/a":
        others = [n for n, fields in devices.items() if n and fields.get("Monitor of Sink", "n/a") == "n/a"]
        cure = f"pactl set-default-source {printable(others[0])}" if others else "plug a microphone in"
        text = f"PulseAudio's microphone {name} hears only the played sound: {cure}"
        return Finding(word.pulse, "note", text)
    return Finding(word.pulse, "good", f"PulseAudio's {word.ours} is {printable(device['Description'])}")


def _fields(text: str) -> dict[str, str]:
    """Return the fields of lines "Name: value"."""
    pairs = (line.strip().partition(": ") for line in text.splitlines())
    return {name: value for name, colon, value in pairs if colon}
