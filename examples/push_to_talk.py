"""Push to talk: Enter opens the microphone, and the next Enter closes it. Then it says back what it heard."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

import voicepipe as vp
from parrot import Parrot


class Key(vp.FrameProcessor):
    """Tell by a key when the user speaks. It takes the place of a voice detector."""

    takes = (vp.InputAudioFrame,)
    begins, end = True, 0

    async def process_frame(self, frame: vp.Frame, direction: vp.FrameDirection) -> None:
        assert isinstance(frame, vp.InputAudioFrame)
        if self.begins:
            await self.push_frame(vp.UserStartedSpeakingFrame(frame.position))
        self.begins, self.end = False, frame.position + frame.num_samples
        await self.push_frame(frame)

    def press(self, task: vp.PipelineTask) -> None:
        """Open the microphone, and silence the program; or close it, which ends the turn."""
        task.microphone.muted = not task.microphone.muted
        if task.microphone.muted:
            self.create_task(self.push_frame(vp.UserStoppedSpeakingFrame(self.end)))
        else:
            self.begins = True
            task.interrupt()


def pipeline(sound: vp.Backend, key: Key) -> vp.Pipeline:
    return vp.Pipeline(
        [vp.MicrophoneInput(sound), key, vp.UtteranceCollector(), Parrot(), vp.SpeakerOutput(sound)]
    )


@contextlib.asynccontextmanager
async def keyboard(task: vp.PipelineTask, key: Key) -> AsyncIterator[None]:
    """Press the key at each Enter. Without a keyboard the microphone stays open."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):  # Ctrl-D
            loop.remove_reader(sys.stdin)
            return
        key.press(task)
        print("closed: press Enter to speak" if task.microphone.muted else "open: press Enter to stop")

    if sys.stdin.isatty():
        task.microphone.muted, key.begins = True, False
        print("closed: press Enter to speak")
        loop.add_reader(sys.stdin, read)
    yield
    loop.remove_reader(sys.stdin)


if __name__ == "__main__":
    key = Key()
    task = vp.PipelineTask(pipeline(vp.open_backend(), key))
    vp.PipelineRunner(beside=[lambda tasks: keyboard(task, key)]).main(task)
