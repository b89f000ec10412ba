"""Bugs to plant in names of devices and in the judgement of zeros, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["DEVICE_MUTANTS"]

NAMES = "tests/devices/test_names.py"
CHOOSING = "tests/backends/test_choosing.py"
CARDS = "tests/backends/test_cards.py"
ZEROS = "tests/endpoints/test_silence.py"
REOPENING = "tests/endpoints/test_reopening.py"
DOCTOR = "tests/cli/test_doctor.py"
ONE_CARD = "its devices are not chosen by name"
SELDOM = "in 500 scenarios few are muted, and none for long before a fault"

CHANGE = "tests/endpoints/test_change_of_device.py"
CONTROLS = "tests/run/test_controls.py"
SOUND_SETTINGS = "tests/settings/test_sound.py"
NO_CHANGE = "nobody asks for another device"
NO_SETTINGS = "it has no settings"

FEW = "tests/endpoints/test_few_wake_ups.py"
PAGE = "tests/backends/test_shared_page.py"
ONE_PROCESS = "it has no other processes"
NO_TIMES = "it does not look at when the end of speech is told"

DEVICE_MUTANTS = (
    Mutant(
        "progress that is half written is believed",
        "SharedPage.look",
        "_CHECK.unpack_from(self._memory, at + _PROGRESS.size)[0] == sum(found) & _ALL",
        "True",
        f"{PAGE}::test_what_is_half_written_is_not_believed",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "progress is written in one place",
        "SharedPage.note",
        "_STEP * (progress.calls & 1)",
        "_STEP",
        f"{PAGE}::test_what_is_half_written_is_not_believed",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "a wish that is made again is taken for the one before",
        "SharedPage.wish",
        "self._serial % _SERIALS + 1",
        "1",
        f"{PAGE}::test_a_wish_is_reached_once_and_the_same_wish_once_more",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "a wish is told of in every callback",
        "SharedPage.reaches_wish",
        "self._served = wish",
        "pass",
        f"{PAGE}::test_a_wish_is_reached_once_and_the_same_wish_once_more",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "a sample that the pipe cut is lost",
        "SoundPipe.read",
        "data = self._piece + data",
        "pass",
        f"{PAGE}::test_samples_stay_whole_wherever_the_pipe_cuts",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "progress that makes no sense is believed",
        "_FarRing._note",
        "played < seen.played or dropped < seen.dropped or played + dropped > self._sent",
        "False",
        f"{PAGE}::test_progress_that_makes_no_sense_is_a_loss",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "a microphone pushes only in its task",
        "MicrophoneInput._on_news",
        "is_done = self._context.run(self._push_captured, stream)",
        "is_done = False",
        f"{FEW}::test_a_block_is_pushed_as_it_comes_and_wakes_no_task",
        unseen="it only costs",
    ),
    Mutant(
        "a microphone that was lost and is back is not told of",
        "KeptDevice.is_settled",
        "stream is not None and stream.error is None and self._lost_at is None",
        "stream is not None and stream.error is None",
        f"{FEW}::test_a_lost_microphone_hands_over_to_its_task_and_back",
        unseen="its microphones come back with silence, of which the task is told too",
    ),
    Mutant(
        "the end of live sound is told late, and with that time",
        "Playback.quiet_since_s",
        "min(now_s, max(self._taken_s, now_s - GOES_ON_S))",
        "now_s",
        f"{FEW}::test_the_end_of_live_sound_is_told_with_its_time",
        unseen=NO_TIMES,
    ),
    Mutant(
        "nobody looks when live sound stops",
        "SpeakerOutput._look",
        "self._expect_more(playback)",
        "pass",
        f"{FEW}::test_the_end_of_live_sound_is_told_with_its_time",
        unseen=NO_TIMES,
    ),
    Mutant(
        "a device that does not start leaves the run without one",
        "Replacement.change",
        "self._closing is not None",
        "False",
        f"{CHANGE}::test_what_does_not_open_or_start_goes_back_to_the_old_one",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "the old device is opened again before it is closed",
        "Replacement._open_old",
        "await self._until_closed()",
        "pass",
        f"{CHANGE}::test_what_does_not_open_or_start_goes_back_to_the_old_one",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "a busy device is not tried again after the present one is closed",
        "Replacement._open_beside",
        "self._owner.stream is None",
        "True",
        f"{CHANGE}::test_another_name_of_the_same_device_opens_it_again",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "the first of several devices counts",
        "Replacements.ask",
        "self._wanted = (device, finish)",
        "self._wanted = self._wanted or (device, finish)",
        f"{CHANGE}::test_the_last_of_several_requests_counts",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "the search for a lost device goes on beside a change",
        "KeptDevice.search_again",
        "self.stream is None and self._lost_at is not None",
        "False",
        f"{CHANGE}::test_a_wrong_name_for_a_lost_device_leaves_the_search_as_it_was",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "a change that was asked for in the start is forgotten",
        "KeptDevice.watch",
        "self._replacements.begin()",
        "pass",
        f"{CHANGE}::test_a_change_during_the_start_takes_effect_after_it",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "a refused device is not told",
        "KeptDevice.refuse",
        "await self._stage.push_frame(ErrorFrame(line, self._stage.name), FrameDirection.UPSTREAM)",
        "pass",
        f"{CHANGE}::test_a_wrong_name_changes_nothing_and_is_told",
        unseen=NO_CHANGE,
    ),
    Mutant(
        "a muted microphone is heard",
        "MicrophoneInput._frames_of",
        "bytes(len(block.data))",
        "block.data",
        f"{CONTROLS}::test_a_muted_microphone_gives_silence_and_counts_its_audio",
        unseen="nobody presses a button",
    ),
    Mutant(
        "a request from another thread is carried out there",
        "Requests.do",
        "course is None or course.state.is_final or course.loop.is_closed()",
        "True",
        f"{CONTROLS}::test_a_button_in_another_thread_is_heard",
        unseen="nobody presses a button",
    ),
    Mutant(
        "the file goes before variables",
        "voicepipe.settings.sound:read_sound_settings",
        "found[each.name] = (_value_of(each.name, text), variable_of(each.name))",
        "found.setdefault(each.name, (_value_of(each.name, text), variable_of(each.name)))",
        f"{SOUND_SETTINGS}::test_code_goes_before_variables_and_those_before_the_file",
        unseen=NO_SETTINGS,
    ),
    Mutant(
        "settings go before the code",
        "MicrophoneInput.__init__",
        "asked.latency if latency is None else latency",
        "latency if asked.latency is None else asked.latency",
        f"{SOUND_SETTINGS}::test_code_goes_before_variables_and_those_before_the_file",
        unseen=NO_SETTINGS,
    ),
    Mutant(
        "a simulated card is asked for the user's microphone",
        "voicepipe.devices.backends:_open_by_settings",
        "backend.name in ('wav', 'fake')",
        "False",
        f"{SOUND_SETTINGS}::test_names_of_devices_are_for_hardware",
        unseen=NO_SETTINGS,
    ),
    Mutant(
        "a microphone that was heard is called muted",
        "DigitalSilence.has_lasted",
        "self._warned or self.heard or self.silent_s < self._limit_s",
        "self._warned or self.silent_s < self._limit_s",
        f"{ZEROS}::test_a_noise_gate_between_turns_is_no_warning",
        unseen="it reads no log",
    ),
    Mutant(
        "the waits between reopenings do not grow",
        "DigitalSilence.note_reopening",
        "max(0, self._vain - DOUBTS) + self.reopenings",
        "0",
        f"{ZEROS}::test_the_wait_between_reopenings_doubles_up_to_ten_minutes",
        unseen="it counts no openings",
    ),
    Mutant(
        "a gate's zeros open the device again in every pause",
        "DigitalSilence.note_sound",
        "self._vain + 1",
        "0",
        f"{ZEROS}::test_zeros_that_often_end_by_themselves_are_taken_to_be_usual",
        unseen="it counts no openings",
    ),
    Mutant(
        "a reopening that helps is not known as such",
        "DigitalSilence.note_sound",
        "0 if self.silent_s < HELP_S else self._vain + 1",
        "self._vain + 1",
        f"{ZEROS}::test_a_stream_that_a_reopening_revives_is_opened_again_as_soon_the_next_time",
        unseen="it counts no openings",
    ),
    Mutant(
        "zeros that the pipeline mutes count",
        "MicrophoneInput._frames_of",
        "if not self._silence.are_zeros(block.data):\n    self._silence.note_sound()",
        "self._silence.has_lasted(block.data, audio.seconds(samples))",
        f"{REOPENING}::test_what_the_pipeline_mutes_itself_does_not_count",
        unseen="its microphones are not muted while it plays",
    ),
    Mutant(
        "the device is opened again though somebody has begun to speak",
        "MicrophoneInput.work_when_idle",
        "if await self._push_block(device):\n    return True",
        "if await self._push_block(device) and not self._silence.reopening_is_due:\n    return True",
        f"{REOPENING}::test_nothing_is_opened_again_while_somebody_speaks_however_slow_the_pipeline_is",
        unseen=SELDOM,
    ),
    Mutant(
        "the device is opened again before its old stream is closed",
        "Replacement._until_closed",
        "await asyncio.wait([self._closing], timeout=CLOSE_S)",
        "pass",
        f"{REOPENING}::test_the_old_stream_is_closed_before_the_device_is_opened_again",
        unseen=SELDOM,
    ),
    Mutant(
        "a reopening that fails tells nobody",
        "Replacement._open_old",
        "owner.lose(error)",
        "pass",
        f"{REOPENING}::test_a_device_that_does_not_open_again_is_lost_and_waited_for",
        unseen=SELDOM,
    ),
    Mutant(
        "a device that is being opened again is reported as lost",
        "KeptDevice.statistics",
        "stream is None and self._lost_at is not None",
        "stream is None",
        f"{REOPENING}::test_while_it_is_opened_again_the_device_is_not_reported_as_lost",
        unseen="it asks for statistics at the end alone",
    ),
    Mutant(
        "what a replaced stream had captured is lost",
        "KeptDevice.let_go",
        "self._on_lost(stream)",
        "pass",
        f"{REOPENING}::test_the_samples_missing_meanwhile_are_counted_and_positions_are_exact",
    ),
    Mutant(
        "the doctor calls a noise gate bad",
        "level_finding",
        "bool(during.strip(b'\\x00'))",
        "False",
        f"{DOCTOR}::test_a_noise_gate_that_lets_the_chirps_through_is_no_fault",
        unseen="it calls no doctor",
    ),
    Mutant(
        "names are compared in the normal form that each has",
        "voicepipe.devices.names:fold",
        "unicodedata.normalize('NFKC', name.translate(_ALIKE)).casefold()",
        "name.translate(_ALIKE).casefold()",
        f"{NAMES}::test_spellings_of_one_name_are_alike",
        unseen=ONE_CARD,
    ),
    Mutant(
        "a card's number hides its device",
        "voicepipe.devices.names:bare_name",
        "_ALSA_NUMBER.sub('', fold(name))",
        "fold(name)",
        f"{CARDS}::test_a_service_finds_its_device_in_the_library_after_the_number_has_moved",
        unseen=ONE_CARD,
    ),
    Mutant(
        "a part of a name is as good as the name",
        "find_named",
        "_LIKENESSES",
        "_LIKENESSES[-2:]",
        CHOOSING,
        unseen=ONE_CARD,
    ),
    Mutant(
        "a number is looked for as a part of a name",
        "find_meant",
        "is_number(wanted)",
        "False",
        f"{CHOOSING}::test_a_number_is_refused_and_the_names_are_given",
        unseen=ONE_CARD,
    ),
    Mutant(
        "the twin of a device that is in use is opened",
        "choose",
        "(*candidates, *unlisted)",
        "candidates",
        f"{CARDS}::test_a_device_that_cannot_be_opened_is_not_replaced_by_its_twin",
        unseen=ONE_CARD,
    ),
    Mutant(
        "a steady name means the card's last device",
        "_find_steady",
        "min(of_card)",
        "max(of_card)",
        f"{CARDS}::test_a_steady_name_means_one_device",
        unseen=ONE_CARD,
    ),
    Mutant(
        "a device with a namesake is opened without a word",
        "describe_namesakes",
        "len(same) < 2",
        "True",
        f"{CARDS}::test_the_log_warns_of_a_device_whose_name_another_has",
        unseen=ONE_CARD,
    ),
)
