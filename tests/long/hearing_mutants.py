"""Bugs to plant in what a microphone hears, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["HEARING_MUTANTS"]

LEVELS = "tests/speech/test_leveller.py"
CHANNELS = "tests/audio/test_channel_mixer.py"
RATES = "tests/audio/test_short_filter.py"
FLAT = f"{RATES}::test_silence_and_what_does_not_move_stay_as_they_are"
EXACT = f"{RATES}::test_the_samples_are_those_of_the_definition_however_they_are_cut"
LOUD = f"{RATES}::test_what_is_too_loud_is_clipped_and_does_not_wrap"
NO_VOICE = "the sound of its card is numbers, in which nobody speaks"

EARLY = "tests/speech/test_early_facts.py"
POSITIONS = "tests/speech/test_positions.py"
ADVICE = "tests/run/test_advice.py"
LAYOUT = "its pipelines are laid out as they should be"
SAME = f"{EARLY}::test_the_utterances_are_the_same_in_every_arrangement"

ONE_RATE = "no rule of it compares the samples of two rates"

HEARING_MUTANTS = (
    Mutant(
        "the short filter waits for a group more than it needs",
        "ShortFilter._advance",
        "len(waiting) // group_bytes - plan.width + 1",
        "len(waiting) // group_bytes - plan.width",
        f"{RATES}::test_it_gives_out_all_but_what_it_needs",
        unseen=ONE_RATE,
    ),
    Mutant(
        "the short filter gives the silence behind the end too",
        "ShortFilter.flush",
        "rest[: due * size]",
        "rest",
        f"{RATES}::test_a_flush_gives_the_exact_rest_and_a_new_stream_begins",
        unseen=ONE_RATE,
    ),
    Mutant(
        "the short filter begins in the sound of the stream before",
        "ShortFilter.flush",
        "self._begin()",
        "self._taken = self._given = 0",
        f"{RATES}::test_a_flush_gives_the_exact_rest_and_a_new_stream_begins",
        unseen=ONE_RATE,
    ),
    Mutant(
        "the taps of the short filter do not add up to one",
        "voicepipe.audio.filter_plan:_whole",
        "whole[whole.index(max(whole))] += (1 << TAP_BITS) - sum(whole)",
        "pass",
        FLAT,
        unseen=ONE_RATE,
    ),
    Mutant(
        "the short filter wraps what is too loud",
        "voicepipe.audio.long_sums:_samples",
        "ranges.count(_IN_RANGE) == count",
        "True",
        LOUD,
        unseen=ONE_RATE,
    ),
    Mutant(
        "numpy rounds otherwise than long integers",
        "matrix_sums",
        "sums += 0.5",
        "sums += 0.49",
        EXACT,
        unseen=ONE_RATE,
    ),
    Mutant(
        "the short filter lets pass what has no place",
        "plan_filter",
        "0.5 / parts",
        "0.6 / parts",
        f"{RATES}::test_it_passes_what_is_below_and_rejects_what_has_no_place",
        unseen=ONE_RATE,
    ),
    Mutant(
        "voice detection waits for bursts of another rate",
        "Stretch.__init__",
        "suits_short_filter(heard.rate, engine.rate)",
        "False",
        "tests/speech/test_vad.py::test_a_change_of_rate_delays_no_fact",
        unseen=ONE_RATE,
    ),
    Mutant(
        "positions know nothing of what the change of rate holds back",
        "Stretch._heard_samples",
        "windows * self._engine.window - self._ahead",
        "windows * self._engine.window",
        "tests/speech/test_vad.py::test_a_window_ends_before_what_the_change_of_rate_holds_back",
        unseen=ONE_RATE,
    ),
    Mutant(
        "a speaker of another rate takes whole blocks",
        "Renderer.render",
        "lacking if self._is_prompt else samples",
        "samples",
        "tests/backends/test_conversion.py::test_a_renderer_takes_what_it_gives_and_what_the_filter_holds_back",
        unseen=ONE_RATE,
    ),
    Mutant(
        "quiet audio is judged as it came",
        "Leveller.take",
        "max(0.0, min(self.gain_db, VOICE_DB - level_db))",
        "0.0",
        f"{LEVELS}::test_a_sentence_begins_where_it_does_at_a_normal_level",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a constant is amplified with the voice",
        "Leveller.take",
        "audio -= offset",
        "pass",
        f"{LEVELS}::test_a_quiet_voice_is_heard_after_anything",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a click lowers the gain as a voice does",
        "Leveller._follow",
        "min(self._levels_db)",
        "max(self._levels_db)",
        f"{LEVELS}::test_one_loud_window_lowers_no_gain_and_a_lasting_sound_does",
        unseen=NO_VOICE,
    ),
    Mutant(
        "an engine that does not ask is given louder audio",
        "Stretch.__init__",
        "wants_level(engine)",
        "True",
        f"{LEVELS}::test_the_plain_engine_stays_raw",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a gain of 0 dB changes samples",
        "MicrophoneInput._push_block",
        "amplify(block.data, self._gain_db)",
        "amplify(block.data, self._gain_db + 1)",
        "tests/endpoints/test_microphone.py::test_no_gain_leaves_every_byte",
        unseen="its rules compare where samples are lost, by whole numbers that 1 dB may keep",
    ),
    Mutant(
        "channels that cancel stay mixed",
        "_Judge._is_worse",
        "bool(noisier or signal[row] * LOUDER * times < signal[best])",
        "bool(noisier)",
        f"{CHANNELS}::test_the_better_channel_is_taken",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a noisy channel spoils the mix",
        "_Judge._is_worse",
        "signal[row] / floor[row] * CLEARER * times < signal[best] / floor[best]",
        "False",
        f"{CHANNELS}::test_the_better_channel_is_taken",
        unseen=NO_VOICE,
    ),
    Mutant(
        "the change of channel clicks",
        "ChannelMixer._mix_piece",
        "self._before is not self._weights",
        "False",
        f"{CHANNELS}::test_there_is_no_click_at_the_change",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a dead line is called good",
        "_by_movement",
        "heard or loudness.moves",
        "True",
        "tests/cli/test_doctor.py::test_a_level_is_judged_by_its_movement",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a fact counts when it arrives, not when its audio has come",
        "UtteranceCollector._catch_up",
        "is_ours and due > heard.end",
        "False",
        SAME,
        unseen=NO_VOICE,
    ),
    Mutant(
        "a fact counts from the speech on, not from where it was decided",
        "UtteranceCollector._keep",
        "fact.position if fact.decided is None else fact.decided",
        "fact.position",
        f"{EARLY}::test_facts_as_early_as_can_be_make_the_same_utterances",
        unseen=NO_VOICE,
    ),
    Mutant(
        "an utterance ends with the frame in which its end was decided",
        "UtteranceCollector._act_on",
        "heard.end if fact.decided is None else min(fact.decided, heard.end)",
        "heard.end",
        f"{EARLY}::test_the_utterances_are_the_same_however_the_audio_is_cut",
        unseen=NO_VOICE,
    ),
    Mutant(
        "time runs out before the facts about the last frame are known",
        "UtteranceCollector._listen",
        "self._advance(heard, heard.end)",
        "self._advance(heard, heard.end + frame.num_samples)",
        f"{EARLY}::test_the_utterances_are_the_same_however_the_audio_is_cut",
        unseen=NO_VOICE,
    ),
    Mutant(
        "what the user says behind lost audio is lost too",
        "UtteranceCollector._begin_behind",
        "position if goes_on else None",
        "None",
        f"{POSITIONS}::test_a_fact_whose_audio_never_comes_ends_with_what_there_is",
        unseen=NO_VOICE,
    ),
    Mutant(
        "a fact of another microphone counts",
        "are_of_one_origin",
        "first == second or not first or not second",
        "True",
        f"{POSITIONS}::test_a_collector_ignores_facts_of_another_microphone",
        unseen="it has one microphone for each voice detector",
    ),
    Mutant(
        "a fact says the end of its frame for what was judged",
        "Stretch._judge",
        "self._position(segmenter.windows)",
        "self._end",
        f"{EARLY}::test_the_utterances_are_the_same_however_the_audio_is_cut",
        unseen=NO_VOICE,
    ),
    Mutant(
        "frames without a position are gaps",
        "StreamPositions.place",
        "position = self._end",
        "pass",
        f"{POSITIONS}::test_frames_without_a_position_follow_one_another",
        unseen="its microphones give every frame a position",
    ),
    Mutant(
        "a second recording goes on from the first",
        "StreamPositions.place",
        "lacks and self._lacks and frame.format == self._format",
        "lacks and frame.format == self._format",
        f"{POSITIONS}::test_a_position_that_is_there_is_taken_as_it_is",
        unseen="its microphones give every frame a position",
    ),
    Mutant(
        "a collector passes audio on to stages that do not want it",
        "UtteranceCollector.check_place",
        "bool(self._passes_audio or takers)",
        "self._passes_audio is not False",
        f"{ADVICE}::test_a_collector_passes_audio_on_only_where_it_is_wanted",
        unseen="audio that passes is lost nowhere",
    ),
    Mutant(
        "a collector keeps audio from a stage that wants it",
        "UtteranceCollector.check_place",
        "bool(self._passes_audio or takers)",
        "bool(self._passes_audio)",
        f"{ADVICE}::test_a_collector_passes_audio_on_only_where_it_is_wanted",
        unseen=NO_VOICE,
    ),
    Mutant(
        "two microphones in a layout are not noticed",
        "refuse_two_microphones",
        "len(sources) > 1",
        "False",
        f"{ADVICE}::test_two_microphones_into_one_stage_are_refused_before_anything_opens",
        unseen=LAYOUT,
    ),
    Mutant(
        "two microphones that alternate are taken for gaps",
        "StreamPositions._change_origin",
        "self._short >= _MOST_SHORT",
        "False",
        f"{ADVICE}::test_two_microphones_that_no_layout_shows_are_an_error_as_soon_as_they_alternate",
        unseen=LAYOUT,
    ),
    Mutant(
        "a branch beside it hides no forgetful stage",
        "_find_swallowers",
        "any(_makes(other.processor, kind) for other in reached)",
        "False",
        f"{ADVICE}::test_a_program_without_a_trap_is_told_nothing",
        unseen=LAYOUT,
    ),
    Mutant(
        "a stage that keeps its frames is called forgetful",
        "_looked_at",
        "called in _LOGS",
        "True",
        f"{ADVICE}::test_a_stage_that_keeps_or_changes_or_passes_its_frames_is_not_forgetful",
        unseen=LAYOUT,
    ),
    Mutant(
        "the line that is told is of voicepipe itself",
        "users_line",
        "str(trace.tb_frame.f_globals.get('__name__')).partition('.')[0] not in _OURS",
        "True",
        f"{ADVICE}::test_the_line_that_raised_is_in_the_one_line_that_is_printed",
        unseen="its rules read no message",
    ),
    Mutant(
        "the stage that had no time left is named, not the one that took it",
        "Opening._find_slow_stage",
        "max(spent, key=lambda each: each[0])[1] if spent else None",
        "self._seat",
        f"{ADVICE}::test_the_stage_that_took_most_of_the_time_is_named_not_the_one_that_had_no_time_left",
        unseen="its rules read no message",
    ),
)
