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
REWRITE = "tests/backends/test_rewrite.py"
LIVE = "tests/endpoints/test_live_delay.py"
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
        "if count",
        "if count > 0",
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
)
