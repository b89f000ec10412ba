"""Speech engines: each scores short windows of audio, and all have one protocol.

protocol          SpeechEngine, and the check of one
registry          `open_engine`: engines by name, those of other packages too
webrtc            WebRTC's detector, behind a high-pass
webrtc_robust     the same, with steady noise taken out
noise_suppressor  a filter that takes steady noise out
silero            a small neural network, the one that is taken by default
silero_weights    its weights, from the file that the package brings
"""

__all__: list[str] = []
