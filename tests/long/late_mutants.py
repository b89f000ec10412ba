"""Bugs to plant in what becomes of live sound that is late, each with the test or seed that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["LATE_MUTANTS"]

DELAY = "tests/endpoints/test_live_delay.py"
TOLD = f"{DELAY}::test_what_drift_has_made_is_told_and_in_the_report"
SURPLUS = "tests/drift/test_surplus.py"
REWRITES = "its card can change all that it was given"

SURPLUS = "tests/drift/test_surplus.py"

LATE_MUTANTS = (
    Mutant(
        "live sound is late for good",
        "Playback._take_live",
        "if surplus:\n    self._leave_out(surplus)",
        "pass",
    ),
    Mutant("what was made is left out as late", "_longest_live_part", "chunk.live", "True"),
    Mutant(
        "live sound is left out to the last sample",
        "Surplus._look",
        "min(delay_s - self.usual_s, spare_s - self.raised_s)",
        "delay_s",
    ),
    Mutant(
        "what the queue needs is left out",
        "Surplus._look",
        "min(slot.spare_s for slot in self._slots)",
        "delay_s",
        f"{SURPLUS} {DELAY}::test_a_stage_that_gives_live_audio_in_bursts_loses_none",
        unseen="where its sound comes in bursts the delay has grown by as much",
    ),
    Mutant("what is late is not counted", "Source.leave_out", "self.dropped[reason] += left_out", "pass"),
    Mutant(
        "what is late is counted twice",
        "Source.leave_out",
        "self.dropped[reason] += left_out",
        "self.dropped[reason] += 2 * left_out",
    ),
    Mutant(
        "what is late of what comes is not counted",
        "Playback._take_live",
        "voice.refuse(gone, DropReason.LATE)",
        "pass",
        f"{DELAY}::test_without_rewrite_it_is_left_out_of_what_comes",
        unseen=REWRITES,
    ),
    Mutant(
        "what is late is taken back from a wrong position",
        "DeviceQueue.leave_out",
        "self._take_back(at)",
        "self._take_back(at + 7)",
    ),
    Mutant(
        "the rest of what is late is forgotten",
        "LiveVoice.note_left_out",
        "self._owed = of - samples",
        "pass",
        f"{DELAY}::test_without_rewrite_it_is_left_out_of_what_comes",
        unseen=REWRITES,
    ),
    Mutant(
        "the usual delay is longer after one dry run",
        "Surplus._less_what_hiccups_need",
        "len(hiccups) >= HICCUPS",
        "True",
        f"{SURPLUS}::test_of_the_third_hiccup_some_is_kept",
        unseen="so little more is within what its rules allow",
    ),
    Mutant(
        "a change of what was played is told beside its place",
        "Source.advance",
        "self._tell(PlayedChange(piece.at, *piece.chunk.change))",
        "self._tell(PlayedChange(position, *piece.chunk.change))",
    ),
    Mutant(
        "a change of what was played is told twice",
        "cut_chunk",
        "chunk._replace(data=chunk.data[size:], change=None)",
        "chunk._replace(data=chunk.data[size:])",
        TOLD,
        unseen="none is cut in two there",
    ),
    Mutant(
        "a change of what was played forgets the one before",
        "leave_out",
        "count + told",
        "count",
        f"{DELAY}::test_a_change_that_is_left_out_itself_is_told_with_what_takes_its_place",
        unseen="what was left out has sounded before more is",
    ),
    Mutant(
        "a delay that was shorter for a while is never usual",
        "Surplus._settle",
        "self.usual_s = min(self.usual_s, max(self._held))",
        "pass",
        f"{SURPLUS}::test_a_delay_that_has_been_shorter_for_long_is_the_usual_one",
        unseen="its delays are hardly ever shorter for five seconds",
    ),
    Mutant(
        "the last samples of a steady voice wait",
        "Playback._holds",
        "self._converts or self._drift is not None",
        "self._converts",
        f"{DELAY}::test_the_last_samples_of_a_steady_voice_come_as_soon_as_it_pauses",
        unseen="they come at the End",
    ),
    Mutant(
        "the first pieces tell what a queue needs",
        "Surplus._begin",
        "list(self._slots)[1:]",
        "self._slots",
        f"{SURPLUS}::test_a_program_that_stood_still_as_it_began_keeps_one_piece_too",
        unseen="its programs do not stand still as they begin",
    ),
    Mutant(
        "what is left out leaves a step",
        "_joint",
        'crossfade(b"".join(c.data for c in first), b"".join(c.data for c in last))',
        'b"".join(c.data for c in last)',
        f"{DELAY}::test_a_sine_has_no_step_where_something_was_left_out",
        unseen="what it hears has no shape",
    ),
    Mutant(
        "it is left out where it is loud",
        "_quietest",
        "min(places, key=lambda at: loud(at) + loud(at + count))",
        "max(places, key=lambda at: loud(at) + loud(at + count))",
        f"{DELAY}::test_it_is_left_out_where_it_is_quietest",
        unseen="any place will do",
    ),
    Mutant(
        "hiccups are cut for ever",
        "Surplus._less_what_hiccups_need",
        "len(hiccups) >= HICCUPS",
        "False",
        f"{DELAY}::test_hiccups_that_come_again_are_not_cut_for_ever",
        unseen="its runs are too short for it",
    ),
    Mutant(
        "a longer delay stays for good",
        "Surplus._settle",
        "self._raise(-min(self._step_s, self.raised_s), now_s)",
        "pass",
        f"{SURPLUS}::test_a_raise_that_nothing_has_needed_is_taken_back",
        unseen="its runs are too short for it",
    ),
)
