"""Bugs to plant in the simulated room, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["ROOM_MUTANTS"]

ROOM = "tests/backends/test_fake_room.py"
NO_ROOM = "its cards are in no room"

ROOM_MUTANTS = (
    Mutant(
        "the last part of an impulse response is not heard",
        "Convolver._sum",
        "self._response[1:]",
        "self._response[1:] * (np.arange(parts - 1) < parts - 2)[:, None]",
        f"{ROOM}::test_echo_is_the_convolution_to_the_last_bit",
        unseen=NO_ROOM,
    ),
    Mutant(
        "what sounded before a change of path is not heard through the new one",
        "_Way.echo",
        "before = len(response) - 1",
        "before = 0",
        f"{ROOM}::test_path_changes_in_mid_run_for_what_still_echoes_too",
        unseen=NO_ROOM,
    ),
    Mutant(
        "a microphone that has lost samples hears the room as if it had not",
        "_Way.echo",
        "abs(from_s - self._next_s) > _STEADY_S",
        "False",
        f"{ROOM}::test_told_loss_of_the_microphone_skips_what_sounded_meanwhile",
        unseen=NO_ROOM,
    ),
    Mutant(
        "the speaker is read at the nearest sample",
        "interpolate",
        "place + begin * step",
        "float(round(place + begin * step))",
        f"{ROOM}::test_speaker_that_starts_later_is_heard_later_between_samples",
        unseen=NO_ROOM,
    ),
    Mutant(
        "the microphone's clock is taken for the speaker's",
        "SimulatedSpeaker._sound",
        "room.play(data[: half * audio.sample_bytes], audio.channels, sounds_s, handle.hz)",
        "room.play(data[: half * audio.sample_bytes], audio.channels, sounds_s, audio.rate)",
        f"{ROOM}::test_each_side_has_its_own_rate_and_clock",
        unseen=NO_ROOM,
    ),
    Mutant(
        "a loss that nobody owns up to is told",
        "SimulatedMicrophone.tick",
        "callback(data, self._stamps.of(handle.block_began_s), missed)",
        "callback(data, self._stamps.of(handle.block_began_s), missed + handle.gap)",
        f"{ROOM}::test_microphones_loss_shows_in_later_times_alone",
        unseen=NO_ROOM,
    ),
    Mutant(
        "a speaker that was pulled out still sounds",
        "SimulatedSpeaker.go_silent",
        "self._room.silence_from(self._handle.hardware.now())",
        "pass",
        f"{ROOM}::test_speaker_that_is_pulled_out_is_silent_at_once_and_its_echo_decays",
        unseen=NO_ROOM,
    ),
    Mutant(
        "loud echo wraps",
        "Room.add_echo",
        "np.clip(np.rint(heard + echo[:, None] * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)",
        "np.rint(heard + echo[:, None] * _FULL_SCALE).astype(np.int32)",
        f"{ROOM}::test_loud_echo_is_clipped_at_full_scale_and_never_wraps",
        unseen=NO_ROOM,
    ),
)
