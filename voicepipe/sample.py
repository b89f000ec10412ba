"""The bundled voice: a few seconds of speech for trying things out. Its source is in NOTICE."""

from __future__ import annotations

from importlib.resources import as_file, files

from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.wav_file import WavReader

__all__ = ["speech"]


def speech(audio: AudioFormat | None = None) -> bytes:
    """Two sentences with a pause between, as int16 in the given format; 16 kHz mono by default."""
    with as_file(files("voicepipe") / "data" / "speech.wav") as path, WavReader(path) as file:
        data = file.read(file.num_samples)
        converter = Converter(file.format, audio or file.format, quality="HQ")
    return converter.convert(data) + converter.flush()
