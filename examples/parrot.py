"""Twenty lines: what the microphone hears comes out of the speaker, a little louder."""

from collections.abc import Iterable

from voicepipe import Frame, FrameDirection, Gain, InlineProcessor, InputAudioFrame, MicrophoneInput
from voicepipe import OutputAudioFrame, Pipeline, PipelineRunner, PipelineTask, SpeakerOutput
from voicepipe_devices.fake import SimulatedCard


class Parrot(InlineProcessor):
    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, InputAudioFrame):
            return (OutputAudioFrame.of(frame),)
        return (frame,)


if __name__ == "__main__":
    card = SimulatedCard()
    card.mic.hear(b"\x00\x10\x00\xf0" * 8_000)  # a second of sound, and then the input is at its end
    card.mic.run_out()
    backend = card.backend()
    pipeline = Pipeline([MicrophoneInput(backend), Parrot(), Gain(db=6), SpeakerOutput(backend)])
    PipelineRunner().main(PipelineTask(pipeline))
