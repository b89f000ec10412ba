"""A conversation in virtual time: a user by script, a recogniser, an assistant, and a mouth with controls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    SpokenStartedFrame,
    SpokenStoppedFrame,
    StartParams,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.testing import run_virtual

DOWN, UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
RATE = 16_000
STOP_S = 0.3
"""The silence until the end of the user's speech is certain."""
LETTER_S = 0.1
"""The time that the mouth takes for a letter."""


def utterance(text: str, at_s: float) -> UtteranceFrame:
    """Return an utterance whose samples are its letters, so that two that are joined can be read."""
    return UtteranceFrame(text.encode("utf-16-le"), RATE, position=round(at_s * RATE), captured_s=at_s)


def text_of(frame: UtteranceFrame) -> str:
    return frame.data.decode("utf-16-le")


class Recogniser(FrameProcessor):
    """Makes words of an utterance after a time."""

    takes = (UtteranceFrame,)
    cut_on_interruption = True

    def __init__(self, takes_s: float = 0.1) -> None:
        super().__init__(name="stt")
        self.takes_s = takes_s
        self.got: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, UtteranceFrame)
        self.got.append(text_of(frame))
        await asyncio.sleep(self.takes_s)
        if text_of(frame):
            await self.push_frame(TranscriptionFrame(text_of(frame), frame.position))


class Assistant(FrameProcessor):
    """Thinks, and answers with what was said."""

    takes = (TranscriptionFrame,)
    cut_on_interruption = True

    def __init__(self, takes_s: float = 1.0) -> None:
        super().__init__(name="llm")
        self.takes_s = takes_s
        self.got: list[str] = []
        self.answered: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TranscriptionFrame)
        self.got.append(frame.text)
        await asyncio.sleep(self.takes_s)
        self.answered.append(frame.text)
        await self.push_frame(TextFrame(frame.text))


class Mouth(FrameProcessor):
    """Speaks text, a letter in 0.1 s, as a speaker does: with facts, and with controls that it records."""

    takes = (TextFrame,)
    volume_db = 0.0

    def __init__(self) -> None:
        super().__init__(name="mouth")
        self.acts: list[tuple[float, str]] = []
        self.sounded: list[tuple[str, str]] = []
        """Each sentence, and what was heard of it."""

    async def on_start(self, params: StartParams) -> None:
        self._params = params
        self._is_on = self._drops = False
        self._goes = asyncio.Event()
        self._goes.set()
        self._end: asyncio.TimerHandle | None = None
        params.speakers.controls.append(self)

    async def cleanup(self) -> None:
        if self._end is not None:
            self._end.cancel()

    # -- speaking

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TextFrame)
        if self._drops:
            return
        await self._goes.wait()
        if self._end is not None:
            self._end.cancel()
        if not self._is_on:
            self._is_on = True
            self._params.speakers.begin(self, self._params.clock())
            await self._tell(BotStartedSpeakingFrame())
        await self._tell(SpokenStartedFrame(frame.text))
        done = 0
        try:
            for _ in frame.text:
                await asyncio.sleep(LETTER_S)
                await self._goes.wait()
                done += 1
        finally:
            heard = frame.text[:done]
            self.sounded.append((frame.text, heard))
            self.create_task(
                self._after(SpokenStoppedFrame(frame.text, heard=heard, interrupted=heard != frame.text))
            )
        self._end = asyncio.get_running_loop().call_later(0.3, self._stop)

    async def _after(self, fact: SpokenStoppedFrame) -> None:
        await self._tell(fact)
        if fact.interrupted:
            self._stop(interrupted=True)

    def _stop(self, *, interrupted: bool = False) -> None:
        if self._is_on:
            self._is_on = self._drops = False
            self._params.speakers.end(self, self._params.clock())
            self.create_task(self._tell(BotStoppedSpeakingFrame(interrupted=interrupted)))

    async def _tell(self, fact: Frame) -> None:
        await self.push_frame(fact, UP)
        await self.push_frame(fact)

    # -- controls

    def _note(self, act: str) -> None:
        self.acts.append((round(self._params.clock(), 3), act))

    def on_interruption(self) -> None:
        self._note("cut")
        self._drops = False

    def set_volume(self, db: float, ramp_s: float = 0.05) -> None:
        self._note("volume")

    def duck(self, db: float = -12.0, ramp_s: float = 0.02) -> None:
        assert (db, ramp_s <= 0.02) == (-12.0, True)
        self._note("duck")

    def unduck(self, ramp_s: float = 0.2) -> None:
        assert ramp_s <= 0.2
        self._note("unduck")

    def hold(self) -> None:
        self._note("hold")
        self._goes.clear()

    def resume(self) -> None:
        self._note("resume")
        self._goes.set()

    def cut(self, sound: str = "", *, after_sentence: bool = False) -> None:
        assert (sound, after_sentence) == ("", True)
        self._note("finish")
        self._drops = True


class Talk:
    """One conversation: what the user says when, and what came of it."""

    def __init__(self, first: Processor, *, stt_s: float = 0.1, llm_s: float = 1.0) -> None:
        self.stt, self.llm, self.mouth = Recogniser(stt_s), Assistant(llm_s), Mouth()
        self.task = PipelineTask(Pipeline([first, self.stt, self.llm, self.mouth]))
        self.facts: list[tuple[float, Frame]] = []
        self.params: StartParams | None = None
        self.task.subscribe(self._see)

    def _see(self, frame: Frame, direction: FrameDirection) -> None:
        if frame.is_fact and direction is DOWN:
            self.facts.append((round(asyncio.get_running_loop().time(), 3), frame))

    def of(self, kind: type[Frame]) -> list[Frame]:
        return [fact for _, fact in self.facts if isinstance(fact, kind)]

    def times_of(self, kind: type[Frame]) -> list[float]:
        return [at for at, fact in self.facts if isinstance(fact, kind)]

    async def say(self, at_s: float, text: str, length_s: float) -> None:
        """Let the user speak: the start is known at once, the stop after some silence."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(at_s - loop.time())
        begin, end = round(at_s * RATE), round((at_s + length_s) * RATE)
        await self.task.queue_frame(UserStartedSpeakingFrame(begin, at_s, begin))
        await asyncio.sleep(at_s + length_s + STOP_S - loop.time())
        await self.task.queue_frame(
            UserStoppedSpeakingFrame(end, at_s + length_s, end + round(STOP_S * RATE))
        )
        await self.task.queue_frame(utterance(text, at_s))

    def run(
        self,
        said: Iterable[tuple[float, str, float]],
        *others: Callable[[], Awaitable[None]],
        until_s: float = 30.0,
    ) -> RunReport:
        """Run it. `said`: for each utterance its time, its text and its length in seconds."""

        async def converse() -> RunReport:
            running = asyncio.create_task(self.task.run())
            await self.task.wait_until_started()
            others_run = [asyncio.ensure_future(other()) for other in others]
            for each in said:
                await self.say(*each)
            await asyncio.gather(*others_run)
            await asyncio.sleep(until_s - asyncio.get_running_loop().time())
            self.task.end()
            return await running

        return run_virtual(converse())
