"""A conversation: begin to speak while it talks, and it stops. Models go in place of the three stand-ins."""

import asyncio
from itertools import cycle

import numpy as np

import voicepipe as vp

QUESTIONS = cycle(["Who are you?", "Go on."])
STORY = ["I am a program.", "I can talk for as long as you like.", "Speak, and I stop.", "So let us talk."]


class Recogniser(vp.FrameProcessor):
    takes = (vp.UtteranceFrame,)
    cut_on_interruption = True  # who speaks on before the answer gets one answer

    async def process_frame(self, frame: vp.Frame, direction: vp.FrameDirection) -> None:
        assert isinstance(frame, vp.UtteranceFrame)
        await asyncio.sleep(0.2)  # a model turns the audio of the frame into words
        await self.push_frame(vp.TranscriptionFrame(next(QUESTIONS), frame.position))


class Answerer(vp.FrameProcessor):
    takes = (vp.TranscriptionFrame,)
    cut_on_interruption = True  # an interruption cancels the answer in the making

    async def process_frame(self, frame: vp.Frame, direction: vp.FrameDirection) -> None:
        for sentence in STORY:
            await asyncio.sleep(0.3)  # a model writes
            await self.push_frame(vp.TextFrame(sentence))


class Voice(vp.FrameProcessor):
    takes = (vp.TextFrame,)

    async def process_frame(self, frame: vp.Frame, direction: vp.FrameDirection) -> None:
        assert isinstance(frame, vp.TextFrame)
        await self.push_frame(vp.SpokenFrame(frame.text))
        for word in frame.text.split():  # a model speaks; here each word is a tone of 0.3 s
            tone = np.sin(np.linspace(0, 400 + 60 * len(word), 6_615)) * np.hanning(6_615)
            await self.push_frame(vp.OutputAudioFrame.from_array(0.2 * tone, rate=22_050))


def show(frame: vp.Frame, direction: vp.FrameDirection) -> None:
    if isinstance(frame, vp.BotStoppedSpeakingFrame):
        print(f"program: {frame.text}{' (interrupted)' if frame.interrupted else ''}")
    elif isinstance(frame, vp.TranscriptionFrame):
        print("you:", frame.text)


def conversation(sound: vp.Backend) -> vp.PipelineTask:
    ear = [vp.MicrophoneInput(sound), vp.VADProcessor(), vp.UtteranceCollector()]
    answer = [vp.Interrupter(), Recogniser(), vp.Tap(show), Answerer(), Voice()]
    return vp.PipelineTask(vp.Pipeline([*ear, *answer, vp.SpeakerOutput(sound)]))


if __name__ == "__main__":
    vp.PipelineRunner().main(conversation(vp.open_backend()))
