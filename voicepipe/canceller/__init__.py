"""The echo canceller: the program does not hear itself, and keeps the words that are said over it.

protocol         the engine that takes the echo out of a microphone's audio, as a protocol
stage            `EchoCanceller`: a stage that cancels, in place of the microphone
guard            a microphone's guard: the canceller, its figures, or half-duplex
cancelling       the blocks of a microphone's frames, each as soon as its time and sound are known
block_maker      words and ear of a block: the engine's, or the microphone's own audio
asked_engine     an engine that may fail, with what judges may hear of its ear
frame_spans      frames in, frames out, with true positions and times
cancelled_block  a block and what was made of it, for whoever measures or records
far_end          the sound of the speakers, by time, as a protocol
ear_noise        the noise of the room at the ear, which covers the rest of an echo
ear_trust        what of the ear may be heard: at first, and where the echo comes another way
protection       the choice of a protection, and the fall-back to half-duplex
half_duplex      while a speaker sounds, only what is louder than its echo passes
tracks           the recording of a conversation: six aligned tracks, and labels
echo_meter       how much is taken away, and how strong the echo is
echo_delay       how late the echo is
delay_watch      an echo that comes when the canceller does not look for it
engines          the engines, by name: AEC3 for the ear, a Kalman filter for the words
tap_reader       the blocks that the speakers play, each read once
reference        what sounded while the microphone captured a block, by time, of all speakers
"""

__all__: list[str] = []
