"""Bugs to plant in the making of frames, and where they go straight into a run and leave it."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["FRAME_MUTANTS"]

MAKING = "tests/test_quick_init.py"
ENTRY = "tests/run/test_straight_entry.py"
_PLAIN = "its frames have plain fields of the right kind"
_SAME = f"{MAKING}::test_a_known_format_lets_nothing_pass_that_the_checks_refuse"
_LEFT_OUT = {
    "the class of the rate": ("type(rate) is int", _SAME),
    "the class of the channels": ("type(channels) is int", _SAME),
    "the class of the data": ("type(data) is bytes", _SAME),
    "the class of the position": ("type(position) is int", _SAME),
    "the bounds of the position": ("not position >> 62", _SAME),
    "the class of the time": ("type(captured_s) is float", _SAME),
    "a time without an end": ("captured_s - captured_s == 0.0", _SAME),
    "the ear": ("self.ear is None or _fits(self.ear, count)", f"{MAKING}::test_an_ear_is_checked"),
    "half a sample": ("count * size == len(data)", _SAME),
    "the length": (
        "count / rate < self.longest_s",
        f"{MAKING}::test_the_longest_frame_passes_and_one_sample_more_does_not",
    ),
}

FRAME_MUTANTS = (
    *(
        Mutant(
            f"a frame of a known format: {what} is not checked",
            "AudioFrame.__post_init__",
            condition,
            "True",
            test,
            unseen=_PLAIN,
        )
        for what, (condition, test) in _LEFT_OUT.items()
    ),
    Mutant(
        "a quick constructor forgets the check of the class",
        "with_quick_init",
        'hasattr(kind, "__post_init__")',
        "False",
        f"{MAKING}::test_every_field_arrives_and_stays",
    ),
    Mutant(
        "a frame with other audio is of the class that was copied before",
        "AudioFrame.with_data",
        "known[0] is not kind",
        "False",
        f"{MAKING}::test_with_data_makes_the_class_of_each_frame_by_turns",
        unseen="no stage of its copies frames of two classes",
    ),
    Mutant(
        "a frame with audio of another length keeps its ear",
        "AudioFrame.with_data",
        "self.ear is not None",
        "False",
        f"{MAKING}::test_an_ear_stays_with_audio_of_the_same_length_alone",
        unseen="no stage of its changes the length of input audio",
    ),
    Mutant(
        "the parts of a frame all have the ear of the first",
        "AudioFrame.parts_of",
        "frame.ear[at * SAMPLE_BYTES : (at + most) * SAMPLE_BYTES]",
        "frame.ear[: most * SAMPLE_BYTES]",
        f"{MAKING}::test_an_ear_goes_along",
        unseen="no stage of its cuts input audio",
    ),
    Mutant(
        "a frame is copied by position past a field that is not given",
        "replacer_of",
        "each.name in values",
        "True",
        f"{MAKING}::test_a_copy_is_made_by_position_where_the_names_allow_it",
        unseen=_PLAIN,
    ),
    Mutant(
        "a copy of a class with an InitVar is made without it",
        "replacer_of",
        "each.default is each.empty",
        "False",
        f"{MAKING}::test_with_data_of_a_class_with_an_init_var_says_what_replace_says",
        unseen=_PLAIN,
    ),
    Mutant(
        "a frame goes straight in although an end was requested",
        "Course.is_plain",
        "self.request is Request.NONE",
        "True",
        f"{ENTRY}::test_a_request_is_heeded_by_the_very_next_frame",
    ),
    Mutant(
        "a frame goes straight in although an interruption will come behind it",
        "Course.is_plain",
        "not self.interrupting",
        "True",
        "tests/pipeline/test_interruption.py::test_what_is_queued_after_an_interruption_is_not_dropped_by_it",
        unseen="an interruption is carried out within a turn of the loop",
    ),
    Mutant(
        "the entry does not see that an end was requested",
        "Course.ask",
        "self._interrupter.note_change()",
        "pass",
        f"{ENTRY}::test_a_request_is_heeded_by_the_very_next_frame",
    ),
    Mutant(
        "frames of another event loop go straight in",
        "PipelineTask.queue_frame",
        "get_ident() != entry.thread or not entry.loop.is_running()",
        "False",
        f"{ENTRY}::test_another_event_loop_is_refused",
        unseen="it has one event loop",
    ),
    Mutant(
        "subscribers see no data",
        "End.send",
        "self.is_watched",
        "False",
        f"{ENTRY}::test_data_that_leaves_unseen_is_counted_and_the_rest_is_shown",
    ),
    Mutant(
        "what leaves unseen is not counted",
        "End.send",
        "self._unseen += 1",
        "pass",
        f"{ENTRY}::test_data_that_leaves_unseen_is_counted_and_the_rest_is_shown",
        unseen="its runs have a subscriber",
    ),
    Mutant(
        "the many that leave unseen are forgotten",
        "End.send",
        "self._unseen_before += self._unseen",
        "pass",
        f"{ENTRY}::test_many_that_leave_unseen_are_counted",
        unseen="its runs have a subscriber",
    ),
)
