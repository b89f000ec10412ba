"""Bugs to plant in the echo canceller, its reference and its fall-back, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["ECHO_MUTANTS"]

REFERENCE = "tests/canceller/test_reference.py"
CANCELLING = "tests/canceller/test_cancelling.py"
NO_DOUBT = "its clocks are true, so that no time is in doubt, and its engine remembers no room"
PROTECTION = "tests/canceller/test_protection.py"
HALF_DUPLEX = "tests/canceller/test_half_duplex.py"
ONE_CLOCK = "nothing in it drifts for long enough, or loses so much"
NO_JUDGEMENT = "its engines fail, or serve: a run is too short for three windows"
NO_VOICE = "nobody is louder than the program in the first second of its sound"

_CANCELLING = (
    Mutant(
        "what is inside a canceller is lost at the end",
        "Cancelling.end",
        "given = self._give(self._taken)",
        "given = self._give(self._cut - self._delay)",
    ),
    Mutant(
        "a canceller gives audio at the position of what comes in",
        "Cancelling._give",
        "span.frame.position + begin - span.begin",
        "span.frame.position",
    ),
    Mutant(
        "a canceller gives audio the time of what comes in",
        "_Span.captured_s",
        "frame.captured_s + (at - self.begin) / frame.rate",
        "frame.captured_s",
    ),
    Mutant(
        "the ear is not of the words' instants",
        "Cancelling._add",
        "ear = None if ear is None else ear[early * SAMPLE_BYTES :]",
        "pass",
        f"{CANCELLING}::test_all_samples_come_out_at_their_own_positions",
        unseen="nothing sounds yet when its runs begin",
    ),
    Mutant(
        "what comes out of the delay of an engine is taken for audio",
        "Cancelling._begin_anew",
        "self._early = self._delay",
        "self._early = 0",
        f"{CANCELLING}::test_it_may_be_used_again_after_an_end",
        unseen="its cancellers begin once",
    ),
    Mutant(
        "an engine begins without what was heard before",
        "Cancelling._cancel",
        "range(0, len(warm_up), size)",
        "range(0)",
    ),
    Mutant(
        "audio that passes a resting canceller is not delayed",
        "Cancelling._delay_of",
        "(before + mic)[-len(mic) - lag : -lag]",
        "mic",
    ),
    Mutant(
        "a block does not wait for its reference",
        "Cancelling._is_due",
        "self._far.is_in(end_s)",
        "True",
        f"{CANCELLING}::test_a_block_waits_for_its_reference_until_the_next_frame_at_most",
        unseen="a reference that is not in yet is silent for a block",
    ),
    Mutant(
        "a block waits for its reference for ever",
        "Cancelling._is_due",
        "self._cut + self._block <= waiting",
        "False",
        f"{CANCELLING}::test_a_block_waits_for_its_reference_until_the_next_frame_at_most",
        unseen="its references come in time",
    ),
    Mutant(
        "a block whose time is in doubt does not wait",
        "Cancelling._is_in_doubt",
        "self._doubted is not None and self._taken - self._doubted <= longest",
        "False",
        f"{CANCELLING}::test_blocks_wait_while_their_time_is_in_doubt",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "a block whose time is in doubt waits for ever",
        "Cancelling._is_in_doubt",
        "self._taken - self._doubted <= longest",
        "True",
        f"{CANCELLING}::test_a_doubt_that_lasts_is_waited_for_once_and_no_longer_than_100_ms",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "a doubt that lasts is waited for again and again",
        "Cancelling.put",
        "waiting if self._doubted is None else self._doubted",
        "waiting",
        f"{CANCELLING}::test_a_doubt_that_lasts_is_waited_for_once_and_no_longer_than_100_ms",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "blocks of before a doubt wait for it",
        "Cancelling.put",
        "if not self._is_in_doubt:\n    self._cut_blocks(lambda: self._cut + self._block <= waiting)",
        "pass",
        f"{CANCELLING}::test_blocks_of_before_a_doubt_do_not_wait_for_it",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "an engine does not hear what sounded during a loss",
        "Cancelling._cancel",
        "not begins and self._far.lost",
        "False",
        f"{CANCELLING}::test_an_engine_hears_what_sounded_during_a_loss_and_before",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "an engine that rested is told of a loss",
        "Cancelling._cancel",
        "not begins and self._far.lost",
        "self._far.lost",
        f"{CANCELLING}::test_an_engine_that_rests_is_told_of_no_loss",
        unseen=NO_DOUBT,
    ),
    Mutant(
        "a block of the speaker is read twice",
        "Cancelling._read_taps",
        "self._read[tap] = block.number",
        "self._read[tap] = block.number - 1",
        f"{CANCELLING}::test_the_reference_gets_each_block_of_every_tap_once",
        unseen="its reference overwrites one with the other",
    ),
)

_REFERENCE = (
    Mutant(
        "the reference is late",
        "Alignment.read",
        "mic.time_of(position) + self._lead_s",
        "mic.time_of(position) - 0.03",
    ),
    Mutant(
        "a loss bends the slope of a clock",
        "ClockLine._shift",
        "self._both_var = 0.0",
        "self._slope += by_s / 60",
        f"{REFERENCE}::test_thirty_losses_do_not_bend_the_slope",
        unseen=ONE_CLOCK,
    ),
    Mutant(
        "a step of a clock is never certain",
        "ClockLine._agreeing",
        "len(last) == count",
        "False",
        f"{REFERENCE}::test_another_delay_is_followed",
        unseen=ONE_CLOCK,
    ),
    Mutant(
        "one wrong stamp is a step",
        "ClockLine._agreeing",
        "len(last) == count",
        "True",
        f"{REFERENCE}::test_single_wrong_stamps_change_nothing",
        unseen=ONE_CLOCK,
    ),
    Mutant(
        "two clocks are always one",
        "Alignment._follow",
        "self.copies = abs(ppm) <= SAME_PPM + SURE * error_ppm",
        "self.copies = True",
        f"{REFERENCE}::test_another_clock_is_followed_between_samples",
        unseen=ONE_CLOCK,
    ),
    Mutant(
        "the slope is forgotten with the stream",
        "Reference._begin",
        "SpeakerTrack(block, self._rate, before.track.line.ppm)",
        "SpeakerTrack(block, self._rate)",
        f"{REFERENCE}::test_a_device_that_is_back_has_the_clock_that_it_had",
        unseen=ONE_CLOCK,
    ),
    Mutant(
        "of two speakers the last one is heard",
        "Reference.read",
        "total = sound if total is None else total + sound",
        "total = sound",
        f"{REFERENCE}::test_two_speakers_are_added",
        unseen="it has one speaker",
    ),
    Mutant(
        "a dead speaker is waited for",
        "Reference.is_in",
        "end_s < wanted_s < end_s + DEAD_S",
        "end_s < wanted_s",
        f"{REFERENCE}::test_it_waits_for_a_speaker_that_goes_on_and_not_for_a_dead_one",
        unseen="a block waits no longer than for the next frame",
    ),
)

_FALL_BACK = (
    Mutant(
        "one bad window brings half-duplex",
        "FallBack.judge",
        "self._in_a_row < TIMES",
        "self._in_a_row < 1",
        PROTECTION,
        unseen=NO_JUDGEMENT,
    ),
    Mutant(
        "bad windows count that are not in a row",
        "FallBack.judge",
        "self._in_a_row + 1 if counts else 0",
        "self._in_a_row + counts",
        PROTECTION,
        unseen=NO_JUDGEMENT,
    ),
    Mutant(
        "half-duplex lets the program's own sound through",
        "HalfDuplex.let_out",
        "self._is_loud",
        "True",
        HALF_DUPLEX,
    ),
    Mutant(
        "the beginning of a word over the program is lost",
        "HalfDuplex.let_out",
        "passed += [*self._kept, frame]",
        "passed += [frame]",
        f"{HALF_DUPLEX}::test_the_beginning_of_a_word_comes_with_it",
        unseen=NO_VOICE,
    ),
    Mutant(
        "half-duplex hides what is heard while nothing sounds",
        "HalfDuplex._has_sound",
        "from_s is not None and self._speakers.has_sound(from_s, from_s + frame.duration_s)",
        "True",
        HALF_DUPLEX,
        unseen="seeds 8122 and 10888 are the first of those that show it",
    ),
    Mutant(
        "an engine that has failed is asked again",
        "Cancelling._fail",
        "self._engine, self._is_awake = None, False",
        "self._is_awake = False",
    ),
    Mutant(
        "the block with which an engine fails is lost",
        "Cancelling._cancel",
        "if made is None:\n    return plain, None",
        "if made is None:\n    return bytes(len(plain)), None",
    ),
    Mutant(
        "a failure brings half-duplex where it is not wanted",
        "EchoGuard._note_failure",
        '"half-duplex" if self._may_fall_back else "headphones"',
        '"half-duplex"',
    ),
    Mutant(
        "a failure leaves the protection as it was",
        "EchoGuard._note_failure",
        "self._state = EchoState(protection, reason)",
        "pass",
    ),
)

ECHO_MUTANTS = (*_CANCELLING, *_REFERENCE, *_FALL_BACK)
