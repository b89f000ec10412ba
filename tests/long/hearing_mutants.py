"""Bugs to plant in what a microphone hears, each with what must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["HEARING_MUTANTS"]

LEVELS = "tests/speech/test_leveller.py"
CHANNELS = "tests/audio/test_channel_mixer.py"
NO_VOICE = "the sound of its card is numbers, in which nobody speaks"

HEARING_MUTANTS = (
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
        "_Stretch.__init__",
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
)
