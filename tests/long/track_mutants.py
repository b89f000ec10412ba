"""Bugs to plant in half-duplex and in the recording of all tracks, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["TRACK_MUTANTS"]

GATE = "tests/canceller/test_loudness_gate.py"
HALF_DUPLEX = "tests/canceller/test_half_duplex.py"
TRACKS = "tests/canceller/test_tracks.py"
RUNS = "tests/canceller/test_recorded_runs.py"
NO_ECHO = "its microphones hear no speaker"
NO_GAP = "behind a loss all tracks move alike, and its runs lose nothing for a minute"
NO_USER = "nobody detects a voice or mutes the microphone in it"
NO_CRASH = "its disk is good, and its recordings are closed"
NEW_NAMES = "its files have new names"

TRACK_MUTANTS = (
    Mutant(
        "the gate opens before it has learnt the echo",
        "LoudnessGate._judge",
        "self.has_learnt and db > self.threshold_db - (_STAYS_DB if self._open > 0 else 0.0)",
        "db > self.threshold_db - (_STAYS_DB if self._open > 0 else 0.0)",
        GATE,
        unseen=NO_ECHO,
    ),
    Mutant(
        "the gate never learns the echo's reverberation and delay",
        "FarPowers.put",
        "past[:, 1:-1] = past[:, :-2]",
        "past[:, 1:-1] = 0.0",
        GATE,
        unseen=NO_ECHO,
    ),
    Mutant(
        "the noise of the room opens the gate",
        "LoudnessGate._judge",
        "self._level.expect(self._far) + 2 * self._noise",
        "self._level.expect(self._far) + 1e-9",
        f"{GATE}::test_the_programs_own_echo_does_not_open_it",
        unseen=NO_ECHO,
    ),
    Mutant(
        "a louder echo holds the gate open for ever",
        "_Doubt.explains",
        "return highest_db < _FITS_DB and float(self._misses.mean()) < _MISSES_DB**2",
        "return False",
        f"{GATE}::test_an_echo_that_changes_is_learnt_anew_within_four_seconds",
        unseen=NO_ECHO,
    ),
    Mutant(
        "a user who talks for long is taken for a louder echo",
        "_Doubt.explains",
        "return highest_db < _FITS_DB and float(self._misses.mean()) < _MISSES_DB**2",
        "return True",
        f"{GATE}::test_a_user_who_talks_for_long_is_not_taken_for_another_echo",
        unseen=NO_ECHO,
    ),
    Mutant(
        "the zeros of a muted microphone teach that there is no echo",
        "LoudnessGate._judge",
        "not mic.any()",
        "False",
        f"{GATE}::test_a_muted_microphone_teaches_nothing",
        unseen=NO_ECHO,
    ),
    Mutant(
        "the gate forgets what lies behind a whole block",
        "LoudnessGate.gate",
        "self._mic_rest, self._far_rest = mics[whole:], fars[whole:]",
        "self._mic_rest, self._far_rest = mics[:0], fars[:0]",
        f"{GATE}::test_the_cut_into_blocks_does_not_matter",
        unseen=NO_ECHO,
    ),
    Mutant(
        "half-duplex cuts the first word",
        "HalfDuplex.let_out",
        "passed += [*self._kept, frame]",
        "passed += [*self.end(), frame]",
        f"{HALF_DUPLEX}::test_the_beginning_of_a_word_comes_with_it",
        unseen=NO_ECHO,
    ),
    Mutant(
        "half-duplex ends a turn between two words",
        "HalfDuplex.let_out",
        "self._bridge_s = BRIDGE_S",
        "pass",
        f"{HALF_DUPLEX}::test_silence_stands_between_words_for_a_second",
        unseen=NO_ECHO,
    ),
    Mutant(
        "half-duplex lets out what waits when the sound ends",
        "HalfDuplex.let_out",
        "passed += [*self.end(), frame]",
        "passed += [*self._kept, frame]",
        f"{HALF_DUPLEX}::test_what_waits_when_the_sound_ends_is_not_let_out_late",
        unseen=NO_ECHO,
    ),
    Mutant(
        "half-duplex does not count what it drops",
        "HalfDuplex._mute",
        "self._dropped += frame.num_samples",
        "pass",
        f"{HALF_DUPLEX}::test_what_is_not_loud_is_dropped_and_counted",
    ),
    Mutant(
        "half-duplex is open where nobody knows what sounds",
        "HalfDuplex.hear",
        "if block.far is None:\n    return",
        "if block.far is None:\n    self._is_loud = True\n    return",
        f"{HALF_DUPLEX}::test_without_knowledge_of_what_sounds_nothing_is_loud",
        unseen=NO_ECHO,
    ),
    Mutant(
        "the microphone does not count what half-duplex drops",
        "MicrophoneInput._let_out",
        "self._captured.dropped[DropReason.MUTED] += muted.dropped",
        "pass",
        f"{HALF_DUPLEX}::test_a_user_is_heard_over_the_program_and_the_program_is_not",
    ),
    Mutant(
        "a lost stretch moves all tracks to the front",
        "Tracks._note_block",
        "self._pass_gap(position - self._first - self._end)",
        "self._first = position - self._end",
        f"{TRACKS}::test_what_was_lost_is_silence_with_a_label",
        unseen=NO_GAP,
    ),
    Mutant(
        "a long gap moves what the canceller gives",
        "Tracks._pass_gap",
        "self._first += samples - stays",
        "pass",
        f"{TRACKS}::test_what_was_lost_is_silence_with_a_label",
        unseen=NO_GAP,
    ),
    Mutant(
        "speech begins when it is told, not where it began",
        "Tracks._note_user",
        "self._changed = min(self._changed, begin)",
        "pass",
        f"{TRACKS}::test_speech_is_put_back_to_where_it_began",
        unseen=NO_USER,
    ),
    Mutant(
        "the speaker's sound is not placed by its time",
        "HeardSound.between",
        "at = goes_on",
        "at = goes_on + 32",
        f"{TRACKS}::test_a_speakers_sound_stands_where_it_sounded",
    ),
    Mutant(
        "the tracks record a microphone that the user has muted",
        "EchoGuard._observe",
        "bytes(len(mic)) if self.hides else mic",
        "mic",
        f"{RUNS}::test_while_the_user_has_muted_the_microphone_nothing_of_it_is_recorded",
        unseen=NO_USER,
    ),
    Mutant(
        "the words of a muted microphone are recorded",
        "EchoGuard._record",
        "self.hides",
        "False",
        f"{RUNS}::test_while_the_user_has_muted_the_microphone_nothing_of_it_is_recorded",
        unseen=NO_USER,
    ),
    Mutant(
        "a full disk ends the run",
        "Tracks._write",
        "self._stop(files, error)",
        "raise",
        f"{TRACKS}::test_a_full_disk_stops_the_recording_and_says_so_once",
        unseen=NO_CRASH,
    ),
    Mutant(
        "the header of the tracks is a second behind",
        "TrackFiles.write",
        "self._wav.update_header()",
        "pass",
        f"{TRACKS}::test_after_a_crash_all_but_the_last_moment_is_there",
        unseen=NO_CRASH,
    ),
    Mutant(
        "tracks replace a file of labels",
        "TrackFiles.__init__",
        "open_regular(self.labels_path, _NEW)",
        "open_regular(self.labels_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)",
        f"{TRACKS}::test_a_file_that_is_there_stays_as_it_is",
        unseen=NEW_NAMES,
    ),
    Mutant(
        "the tracks lose the end of a speaker's stream",
        "HeardSound.between",
        "track.end_s < from_s - KEEP_S",
        "True",
        f"{TRACKS}::test_the_end_of_a_speakers_stream_is_there_when_another_one_has_begun",
        unseen="its speakers have one stream, or lose one, and then nothing is compared",
    ),
    Mutant(
        "what a speaker played last is not read when it has closed",
        "TapReader.read",
        "tap.read(last)",
        "tap.read(last) if tap in self._speakers.taps else ()",
        f"{TRACKS}::test_what_a_speaker_played_last_is_there_when_it_has_closed",
    ),
    Mutant(
        "protections of two microphones are labels in turn",
        "Tracks.note_protection",
        "self._origin not in (None, origin)",
        "False",
        f"{TRACKS}::test_another_microphone_is_told_once_and_not_recorded",
        unseen="its runs have one microphone",
    ),
    Mutant(
        "a run that fails to start leaves files without a sample",
        "TrackFiles.close",
        "not self._wav.num_samples",
        "False",
        f"{RUNS}::test_a_run_that_does_not_start_leaves_no_file",
    ),
    Mutant(
        "the speaker's sound is looked for before it is there",
        "Tracks._fill_speakers",
        "self._unfilled[0].row + self._unfilled[0].samples <= until",
        "True",
        f"{TRACKS}::test_what_the_speaker_tells_late_is_in_its_place",
        unseen="its taps tell of a sound before it sounds",
    ),
    Mutant(
        "words are recorded when they are given, not at their place",
        "Tracks.note_given",
        "position - self._first",
        "self._end - len(words) // 2",
    ),
    Mutant(
        "the last rows are not written",
        "Tracks.close",
        "self._write()",
        "pass",
    ),
    Mutant(
        "a recording is never closed",
        "PipelineTask.run",
        "tracks.close()",
        "pass",
    ),
    Mutant(
        "the labels stay open",
        "TrackFiles.close",
        "os.close(labels)",
        "pass",
    ),
    Mutant(
        "others may read a recording",
        "open_regular",
        "os.chmod(path, 0o600)",
        "os.chmod(path, 0o644)",
        f"{TRACKS}::test_the_files_are_their_owners_alone",
    ),
    Mutant(
        "no label tells that the protection changed",
        "Tracks.note_protection",
        "before is not None and before.protection == echo.protection",
        "before is not None",
    ),
)
