"""Two microphones, each with an ear of its own: `python two_microphones.py LEFT RIGHT` (names of devices)."""

import sys
from collections.abc import Iterable

import voicepipe as vp


class Scribe(vp.InlineProcessor):
    """Print who speaks. `origin` is the name of the microphone."""

    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        match frame:
            case vp.UserStartedSpeakingFrame():
                print(f"{frame.origin} speaks")
            case vp.UtteranceFrame():
                print(f"{frame.origin} spoke for {frame.duration_s:.1f} s")
        return (frame,)


def pipeline(*microphones: vp.MicrophoneInput) -> vp.Pipeline:
    ears = [[microphone, vp.VADProcessor(), vp.UtteranceCollector()] for microphone in microphones]
    return vp.Pipeline([vp.ParallelPipeline(*ears), Scribe()])


if __name__ == "__main__":
    left, right, *_ = *sys.argv[1:], "", ""  # without names both are the default device
    microphones = [
        vp.MicrophoneInput(vp.open_backend(), device=device, name=name)
        for device, name in ((left, "left"), (right, "right"))
    ]
    vp.PipelineRunner().main(vp.PipelineTask(pipeline(*microphones)))
