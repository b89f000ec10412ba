"""Long sounds of one kind, and prompts to mix into them: read from Debian packages and public repositories.

None of it is stored here. What is not installed is looked for in a folder, and brought there if wanted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.hearing.conditions import RATE, MissingSpeechError

__all__ = [
    "FOLDER",
    "KINDS",
    "PROMPTS",
    "Recording",
    "Samples",
    "Source",
    "bring",
    "decoded",
    "is_missing",
    "recordings",
]

Samples = npt.NDArray[np.float32]

FOLDER = Path.home() / ".cache" / "voicepipe-sounds"
EACH_S = 120.0
"""The most of one recording, so that none has the last word."""
MOODIST = "https://github.com/remvze/moodist"
BLANKET = "https://github.com/rafaelmardojai/blanket"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a Debian package, or of a repository that git clones."""

    origin: str
    """The package's name, or the repository's address."""
    patterns: tuple[str, ...]
    """Below the root of either."""

    @property
    def is_package(self) -> bool:
        """True for a Debian package."""
        return "/" not in self.origin

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.origin.rsplit("/", 1)[-1]

    def command(self, folder: Path) -> str:
        """Return the command that brings it."""
        if self.is_package:
            return f"apt-get install {self.name}"
        return f"git clone --depth 1 {self.origin} {folder / self.name}"

    def files(self, folder: Path) -> list[Path]:
        """Return what is installed, or else what lies in the folder."""
        roots = [Path("/")] if self.is_package else []
        for root in (*roots, folder / self.name):
            found = [path for pattern in self.patterns for path in sorted(root.glob(pattern))]
            if found:
                return found
        return []


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One sound, mono, 16 kHz, with a peak of 1 at most."""

    name: str
    audio: Samples


def _games(*patterns: str) -> tuple[str, ...]:
    return tuple(f"usr/share/games/{pattern}" for pattern in patterns)


def _moodist(*names: str) -> Source:
    return Source(MOODIST, tuple(f"public/sounds/{name}.mp3" for name in names))


def _blanket(*names: str) -> Source:
    return Source(BLANKET, tuple(f"data/resources/sounds/{name}.ogg" for name in names))


KINDS: dict[str, tuple[Source, ...]] = {
    "music": (
        Source("asterisk-moh-opsound-wav", ("usr/share/asterisk/moh/*.wav",)),
        Source("fillets-ng-data", _games("fillets-ng/music/*.ogg")),
    ),
    "songs": (
        Source("https://github.com/facebookresearch/demucs", ("test.mp3",)),
        Source("https://github.com/deezer/spleeter", ("audio_example.mp3",)),
    ),
    "street": (
        Source("lincity-ng-data", _games("lincity-ng/sounds/Trafic*.wav")),
        _moodist("urban/busy-street", "urban/highway", "urban/road", "urban/traffic"),
        _moodist("urban/ambulance-siren", "places/construction-site"),
        _moodist("transport/inside-a-train", "transport/train"),
        _blanket("city", "train"),
    ),
    "crowd": (
        Source("lincity-ng-data", _games("lincity-ng/sounds/SportsCroud*.wav")),
        Source("lincity-ng-data", _games("lincity-ng/sounds/Market*.wav")),
        _moodist("urban/crowd", "places/crowded-bar", "places/cafe", "places/restaurant"),
        _moodist("places/supermarket", "places/subway-station"),
        _blanket("coffee-shop"),
    ),
    "home": (
        _moodist("things/keyboard", "things/typewriter", "things/clock", "things/washing-machine"),
        _moodist("things/dryer", "things/boiling-water", "things/paper"),
        _moodist("things/wind-chimes", "things/ceiling-fan", "things/slide-projector"),
        _moodist("animals/dog-barking", "animals/cat-purring", "animals/birds", "rain/rain-on-window"),
        _blanket("fireplace"),
    ),
}
"""By kind. In the music nobody sings, in the songs somebody does; a crowd talks."""

PROMPTS = tuple(
    Source(f"asterisk-core-sounds-{language}-g722", (f"usr/share/asterisk/sounds/{language}_*/*.g722",))
    for language in ("en", "es", "fr", "it", "ru")
)


def is_missing(source: Source, folder: Path) -> bool:
    """Return True where none of its files is there."""
    return not source.files(folder)


def bring(source: Source, folder: Path) -> None:
    """Download it into the folder.

    Raises:
        MissingSpeechError: that fails.
    """
    target = folder / source.name
    target.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_package:
            with tempfile.TemporaryDirectory() as here:
                _run("apt-get", "download", source.name, cwd=here)
                (package,) = Path(here).glob("*.deb")
                _run("dpkg", "-x", str(package), str(target))
        else:
            _run("git", "clone", "--quiet", "--depth", "1", source.origin, str(target))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        told = getattr(error, "stderr", None) or str(error)
        raise MissingSpeechError(f"cannot download {source.name} ({told.strip().splitlines()[-1]})") from None


def recordings(sources: tuple[Source, ...], folder: Path, enough_s: float) -> Iterator[Recording]:
    """Read them until there is enough, of one file no more than `EACH_S`.

    Raises:
        MissingSpeechError: ffmpeg is not installed, or cannot read one.
    """
    for source in sources:
        for path in source.files(folder):
            if enough_s <= 0:
                return
            audio = decoded(path, EACH_S)
            enough_s -= len(audio) / RATE
            yield Recording(path.stem, audio)


def decoded(path: Path, longest_s: float) -> Samples:
    """Return the sound in a file of any kind, mono, 16 kHz.

    Raises:
        MissingSpeechError: ffmpeg is not installed, or cannot read it.
    """
    if shutil.which("ffmpeg") is None:
        raise MissingSpeechError("ffmpeg is needed to read recordings: apt-get install ffmpeg")
    given = ["-f", "g722"] if path.suffix == ".g722" else []
    wanted = ["-t", str(longest_s), "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
    try:
        data = _run("ffmpeg", "-v", "error", *given, "-i", str(path), *wanted)
    except subprocess.CalledProcessError as error:
        raise MissingSpeechError(f"ffmpeg cannot read {path} ({error.stderr.strip()})") from None
    scaled: Samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32_768)
    return scaled


def _run(*command: str, cwd: str | None = None) -> bytes:
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, check=True, stdin=subprocess.DEVNULL, cwd=cwd, env=quiet
        )
    except subprocess.CalledProcessError as error:
        error.stderr = error.stderr.decode(errors="replace")
        raise
    return done.stdout
