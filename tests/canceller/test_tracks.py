"""The recording of all tracks: aligned to the sample, private, good at any time, and never the run's end."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe import (
    AudioFormatError,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EchoCanceller,
    Interrupter,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    SpeakerOutput,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADProcessor,
)
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.canceller.tracks.track_files import NAMES, TrackFiles
from voicepipe.canceller.tracks.tracks import KEEP_S, MOST_GAP_S, SPEECH, Tracks, open_tracks
from voicepipe.report import EchoState
from voicepipe.speakers import Sounded, Speakers, Tapped
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual, speech

from .test_loudness_gate import noise, voice

RATE = 16_000
BLOCK = 160
MIC, EAR, WORDS, REFERENCE, SPEAKER, SAID = range(len(NAMES))

Rows = npt.NDArray[np.int16]


def rows_of(path: Path) -> Rows:
    with WavReader(path) as file:
        assert file.format.channels == len(NAMES)
        data = file.read(file.num_samples) if file.num_samples else b""
    return np.frombuffer(data, np.int16).reshape(-1, len(NAMES))


def labels_of(path: Path) -> list[tuple[float, float, str]]:
    lines = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return [(float(begin), float(end), text) for begin, end, text in (line.split("\t") for line in lines)]


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
    recorded.tracks.note_protection(EchoState("cancelling", "aec3"))
    recorded.hear(100)
    recorded.tracks.note_fact(BotStartedSpeakingFrame())
    recorded.hear(100)
    recorded.tracks.note_fact(BotStoppedSpeakingFrame(interrupted=True, ended_s=101.5))
    recorded.tracks.note_protection(EchoState("cancelling", "aec3", erle_db=30.0))
    recorded.tracks.note_protection(EchoState("half-duplex", "a\ttab\nand \x1b[31mmore"))
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
    recorded.tracks.note_protection(EchoState("cancelling"))
    recorded.tracks.close()
    [line] = [record.message for record in caplog.records]
    assert "talk.wav stops after" in line
    assert "No space left on device; the run goes on" in line


@pytest.mark.parametrize("wrong", [True, 1, b"talk.wav", "talk.mp3", "talk", ["talk.wav"]])
def test_tracks_must_be_the_path_of_a_wav_file(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="tracks must be the path of a"):
        PipelineTask(Pipeline([VADProcessor()]), tracks=wrong)  # type: ignore[arg-type]  # wrong on purpose


# -- in a run ------------------------------------------------------------------------


def pcm(audio: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    return np.rint(np.clip(audio, -1, 1) * 32_767).astype(np.int16)


def converse(
    path: Path,
    microphone: Callable[[SimulatedCard], MicrophoneInput],
    *behind: Processor,
    at: dict[float, Callable[[PipelineTask, MicrophoneInput], object]] | None = None,
) -> PipelineTask:
    """Let the program speak for 5 s in a room, and the user over it from the third second on."""

    async def run() -> PipelineTask:
        card = SimulatedCard()
        card.room(room_impulse(level_db=-6, seed=1))
        user = noise(7 * RATE)
        said = np.asarray(speech(), np.float64).reshape(-1)[: 2 * RATE] / 32_768
        user[3 * RATE : 3 * RATE + len(said)] += said
        card.mic.hear(pcm(user))
        mic = microphone(card)
        stages = [mic, *behind, VADProcessor(), Interrupter(), SpeakerOutput(card.backend())]
        task = PipelineTask(Pipeline(stages), tracks=path)
        await task.queue_frame(OutputAudioFrame.from_array(pcm(voice(5, 1)), rate=RATE))
        loop = asyncio.get_running_loop()
        for time_s, call in (at or {}).items():
            loop.call_later(time_s, call, task, mic)
        loop.call_later(6.0, task.end)
        await task.run()
        return task

    return run_virtual(run())


def lag(first: Rows, second: Rows) -> int:
    """Return the samples by which the second lies behind the first, where both are alike."""
    size = 1 << 17
    spectra = [np.fft.rfft(each[RATE : 5 * RATE // 2].astype(float), size) for each in (first, second)]
    place = int(np.argmax(np.fft.irfft(np.conj(spectra[0]) * spectra[1], size)))
    return place if place < size // 2 else place - size


@pytest.mark.parametrize("way", ["cancelling", "stage", "half-duplex", "headphones"])
@pytest.mark.heavy(after=1)
def test_all_tracks_of_a_conversation_are_aligned(tmp_path: Path, way: str) -> None:
    cancel = None if way in ("cancelling", "stage") else False
    mute = False if way == "headphones" else None
    behind = [EchoCanceller()] if way == "stage" else []
    path = tmp_path / "talk.wav"
    converse(path, lambda card: MicrophoneInput(card.backend(), cancel=cancel, mute=mute), *behind)
    rows, labels = rows_of(path), labels_of(path)
    mic, ear, words, reference, speaker, said = rows.T
    assert lag(speaker, mic) == pytest.approx(80, abs=2), "the way of 5 ms from speaker to microphone"
    assert lag(reference, speaker) == pytest.approx(64, abs=2), "the lead of the reference"
    tail = slice(9 * RATE // 2, 5 * RATE)  # the program is interrupted, and the user speaks on
    assert np.array_equal(words[tail], mic[tail])
    assert np.array_equal(ear[tail], mic[tail])
    assert said[: 2 * RATE].max() == 0
    assert said[3 * RATE : 4 * RATE].mean() > SPEECH / 2
    texts = [text.partition(":")[0] for _, _, text in labels]
    assert {"cancelling" if way == "stage" else way, "user", "interruption", "program, interrupted"} <= {
        *texts
    }
    level = [np.sqrt(np.mean(track[RATE : 5 * RATE // 2].astype(float) ** 2)) for track in (mic, ear)]
    assert level[1] < level[0] / 8 or way == "headphones"


@pytest.mark.heavy
def test_while_the_user_has_muted_the_microphone_nothing_of_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"

    def mute(task: PipelineTask, mic: MicrophoneInput) -> None:
        task.microphone.muted = True

    converse(path, lambda card: MicrophoneInput(card.backend()), at={2.0: mute})
    rows = rows_of(path)
    muted = slice(round(2.1 * RATE), len(rows))
    assert rows[:RATE, MIC].any()
    assert not rows[muted, : WORDS + 1].any()
    assert rows[muted, SPEAKER].any()


def test_a_run_that_does_not_start_leaves_no_file(tmp_path: Path) -> None:
    def fail(card: SimulatedCard) -> MicrophoneInput:
        card.mic.fail_start()
        return MicrophoneInput(card.backend())

    with pytest.raises(PipelineError):
        converse(tmp_path / "talk.wav", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_ends_the_run_before_a_device_is_opened(tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_text("mine")
    cards: list[SimulatedCard] = []

    def keep(card: SimulatedCard) -> MicrophoneInput:
        cards.append(card)
        return MicrophoneInput(card.backend())

    with pytest.raises(FileExistsError):
        converse(tmp_path / "talk.wav", keep)
    assert not cards[0].speaker.played()


def test_without_the_switch_nothing_is_recorded() -> None:
    task = PipelineTask(Pipeline([VADProcessor()]))

    async def run() -> None:
        asyncio.get_running_loop().call_soon(task.end)
        await task.run()

    run_virtual(run())
    assert task._run is not None
    assert task._run.course.params.speakers.tracks is None
