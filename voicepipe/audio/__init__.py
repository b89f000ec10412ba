"""Audio as voicepipe carries it: its format, its files, its conversion, its level.

format      AudioFormat: interleaved int16, and the helpers for it
convert     from one format to another, as a stream
level       loudness, peak and clipping of a stretch of audio
wav_file    WAV files, read and written
wav_header  the header of a WAV file, held against what is there
wav_encoding  the encodings of WAV files that are read
wav_advice  the names of other sound files, and the commands that convert them
"""

from voicepipe.audio.format import FULL_SCALE, MOST_CHANNELS, SAMPLE_BYTES, AudioFormat, pcm_bytes, samples_in
from voicepipe.audio.level import Level

__all__ = ["AudioFormat", "Level", "FULL_SCALE", "MOST_CHANNELS", "SAMPLE_BYTES", "pcm_bytes", "samples_in"]
