"""The doctor's finding about a microphone's level."""

from __future__ import annotations

from voicepipe.audio.level import Level
from voicepipe.cli.parts.doctor_finding import Finding
from voicepipe.cli.parts.loudness import Loudness, gain_for, measure

__all__ = ["level_finding"]

_ZEROS = (
    "nothing but zeros: it is muted in the mixer or by a switch, or nothing feeds it: unmute it, or "
    "choose another with --mic; on macOS, allow this program to use the microphone"
)
_GATED = "zeros while nothing sounds, as behind a noise gate; it heard the chirps"


def level_finding(before: bytes, during: bytes, rate: int, *, played: bool, heard: bool) -> Finding:
    """Return the finding about what came before the chirps, and while they played.

    Args:
        before: a second of mono int16.
        during: the same while the chirps played; empty where none were.
        rate: samples a second.
        played: True where the chirps were played.
        heard: True where one of them was found in what came.
    """
    level = Level.of(before)
    text = f"{round(level.rms_db)} dB, peak {round(level.peak_db)} dB"
    if not before.strip(b"\0"):
        gated = bool(during.strip(b"\0"))
        return Finding("level", "good", _GATED) if gated else Finding("level", "bad", _ZEROS)
    if level.clipped:
        return Finding(
            "level", "bad", f"{text}, {level.clipped} samples at full scale: turn the microphone down"
        )
    loudness = Loudness()
    measure(loudness, before, rate)
    measure(loudness, during, rate)
    return _by_movement(text, loudness, played=played, heard=heard)


def _by_movement(text: str, loudness: Loudness, *, played: bool, heard: bool) -> Finding:
    """Judge by what moved: a dead line does not, a quiet microphone does."""
    if heard or loudness.moves:
        gain_db = gain_for(loudness.loudest_db)
        if not gain_db or not loudness.is_faint:
            return Finding("level", "good", text)
        return Finding(
            "level",
            "note",
            f"{text}, at most {round(loudness.loudest_db)} dB while there was sound: quiet, but it is heard, "
            f"and voice detection makes up for it; to record and to recognise speech, turn the microphone "
            f"up, or use --gain-db {gain_db}",
        )
    when = "while the chirps played" if played else "in this second"
    if loudness.is_faint:
        return Finding(
            "level",
            "bad",
            f"{text}: hardly anything, and it did not move {when}: turn the microphone up, or unmute it, or "
            "choose another with --mic. If it is only quiet, it moves when you speak: look at "
            "`voicepipe level`, and use --gain-db 20",
        )
    return Finding(
        "level",
        "note",
        f"{text}: a room's level, but it did not move {when}: right with headphones and nobody speaking; "
        "otherwise it is the wrong input. Speak, and look at `voicepipe level`",
    )
