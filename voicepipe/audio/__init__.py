"""Audio as voicepipe carries it: its format, its files, conversion, level."""

from voicepipe.audio.format import FULL_SCALE, MOST_CHANNELS, SAMPLE_BYTES, AudioFormat, pcm_bytes, samples_in

__all__ = ["AudioFormat", "FULL_SCALE", "MOST_CHANNELS", "SAMPLE_BYTES", "pcm_bytes", "samples_in"]
