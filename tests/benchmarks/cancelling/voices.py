"""What the program says, and what the user says over it."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.hearing.conditions import MissingSpeechError, conditions
from voicepipe.sample import speech

__all__ = ["PROMPTS", "USER_DB", "Said", "program", "said", "utterances"]

PROMPTS = Path("/usr/share/asterisk/sounds")
PROGRAM_DB = -20.0
USER_DB = -26.0
"""The level of a user at the microphone, where he speaks."""
GAP_S = (0.15, 0.6)
ESPEAK_VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m5", "en-us+m7", "en-gb+f2")
SENTENCES = (
    "The meeting has moved to Thursday at half past nine, and two people have not answered yet.",
    "It will rain in the afternoon, with a light wind from the west and a high of seventeen degrees.",
    "I found three trains. The first one leaves at eight twenty and takes an hour and ten minutes.",
    "To change the filter, switch the machine off, wait until it is cold, and open the cover below.",
    "The timer for the bread has eleven minutes left. Shall I set another one for the potatoes?",
    "Your list has milk, six eggs, a bag of rice, washing powder, and something for the cat.",
    "She wrote that the parcel arrived on Monday, but the box was open and one cup was broken.",
    "The museum is closed today. Tomorrow it opens at ten, and entry is free for children under six.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One utterance of the user, clean, without silence at its ends."""

    name: str
    audio: Floats
    """At 16 kHz, `USER_DB` loud."""


def utterances(folder: Path | None, fewest_s: float = 0.0) -> list[Said]:
    """Return the turns of the labelled speech.

    Raises:
        MissingSpeechError: there is none.
    """
    if folder is None:
        raise MissingSpeechError("no labelled speech: name its folder, or set VOICEPIPE_LABELLED_SPEECH")
    found = []
    for condition in conditions(folder):
        if condition.group == "clean":
            audio = condition.audio / 32_768
            for begin_s, end_s in condition.turns:
                piece = audio[round(begin_s * RATE) : round(end_s * RATE)]
                if len(piece) >= fewest_s * RATE:
                    found.append(said(f"{condition.name} at {begin_s:g} s", piece))
    if not found:
        raise MissingSpeechError(f"no clean speech in {folder}")
    return found


def said(name: str, audio: Floats) -> Said:
    """Make an utterance as loud as a user is."""
    return Said(name, audio * (10 ** (USER_DB / 20) / np.sqrt(np.mean(audio**2))))


def program(seconds: float, seed: int) -> Floats:
    """Return so much speech of a program, with short pauses: prompts, a synthesiser, the bundled voice.

    Raises:
        MissingSpeechError: neither prompts nor espeak-ng is installed.
    """
    random = np.random.default_rng(seed)
    pieces, missing = [], round(seconds * RATE)
    for piece in _spoken(random):
        pause = np.zeros(round(RATE * random.uniform(*GAP_S)))
        pieces += [_levelled(piece), pause]
        missing -= len(piece) + len(pause)
        if missing <= 0:
            break
    return np.concatenate(pieces)[: round(seconds * RATE)]


def _spoken(random: np.random.Generator) -> Iterator[Floats]:
    paths = sorted(PROMPTS.glob("*_*/**/*.g722")) if shutil.which("ffmpeg") else []
    paths = [path for path in paths if path.stat().st_size > 8_000 and path.parent.name != "silence"]
    speaks = shutil.which("espeak-ng") is not None
    if not paths and not speaks:
        raise MissingSpeechError(
            "no speech for the program: apt-get install espeak-ng, or asterisk-core-sounds-en-g722 and ffmpeg"
        )
    while True:
        if paths:
            chosen = random.choice(len(paths), min(8, len(paths)), replace=False)
            yield _prompts([paths[at] for at in chosen])
        if speaks:
            yield _synthesised(SENTENCES[random.integers(len(SENTENCES))], random)
        if random.random() < 0.2:
            yield np.frombuffer(speech(), "<i2") / 32_768


def _prompts(paths: list[Path]) -> Floats:
    """Decode several in one go: a process for each would cost more than all else."""
    pieces = []
    # Silence is 0xFF here; zeros are a tone of 8 kHz at full scale.
    data = b"".join(path.read_bytes() + b"\xff" * 2_400 for path in paths)
    command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", "-", "-f", "s16le", "-ac", "1", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    pieces.append(np.frombuffer(done.stdout, "<i2") / 32_768)
    return np.concatenate(pieces)


def _synthesised(text: str, random: np.random.Generator) -> Floats:
    voice = ESPEAK_VOICES[random.integers(len(ESPEAK_VOICES))]
    speed = str(random.integers(140, 190))
    command = ["espeak-ng", "-v", voice, "-s", speed, "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    with wave.open(io.BytesIO(done.stdout)) as file:
        rate, data = file.getframerate(), done.stdout[44:]
    return _resampled(np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32_768, rate)


def _resampled(audio: Floats, rate: int) -> Floats:
    import soxr

    return np.asarray(soxr.resample(audio, rate, RATE, "HQ"), np.float64)


def _levelled(audio: Floats) -> Floats:
    """Make it as loud as programs speak, where it speaks."""
    blocks = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1)
    loud = power[power > np.max(power) * 10 ** (-3.5)]
    levelled: Floats = audio * (10 ** (PROGRAM_DB / 20) / np.sqrt(np.mean(loud) + 1e-12))
    return np.clip(levelled, -0.99, 0.99)
