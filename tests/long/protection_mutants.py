"""Bugs to plant in a microphone's protection from the program's own sound, and in the figures of an echo."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["PROTECTION_MUTANTS"]

MICROPHONE = "tests/endpoints/test_cancelling_microphone.py"
STAGE = "tests/canceller/test_stage.py"
METER = "tests/canceller/test_echo_meter.py"
EAR = "tests/speech/test_ear.py"
ONE_WISH = "its microphones all have the same wishes"
NO_FIGURES = "it looks at no figures of an echo"

PROTECTION_MUTANTS = (
    Mutant(
        "the stage's books forget what a cancel finds inside",
        "EchoCanceller.cleanup",
        "self._dropped[self._rest_reason] += self._held",
        "pass",
        f"{STAGE}::test_a_cancelled_run_counts_what_was_inside",
        unseen="its cancellers are those of microphones",
    ),
    Mutant(
        "nobody is told of a voice detector that hears the echo",
        "EchoCanceller.check_place",
        "makes(each.stage, UserStartedSpeakingFrame)",
        "False",
        f"{STAGE}::test_a_voice_detector_before_it_is_told",
        unseen="its stages stand where they should",
    ),
    Mutant(
        "behind a mute its last moment is heard",
        "MicrophoneInput._is_hidden",
        "self._muted or frame.position < self._hidden",
        "self._muted",
        f"{MICROPHONE}::test_behind_a_mute_nothing_of_its_time_is_heard",
        unseen="it does not judge the sound",
    ),
    Mutant(
        "a microphone cancels beside a stage that does",
        "OwnSound.look_behind",
        "getattr(other.stage, 'cancels_echo', False)",
        "False",
        f"{STAGE}::test_the_microphone_before_it_neither_cancels_nor_mutes",
        unseen=ONE_WISH,
    ),
    Mutant(
        "a rate without an engine has no protection",
        "OwnSound.begin",
        "reason = str(error)",
        "return",
        f"{MICROPHONE}::test_a_rate_that_no_engine_takes_means_half_duplex_and_a_line",
        unseen=ONE_WISH,
    ),
    Mutant(
        "speakers have taps for nobody",
        "Opening._announce_speakers",
        "getattr(seat.processor, 'cancels_echo', False)",
        "True",
        f"{STAGE}::test_a_speaker_keeps_no_record_for_nobody",
        unseen="a record that nobody reads changes nothing",
    ),
    Mutant(
        "the ear is as loud as before the gain",
        "_amplify",
        "amplify(frame.ear, gain_db)",
        "frame.ear",
        f"{MICROPHONE}::test_a_gain_holds_for_ear_and_words_and_not_for_the_canceller",
        unseen="its microphones have no gain",
    ),
    Mutant(
        "a muted microphone has an ear",
        "silence_of",
        "bytes(len(frame.ear))",
        "frame.ear",
        f"{MICROPHONE}::test_silence_takes_the_place_of_both_while_it_is_muted",
        unseen="it does not look into the ear of a muted microphone",
    ),
    Mutant(
        "what is inside a canceller is not in the books",
        "MicrophoneInput._held",
        "self._own_sound.held + sum((frame.num_samples for frame in self._ready))",
        "0",
        f"{MICROPHONE}::test_a_cancelled_run_counts_what_is_inside",
        unseen="the books are looked at when all is over, or in its microphones without a canceller",
    ),
    Mutant(
        "each fall-back is a warning",
        "EchoGuard._warn",
        "self._has_warned = True",
        "pass",
        f"{STAGE}::test_a_canceller_of_no_use_gives_way_to_half_duplex_with_one_warning_and_comes_back",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a canceller falls back without leave",
        "EchoGuard._fall",
        "self._may_fall_back",
        "True",
        f"{STAGE}::test_without_leave_to_fall_back_one_warning_is_all",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "a voice over the echo is taken for its rest",
        "EchoMeter._close_window",
        "erle_db < DOUBTFUL_DB and self._is_voice(delay_s, clean)",
        "False",
        f"{METER}::test_a_user_who_talks_all_the_time_is_not_taken_for_an_echo",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "every rest of an echo is taken for a voice",
        "EchoMeter._is_voice",
        "self._rest_delay.find() is not None",
        "False",
        METER,
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the noise of the room is an echo",
        "EchoMeter._measure",
        "hop.far < LEAST_FAR or hop.mic < CLEAR * self._noise",
        "hop.far < LEAST_FAR",
        f"{METER}::test_no_echo_has_no_figures",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "frequencies without sound decide on the delay",
        "EchoDelay._find_peak",
        "sizes + FAINT * sizes.mean() + 1e-12",
        "sizes + 1e-12",
        f"{METER}::test_a_delay_is_found_of_a_voice_without_high_tones",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the lead of the reference is a part of the delay",
        "EchoDelay.find",
        "found - self._lead",
        "found",
        f"{METER}::test_figures_are_true",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the ear is open before the suppressor has learnt",
        "EarNoise.cover",
        "not self._to_learn",
        "True",
        "tests/canceller/test_ear_noise.py::test_at_first_the_ear_is_the_noise_of_the_room",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "the ear is without the noise of the room",
        "EarNoise.cover",
        "np.float32(level)",
        "np.float32(0)",
        "tests/canceller/test_ear_noise.py::test_the_noise_that_a_suppressor_takes_is_put_back",
        unseen=NO_FIGURES,
    ),
    Mutant(
        "voice detection judges the words",
        "Stretch.take",
        "frame.ear is not None",
        "False",
        f"{EAR}::test_voice_detection_judges_the_ear",
        unseen="its users are heard in both",
    ),
    Mutant(
        "nobody is told of a missing ear",
        "VADProcessor.process",
        "self._look_for_ear(frame, self._speakers)",
        "pass",
        f"{EAR}::test_a_missing_ear_is_told_once",
        unseen="no stage of its drops an ear",
    ),
)
