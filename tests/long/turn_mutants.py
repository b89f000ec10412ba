"""Bugs to plant in the end of a turn, by a judge or by the silence, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["TURN_MUTANTS"]

TURNS = "tests/speech/test_end_of_turn.py"
RANDOM = "tests/properties/test_random_turns.py"
NO_JUDGE = "nobody judges pauses there: its voice detectors are scripts"

TURN_MUTANTS = (
    Mutant(
        "a verdict cuts the speech that has gone on",
        "JudgedSegmenter._take_verdict",
        "not self.speaking or self._spoken > at + self._slack",
        "not self.speaking",
        f"{TURNS}::test_a_verdict_holds_for_the_silence_at_its_position",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a verdict cuts a word that is just beginning",
        "JudgedSegmenter.end_turn",
        "self.windows > self._spoken and self._weigh(self._scores[-1]) < 1.0",
        "self.windows > self._spoken",
        f"{TURNS}::test_a_verdict_does_not_cut_a_word_that_is_just_beginning",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "the answer to an old question counts for a new pause",
        "Asking._ask",
        "pause is self._pause",
        "self._pause is not None",
        f"{TURNS}::test_a_late_verdict_takes_no_answer_from_the_next_pause",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a question goes on when the user does",
        "Asking.stop",
        "task.cancel()",
        "pass",
        f"{TURNS}::test_speech_that_goes_on_cancels_the_question_and_a_later_pause_is_asked_anew",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "two questions at once",
        "Asking._ask",
        "self._alone",
        "asyncio.Lock()",
        f"{TURNS}::test_a_judge_that_does_not_end_is_asked_one_thing_at_a_time",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a long wait lasts into the next pause",
        "JudgedSegmenter._go_on",
        "self._stop, self._holds_to = self._usual, None",
        "self._holds_to = None",
        f"{TURNS}::test_a_long_wait_holds_for_one_pause_alone",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a no shortens the silence",
        "JudgedSegmenter.keep_turn",
        "max(self._usual, round(wait_s / self._window_s))",
        "round(wait_s / self._window_s)",
        f"{TURNS}::test_no_never_shortens_the_silence",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a file does not wait for the verdict",
        "StageSeat.push_fact",
        "run.hold if run.hold.count > before else None",
        "None",
        f"{TURNS}::test_run_processor_waits_for_the_verdicts",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "the rest of a long frame does not wait for the verdict",
        "JudgedStretch.take",
        "self._is_answered and not frame.live",
        "False",
        f"{TURNS}::test_a_long_frame_waits_for_verdicts_like_short_ones",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a source waits for ever for a judge that hangs",
        "Asking._give_up",
        "self._answer(pause, None)",
        "pass",
        f"{TURNS}::test_a_judge_that_hangs_leaves_the_decision_to_the_silence",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "sources wait on behind the End of a question",
        "Asking._end_question",
        "self._seat.release_sources()",
        "pass",
        f"{TURNS}::test_a_run_that_ends_while_it_is_asked_leaves_nothing",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "the silence after a no is in the utterance",
        "JudgedStretch._end_turn",
        "self._position(e.at) if pauses else self._end",
        "self._end",
        f"{TURNS}::test_the_end_in_a_long_wait_gives_no_silence",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "parts of a turn are cut in the wait",
        "UtteranceCollector._parts",
        "min(now, self._silent_from + heard.format.samples(self._tail_s))",
        "now",
        f"{TURNS}::test_parts_of_a_long_turn_hold_no_wait_of_silence",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "the utterance is as long as the judge was slow",
        "JudgedSegmenter.decided",
        "self.windows if self._told is None else self._told_at",
        "self.windows",
        RANDOM,
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a gap ends a question about audio that is to come",
        "UtteranceCollector._leave",
        "not self._facts.have_pause",
        "True",
        f"{TURNS}::test_the_begin_of_audio_does_not_end_the_question_about_it",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "a judge that fails ends the turn",
        "Asking._fact",
        "verdict is not None and verdict >= patience.threshold",
        "verdict is None or verdict >= patience.threshold",
        f"{TURNS}::test_where_the_judge_fails_the_silence_decides",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "pauses are told where nobody takes them",
        "VADProcessor.check_place",
        "bool(judges)",
        "True",
        f"{TURNS}::test_without_a_judge_it_is_two_turns_and_sure_waits",
        unseen=NO_JUDGE,
    ),
    Mutant(
        "the judge's time is lost",
        "Minutes._note_stop",
        "self.turns.begin(fact.captured_s, self._judged_s)",
        "self.turns.begin(fact.captured_s)",
        f"{TURNS}::test_the_time_of_the_verdict_is_a_part_of_the_turn",
        unseen=NO_JUDGE,
    ),
)
