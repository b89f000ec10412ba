"""Bugs to plant in the conversation, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["TALK_MUTANTS"]

TESTS = "tests/conversation"
STATES = f"{TESTS}/test_states.py::test_row"
INTERRUPTER = f"{TESTS}/test_interrupter.py"
NO_TALK = "nobody interrupts in it by the ear"

TALK_MUTANTS = (
    Mutant(
        "the first half of a joined turn is lost",
        "Interrupter._do",
        "self._table.joined if act is Act.JOIN else 0",
        "0",
        f"{INTERRUPTER}::test_who_goes_on_before_an_answer_makes_one_turn",
        unseen=NO_TALK,
    ),
    Mutant(
        "words of a backchannel are answered",
        "Interrupter._hear",
        "self._turns.were_refused(remark) or (is_turn is False and (not self._turns.were_before(remark)))",
        "False",
        f"{INTERRUPTER}::test_min_s_lets_a_short_sound_pass",
        unseen=NO_TALK,
    ),
    Mutant(
        "min_s goes by the clock",
        "Interrupter._look_at_length",
        "missing_s > 1e-06",
        "False",
        f"{TESTS}/test_deaf.py::test_min_s_is_the_length_of_the_speech_not_of_the_silence_behind_it",
        unseen=NO_TALK,
    ),
    Mutant(
        "words of an older turn count for the remark",
        "Interrupter._hear",
        "is_turn is None and (not self._turns.were_before(remark))",
        "is_turn is None",
        f"{INTERRUPTER}::test_words_of_the_turn_before_do_not_count_for_the_remark",
        unseen=NO_TALK,
    ),
    Mutant(
        "a cut behind a sentence takes the words",
        "Interrupter._await_words_behind",
        "self._utterance is None or self._words or self._turns.joined",
        "True",
        f"{INTERRUPTER}::test_finish_does_not_lose_the_words_of_a_slow_recogniser",
        unseen=NO_TALK,
    ),
    Mutant(
        "a ducked voice stays soft after a cut",
        "Interrupter._cut",
        "self._voice.resume()",
        "pass",
        f"{INTERRUPTER}::test_min_s_ducks_and_cuts_who_goes_on",
        unseen=NO_TALK,
    ),
    Mutant(
        "a stop word obeys the policy",
        "Table.take",
        "self._cut(at_once=True)",
        "self._cut()",
        f"{TESTS}/test_states.py::test_a_stop_word_cuts_in_every_state_whatever_the_policy",
        unseen=NO_TALK,
    ),
    Mutant(
        "thinking is cut without making one turn",
        "Table._cut",
        "self._forget_owed() and (not at_once)",
        "False",
        STATES,
        unseen=NO_TALK,
    ),
    Mutant(
        "a held voice goes on while the user speaks",
        "Table._give_up",
        "self._talking",
        "False",
        STATES,
        unseen=NO_TALK,
    ),
    Mutant(
        "a judge alone is not waited for",
        "Table._is_met",
        "rules.judge and (not (rules.min_s or rules.min_words))",
        "False",
        STATES,
        unseen=NO_TALK,
    ),
    Mutant(
        "words are noted once for each direction",
        "Minutes.take_words",
        "passage is not None",
        "False",
        f"{TESTS}/test_record.py::test_words_are_noted_once_and_arrive_once_whoever_makes_them",
        unseen=NO_TALK,
    ),
    Mutant(
        "a fact is noted once for each direction",
        "FactPassing.push",
        "(id(fact), _OPPOSITE[direction]) not in self._known",
        "True",
        f"{TESTS}/test_record.py::test_a_voice_without_sentences_is_noted_by_its_speech",
        unseen=NO_TALK,
    ),
    Mutant(
        "a turn begins when the silence is over",
        "TurnClock.begin",
        "now_s if ended_s is None else ended_s",
        "now_s",
        f"{TESTS}/test_turns.py::test_a_turn_tells_who_had_it_for_how_long",
        unseen=NO_TALK,
    ),
    Mutant(
        "a turn that nobody answers waits for ever",
        "TurnClock._look",
        "now_s - turn.worked_s > IDLE_S",
        "False",
        f"{TESTS}/test_turns.py::test_a_turn_of_which_nobody_makes_an_answer_is_forgotten",
        unseen=NO_TALK,
    ),
    Mutant(
        "a task of a stage is no work",
        "Minutes._works",
        "any((task not in standing for task in seat.children))",
        "False",
        f"{TESTS}/test_turns.py::test_work_in_a_task_of_a_stage_counts",
        unseen=NO_TALK,
    ),
    Mutant(
        "an idle timer counts while the program thinks",
        "IdleTimer._look",
        "params.conversation.at_work()",
        "False",
        f"{TESTS}/test_idle.py::test_a_program_that_thinks_for_long_is_not_waiting",
        unseen=NO_TALK,
    ),
    Mutant(
        "an idle timer counts from when the end is known",
        "IdleTimer.on_fact",
        "self._params.clock() if fact.ended_s is None else fact.ended_s",
        "self._params.clock()",
        f"{TESTS}/test_idle.py::test_it_counts_from_the_heard_end_not_from_when_it_became_known",
        unseen=NO_TALK,
    ),
    Mutant(
        "a muted microphone is not told of",
        "protection_lines",
        'interrupts and echo.protection == "half-duplex" and echo.reason',
        "False",
        f"{TESTS}/test_half_duplex.py::test_who_cannot_cancel_says_so_once_with_the_cure",
        unseen=NO_TALK,
    ),
)
