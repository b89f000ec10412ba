"""Bugs to plant in the engines of the echo canceller, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["CANCELLER_MUTANTS"]

KALMAN = "tests/canceller/engines/test_kalman.py"
FAR = "tests/canceller/engines/test_far_blocks.py"
PAIR = "tests/canceller/engines/test_pair.py"
WATCH = "tests/canceller/test_delay_watch.py"
NEAR_END = "tests/canceller/engines/test_near_end.py"
AEC3 = "tests/canceller/engines/test_aec3.py"
SPEEX = "tests/canceller/engines/test_speex.py"
REGISTRY = "tests/canceller/engines/test_registry.py"
LEARNS = f"{KALMAN}::test_the_echo_goes_at_every_rate"
OTHER_PATH = f"{KALMAN}::test_a_changed_path_is_learnt_again"
NOT_LOUDER = f"{KALMAN}::test_the_output_is_not_louder_than_the_microphone"

NO_WAVES = "no rule of it listens to samples behind an engine"

CANCELLER_MUTANTS = (
    Mutant(
        "behind a loss the filter has not heard what sounded meanwhile",
        "Kalman.pass_over",
        "self._far.push(far[at : at + block])",
        "pass",
        f"{KALMAN}::test_a_loss_is_passed_over_as_if_nothing_was_lost",
        unseen=NO_WAVES,
    ),
    Mutant(
        "behind a loss the ear has not heard the echo that nobody captured",
        "EarAndWords.pass_over",
        "self._ear.cancel(echo if self._mixer is None else self._mixer.mix(echo), far[-len(echo) :])",
        "None",
        f"{PAIR}::test_behind_a_loss_the_ear_hears_the_echo_that_nobody_captured",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the filter believes every error: a user's voice becomes the path of an echo",
        "EchoPath._hear_noise",
        "self._noise += power",
        "None",
        f"{KALMAN}::test_a_user_who_talks_all_the_time_spoils_nothing",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the filter is never sure, and never done with learning",
        "EchoPath.learn",
        "self._doubt *= gain",
        "None",
        KALMAN,
        unseen=NO_WAVES,
    ),
    Mutant(
        "the filter does not learn",
        "EchoPath.learn",
        "self._path += self._products",
        "None",
        LEARNS,
        unseen=NO_WAVES,
    ),
    Mutant(
        "the filter forgets the path, but not how sure it was of it",
        "EchoPath.forget",
        "np.copyto(self._doubt, self._prior)",
        "None",
        KALMAN,
        unseen=NO_WAVES,
    ),
    Mutant(
        "the echo is that of the block before",
        "EchoPath.echo",
        "together[-self._block :]",
        "together[-2 * self._block : -self._block]",
        LEARNS,
        unseen=NO_WAVES,
    ),
    Mutant(
        "the last sound of a speaker is never over",
        "FarBlocks.push",
        "self._left -= 1",
        "None",
        f"{FAR}::test_it_is_silent_again_when_nothing_of_a_sound_is_left",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a reset keeps the speaker's last sound",
        "FarBlocks.clear",
        "self._left = 0",
        "None",
        f"{FAR}::test_what_is_cleared_is_silent",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the old spectra stay behind when the rows move back",
        "FarBlocks._move_back",
        "rows[_SPARE:] = rows[: self._rows]",
        "None",
        f"{FAR}::test_the_rows_are_the_spectra_of_the_last_blocks",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a changed path is not noticed",
        "PathWatch.is_wrong",
        "2 * both >= power",
        "True",
        OTHER_PATH,
        unseen=NO_WAVES,
    ),
    Mutant(
        "a user who talks is taken for a changed path",
        "PathWatch.is_wrong",
        "(power - both) ** 2 >= _CORRELATED**2 * power * error",
        "True",
        "tests/canceller/engines/test_path_watch.py",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the echo of a path that is gone is taken out all the same",
        "_fair_share",
        "1.0 if 2 * both >= power else max(2 * both / power, 0.0)",
        "1.0",
        NOT_LOUDER,
        unseen=NO_WAVES,
    ),
    Mutant(
        "a channel hears what another one learnt",
        "Kalman._cancel",
        "heard = mic[:, channel] * np.float32(1 / FULL_SCALE)",
        "heard = mic[:, 0] * np.float32(1 / FULL_SCALE)",
        f"{KALMAN}::test_channels_have_paths_of_their_own",
        unseen=NO_WAVES,
    ),
    Mutant(
        "what is louder than full scale wraps around",
        "to_int16",
        "np.minimum(floats, _MOST, out=floats)",
        "None",
        f"{AEC3}::test_loud_sound_is_clipped_and_does_not_wrap",
        unseen=NO_WAVES,
    ),
    Mutant(
        "ear and words are not of the same instants",
        "EarAndWords.cancel",
        "self._words_later.pass_on(words)",
        "words",
        f"{PAIR}::test_both_outputs_lag_by_the_delay_of_the_slower_one",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a reset leaves audio in the delays",
        "voicepipe.canceller.engines.delay:Delay.reset",
        "self._held = np.zeros_like(self._held)",
        "None",
        f"{PAIR}::test_a_reset_empties_the_delays",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a number that is none gets into the engines",
        "voicepipe.canceller.engines.pair:_plausible",
        "np.clip(np.nan_to_num(far, nan=0.0, posinf=0.0, neginf=0.0), -_LOUDEST, _LOUDEST)",
        "far",
        f"{PAIR}::test_what_is_no_sound_never_reaches_a_canceller",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the library for words keeps the path in a reset",
        "Speex.reset",
        "self._free()\nself._state = self._new_state()",
        "None",
        f"{SPEEX}::test_a_reset_forgets_the_path",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a rate that the default does not take is another kind of error",
        "default_engine",
        "EngineError(str(error))",
        "error",
        f"{REGISTRY}::test_the_default_for_a_rate_that_it_does_not_take_is_an_engine_error_of_one_line",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a filter that has not proved itself is the ear",
        "NearEnd._judge",
        "self._residue < _TRUSTED",
        "True",
        NEAR_END,
        unseen=NO_WAVES,
    ),
    Mutant(
        "a changed path is taken for a user",
        "NearEnd._judge",
        "self._cross**2 > _CORRELATED**2 * self._left * self._estimated",
        "False",
        f"{NEAR_END}::test_changed_path_is_not_taken_for_a_user_and_the_filter_must_prove_itself_again",
        unseen=NO_WAVES,
    ),
    Mutant(
        "an echo out of reach stays there",
        "DelayWatch.note",
        "return found - USUAL_S",
        "return 0.0",
        f"{WATCH}::test_an_echo_out_of_reach_is_looked_for_where_it_is",
        unseen=NO_WAVES,
    ),
    Mutant(
        "one look is enough to follow an echo",
        "DelayWatch.note",
        "len(self._found) < AGREEING or max(self._found) - min(self._found) > APART_S",
        "False",
        f"{WATCH}::test_what_moves_about_is_not_followed",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the words are not asked whether an echo is left",
        "DelayWatch.note",
        "self._words > LEFT * self._mic",
        "True",
        f"{WATCH}::test_an_echo_that_is_taken_out_is_in_the_right_place",
        unseen=NO_WAVES,
    ),
    Mutant(
        "a shift is forgotten at the next block",
        "Alignment.move",
        "self._lead_s -= by_s",
        "pass",
        f"{WATCH}::test_a_reference_that_is_shifted_gives_what_sounded_so_much_before",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the ear stays loud where only the echo sounds",
        "NearEnd.mix",
        "_SOFTER if self._is_alone else 1.0",
        "1.0",
        f"{NEAR_END}::test_ear_is_softer_where_only_the_echo_sounds",
        unseen=NO_WAVES,
    ),
    Mutant(
        "the ear hears a filter that doubts itself",
        "NearEnd.mix",
        "not is_sure",
        "False",
        f"{NEAR_END}::test_filter_that_doubts_itself_is_not_heard",
        unseen=NO_WAVES,
    ),
)
