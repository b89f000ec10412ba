"""Bugs to plant in what is read of files and of the system, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["FILE_MUTANTS"]

WAV = "tests/audio/test_wav_kinds.py"
SERVICE = "tests/cli/test_service.py"
PLUGIN = "tests/testing/test_plugin.py"
SETTINGS = "tests/cli/test_settings.py"
CENSUS = "tests/census/test_census.py"
UVLOOP = "tests/runner/test_uvloop.py"
RECORDING = "tests/cli/test_record_and_play.py"
SHADOWS = "tests/test_shadowing.py"
NO_FILES = "the simulation reads no files"

FILE_MUTANTS = (
    Mutant(
        "a WAV file's block align is believed",
        "encoding_of",
        "-(-bits // 8)",
        "align // max(1, channels)",
        f"{WAV}::test_a_wrong_block_align_is_not_believed",
        unseen=NO_FILES,
    ),
    Mutant(
        "24 bits in four bytes are always taken for packed",
        "Encoding.settle",
        "not self.is_doubtful",
        "True",
        f"{WAV}::test_24_bits_in_four_bytes_are_told_by_the_audio",
        unseen=NO_FILES,
    ),
    Mutant(
        "a WAV file that is cut off is not said",
        "_remarks_on_cut",
        "says != has",
        "False",
        f"{WAV}::test_a_file_that_is_cut_off_is_read_and_said",
        unseen=NO_FILES,
    ),
    Mutant(
        "the second of two joined WAV files is not looked for",
        "_Walk._end_of_audio",
        "_is_placeholder(claimed) and (second := self._second_file(start)) is not None",
        "False",
        f"{WAV}::test_joined_files_whose_lengths_nobody_wrote_are_said_too",
        unseen=NO_FILES,
    ),
    Mutant(
        "an odd chunk of a WAV file always has its padding",
        "_Walk._is_unpadded",
        "_is_kind(ahead[:4]) and ahead[1:5] not in (b'fmt ', b'data')",
        "False",
        f"{WAV}::test_a_chunk_of_odd_length_may_lack_its_padding",
        unseen=NO_FILES,
    ),
    Mutant(
        "RIFX is read as RIFF",
        "_Walk._begin",
        "(order, base + 8 + self._number(head[4:8], order))",
        "('<', base + 8 + self._number(head[4:8], order))",
        f"{WAV}::test_either_byte_order_gives_the_same",
        unseen=NO_FILES,
    ),
    Mutant(
        "a service that could not be installed leaves its unit",
        "_write_and_start",
        "undo.callback(_put_back, service.path, before)",
        "pass",
        f"{SERVICE}::test_an_install_that_fails_leaves_nothing",
        unseen=NO_FILES,
    ),
    Mutant(
        "a service that could not be started stays enabled",
        "_write_and_start",
        "undo.callback(_forget, service)",
        "pass",
        f"{SERVICE}::test_a_service_that_was_enabled_and_does_not_start_is_stopped_again",
        unseen=NO_FILES,
    ),
    Mutant(
        "uninstall stops where nobody answers",
        "_uninstall",
        "_call_quietly(service.manager, 'disable', '--now', service.name)",
        "service.manager.call('disable', '--now', service.name)",
        f"{SERVICE}::test_uninstall_works_without_a_bus",
        unseen=NO_FILES,
    ),
    Mutant(
        "the link of a unit stays where nobody answers",
        "_uninstall",
        "_remove(service.link)",
        "pass",
        f"{SERVICE}::test_uninstall_works_without_a_bus",
        unseen=NO_FILES,
    ),
    Mutant(
        "a service that waits for its next start is starting",
        "_state",
        "active == 'activating' and shown.get('SubState') != 'auto-restart'",
        "active == 'activating'",
        f"{SERVICE}::test_status_is_in_words",
        unseen=NO_FILES,
    ),
    Mutant(
        "an async test of unittest sleeps in real time",
        "voicepipe.testing.plugin:_refusal",
        "_OF_UNITTEST if _is_of_unittest(item) else ''",
        "''",
        f"{PLUGIN}::test_what_cannot_run_in_virtual_time_is_refused_in_words",
        unseen=NO_FILES,
    ),
    Mutant(
        "a byte order mark is a part of the settings",
        "text_of",
        "raw.removeprefix(codecs.BOM_UTF8)",
        "raw",
        f"{SETTINGS}::test_a_file_of_notepad_is_read",
        unseen=NO_FILES,
    ),
    Mutant(
        "without /proc no census can be taken",
        "_descriptors",
        "yield from _kinds_of_descriptors()",
        "raise",
        f"{CENSUS}::test_without_proc_the_census_is_poorer_and_taken",
        unseen=NO_FILES,
    ),
    Mutant(
        "the pipe of uvloop's signals is a leak",
        "descriptors_of_uvloop",
        "target.startswith('pipe:') and ends.count(target) == 2 and _bytes_in(int(number)) == 1",
        "False",
        f"{UVLOOP}::test_a_run_leaves_nothing",
        unseen=NO_FILES,
    ),
    Mutant(
        "a transport must be of a class of asyncio's",
        "_reading",
        "return cast('asyncio.ReadTransport', pipe.transport)",
        "assert isinstance(pipe.transport, asyncio.ReadTransport)\nreturn pipe.transport",
        f"{UVLOOP}::test_a_library_that_is_noisy_while_it_opens_is_no_error",
        unseen=NO_FILES,
    ),
    Mutant(
        "only the last folder of a recording is its owner's alone",
        "make_private_folders",
        "os.chmod(folder, _FOLDER)",
        "os.chmod(missing[0], _FOLDER) if folder == missing[0] else os.chmod(folder, 0o755)",
        f"{RECORDING}::test_every_folder_that_is_made_is_its_owners_alone",
        unseen=NO_FILES,
    ),
    Mutant(
        "a module that stands in the way is not looked for",
        "ShadowNaming.__exit__",
        "isinstance(error, Exception) and (shadow := shadow_error(error)) is not None",
        "False",
        f"{SHADOWS}::test_the_module_is_named_in_the_last_line_of_a_program",
        unseen=NO_FILES,
    ),
    Mutant(
        "any module of the user's is blamed",
        "voicepipe.shadowing:_find",
        "name in sys.stdlib_module_names and _is_of_somebody_else(path)",
        "_is_of_somebody_else(path)",
        f"{SHADOWS}::test_other_errors_are_left_as_they_are",
        unseen=NO_FILES,
    ),
)
