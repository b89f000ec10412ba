"""The reference: what sounded while the microphone captured a block, by time.

reference        the sum of all speakers, aligned with the microphone
alignment        the place in a speaker's track of what sounds while a sample is captured
clock_line       the line from a stream's positions to times, through jitter, losses and drift
speaker_track    one stream of a speaker, in mono at the microphone's rate
history          its last seconds
mono_converter   from a speaker's format to mono at the microphone's rate
fractional_read  sampled sound between its samples
"""

__all__: list[str] = []
