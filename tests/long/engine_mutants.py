"""Bugs to plant in engines' processes and in the judge from a file, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["ENGINE_MUTANTS"]

PROCESS = "tests/engines/test_engine_process.py"
JUDGE = "tests/speech/test_onnx_judge.py"
LOG_MEL = "tests/speech/test_log_mel.py"
NO_ENGINE = "no engine runs in it"

ENGINE_MUTANTS = (
    Mutant(
        "the engine is not told of a cancellation",
        "Worker.cancel",
        'self._write(message(Kind.CANCEL, request.number), until_s, "does not listen")',
        "pass",
        f"{PROCESS}::test_a_cancelled_request_ends_at_once_and_the_next_is_soon_possible",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a cancelled request in native code goes on",
        "Worker.cancel",
        "self.kill()",
        "pass",
        f"{PROCESS}::test_a_cancelled_request_ends_at_once_and_the_next_is_soon_possible",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "an engine that crashed is not made again",
        "EngineProcess.request",
        "self._fail(worker, error)",
        "pass",
        f"{PROCESS}::test_one_that_crashes_or_hangs_raises_and_is_made_again",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "an engine that ends while nobody asks stays away",
        "EngineProcess._note_end",
        "self._loop.call_soon_threadsafe(self._replace_idle, worker)",
        "pass",
        f"{PROCESS}::test_one_that_is_killed_while_nobody_asks_is_made_again_before_the_next_request",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a close comes before the launch, and the process begins all the same",
        "Worker._launch",
        "self.is_broken",
        "False",
        f"{PROCESS}::test_a_process_that_is_closed_before_its_launch_never_begins",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "the close leaves the process alone",
        "EngineProcess._end",
        "await self._do(worker.end)",
        "pass",
        f"{PROCESS}::test_closed_in_the_middle_of_a_request_nothing_of_it_stays",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a long answer is read in one piece",
        "Worker._read",
        "len(data) < count",
        "not data",
        f"{PROCESS}::test_it_answers_with_a_low_priority_beside_the_program",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a process of ordinary priority",
        "voicepipe.engines.child:serve",
        "os.nice(NICE)",
        "os.nice(0)",
        f"{PROCESS}::test_it_answers_with_a_low_priority_beside_the_program",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "every line of a flood is logged",
        "LogLines._log",
        "self._logged < _MOST_LINES",
        "True",
        f"{PROCESS}::test_of_a_flood_on_stderr_a_few_lines_are_logged",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a short turn comes before its silence",
        "_last",
        "(max(0, count - len(audio)), 0)",
        "(0, max(0, count - len(audio)))",
        JUDGE,
        unseen=NO_ENGINE,
    ),
    Mutant(
        "the runtime reports to its makers",
        "voicepipe.speech.ends.onnx_model:_open",
        'os.environ["ORT_DISABLE_TELEMETRY"] = "1"',
        "pass",
        f"{JUDGE}::test_in_its_process_every_microphones_format_is_heard",
        unseen=NO_ENGINE,
    ),
    Mutant(
        "a softer turn sounds otherwise to the model",
        "log_mel",
        "normalise(audio)",
        "audio",
        LOG_MEL,
        unseen=NO_ENGINE,
    ),
)
