"""Bugs to plant in what a speaker plays and tells, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["SPEAKER_MUTANTS"]

FORMATS = "tests/endpoints/test_speaker_formats.py"
SENTENCES = "tests/endpoints/test_speaker_sentences.py"
MIXING = "tests/endpoints/test_speaker_mixing.py"
CONTROLS = "tests/endpoints/test_speaker_controls.py"
BOTH = "tests/endpoints/test_both_in_a_run.py"
RANDOM = "tests/properties/test_random_speaker.py"
GAPS = "tests/endpoints/test_gaps.py"
DELAY = "tests/endpoints/test_delay.py"
START = "tests/endpoints/test_start_buffer.py"
REWRITE = "tests/backends/test_rewrite.py"
LIVE = "tests/endpoints/test_live_delay.py"
NO_FIGURES = (
    "its rules look at samples and facts, not at the figures of delay and gaps, and it has no start buffer"
)
ONE_FORMAT = "its audio has one format, and no sentences, sounds or controls"

SPEAKER_MUTANTS = (
    Mutant(
        "a run of another rate begins with an edge",
        "_continuation",
        "source == target",
        "True",
        f"{FORMATS}::test_two_sentences_of_one_rate_have_no_edge",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "two formats meet with a step",
        "Intake.convert",
        "self._joins and self._last and out",
        "False",
        f"{FORMATS}::test_voices_of_two_rates_alternate_without_a_click",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "the end of a sentence stays in its conversion",
        "Playback.finish_runs",
        "self._finish_run(source)",
        "pass",
        f"{FORMATS}::test_the_end_of_a_sentence_sounds_although_nothing_follows_it",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "live audio is held by a full speaker",
        "Playback.take",
        "frame.live and self._count_held(source) + coming > self._most_live(source)",
        "False",
        f"{BOTH}::test_live_audio_beyond_the_queue_of_a_held_speaker_is_dropped_there_and_nobody_waits",
        unseen="its speakers take minutes of audio",
    ),
    Mutant(
        "a click where late audio was left out",
        "crossfade",
        "a + (b - a) * n // steps",
        "b",
        f"{LIVE}::test_a_sine_has_no_step_where_something_was_left_out",
        unseen="its sound is noise",
    ),
    Mutant(
        "a sentence of which something was left out is never over",
        "Source.leave_out",
        "sentence.taken -= count",
        "pass",
        f"{LIVE}::test_the_facts_of_a_sentence_stay_true",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "made samples are forgotten by the sum",
        "sum_of_counts",
        "total.update(each)",
        "total += Counter(each)",
        f"{LIVE}::test_what_drift_has_made_is_told_and_in_the_report",
        unseen="its speakers are not steady",
    ),
    Mutant(
        "a sentence is told when it is queued",
        "Sentences.begin",
        "self._open.append(self.latest)",
        "self.latest.began = 0\nself._open.append(self.latest)",
        f"{SENTENCES}::test_a_sentence_is_told_when_the_device_has_taken_it_and_not_when_it_is_queued",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "the whole text counts as heard though half was",
        "Sentence.heard_text",
        "heard_part(self.text, self.heard / self.taken if self.taken else 0.0)",
        "self.text",
        f"{SENTENCES}::test_an_interruption_tells_the_words_that_were_heard_and_forgets_the_rest",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "a mix wraps round",
        "mix",
        "np.clip(total, -32_768, 32_767).astype(np.int16).tobytes()",
        "total.astype(np.int32).astype(np.int16).tobytes()",
        f"{MIXING}::test_two_loud_sounds_saturate_and_do_not_wrap_round",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "music waits behind the voice that is with the device",
        "DeviceQueue.reach",
        "not self.can_rewrite or self.stream is None",
        "True",
        f"{MIXING}::test_music_begins_in_the_next_block_although_a_long_voice_is_queued",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "music that is held holds the voice",
        "SpeakerOutput._hold_pusher",
        "self._box.pick(lambda waiting: playback.may_overtake(waiting, source))",
        "None",
        f"{MIXING}::test_a_generator_without_an_end_is_held_by_its_own_queue_and_never_holds_the_voice",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "music fills the mailbox for the voice",
        "Mailbox.put_down",
        "self.apart is not None",
        "False",
        f"{MIXING}::test_a_generator_without_an_end_is_held_by_its_own_queue_and_never_holds_the_voice",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "an interruption leaves the voice ducked",
        "Playback.cut",
        "self.queue.reset_gain(source)",
        "pass",
        f"{CONTROLS}::test_an_interruption_during_a_hold_drops_what_was_held_and_ends_the_hold",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "a hold ends where it stopped although the sentence is known",
        "Playback.resume",
        "self.queue.release(self.voice, self.sentences.current)",
        "self.queue.release(self.voice, None)",
        f"{CONTROLS}::test_a_hold_fades_at_once_keeps_the_rest_and_goes_on_with_the_sentence",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "an end waits for a hold",
        "SpeakerOutput.on_ending",
        "self.resume()",
        "pass",
        f"{CONTROLS}::test_an_end_lets_what_is_held_be_heard",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "a rewrite that is late is played late",
        "PlaybackRing._replace",
        "rewrite.data[late * size :]",
        "rewrite.data",
        f"{REWRITE}::test_what_is_late_is_left_out",
        unseen="in virtual time none is late",
    ),
    Mutant(
        "what is written behind a cut goes into its fade",
        "DeviceQueue.cut",
        "source.begin_fade()",
        "pass",
        f"{RANDOM} {MIXING}::test_a_voice_after_an_interruption_follows_the_fade_and_the_music_goes_on",
        unseen=ONE_FORMAT,
    ),
    Mutant(
        "what follows an interruption is a gap",
        "Playback.cut",
        "self.gaps.forget()",
        "pass",
        f"{GAPS}::test_these_are_no_gaps",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a gap counts all silence since the start",
        "Gaps._follow",
        "self._lasted = min(0, self._lasted) if grown <= -self._least else 0",
        "pass",
        f"{GAPS}::test_a_voice_that_ran_dry_has_as_many_gaps_as_are_heard",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a program that stood still for long made no gap",
        "Gaps._longest_s",
        "self._is_live",
        "False",
        f"{GAPS}::test_live_sound_has_a_gap_where_the_program_stood_still_for_however_long",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a gate makes gaps",
        "Gaps.note",
        "self._missing_s += missing_s",
        "pass",
        f"{GAPS}::test_live_sound_that_a_stage_has_left_out_makes_no_gap",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "live audio waits for the start buffer",
        "StartBuffer.expect",
        "live or voice.waiting + samples >= self._enough + min(samples, self._enough)",
        "voice.waiting + samples >= self._enough + min(samples, self._enough)",
        f"{START}::test_live_audio_waits_for_nothing",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the end waits for the start buffer",
        "Playback.finish",
        "self._start.begin()",
        "pass",
        f"{START}::test_an_end_lets_it_begin",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the delay leaves out what waits before the frame",
        "Playback._measure",
        "ahead_s = self.format.seconds(self._count_held(source))",
        "ahead_s = 0.0",
        f"{DELAY}::test_after_a_standstill_it_is_still_what_is_heard",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a delay that was long for a moment is told of",
        "Delay._watch",
        "measured.grown_since_s = None",
        "pass",
        f"{DELAY}::test_a_growth_is_told_where_it_lasts",
        unseen=NO_FIGURES,
    ),
)
