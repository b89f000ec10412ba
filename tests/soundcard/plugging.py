"""Puts virtual sound cards in for a test, and takes them out."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from soundcard.card import Card

__all__ = [
    "HERE",
    "CannotRunError",
    "NewCard",
    "PluggedCard",
    "bring_up",
    "plugged",
    "soundcard_is_required",
]

HERE = Path(__file__).resolve().parent
_LIMIT_S = 600.0
"""For `up`, which may have packages to install."""
_MISSING = 3
"""The exit status with which `up` says that something is missing that it may not install."""


class CannotRunError(Exception):
    """The card cannot be put in on this machine; says why, and what would have to be installed."""


class PluggedCard(Card):
    """A card that is in this machine."""

    env: Mapping[str, str]
    """Set these for a child process, and it sees the card."""
    server: str
    """The sound server in front of it, as `up --server` has it: "none", "pulse", "pipewire" or "jack"."""

    def __init__(self, env: Mapping[str, str], server: str = "none") -> None:
        super().__init__(env["VCARD"])
        self.env = env
        self.server = server


def soundcard_is_required() -> bool:
    """Whether a card that cannot be put in is a failure: on Linux in CI, or as root where apt-get is.

    VOICEPIPE_REQUIRE_SOUNDCARD requires it anywhere. Elsewhere tests may be skipped.
    """
    if os.environ.get("VOICEPIPE_REQUIRE_SOUNDCARD"):
        return True
    if sys.platform != "linux":
        return False
    return bool(os.environ.get("CI")) or (os.geteuid() == 0 and shutil.which("apt-get") is not None)


class NewCard(Protocol):
    """Puts another card in: its rate, channels and sample format, and the sound server before it or none.

    It is taken out after the test.
    """

    def __call__(
        self,
        *,
        rate: int = 48000,
        mic: int = 1,
        speaker: int = 2,
        sample: str = "S16_LE",
        server: str = "none",
    ) -> PluggedCard: ...


@contextmanager
def plugged(
    directory: Path,
    *,
    rate: int = 48000,
    mic: int = 1,
    speaker: int = 2,
    sample: str = "S16_LE",
    server: str = "none",
) -> Iterator[PluggedCard]:
    """A new card, whose state lies in that directory, with so many channels.

    `sample` is the one sample format that it takes, as ALSA calls it. At the end the server is ended
    too, in whatever state it is, and nothing of it stays.

    Raises:
        CannotRunError: something is missing that may not be installed here.
        RuntimeError: it is not missing, and fails; says how.
    """
    options = ["--rate", str(rate), "--mic", str(mic), "--speaker", str(speaker)]
    options += ["--format", sample, "--server", server]
    try:
        with PluggedCard(bring_up(directory, "--fresh", *options), server) as card:
            yield card
    finally:
        if directory.exists():
            _run("down", "--all", env=_environment(directory))


def bring_up(directory: Path, *options: str) -> dict[str, str]:
    """Run `up` for the card of that directory; returns the variables for a child process.

    Raises:
        CannotRunError, RuntimeError: as `plugged`.
    """
    return _variables(_run("up", "-q", *options, env=_environment(directory)))


def _environment(directory: Path) -> dict[str, str]:
    return {**os.environ, "VCARD_DIR": str(directory), "PYTHON": sys.executable}


def _run(script: str, *arguments: str, env: Mapping[str, str]) -> str:
    """What one of the scripts prints."""
    if sys.platform != "linux":
        raise CannotRunError("the virtual sound card is a plugin for ALSA: it needs Linux")
    done = subprocess.run(
        ["bash", str(HERE / script), *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode == _MISSING:
        raise CannotRunError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(f"{script} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _variables(path: str) -> dict[str, str]:
    """What the file sets that `up` names: lines of `export NAME=VALUE ...`."""
    words = shlex.split(Path(path.strip()).read_text(encoding="utf-8"))
    return dict(word.split("=", 1) for word in words if word != "export")
