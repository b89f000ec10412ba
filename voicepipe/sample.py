"""The bundled voice: a few seconds of speech for demos and tests. NOTICE names its source."""

from __future__ import annotations

from importlib.resources import as_file, files

from voicepipe.audio.convert import Converter
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.audio.format import AudioFormat

__all__ = ["speech"]


def speech(audio: AudioFormat | None = None) -> bytes:
    """Return two spoken sentences with a pause between them, as int16 in the given format.

    Args:
        audio: the format of the result; 16 kHz mono by default.
    """
    with as_file(files("voicepipe") / "data" / "speech.wav") as path, WavReader(path) as file:
        data = file.read(file.num_samples)
        converter = Converter(file.format, audio or file.format, quality="HQ")
    return converter.convert(data) + converter.flush()
