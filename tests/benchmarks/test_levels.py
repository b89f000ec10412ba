"""The benchmark of low levels: which prompts it takes, what it counts, and what it says without them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import levels
from benchmarks.hearing.prompts import COUNT, FOLDER, Prompt, at_level, prompts


def test_faults_are_what_is_missed_beyond_the_limits() -> None:
    assert list(levels.faults({-20: 2, -44: 3, -56: 5}, 0)) == []
    assert len(list(levels.faults({-20: 2, -44: 4, -56: 6}, 1))) == 3


def test_without_prompts_it_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert levels.main(["--prompts", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"levels.py: no 55 prompts in {tmp_path}: apt-get install asterisk-core-sounds-en-g722\n"
    )


def test_a_prompt_comes_at_its_level_with_its_noise() -> None:
    word = Prompt("tone", np.sin(np.arange(16_000) / 5))
    audio = at_level(word, -20)
    assert 20 * np.log10(np.abs(audio).max() / 32_767) == pytest.approx(-20, abs=0.5)
    assert 20 * np.log10(np.std(audio[:16_000]) / 32_767) == pytest.approx(-60, abs=0.5)
    assert len(np.unique(at_level(word, -90))) <= 6


def test_rooms_reach_from_a_loud_one_down_to_zeros() -> None:
    powers = sorted(float(np.abs(room).mean()) for room in levels.rooms())
    assert powers[0] == 0
    assert powers[-1] > 50


@pytest.mark.skipif(
    not (FOLDER / "hello.g722").is_file(),
    reason="allowed skip: the prompts of asterisk-core-sounds-en-g722 are not installed",
)
def test_words_of_webrtc_are_found_at_every_level() -> None:
    try:
        words = prompts()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.fail(str(error))
    assert len(words) == COUNT
    some = words[::5]
    assert [levels.count_missed("webrtc", some, peak_db, 40) for peak_db in (-20, -44, -56)] == [0, 0, 0]
