"""The interrupter in a pipeline, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.talk import STOP_S, Talk
from voicepipe import (
    BackchannelFrame,
    Heard,
    Interrupter,
    PipelineError,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
)

# The answer to "question one" is thought from 0.9 to 1.9 s, and sounds until 3.1 s.
ASK = (0.0, "question one", 0.5)
ANSWER_S = 1.9


def talk(*said: tuple[float, str, float], until_s: float = 30.0, llm_s: float = 1.0, **options: Any) -> Talk:
    done = Talk(Interrupter(**options), llm_s=llm_s)
    done.run(said, until_s=until_s)
    return done


def acts_of(done: Talk) -> list[str]:
    return [act for _, act in done.mouth.acts]


def test_without_an_interruption_all_is_answered() -> None:
    done = talk(ASK, (6.0, "question two", 0.5))
    assert done.llm.answered == ["question one", "question two"]
    assert done.mouth.sounded == [(text, text) for text in done.llm.answered]
    assert done.mouth.acts == []


# Speaking


def test_the_user_cuts_the_program_at_once() -> None:
    done = talk(ASK, (2.55, "no", 1.0))
    assert done.mouth.acts == [(2.55, "cut")]
    assert done.mouth.sounded[0] == ("question one", "questi")
    assert done.llm.answered == ["question one", "no"]


def test_finish_ends_the_sentence_first() -> None:
    done = talk(ASK, (2.5, "no", 0.2), policy="finish")
    assert done.mouth.acts == [(2.5, "finish"), (3.1, "cut")]
    assert done.mouth.sounded == [("question one", "question one"), ("no", "no")]
    assert done.stt.got == ["question one", "no"]


def test_ignore_goes_on_and_answers_behind_it() -> None:
    done = talk(ASK, (2.5, "no", 0.2), policy="ignore")
    assert acts_of(done) == []
    assert done.mouth.sounded == [("question one", "question one"), ("no", "no")]


def test_the_policy_may_change_at_any_time() -> None:
    interrupter = Interrupter("ignore")
    policies: list[str] = []
    with interrupter.using("finish"):
        policies.append(interrupter.policy)
        with interrupter.using("stop"):
            policies.append(interrupter.policy)
        policies.append(interrupter.policy)
    assert [*policies, interrupter.policy] == ["finish", "stop", "finish", "ignore"]
    done = Talk(interrupter)

    async def change() -> None:
        await asyncio.sleep(2.0)
        interrupter.policy = "stop"

    done.run([ASK, (2.5, "no", 0.2)], change)
    assert done.mouth.acts == [(2.5, "cut")]


def test_using_ends_with_an_exception_too() -> None:
    interrupter = Interrupter()
    with pytest.raises(KeyError), interrupter.using("ignore"):
        raise KeyError
    assert interrupter.policy == "stop"


# Ducked


def test_min_s_ducks_and_cuts_who_goes_on() -> None:
    done = talk(ASK, (2.2, "no wait", 1.0), min_s=0.5)
    assert done.mouth.acts == [(2.2, "duck"), (2.7, "cut"), (2.7, "unduck")]
    assert done.llm.answered == ["question one", "no wait"]


@pytest.mark.parametrize("length_s", [0.05, 0.1, 0.15, 0.19])
def test_min_s_lets_a_short_sound_pass(length_s: float) -> None:
    # The stop is certain only when min_s is over by the clock, but its position says the truth.
    done = talk(ASK, (2.2, "mhm", length_s), min_s=0.6)
    assert done.mouth.acts == [(2.2, "duck"), (round(2.2 + length_s + STOP_S, 3), "unduck")]
    assert done.llm.got == ["question one"]
    first, second = (mark for mark in done.of(BackchannelFrame) if isinstance(mark, BackchannelFrame))
    assert first.utterance is not None
    assert second.text == "mhm"
    assert done.mouth.sounded == [("question one", "question one")]


def test_min_words_waits_for_words() -> None:
    done = talk(ASK, (2.0, "no wait", 0.2), min_words=2)
    assert done.mouth.acts == [(2.0, "duck"), (2.6, "cut"), (2.6, "unduck")]
    assert done.llm.answered == ["question one", "no wait"]


def test_min_words_lets_one_word_pass_and_nobody_answers_it() -> None:
    done = talk(ASK, (2.0, "mhm", 0.2), min_words=2, until_s=40.0)
    assert done.mouth.acts == [(2.0, "duck"), (2.6, "unduck")]
    assert done.llm.got == ["question one"]
    [mark] = done.of(BackchannelFrame)
    assert isinstance(mark, BackchannelFrame)
    assert mark.text == "mhm"


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize(
    ("text", "is_turn"), [("mhm", False), ("yes", False), ("wait", True), ("another", True), ("a b", True)]
)
def test_a_judge_decides(text: str, is_turn: bool, awaits: bool) -> None:
    heard: list[Heard] = []

    def judge(said: Heard) -> Any:
        heard.append(said)
        verdict = "backchannel" if said.text in ("mhm", "yes") else "turn"

        async def later() -> str:
            await asyncio.sleep(0.2)
            return verdict

        return later() if awaits else verdict

    done = talk(ASK, (2.0, text, 0.2), judge=judge)
    assert [said.text for said in heard] == [text]
    assert heard[0].stopped
    assert heard[0].utterance is not None
    at_s = 2.8 if awaits else 2.6
    assert done.mouth.acts[:2] == [(2.0, "duck"), (at_s, "cut" if is_turn else "unduck")]
    assert done.llm.answered == (["question one", text] if is_turn else ["question one"])


def test_who_is_not_understood_within_a_second_and_a_half_is_let_be() -> None:
    done = Talk(Interrupter(min_words=1), stt_s=0.1)
    done.run([(0.0, "a long question, for a long answer", 0.5), (2.5, "", 0.2)])
    assert done.mouth.acts == [(2.5, "duck"), (2.5 + 0.2 + STOP_S + 1.5, "unduck")]


def test_words_that_come_late_still_count() -> None:
    done = Talk(Interrupter(min_words=1), stt_s=2.5)
    done.run([(0.0, "a long question, for a long answer", 0.5), (4.5, "no", 0.2)])
    assert done.mouth.acts == [(4.5, "duck"), (6.5, "unduck"), (7.5, "cut")]
    assert done.llm.answered[-1] == "no"


def test_a_wrong_verdict_fails_the_run_by_the_name_of_the_interrupter() -> None:
    with pytest.raises(PipelineError, match=r'Interrupter.*judge must return "turn", "backchannel" or None'):
        talk(ASK, (2.0, "no", 0.2), judge=lambda _: "yes")


# Held


def test_resume_s_holds_and_goes_on() -> None:
    done = talk(ASK, (2.0, "", 0.2), resume_s=1.0)
    assert done.mouth.acts == [(2.0, "duck"), (2.0, "hold"), (3.2, "unduck"), (3.2, "resume")]
    assert done.mouth.sounded == [("question one", "question one")]


def test_words_cut_what_is_held() -> None:
    done = talk(ASK, (2.0, "wait", 0.2), resume_s=1.0)
    assert done.mouth.acts[:3] == [(2.0, "duck"), (2.0, "hold"), (2.6, "cut")]
    assert done.llm.answered == ["question one", "wait"]


# Thinking


def test_who_goes_on_before_an_answer_makes_one_turn() -> None:
    done = talk(ASK, (1.2, " and two", 0.3))
    assert done.stt.got == ["question one", "question one and two"]
    assert done.llm.got == ["question one", "question one and two"]
    assert done.llm.answered == ["question one and two"]
    assert done.mouth.sounded == [("question one and two",) * 2]


def test_three_utterances_may_be_one_turn() -> None:
    done = talk(ASK, (1.2, " and two", 0.2), (2.0, " and three", 0.2))
    assert done.llm.answered == ["question one and two and three"]


def test_the_record_has_one_remark_of_a_joined_turn() -> None:
    done = talk((1.0, "one", 0.5), (2.2, " two", 0.3))
    assert [r.text for r in conversation_of(done).remarks if r.who == "user"] == ["one two"]


@pytest.mark.parametrize("policy", ["finish", "ignore"])
def test_the_other_policies_answer_both(policy: str) -> None:
    done = talk(ASK, (1.2, "two", 0.3), policy=policy)
    assert done.llm.answered == ["question one", "two"]


def test_a_careful_interrupter_holds_the_answer_to_come() -> None:
    done = talk(ASK, (1.7, "mhm", 0.4), min_s=1.0)
    assert done.mouth.acts == [(1.7, "hold"), (2.4, "resume")]
    assert done.mouth.sounded == [("question one", "question one")]
    assert done.llm.got == ["question one"]


def test_a_careful_interrupter_joins_what_goes_on() -> None:
    done = talk(ASK, (1.2, " and two", 1.0), min_s=0.5)
    assert done.mouth.acts[:2] == [(1.2, "hold"), (1.7, "cut")]
    assert done.llm.answered == ["question one and two"]


def test_two_turns_that_wait_for_their_answers_are_joined_with_the_one_that_cuts_them() -> None:
    interrupter = Interrupter("ignore")
    done = Talk(interrupter, llm_s=4.0)

    async def change() -> None:
        await asyncio.sleep(3.0)
        interrupter.policy = "stop"

    done.run([(0.0, "one", 0.5), (1.2, " two", 0.3), (3.5, " three", 0.3)], change)
    assert done.llm.answered[-1] == "one two three"


def test_an_utterance_that_went_on_for_its_words_is_joined_once() -> None:
    done = Talk(Interrupter(min_words=1), llm_s=3.0)
    done.run([(0.0, "one", 0.5), (2.0, " two", 0.3)])
    assert done.stt.got == ["one", " two", "one two"]
    assert done.llm.got == ["one", "one two"]
    assert done.llm.answered == ["one two"]


def test_words_of_the_turn_before_do_not_count_for_the_remark() -> None:
    # The words of the first come while the second is undecided: they are a turn of their own.
    done = Talk(Interrupter(min_words=3), stt_s=1.5, llm_s=3.0)
    done.run([(1.0, "first of many words", 0.5), (2.0, "mhm", 0.2)])
    assert done.llm.answered == ["first of many words"]
    assert "cut" not in acts_of(done)


# Words of `always`


@pytest.mark.parametrize("policy", ["stop", "finish", "ignore"])
def test_a_stop_word_cuts_whatever_the_policy(policy: str) -> None:
    done = talk((0.0, "a question for an answer", 0.5), (2.5, "Stop!", 0.2), policy=policy)
    assert done.mouth.acts[-1][1] == "cut"
    assert done.mouth.sounded[0][1] != "a question for an answer"
    assert done.llm.got == ["a question for an answer", "Stop!"]


@pytest.mark.parametrize(
    "options", [{"min_s": 1.0}, {"min_words": 5}, {"resume_s": 2.0}, {"judge": lambda _: "backchannel"}]
)
def test_a_stop_word_needs_no_other_condition(options: dict[str, Any]) -> None:
    done = talk((0.0, "a question for an answer", 0.5), (2.5, "stop", 0.2), **options)
    assert "cut" in acts_of(done)
    assert done.mouth.sounded[0][1] != "a question for an answer"


def test_finish_does_not_lose_the_words_of_a_slow_recogniser() -> None:
    # It makes words of "no" when the sentence ends, and an interruption would cancel that.
    for stt_s in (0.1, 0.4, 0.5, 0.7, 1.0, 3.0):
        done = Talk(Interrupter("finish"), stt_s=stt_s)
        done.run([(0.0, "question one", 0.5), (0.5 + STOP_S + stt_s + 1.0 + 0.3, "no", 0.2)])
        assert done.llm.answered == ["question one", "no"], stt_s
        assert done.stt.got.count("no") == (1 if stt_s <= 1.0 else 2), stt_s


@pytest.mark.parametrize(
    ("always", "text", "cuts"),
    [
        (("stop",), "stop", True),
        (("stop",), "Please, STOP it!", True),
        (("stop",), "nonstop stopping", False),
        (("hör auf",), "Nun hör auf.", True),
        (("hör auf",), "auf hör", False),
        ((), "stop", False),
        (("don't",), "Don't.", True),
    ],
)
def test_stop_words(always: tuple[str, ...], text: str, cuts: bool) -> None:
    done = talk((0.0, "a question for an answer", 0.5), (2.5, text, 0.2), policy="ignore", always=always)
    assert ("cut" in acts_of(done)) is cuts


def test_a_stop_word_goes_on_to_the_assistant_once() -> None:
    done = talk((0.0, "a question for an answer", 0.5), (2.5, "stop", 0.2), policy="ignore")
    assert done.llm.got == ["a question for an answer", "stop"]


# Words from wherever


def test_words_from_before_the_interrupter_count_too() -> None:
    done = Talk(Interrupter(min_words=2))

    async def stream() -> None:
        await asyncio.sleep(2.0)
        await done.task.queue_frame(UserStartedSpeakingFrame(32_000, 2.0))
        await asyncio.sleep(0.3)
        await done.task.queue_frame(TranscriptionFrame("no"))
        await asyncio.sleep(0.3)
        await done.task.queue_frame(TranscriptionFrame("wait"))

    done.run([ASK], stream)
    assert done.mouth.acts == [(2.0, "duck"), (2.6, "cut"), (2.6, "unduck")]
    assert done.llm.got == ["question one", "no", "wait"]


# Arguments


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"policy": "halt"}, ValueError, "policy must be"),
        ({"policy": None}, ValueError, "policy must be"),
        ({"min_s": -1}, ValueError, "min_s"),
        ({"min_s": "1"}, TypeError, "min_s"),
        ({"min_words": 1.5}, TypeError, "min_words"),
        ({"resume_s": 0}, ValueError, "resume_s must be at least"),
        ({"always": "stop"}, TypeError, "several words"),
        ({"always": ("...",)}, ValueError, "letters"),
        ({"always": (3,)}, TypeError, "text"),
        ({"judge": "mhm"}, TypeError, "judge must be a function"),
    ],
)
def test_a_wrong_argument_is_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Interrupter(**options)


def test_a_wrong_policy_is_refused_at_any_time() -> None:
    interrupter = Interrupter()
    with pytest.raises(ValueError, match="policy must be"):
        interrupter.policy = "halt"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="policy must be"), interrupter.using("halt"):  # type: ignore[arg-type]
        pass


# The end of a run


@pytest.mark.parametrize("options", [{"min_words": 3}, {"resume_s": 5.0}, {"judge": lambda _: None}])
def test_what_is_undecided_at_the_end_is_answered(options: dict[str, Any]) -> None:
    done = talk(ASK, (2.0, "mhm", 0.2), until_s=2.55, **options)
    assert done.llm.answered == ["question one", "mhm"]


def test_a_stage_serves_one_run_after_another() -> None:
    interrupter = Interrupter()
    for _ in range(2):
        done = Talk(interrupter)
        done.run([ASK, (2.5, "no", 1.0)])
        assert done.mouth.acts == [(2.5, "cut")]


def conversation_of(done: Talk) -> Any:
    params = done.mouth._params
    return params.conversation
