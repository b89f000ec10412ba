"""The recording of all tracks: aligned to the sample, private, good at any time, and never the run's end."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from canceller.recordings import EAR, MIC, REFERENCE, SAID, SPEAKER, WORDS, labels_of, rows_of
from canceller.sounds import RATE
from voicepipe import (
    AudioFormatError,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.canceller.tracks.track_files import TrackFiles
from voicepipe.canceller.tracks.tracks import KEEP_S, MOST_GAP_S, SPEECH, Tracks, open_tracks
from voicepipe.report import EchoState
from voicepipe.speakers import Sounded, Speakers, Tapped

BLOCK = 160


class Tap:
    """A speaker's tap that a test fills."""

    def __init__(self) -> None:
        self.blocks: list[Tapped] = []

    def read(self, after: int) -> list[Tapped]:
        return self.blocks[after + 1 :]

    def play(self, data: bytes, position: int, sounds_s: float, rate: int = RATE) -> None:
        self.blocks.append(Tapped(len(self.blocks), 0, rate, 1, Sounded(data, position, sounds_s)))


class Recorded:
    """A recording that a test feeds: a microphone whose samples count up, block by block."""

    def __init__(self, path: Path, files: TrackFiles | None = None) -> None:
        self.path = path
        self.now_s = 100.0
        self.speakers = Speakers(lambda: self.now_s)
        if files is None:
            self.tracks = open_tracks(path, RATE, lambda: self.now_s, self.speakers)
        else:
            self.tracks = Tracks(files, RATE, lambda: self.now_s, self.speakers)
        self.position = 5_000

    def hear(self, blocks: int, far: npt.NDArray[np.float32] | None = None, *, given: bool = True) -> None:
        for _ in range(blocks):
            counting = np.arange(self.position, self.position + BLOCK).astype(np.int16).tobytes()
            self.tracks.note_heard("mic", self.position, self.now_s, counting, far)
            if given:
                self.tracks.note_given("mic", self.position, counting, counting)
            self.position += BLOCK
            self.now_s += BLOCK / RATE


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "talk.wav")


def test_every_sample_of_the_microphone_has_its_row(recorded: Recorded) -> None:
    recorded.hear(730)
    recorded.tracks.close()
    rows = rows_of(recorded.path)
    expected = np.arange(5_000, 5_000 + 730 * BLOCK).astype(np.int16)
    for track in (MIC, EAR, WORDS):
        assert np.array_equal(rows[:, track], expected)
    assert not rows[:, [REFERENCE, SPEAKER, SAID]].any()


