"""The shortest program: speak, and when you pause, it says it back."""

from collections.abc import Iterable

import voicepipe as vp


class Parrot(vp.InlineProcessor):
    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        if isinstance(frame, vp.UtteranceFrame):
            return vp.OutputAudioFrame.parts_of(frame)
        return (frame,)


def pipeline(sound: vp.Backend) -> vp.Pipeline:
    ear = [vp.MicrophoneInput(sound), vp.VADProcessor(), vp.UtteranceCollector()]
    return vp.Pipeline([*ear, Parrot(), vp.SpeakerOutput(sound)])


if __name__ == "__main__":
    vp.PipelineRunner().main(vp.PipelineTask(pipeline(vp.open_backend())))
