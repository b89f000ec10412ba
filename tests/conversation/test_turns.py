"""The times of the turns, in the report, the status, the metrics and the log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from support.talk import DOWN, Mouth, Talk
from voicepipe import (
    BotStartedSpeakingFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Interrupter,
    Pipeline,
    PipelineTask,
    RunReport,
    StartParams,
    TextFrame,
    TranscriptionFrame,
    Turn,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.cli.commands.status import _lines
from voicepipe.lifecycle import RunState
from voicepipe.report import TurnCounts
from voicepipe.service.metrics import metrics_of
from voicepipe.service.status import status_of
from voicepipe.testing import run_virtual

ASK = (0.0, "question", 0.5)
FIRST = "turns: first sound after"


def test_a_turn_tells_who_had_it_for_how_long() -> None:
    done = Talk(Interrupter(), stt_s=0.2, llm_s=1.5)
    report = done.run([ASK])
    [turn] = report.turns
    assert turn.ended_s == pytest.approx(0.5)
    assert turn.seconds == pytest.approx(0.3 + 0.2 + 1.5)
    assert set(turn.parts) == {"silence", "stt", "llm"}
    assert turn.parts["silence"] == pytest.approx(0.3)
    assert turn.parts["stt"] == pytest.approx(0.2, abs=0.011)
    assert turn.parts["llm"] == pytest.approx(1.5, abs=0.05)
    assert sum(turn.parts.values()) == pytest.approx(turn.seconds)


@pytest.mark.parametrize("llm_s", [0.5, 2.0, 10.0, 30.0, 100.0])
def test_a_long_wait_is_measured_as_well_as_a_short_one(llm_s: float) -> None:
    done = Talk(Interrupter(), stt_s=0.1, llm_s=llm_s)
    [turn] = done.run([ASK], until_s=llm_s + 10).turns
    assert turn.seconds == pytest.approx(0.4 + llm_s)
    assert turn.parts["llm"] == pytest.approx(llm_s, rel=0.05)


def test_two_utterances_that_are_one_turn_are_one_time() -> None:
    done = Talk(Interrupter())
    [turn] = done.run([ASK, (1.2, "more", 0.3)]).turns
    assert turn.ended_s == pytest.approx(1.5)
    assert turn.seconds == pytest.approx(0.3 + 0.1 + 1.0)


def test_a_remark_that_is_not_answered_is_no_turn() -> None:
    done = Talk(Interrupter(min_s=0.5), llm_s=0.5)
    report = done.run([(0.0, "a long question, for a long answer", 0.5), (2.0, "mhm", 0.1)])
    assert len(report.turns) == 1


def test_a_turn_of_which_nobody_makes_an_answer_is_forgotten() -> None:
    done = Talk(Interrupter())

    async def speak_of_itself() -> None:
        await asyncio.sleep(20.0)
        await done.mouth.push_frame(BotStartedSpeakingFrame())

    done.run([(0.0, "", 0.5)], speak_of_itself)
    assert done.task.report is not None
    assert done.task.report.turns == ()


class Background(FrameProcessor):
    """Answers in a task of its own, as a client of a service does; another one runs all the time."""

    takes = (UtteranceFrame,)

    async def on_start(self, params: StartParams) -> None:
        self.create_task(asyncio.Event().wait(), name="connection")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.create_task(self._answer(), name="answer")

    async def _answer(self) -> None:
        await asyncio.sleep(15.0)
        await self.push_frame(TextFrame("yes"))


def test_work_in_a_task_of_a_stage_counts() -> None:
    background, mouth = Background(name="client"), Mouth()
    task = PipelineTask(Pipeline([Interrupter(), background, mouth]))

    async def converse() -> RunReport:
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        await task.queue_frame(UserStartedSpeakingFrame(0, 0.0))
        await task.queue_frame(UserStoppedSpeakingFrame(8_000, 0.0))
        await task.queue_frame(UtteranceFrame(bytes(200)))
        await asyncio.sleep(1.0)
        assert mouth._params.conversation.at_work() == ("client",)
        await asyncio.sleep(29.0)
        assert mouth._params.conversation.at_work() == ()
        task.end()
        return await running

    [turn] = run_virtual(converse()).turns
    assert turn.parts["client"] == pytest.approx(15.0, rel=0.01)


def test_time_of_nobody_is_told_as_such() -> None:
    mouth = Mouth()
    task = PipelineTask(Pipeline([Interrupter(), mouth]))

    async def converse() -> RunReport:
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        await task.queue_frame(UserStoppedSpeakingFrame(8_000, 0.0))
        await asyncio.sleep(2.0)
        await task.queue_frame(TextFrame("yes"))
        await asyncio.sleep(3.0)
        task.end()
        return await running

    [turn] = run_virtual(converse()).turns
    assert turn.parts == {"other": pytest.approx(2.0)}


def test_the_log_has_a_line_for_each_turn(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "voicepipe")
    Talk(Interrupter()).run([ASK, (6.0, "more", 0.3)])
    lines = [record.getMessage() for record in caplog.records if "first sound after" in record.getMessage()]
    assert len(lines) == 2
    assert "turn 2: first sound after 1.40 s (silence 0.30 s, stt 0.1" in lines[1]


@pytest.mark.parametrize(
    ("times", "line"),
    [
        ([1.0], "1 turn: first sound after 1.00 s (median), 1.00 s (p95); on average llm 1.00 s"),
        ([2.0, 1.0], "2 turns: first sound after 1.00 s (median), 2.00 s (p95); on average llm 1.50 s"),
        ([1.0, 2.0, 9.0], "3 turns: first sound after 2.00 s (median), 9.00 s (p95); on average llm 4.00 s"),
        (
            [1.0] * 19 + [9.0],
            "20 turns: first sound after 1.00 s (median), 1.00 s (p95); on average llm 1.40 s",
        ),
        (
            [1.0] * 18 + [9.0] * 2,
            "20 turns: first sound after 1.00 s (median), 9.00 s (p95); on average llm 1.80 s",
        ),
    ],
)
def test_the_report_has_a_line_about_the_turns(times: list[float], line: str) -> None:
    turns = tuple(Turn(0.0, each, {"llm": each}) for each in times)
    report = RunReport("run", RunState.ENDED, "done", 9.0, turns=turns, turn_counts=TurnCounts(len(turns)))
    assert str(report).splitlines()[1] == f"  {line}"


def test_a_report_without_turns_says_nothing_of_them() -> None:
    assert str(RunReport("run", RunState.ENDED, "done", 9.0)) == "run run ended after 9.0 s: done"


def test_status_and_metrics_have_the_turns() -> None:
    done = Talk(Interrupter())
    done.run([ASK, (6.0, "more", 0.3), (12.0, "and more", 0.3)])
    status = status_of([done.task])
    [task] = status["tasks"]
    assert len(task["turns"]) == 3
    assert task["turn_counts"]["count"] == 3
    assert "  turns: 3, first sound after 1.40 s on average; the last after 1.40 s" in "\n".join(
        _lines(status)
    )
    text, _ = metrics_of(status)
    name = f'run="{done.task.name}"'
    assert f'voicepipe_turn_seconds_bucket{{le="1.0",{name}}} 0.0' in text
    assert f'voicepipe_turn_seconds_bucket{{le="1.5",{name}}} 3.0' in text
    assert f"voicepipe_turn_seconds_count{{{name}}} 3.0" in text
    assert f"voicepipe_turn_seconds_sum{{{name}}} 4.2" in text.replace("4.19999", "4.2")


def test_only_the_last_thousand_turns_are_kept_and_all_are_counted() -> None:
    async def converse() -> RunReport:
        mouth = Mouth()
        task = PipelineTask(Pipeline([mouth]))
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        for _ in range(1_100):
            await task.queue_frame(UserStoppedSpeakingFrame())
            await mouth.push_frame(BotStartedSpeakingFrame(), DOWN)
        task.end()
        return await running

    report = run_virtual(converse())
    assert (len(report.turns), report.turn_counts.count) == (1_000, 1_100)
    assert report.turn_counts.up_to[0.25] == 1_100


def test_words_are_noted_though_nobody_speaks() -> None:
    """A turn that was typed has no times, and fails nothing."""
    done = Talk(Interrupter())

    async def type_in() -> None:
        await done.task.queue_frame(TranscriptionFrame("typed"))

    report = done.run([], type_in)
    assert done.llm.answered == ["typed"]
    assert report.turns == ()
