"""The record of a run: who said what, and how much of it was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from support.stages import DOWN, UP, InlineRecorder
from support.talk import Talk
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Conversation,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Interrupter,
    Pipeline,
    Processor,
    Remark,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)

ASK = (1.0, "question one", 0.5)


def remarks_of(done: Talk) -> tuple[Remark, ...]:
    return done.mouth._params.conversation.remarks


def test_it_has_who_said_what_and_when() -> None:
    done = Talk(Interrupter())
    done.run([ASK])
    user, program = remarks_of(done)
    assert user == Remark("user", "question one", 1.0, 1.5, "question one", position=16_000)
    assert (program.who, program.text, program.heard) == ("program", "question one", "question one")
    assert program.began_s == pytest.approx(2.9)
    assert program.ended_s == pytest.approx(4.1)


def test_it_has_how_much_was_heard() -> None:
    done = Talk(Interrupter())
    done.run([ASK, (3.45, "no", 0.2)])
    program = remarks_of(done)[1]
    assert (program.text, program.heard, program.interrupted) == ("question one", "quest", True)


def test_a_voice_without_sentences_is_noted_by_its_speech() -> None:
    done = Talk(Interrupter())

    async def speak() -> None:
        await asyncio.sleep(1.0)
        await done.mouth.push_frame(BotStartedSpeakingFrame(), UP)
        await asyncio.sleep(2.0)
        fact = BotStoppedSpeakingFrame(9, True, 3, "", ended_s=2.9)
        await done.mouth.push_frame(fact, UP)
        await done.mouth.push_frame(fact)

    done.run([], speak)
    assert remarks_of(done) == (Remark("program", "", 1.0, 2.9, "", True, 3),)


class InlineWords(InlineProcessor):
    """Makes words of text, inline."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return [TranscriptionFrame(frame.text)] if isinstance(frame, TextFrame) else (frame,)


class Words(FrameProcessor):
    """Makes words of text, and pushes them in some directions."""

    takes = (TextFrame,)

    def __init__(self, *ways: FrameDirection) -> None:
        super().__init__(name="words")
        self.ways = ways

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TextFrame)
        words = TranscriptionFrame(frame.text)
        for way in self.ways:
            await self.push_frame(words, way)


class Lists(InlineProcessor):
    """Passes on by lists, so that the framework looks at every frame again."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return [frame]


@pytest.mark.parametrize("policy", ["stop", "ignore"])
@pytest.mark.parametrize(
    ("stages", "reach"),
    [
        ([InlineWords()], 1),
        ([Words(DOWN)], 1),
        ([Words(DOWN, UP)], 1),
        ([Words(UP, DOWN)], 1),
        ([Words(UP)], 0),
        ([Lists(), Words(DOWN), Lists(), Lists()], 1),
        ([InlineWords(), Lists(), Pipeline([Lists()])], 1),
    ],
)
def test_words_are_noted_once_and_arrive_once_whoever_makes_them(
    stages: list[Processor], reach: int, policy: str
) -> None:
    behind = InlineRecorder("behind")
    done = Talk(Pipeline([Interrupter(policy), *stages, behind]))  # type: ignore[arg-type]

    async def type_in() -> None:
        await done.task.queue_frame(TextFrame("hello"))

    done.run([], type_in)
    arrived = [frame for frame in behind.frames if isinstance(frame, TranscriptionFrame)]
    assert [frame.text for frame in arrived] == ["hello"] * reach
    assert [r.text for r in remarks_of(done) if r.who == "user"] == ["hello"]


def test_words_that_the_program_queues_are_noted_before_and_after_the_start() -> None:
    done = Talk(Interrupter())

    async def type_in() -> None:
        await done.task.queue_frame(TranscriptionFrame("two"))

    async def first() -> None:
        await done.task.queue_frame(TranscriptionFrame("one"))

    asyncio.run(first())
    done.run([], type_in)
    assert [r.text for r in remarks_of(done) if r.who == "user"] == ["one", "two"]


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_words_without_text_are_no_remark(text: str) -> None:
    done = Talk(Interrupter())

    async def type_in() -> None:
        await done.task.queue_frame(TranscriptionFrame(text))

    done.run([], type_in)
    assert remarks_of(done) == () or all(r.who == "program" for r in remarks_of(done))
    assert done.llm.got == [text]


@pytest.mark.parametrize(
    ("position", "began_s"),
    [(0, 5.0), (1, 1.0), (16_000, 1.0), (30_000, 1.0), (40_000, 5.0), (80_000, 5.0), (90_000, 5.0)],
)
def test_words_have_the_time_of_the_speech_at_their_position(position: int, began_s: float) -> None:
    done = Talk(Interrupter())

    async def speak() -> None:
        for at_s in (1.0, 5.0):
            begin = round(at_s * 16_000)
            await done.task.queue_frame(UserStartedSpeakingFrame(begin, at_s))
            await done.task.queue_frame(UserStoppedSpeakingFrame(begin + 16_000, at_s + 1.0))
        await done.task.queue_frame(TranscriptionFrame("words", position))

    done.run([], speak)
    assert remarks_of(done)[0].began_s == began_s


def said(text: str, position: int) -> Remark:
    return Remark("user", text, 0.0, 1.0, text, position=position)


@pytest.mark.parametrize(
    ("remarks", "texts"),
    [
        ([said("a", 10), said("b", 20)], ["a", "b"]),
        ([said("a", 10), said("ab", 10)], ["ab"]),
        ([said("a", 10), said("b", 20), said("ab", 10)], ["ab"]),
        ([said("a", 0), said("b", 0)], ["a", "b"]),
        ([said("a", 10), Remark("program", "p", 0, 1), said("ab", 10)], ["a", "p", "ab"]),
    ],
)
def test_words_of_the_same_audio_replace_the_older_ones(remarks: list[Remark], texts: list[str]) -> None:
    conversation = Conversation()
    for remark in remarks:
        conversation.note(remark)
    assert [remark.text for remark in conversation.remarks] == texts


def test_only_the_last_thousand_remarks_are_kept() -> None:
    conversation = Conversation()
    for n in range(1_200):
        conversation.note(said(str(n), 0))
    assert len(conversation.remarks) == 1_000
    assert conversation.remarks[-1].text == "1199"


def test_two_gates_must_both_let_words_pass() -> None:
    conversation, kept, sent = Conversation(), [], []
    for name in "ab":

        def gate(remark: Remark, send: object, name: str = name) -> bool:
            kept.append((name, send))
            return True

        conversation.gates.append(gate)
    conversation.admit(said("x", 0), lambda: sent.append("x"))
    assert [name for name, _ in kept] == ["a"]
    kept[0][1]()  # type: ignore[operator]
    assert ([name for name, _ in kept], sent) == (["a", "b"], [])
    kept[1][1]()  # type: ignore[operator]
    assert sent == ["x"]
