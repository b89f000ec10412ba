"""The stages at the two ends of a pipeline: the microphone and the speaker.

Both keep their device through a loss. A kept device notices the loss, tells the run, and opens the
device again.

    microphone     `MicrophoneInput`: captures audio
    captured       the blocks of all streams of a microphone, with their ledger
    silence        the detection of a microphone that delivers only zeros
    speaker        `SpeakerOutput`: plays audio
    playback       the samples of all streams of a speaker, with their ledger
    bot_speech     the start and the end of the program's speech
    kept_device    the device of a stage: its stream, its loss and its return
    search         the attempts to open an absent device
    lost_streams   the close of lost streams, beside the run
    device_log     the log messages about one device
    reminder       the times at which a log message is repeated
"""

__all__: list[str] = []
