"""A stage that waits: it answers each transcription word by word, and stops when it is interrupted."""

import asyncio

from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    Pipeline,
    PipelineTask,
    StartParams,
    TextFrame,
    TranscriptionFrame,
)


class Assistant(FrameProcessor):
    """Thinks about what the user said, and says something, word by word."""

    cut_on_interruption = True  # when the user speaks again, the answer to what came before is moot

    async def on_start(self, params: StartParams) -> None:
        self.answers = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
            return
        for word in f"you said {frame.text}".split():
            await asyncio.sleep(0.05)  # a language model takes its time
            await self.push_frame(TextFrame(word))
        self.answers += 1

    async def on_end(self) -> None:
        await self.push_frame(TextFrame("goodbye"))


async def main() -> None:
    task = PipelineTask(Pipeline([Assistant()]))
    task.subscribe(lambda frame, direction: print(frame.text) if isinstance(frame, TextFrame) else None)
    await task.queue_frame(TranscriptionFrame("hello there"))
    asyncio.get_running_loop().call_later(0.5, task.end)
    print(await task.run())


if __name__ == "__main__":
    asyncio.run(main())
