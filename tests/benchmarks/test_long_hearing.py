"""The benchmark of long streams: how they are put together, what it counts, and what it says without them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import long_hearing
from benchmarks.hearing.conditions import RATE, MissingSpeechError
from benchmarks.hearing.material import Recording, Samples, Source, bring, is_missing
from benchmarks.hearing.streams import stream, trimmed, with_speech
from voicepipe.testing.sound import speech


def tone(hertz: float, seconds: float, peak: float = 0.5) -> Samples:
    return (peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def voice() -> Samples:
    return trimmed(speech()[: 2 * RATE].astype(np.float32))


def level_db(audio: Samples) -> float:
    return float(10 * np.log10(np.square(audio).mean()))


def test_recordings_are_brought_to_one_level_and_repeated() -> None:
    made = stream("tones", [Recording("a", tone(300, 2, 0.9)), Recording("b", tone(500, 1, 0.01))], 8, -30)
    assert (made.duration_s, made.recorded_s) == (8, 3)
    assert [made.part_at(at_s) for at_s in (0, 1.9, 2.1, 3.1, 5.5)] == ["a", "a", "b", "a", "b"]
    assert level_db(made.audio[: 2 * RATE]) == pytest.approx(-30, abs=0.3)
    assert level_db(made.audio[2 * RATE : 3 * RATE]) == pytest.approx(-30, abs=0.3)


def test_prompts_come_at_each_interval_so_far_above_what_is_there() -> None:
    under = stream("tones", [Recording("a", tone(300, 10))], 60, -30)
    prompt = tone(1_000, 1, 0.3)
    mixed = with_speech(under, [prompt], 20, 10)
    assert mixed.turns == ((10, 11), (30, 31), (50, 51))
    added = mixed.audio[30 * RATE : 31 * RATE] / 32_767 - under.audio[30 * RATE : 31 * RATE]
    assert level_db(added.astype(np.float32)) == pytest.approx(-20, abs=0.3)
    assert np.array_equal(mixed.audio[12 * RATE : 29 * RATE], under.alone.audio[12 * RATE : 29 * RATE])


def test_a_prompt_loses_the_silence_at_its_ends() -> None:
    silent = np.full(RATE, 1e-4, np.float32)
    assert len(trimmed(np.concatenate([silent, tone(200, 1), silent]))) == RATE


@pytest.mark.heavy
def test_false_starts_and_turns_are_counted_in_a_stream() -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, 10 * RATE).astype(np.float32)
    result = long_hearing.figures(
        stream("hiss", [Recording("a", hiss)], 20, -40), [voice()], "silero", "balanced"
    )
    assert (result.cells, result.where) == (("0.0", "0.0", "100.0", "1.00"), "none")
    words = stream(
        "words", [Recording("b", np.concatenate([voice(), np.zeros(3 * RATE, np.float32)]))], 10, -30
    )
    result = long_hearing.figures(words, [voice()], "silero", "balanced")
    assert len(result.false) >= 2
    assert float(str(result.cells[0])) == pytest.approx(len(result.false) * 360)
    assert result.where == f"b {len(result.false)}"


def test_without_recordings_it_is_one_line_each_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert long_hearing.main(["--sounds", str(tmp_path), "--kind", "songs"]) == 2
    *missing, last = capsys.readouterr().err.splitlines()
    command = f"git clone --depth 1 https://github.com/deezer/spleeter {tmp_path}/spleeter"
    assert missing[-1] == f"long_hearing.py: without spleeter: {command}, or add --fetch"
    assert last == "long_hearing.py: no recordings to listen to: add --fetch"


def test_a_repository_is_brought_into_the_folder(tmp_path: Path) -> None:
    origin = tmp_path / "sounds"
    commands = "init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm sounds"
    origin.mkdir()
    (origin / "street.ogg").write_bytes(b"OggS")
    for command in commands:
        subprocess.run(["git", *command.split()], cwd=origin, check=True)
    source = Source(str(origin), ("*.ogg",))
    assert is_missing(source, tmp_path / "here")
    bring(source, tmp_path / "here")
    assert source.files(tmp_path / "here") == [tmp_path / "here" / "sounds" / "street.ogg"]


def test_what_cannot_be_downloaded_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingSpeechError, match=r"cannot download no-such-thing \(.+\)$") as refused:
        bring(Source("/nowhere/no-such-thing", ("*",)), tmp_path)
    assert "\n" not in str(refused.value)
