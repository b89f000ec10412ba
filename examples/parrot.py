"""Twenty lines: what the microphone hears comes out of the speaker, twice as loud."""

from collections.abc import Iterable

import voicepipe as vp
from voicepipe_devices.fake import SimulatedCard


class Parrot(vp.InlineProcessor):
    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        if isinstance(frame, vp.InputAudioFrame):
            return (vp.OutputAudioFrame.of(frame),)
        return (frame,)


if __name__ == "__main__":
    card = SimulatedCard()
    card.mic.hear(b"\x00\x10\x00\xf0" * 8_000)  # a second of sound, and then the input is at its end
    card.mic.run_out()
    backend = card.backend()
    pipeline = vp.Pipeline([vp.MicrophoneInput(backend), Parrot(), vp.Gain(db=6), vp.SpeakerOutput(backend)])
    vp.PipelineRunner().main(vp.PipelineTask(pipeline))
