"""The echo canceller: the program does not hear itself, and keeps the words that are said over it.

protocol         the engine that takes the echo out of a microphone's audio, as a protocol
stage            `EchoCanceller`: a stage that cancels, in place of the microphone
guard            a microphone's guard: the canceller, its figures, or half-duplex
cancelling       blocks for the engine, and frames again behind it
ear_noise        the noise of the room at the ear, which covers the rest of an echo
protection       the choice of a protection, and the fall-back to half-duplex
half_duplex      while a speaker sounds, only what is louder than its echo passes
loudness_gate    louder than the echo, or not, block by block
echo_level       the level of the echo to expect, band by band
tracks           the recording of a conversation: six aligned tracks, and labels
track_files      its files
heard_sound      the sound of the speakers in it, by their own stamps
echo_meter       how much is taken away, and how strong the echo is
echo_delay       how late the echo is
engines          the engines, by name: AEC3 for the ear, a Kalman filter for the words
reference        what sounded while the microphone captured a block, by time, of all speakers
alignment        the place in a speaker's track of what sounds while a sample is captured
clock_line       the line from a stream's positions to times, through jitter, losses and drift
speaker_track    one stream of a speaker, in mono at the microphone's rate
history          its last seconds
mono_converter   from a speaker's format to mono at the microphone's rate
fractional_read  sampled sound between its samples
"""

__all__: list[str] = []