def test_what_the_canceller_read_is_the_reference(recorded: Recorded) -> None:
    recorded.hear(10)
    recorded.hear(10, np.full(BLOCK, 0.5, np.float32))
    recorded.hear(10, np.full(BLOCK, -2.0, np.float32))
    recorded.tracks.close()
    reference = rows_of(recorded.path)[:, REFERENCE].reshape(3, -1)
    assert [set(part.tolist()) for part in reference] == [{0}, {16_384}, {-32_768}]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_a_speakers_sound_stands_where_it_sounded(recorded: Recorded, rate: int) -> None:
    tap = Tap()
    recorded.speakers.taps = (tap,)
    begin = recorded.position
    for number in range(100):  # it clicks half a second after the first sample was captured
        block = np.zeros(rate // 50, np.int16)
        if number == 25:
            block[: rate // 1_000] = 20_000
        tap.play(block.tobytes(), number * rate // 50, 100.0 + number / 50, rate)
    recorded.hear(200)
    recorded.tracks.close()
    assert begin == 5_000
    speaker = rows_of(recorded.path)[:, SPEAKER].astype(int)
    loudest = np.flatnonzero(np.abs(speaker) > 10_000)
    assert loudest[0] == pytest.approx(RATE // 2, abs=16)
    assert loudest[-1] == pytest.approx(RATE // 2 + 16, abs=16)


def test_what_sounded_to_the_end_is_recorded_though_the_speakers_are_closed_first(recorded: Recorded) -> None:
    tap = Tap()
    recorded.speakers.taps = (tap,)
    for number in range(90):
        tap.play(np.full(BLOCK, 1_000, np.int16).tobytes(), number * BLOCK, 100.0 + number * BLOCK / RATE)
        recorded.hear(1)
    recorded.speakers.taps = ()
    recorded.tracks.close()
    assert np.all(rows_of(recorded.path)[:, SPEAKER] == 1_000)


def test_what_the_speaker_tells_late_is_in_its_place(recorded: Recorded) -> None:
    tap, late = Tap(), 30
    recorded.speakers.taps = (tap,)
    for number in range(-late, 170):
        if number >= 0:
            tap.play(np.full(BLOCK, 1_000, np.int16).tobytes(), number * BLOCK, 100.0 + number * BLOCK / RATE)
        recorded.hear(1)
    recorded.tracks.close()
    assert np.all(rows_of(recorded.path)[: 170 * BLOCK, SPEAKER] == 1_000)


def test_speech_is_put_back_to_where_it_began(recorded: Recorded) -> None:
    recorded.hear(200)
    recorded.tracks.note_fact(UserStartedSpeakingFrame(5_000 + 100 * BLOCK, origin="mic"))
    recorded.hear(150)
    recorded.tracks.note_fact(UserStoppedSpeakingFrame(5_000 + 300 * BLOCK, origin="mic"))
    recorded.hear(100)
    recorded.tracks.close()
    said = rows_of(recorded.path)[:, SAID]
    assert set(said[100 * BLOCK : 300 * BLOCK].tolist()) == {SPEECH}
    assert not said[: 100 * BLOCK].any()
    assert not said[300 * BLOCK :].any()
    assert labels_of(recorded.path) == [(1.0, 3.0, "user")]


def test_facts_of_another_microphone_are_not_recorded(recorded: Recorded) -> None:
    recorded.hear(100)
    recorded.tracks.note_fact(UserStartedSpeakingFrame(5_000, origin="other"))
    recorded.tracks.note_heard("other", 7_000, 101.0, bytes(2 * BLOCK), None)
    recorded.tracks.note_given("other", 5_000, bytes(2 * BLOCK), bytes(2 * BLOCK))
    recorded.tracks.close()
    rows = rows_of(recorded.path)
    assert len(rows) == 100 * BLOCK
    assert rows[:BLOCK, WORDS].any()
    assert not rows[:, SAID].any()


def test_turns_of_the_program_and_protections_are_labels(recorded: Recorded) -> None:
    recorded.tracks.note_protection("mic", EchoState("cancelling", "aec3"))
    recorded.hear(100)
    recorded.tracks.note_fact(BotStartedSpeakingFrame())
    recorded.hear(100)
    recorded.tracks.note_fact(BotStoppedSpeakingFrame(interrupted=True, ended_s=101.5))
    recorded.tracks.note_protection("mic", EchoState("cancelling", "aec3", erle_db=30.0))
    recorded.tracks.note_protection("mic", EchoState("half-duplex", "a\ttab\nand \x1b[31mmore"))
    recorded.tracks.close()
    assert labels_of(recorded.path) == [
        (0.0, 0.0, "cancelling: aec3"),
        (1.0, 1.5, "program, interrupted"),
        (2.0, 2.0, "half-duplex: a\\ttab\\nand \\x1b[31mmore"),
    ]


@pytest.mark.parametrize("lost_s", [0.02, 1.0, 7.5, MOST_GAP_S + 100])
def test_what_was_lost_is_silence_with_a_label(recorded: Recorded, lost_s: float) -> None:
    recorded.hear(100)
    recorded.position += round(lost_s * RATE)
    recorded.now_s += lost_s
    recorded.hear(100)
    recorded.tracks.close()
    rows, in_file = rows_of(recorded.path), round(min(lost_s, MOST_GAP_S) * RATE)
    assert len(rows) == 200 * BLOCK + in_file
    assert not rows[100 * BLOCK : 100 * BLOCK + in_file].any()
    after = np.arange(recorded.position - 100 * BLOCK, recorded.position).astype(np.int16)
    assert np.array_equal(rows[-100 * BLOCK :, MIC], after)
    assert np.array_equal(rows[-100 * BLOCK :, WORDS], after)
    [(begin_s, end_s, text)] = labels_of(recorded.path)
    assert (begin_s, text) == (1.0, f"lost {lost_s:.3f} s")
    assert end_s == pytest.approx(1.0 + min(lost_s, MOST_GAP_S))


def hiss(count: int) -> npt.NDArray[np.int16]:
    return np.random.default_rng(9).integers(-3_000, 3_000, count).astype(np.int16)


def test_another_microphone_is_told_once_and_not_recorded(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    recorded.hear(50)
    for block in range(3):
        recorded.tracks.note_heard("other", 160 * block, recorded.now_s, bytes(2 * BLOCK), None)
        recorded.tracks.note_protection("other", EchoState("headphones"))
    recorded.hear(50)
    recorded.tracks.close()
    told = [each.getMessage() for each in caplog.records if "is not in it" in each.getMessage()]
    assert told == ["the recording of all tracks is of mic alone: other is not in it"]
    assert len(rows_of(recorded.path)) == 100 * BLOCK
    assert labels_of(recorded.path) == []


def test_a_run_without_a_microphone_says_that_nothing_is_recorded(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    recorded.tracks.close()
    assert "no microphone was heard" in caplog.text


@pytest.mark.parametrize("again_s", [0.05, 0.5])
def test_the_end_of_a_speakers_stream_is_there_when_another_one_has_begun(
    recorded: Recorded, again_s: float
) -> None:
    tap = Tap()
    recorded.speakers.taps = (tap,)
    sound = hiss(RATE // 2)
    for at in range(0, len(sound), BLOCK):
        tap.play(sound[at : at + BLOCK].tobytes(), at, 100.1 + at / RATE)
    begin_s = 100.6 + again_s
    tap.blocks += [
        Tapped(len(tap.blocks) + n, 1, RATE, 1, Sounded(bytes(2 * BLOCK), n * BLOCK, begin_s + n * 0.01))
        for n in range(100)
    ]
    recorded.hear(150)
    recorded.tracks.close()
    heard = rows_of(recorded.path)[:, SPEAKER]
    begin = round(0.1 * RATE)
    assert np.array_equal(heard[begin : begin + len(sound)], sound)
    assert not heard[begin + len(sound) :].any()


def test_what_a_speaker_played_last_is_there_when_it_has_closed(recorded: Recorded) -> None:
    tap = Tap()
    recorded.speakers.taps = (tap,)
    recorded.hear(48)  # it has looked at the taps after 0.25 s
    sound = hiss(RATE // 4)
    tap.play(sound.tobytes(), 0, 100.2)
    recorded.speakers.taps = ()
    recorded.tracks.close()
    begin = round(0.2 * RATE)
    assert np.array_equal(rows_of(recorded.path)[begin:, SPEAKER][: len(sound)], sound)


def test_what_comes_too_late_is_left_out(recorded: Recorded) -> None:
    recorded.hear(round(KEEP_S * 100) + 200, given=False)
    recorded.tracks.note_given("mic", 5_000, b"\1\1" * BLOCK, b"\1\1" * BLOCK)
    recorded.tracks.note_fact(UserStartedSpeakingFrame(5_000, origin="mic"))
    recorded.tracks.close()
    rows = rows_of(recorded.path)
    assert not rows[:BLOCK, WORDS].any()
    assert not rows[: 200 * BLOCK, SAID].any()
    assert rows[-1, SAID] == SPEECH
    assert labels_of(recorded.path)[0][0] == 0.0


# -- the files -----------------------------------------------------------------------


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        recorded = Recorded(tmp_path / "deep" / "er" / "talk.wav")
    finally:
        os.umask(old)
    recorded.hear(10)
    recorded.tracks.close()
    for path, mode in (("talk.wav", 0o600), ("talk.txt", 0o600), (".", 0o700), ("..", 0o700)):
        assert stat.S_IMODE((recorded.path.parent / path).stat().st_mode) == mode, path


@pytest.mark.parametrize("there", ["talk.wav", "talk.txt"])
@pytest.mark.parametrize("is_link", [True, False])
def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path, there: str, is_link: bool) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    if is_link:
        (tmp_path / there).symlink_to(target)
    else:
        (tmp_path / there).write_text("mine")
    with pytest.raises(FileExistsError, match=r"already exists: choose another name or delete it.*talk"):
        Recorded(tmp_path / "talk.wav")
    assert target.read_text() == "mine"
    assert (tmp_path / there).read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"target", there})


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "talk.wav").mkdir()
    with pytest.raises(AudioFormatError, match="is a folder"):
        Recorded(tmp_path / "talk.wav")


def test_after_a_crash_all_but_the_last_moment_is_there(recorded: Recorded) -> None:
    """Nothing is closed: what another program finds is what the system has."""
    recorded.hear(500)
    recorded.tracks.note_fact(UserStartedSpeakingFrame(5_000 + 400 * BLOCK, origin="mic"))
    recorded.hear(30)
    recorded.tracks.note_fact(UserStoppedSpeakingFrame(5_000 + 450 * BLOCK, origin="mic"))
    recorded.hear(30)
    rows = rows_of(recorded.path)
    assert len(rows) >= 560 * BLOCK - RATE // 2
    assert np.array_equal(rows[:, MIC], np.arange(5_000, 5_000 + len(rows)).astype(np.int16))
    assert set(rows[400 * BLOCK : 450 * BLOCK, SAID].tolist()) == {SPEECH}
    assert labels_of(recorded.path) == [(4.0, 4.5, "user")]
    recorded.tracks.close()


def test_a_recording_without_a_sample_leaves_no_file(recorded: Recorded) -> None:
    recorded.tracks.close()
    recorded.tracks.close()
    assert list(recorded.path.parent.iterdir()) == []


class Failing(TrackFiles):
    """Files on a disk that fails at one of the calls."""

    def __init__(self, path: Path, call: str) -> None:
        super().__init__(str(path), RATE)
        setattr(self, call, self._fail)

    def _fail(self, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["write", "rewrite", "label"])
def test_a_full_disk_stops_the_recording_and_says_so_once(
    tmp_path: Path, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded(tmp_path / "talk.wav", Failing(tmp_path / "talk.wav", call))
    recorded.hear(100)
    recorded.tracks.note_fact(UserStartedSpeakingFrame(5_000, origin="mic"))
    recorded.tracks.note_fact(UserStoppedSpeakingFrame(5_100, origin="mic"))
    recorded.hear(100)
    recorded.tracks.note_protection("mic", EchoState("cancelling"))
    recorded.tracks.close()
    [line] = [record.message for record in caplog.records]
    assert "talk.wav stops after" in line
    assert "No space left on device; the run goes on" in line


def test_a_recording_is_never_secret(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    recorded.tracks.close()
    [line] = [each for each in caplog.get_records("setup") if each.levelno == logging.WARNING]
    assert line.getMessage() == (
        f"recording the conversation into {recorded.path} and {recorded.path.with_suffix('.txt')}, "
        "which only you can read"
    )
