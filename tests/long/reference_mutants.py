"""Bugs to plant in the canceller's reference, each with the tests that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["REFERENCE_MUTANTS"]

TESTS = "tests/canceller/test_reference.py"
CONVERTER = "tests/canceller/test_mono_converter.py"
CLOCKS = "its clocks are true: the scripts of tests/canceller/scripts.py are the simulation of this"


def _mutant(name: str, place: str, old: str, new: str, tests: str = TESTS) -> Mutant:
    return Mutant(name, place, old, new, tests, unseen=CLOCKS)


REFERENCE_MUTANTS = (
    # -- the line of a clock
    _mutant("a step is believed after one block", "ClockLine._agreeing", "len(last) == count", "True"),
    _mutant(
        "a step is never believed",
        "ClockLine._agreeing",
        "return last",
        "return []",
    ),
    _mutant(
        "blocks need not agree on a step",
        "ClockLine._agreeing",
        "last_s - first_s <= apart * limit_s",
        "True",
    ),
    _mutant("a step bends the slope", "ClockLine._take_step", "self._shift(by_s)", "self._correct(by_s)"),
    _mutant(
        "a step is never told",
        "ClockLine.put",
        "return self._take_step(seen) if seen else None",
        "if seen:\n    self._take_step(seen)\nreturn None",
    ),
    _mutant(
        "the slope is never learned", "ClockLine._correct", "self._slope += slope_gain * beside_s", "pass"
    ),
    _mutant("the latest stamp of a group is taken", "ClockLine._take_group", "group[TAKEN]", "group[-1]"),
    _mutant(
        "jitter is no reason for doubt",
        "ClockLine.put",
        "max(STEP_S, JITTERS * self._jitter_s)",
        "STEP_S",
        f"{TESTS}::test_stamps_that_are_late_by_milliseconds_are_no_steps",
    ),
    _mutant(
        "what quantised stamps taught is certain",
        "ClockLine._note_spread",
        "self._trust_less(var / self._spread_var)",
        "pass",
    ),
    _mutant("a stamp that is no number counts", "ClockLine.put", "not math.isfinite(time_s)", "False"),
    # -- the place
    _mutant(
        "every difference of clocks is followed",
        "Alignment._follow",
        "abs(ppm) <= SAME_PPM + SURE * error_ppm",
        "ppm == 0.0",
    ),
    _mutant(
        "no difference of clocks is followed",
        "Alignment._follow",
        "abs(ppm) <= SAME_PPM + SURE * error_ppm",
        "True",
    ),
    _mutant(
        "clocks are followed the wrong way", "Alignment._follow", "mic.ppm - line.ppm", "line.ppm - mic.ppm"
    ),
    _mutant(
        "the place follows the jitter",
        "Alignment._steady",
        "self._usual_s = off_s",
        "self._place += off_s * self._rate",
    ),
    _mutant(
        "behind a step the first stamps are right",
        "Alignment._steady",
        "self._place += (off_s - self._usual_s) * self._rate",
        "pass",
    ),
    _mutant(
        "a loss of the microphone moves nothing",
        "Alignment.shift",
        "self._jump(by_s * self._rate)",
        "pass",
        f"{TESTS}::test_behind_a_step_the_reference_is_where_it_was",
    ),
    _mutant(
        "a loss of the speaker moves the wrong way",
        "Alignment._take_step",
        "self._jump(-by_s * self._rate)",
        "self._jump(by_s * self._rate)",
    ),
    _mutant(
        "the sound before a loss is heard in it",
        "Alignment._take_step",
        "self._silent = max(0, math.ceil(position - self._place))",
        "pass",
        f"{TESTS}::test_a_speaker_that_loses_time_is_silent_meanwhile",
    ),
    _mutant(
        "a step is taken before it sounds",
        "Alignment._samples_to_step",
        "math.ceil(position + min(0.0, by_s) * self._rate - self._place)",
        "0",
    ),
    _mutant(
        "a step of the microphone is taken before reading comes to it",
        "Reference.read",
        "self._steps[0].position < self._next",
        "True",
        f"{TESTS}::test_a_step_is_taken_where_reading_comes_to_it",
    ),
    _mutant(
        "a line is followed that is ahead by a step",
        "Alignment.read",
        "is_ahead and self._is_begun",
        "False",
        f"{TESTS}::test_a_step_is_taken_where_reading_comes_to_it",
    ),
    _mutant(
        "times are never in doubt",
        "ClockLine.is_in_doubt",
        "bool(self._beside)",
        "False",
        f"{TESTS}::test_no_block_behind_a_loss_is_read_from_the_wrong_place",
    ),
    _mutant(
        "a loss that nobody told is not counted",
        "Reference._take_step",
        "self.lost += round(step.by_s * self._rate)",
        "pass",
        f"{TESTS}::test_no_block_behind_a_loss_is_read_from_the_wrong_place",
    ),
    _mutant(
        "the sound before a block is that before its end",
        "Alignment.read_before",
        "self._began - begin",
        "0.0",
        f"{TESTS}::test_what_sounded_before_a_block_is_in_a_line_with_it",
    ),
    _mutant(
        "a told loss is not followed",
        "Alignment.read",
        "position - self._next",
        "0",
        f"{TESTS}::test_a_loss_of_the_microphone_that_is_told_moves_nothing",
    ),
    _mutant(
        "the reference is not early",
        "Alignment.read",
        "mic.time_of(position) + self._lead_s",
        "mic.time_of(position)",
    ),
    _mutant("a room has no tail", "Alignment.read", "TAIL_S * self._rate", "0"),
    _mutant("a block is read from its middle on", "Alignment._read_on", "self._place - begin", "0.5"),
    # -- the track
    _mutant(
        "a gap in the record is closed",
        "SpeakerTrack._put_sound",
        "self._index = begin * self._up",
        "pass",
        f"{TESTS}::test_a_gap_in_the_record_is_silent",
    ),
    _mutant(
        "the sound before a gap ends late",
        "SpeakerTrack.put",
        "self._finish()",
        "pass",
        f"{TESTS}::test_a_gap_in_the_record_is_silent",
    ),
    _mutant(
        "a track begins between samples",
        "SpeakerTrack._put_sound",
        "bytes(ahead * self._sample_bytes) + data",
        "data",
        f"{TESTS}::test_sound_of_another_rate_is_converted",
    ),
    _mutant(
        "silence is kept",
        "History.skip",
        "end - self.loud_end > self._keep",
        "False",
        f"{TESTS}::test_its_memory_is_bounded_and_silence_takes_none",
    ),
    _mutant(
        "memory moves by the wrong length",
        "History._make_room",
        "self._begin = begin",
        "self._begin = begin + 7",
        f"{TESTS}::test_a_standstill_of_the_program_moves_nothing",
    ),
    # -- speakers
    _mutant(
        "a new stream takes the place of the old one at once",
        "Reference._begin",
        "self._old.append(before)",
        "pass",
        f"{TESTS}::test_the_old_stream_is_heard_to_its_end_beside_the_new_one",
    ),
    _mutant(
        "a dead stream is waited for",
        "Reference.is_in",
        "end_s + DEAD_S",
        "math.inf",
        f"{TESTS}::test_it_waits_for_a_speaker_that_goes_on_and_not_for_a_dead_one",
    ),
    _mutant(
        "nobody is waited for",
        "Reference.is_in",
        "end_s < wanted_s < end_s + DEAD_S",
        "False",
        f"{TESTS}::test_it_waits_for_a_speaker_that_goes_on_and_not_for_a_dead_one",
    ),
    _mutant(
        "the louder speaker hides the other",
        "Reference.read",
        "total + sound",
        "sound",
        f"{TESTS}::test_two_speakers_are_added",
    ),
    _mutant(
        "pieces of a block count as blocks",
        "Reference._is_piece",
        "return True",
        "pass",
        f"{TESTS}::test_one_late_stamp_of_a_long_block_is_not_seen_five_times",
    ),
    # -- rates
    _mutant(
        "an odd rate's phase is lost",
        "_SincFilter._put",
        "self._filters[phases]",
        "self._filters[phases * 0]",
        CONVERTER,
    ),
    _mutant(
        "the rest of an odd rate's sound is lost", "_SincFilter.flush", "return rest", "return b''", CONVERTER
    ),
)
