"""Listen, and print a line for every utterance. No speaker is needed."""

from collections.abc import Iterable

import voicepipe as vp


class Scribe(vp.InlineProcessor):
    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        match frame:
            case vp.UserStartedSpeakingFrame():
                print(f"speech from {frame.position / 16_000:.2f} s")
            case vp.UtteranceFrame():
                print(f"  {frame.duration_s:.2f} s of speech, {vp.Level.of(frame.data).rms_db:.0f} dB")
        return (frame,)


if __name__ == "__main__":
    ear = vp.MicrophoneInput(vp.open_backend())
    pipeline = vp.Pipeline([ear, vp.VADProcessor(), vp.UtteranceCollector(), Scribe()])
    vp.PipelineRunner().main(vp.PipelineTask(pipeline))
