"""Audio as voicepipe carries it: its format, its files, its conversion, its level.

format         AudioFormat: interleaved int16, and the helpers for it
convert        from one format to another, as a stream
channels       a channel picked, several that become fewer, few that become more
channel_mixer  one channel of a microphone's several
amplify        louder or softer, and clipped
level          loudness, peak and clipping of a stretch of audio
rates/         changes of rate
files/         sound files, read and written
"""

from voicepipe.audio.format import FULL_SCALE, MOST_CHANNELS, SAMPLE_BYTES, AudioFormat, pcm_bytes, samples_in
from voicepipe.audio.level import Level

__all__ = ["AudioFormat", "Level", "FULL_SCALE", "MOST_CHANNELS", "SAMPLE_BYTES", "pcm_bytes", "samples_in"]
