"""The stages at the two ends of a pipeline: the microphone and the speaker.

Both keep their device through a loss. A kept device notices the loss, tells the run, and opens the
device again.

    microphone          `MicrophoneInput`: captures audio
    captured            the blocks of all streams of a microphone, with their ledger
    own_sound           the protection of a microphone from the sound of the run's speakers
    silence             the detection of a microphone that delivers only zeros
    speaker             `SpeakerOutput`: plays audio
    speaker_tap         the record of what a speaker played, for who takes its echo out
    controlled_speaker  the controls of a speaker while it plays: volume, ducking, hold, cuts
    source              one source of sound, such as the voice: its queue and its ledger
    intake              frames of any format become the speaker's own
    format_run          a run of frames of one format, without an edge at its ends
    mixer               the mix of several sources
    ramp                a gain that moves along the positions
    live_voice          the delay of live audio: late audio is left out, and drift corrected
    chunks              audio that waits, and how some of it is left out
    played_change       a place in what was played where something was left out, or made
    device_queue        the last second before it sounds, which can still be changed
    playback            the samples of all streams of a speaker, with their ledger
    start_buffer        the start of a voice: after silence it waits until enough of it has come
    gaps                the gaps in the voice: it ran dry, and went on soon after
    delay               the delay of live sound from the microphone to the speaker
    delay_warning       the warning that it has grown: the slow stage, and the cure
    sentences           the map from text to positions, and what was heard of it
    bot_speech          the start and the end of the program's speech
    fact_post           facts that arise while the stage works, told when it is done
    kept_device         the device of a stage: its stream, its loss and its return
    open_stream         the opening of a stream
    replacement         the change to another stream: of the same device, or of another
    search              the attempts to open an absent device
    lost_streams        the close of lost streams, beside the run
    device_log          the log messages about one device
    reminder            the times at which a log message is repeated
"""

__all__: list[str] = []
