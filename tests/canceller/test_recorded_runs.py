"""Runs of which all tracks are recorded: the tracks are aligned, and nobody is recorded in secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from canceller.recordings import MIC, SPEAKER, WORDS, Rows, labels_of, rows_of
from canceller.sounds import RATE, int16, noise, voice
from voicepipe import (
    EchoCanceller,
    Interrupter,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    SpeakerOutput,
    VADProcessor,
)
from voicepipe.canceller.tracks.tracks import SPEECH
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual, speech


@pytest.mark.parametrize("wrong", [True, 1, b"talk.wav", "talk.mp3", "talk", ["talk.wav"]])
def test_tracks_must_be_the_path_of_a_wav_file(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="tracks must be the path of a"):
        PipelineTask(Pipeline([VADProcessor()]), tracks=wrong)  # type: ignore[arg-type]  # wrong on purpose


def converse(
    path: Path | None,
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
        card.mic.hear(int16(user))
        mic = microphone(card)
        stages = [mic, *behind, VADProcessor(), Interrupter(), SpeakerOutput(card.backend())]
        task = PipelineTask(Pipeline(stages), tracks=path)
        await task.queue_frame(OutputAudioFrame.from_array(int16(voice(5, 1)), rate=RATE))
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


def test_without_the_switch_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    converse(None, lambda card: MicrophoneInput(card.backend()))
    assert list(tmp_path.iterdir()) == []
    assert "recording" not in caplog.text
