"""The engines of the echo canceller, and the way to choose them by name.

registry     `default_engine` and `open_echo_engine`: engines by name, also those of other packages
pair         two cancellers, one for the ear and one for the words, as one engine
part         the protocol of a canceller with one output
aec3         the canceller of WebRTC, for the ear
kalman       a linear filter, for the words
speex        the linear filter of the library libspeexdsp, for the words
echo_path    the estimate of the path from loudspeaker to microphone, which the linear filter learns
path_watch   a linear filter that makes things worse is held back, and a changed path is noticed
far_blocks   the last blocks of the speakers' sound, as spectra
near_end     the linear filter's output in place of the ear, while a user talks over the echo
residue      what the linear filter leaves of an echo, by band, and whether a changed path left it
samples      floats become int16, and channels one
delay        audio some samples later
"""

__all__: list[str] = []
