"""Bugs to plant in what meets the objects of users: their hooks, their errors, their words."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["OBJECT_MUTANTS"]

HOOKS = "tests/pipeline/test_hook_checks.py"
UNAWAITED = "tests/pipeline/test_unawaited.py"
EVIL = "tests/run/test_evil_objects.py"
STRAY = "tests/run/test_stray_cancel.py"
WORDS = "tests/run/test_words_in_logs.py"
LOG = "tests/test_log.py"
HINTS = "tests/test_hints.py"
_RIGHT = "its stages have hooks of the right kind"
_WORDS = "no rule reads the words of a report"
_NAMES = "its stages use names that are there"

OBJECT_MUTANTS = (
    Mutant(
        "hooks are not looked at before a run",
        "Chain.attach",
        "check_hooks(seat.processor)",
        "pass",
        f"{HOOKS}::test_an_async_hook_that_must_be_plain_is_refused",
        unseen=_RIGHT,
    ),
    Mutant(
        "a hook of the instance is not looked at",
        "check_hooks",
        "_HOOKS.isdisjoint(processor.__dict__)",
        "True",
        f"{HOOKS}::test_it_is_refused_wherever_the_hook_comes_from",
        unseen=_RIGHT,
    ),
    Mutant(
        "a class that is derived from a checked one counts as checked",
        "check_hooks",
        "kind._checked is not kind",
        "kind._checked is None",
        f"{HOOKS}::test_it_is_refused_wherever_the_hook_comes_from",
        unseen=_RIGHT,
    ),
    Mutant(
        "a coroutine that a plain callback returns is dropped",
        "Tap.process",
        "result is not None",
        "False",
        f"{HOOKS}::test_a_callback_that_returns_a_coroutine_is_an_error_at_the_call",
        unseen="its stages have no callbacks",
    ),
    Mutant(
        "a coroutine that nobody awaits is forgotten",
        "Processor._note_unawaited",
        "seat.handle_soon(error)",
        "pass",
        f"{UNAWAITED}::test_a_push_that_is_not_awaited_fails_the_stage_in_every_form",
    ),
    Mutant(
        "the watch for coroutines stays after the last run",
        "_Watch.end",
        "not self._runs and getattr(warnings, _HOOK, None) == self.tell",
        "False",
        f"{UNAWAITED}::test_nothing_of_the_watch_is_left_after_the_last_run",
        unseen="no rule looks at the module warnings",
    ),
    Mutant(
        "the text of an error may raise what is no Exception",
        "_text_from",
        "BaseException",
        "Exception",
        f"{EVIL}::test_an_error_that_cannot_be_shown_is_its_stages_and_all_closes",
    ),
    Mutant(
        "a stage whose name raises stops the run before it begins",
        "voicepipe.pipeline.processor:label_of",
        "return class_name(processor)",
        "raise",
        f"{EVIL}::test_a_stage_whose_name_raises_is_known_by_its_class",
        unseen="its stages have names",
    ),
    Mutant(
        "an object that breaks the run keeps it from its close",
        "Run.drive",
        "course.fail('the run', error)",
        "raise",
        f"{EVIL}::test_a_frame_that_breaks_the_run_itself_closes_it",
        unseen="its frames have the attributes of frames",
    ),
    Mutant(
        "a progress is compared as it is",
        "_progress_of",
        "quote(mark)",
        "mark",
        f"{EVIL}::test_a_progress_that_cannot_be_compared_does_not_stop_the_look_at_it",
        unseen="its stages tell no progress",
    ),
    Mutant(
        "a stray cancel ends a task of a stage in silence",
        "escaped_from",
        "if task.cancelling():\n    return None",
        "return None",
        f"{STRAY}::test_a_task_of_a_stage_that_ends_by_a_stray_cancel_is_told",
    ),
    Mutant(
        "a task that its stage has cancelled counts as an error",
        "escaped_from",
        "if task.cancelling():\n    return None",
        "pass",
        f"{STRAY}::test_a_task_that_was_asked_to_stop_is_no_error",
    ),
    Mutant(
        "a stuck stage is told with the words in its frame",
        "voicepipe.run.stall:_describe",
        "kind_of(seat.work.current)",
        "repr(seat.work.current)",
        f"{WORDS}::test_a_stage_that_is_stuck_is_told_with_the_kind_of_its_frame",
        unseen=_WORDS,
    ),
    Mutant(
        "a value that is no frame is shown in the error",
        "pass_request",
        "class_name(frame)",
        "repr(frame)",
        f"{WORDS}::test_a_value_that_is_no_frame_is_told_by_its_class",
        unseen=_WORDS,
    ),
    Mutant(
        "a line of the log is as long as it likes",
        "_Cut.filter",
        "len(line) > LONGEST_LINE",
        "False",
        f"{LOG}::test_a_long_line_is_cut_at_every_level",
        unseen=_WORDS,
    ),
    Mutant(
        "a hint is lost in an import",
        "missing_name",
        "_is_from_import(sys._getframe(2))",
        "False",
        f"{HINTS}::test_an_import_of_a_name_has_the_hint",
        unseen=_NAMES,
    ),
    Mutant(
        "a hint hides the attribute of another base class",
        "Missing.__get__",
        "self._name in vars(base)",
        "False",
        f"{HINTS}::test_names_of_another_base_class_are_found",
        unseen=_NAMES,
    ),
    Mutant(
        "a name with a hint is listed as if it were there",
        "_is_missing",
        "isinstance(of_class, Missing)",
        "False",
        f"{HINTS}::test_an_attribute_of_another_framework_says_which_to_use",
        unseen=_NAMES,
    ),
)
