"""The scoring of the hearing benchmark, by cases counted by hand; and what it says without data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import hear
from benchmarks.hearing.conditions import RATE, Condition, MissingSpeechError, conditions
from benchmarks.hearing.made import made, speech_in
from benchmarks.hearing.noises import noises
from benchmarks.hearing.scoring import Detection, Score, add_up, score
from benchmarks.hearing.subjects import InARow, listen

TURNS = ((1.0, 2.0), (4.0, 6.0))


def found(*spans: tuple[float, float], late_s: float = 0.2, handed_s: float = 0.0) -> list[Detection]:
    return [Detection(a, a + late_s, a + handed_s, b, b + 0.8) for a, b in spans]


def scored(*spans: tuple[float, float], handed_s: float = 0.0) -> Score:
    return score(condition(), found(*spans, handed_s=handed_s))


def condition() -> Condition:
    return Condition("it", "clean", np.zeros(10 * RATE, np.int16), TURNS)


def test_what_is_found_to_the_frame_is_perfect() -> None:
    result = scored(*TURNS)
    assert (result.frame_f1, result.turn_f1, result.missed, result.split, result.merged) == (1, 1, 0, 0, 0)
    assert result.onsets_s == pytest.approx([0.2, 0.2])
    assert result.releases_s == pytest.approx([0.8, 0.8])
    assert result.clipped == 0
    assert result.silent_s == 7


def test_frames_beside_an_edge_do_not_count_and_others_do() -> None:
    assert scored((1.05, 2.05), TURNS[1]).frame_f1 == 1
    result = scored((1.2, 2.0), TURNS[1])
    assert (result.missed_frames, result.false_frames) == (15, 0)
    assert scored(*TURNS, (8.0, 9.0)).false_frames == 100


@pytest.mark.parametrize(
    ("spans", "right", "missed", "split", "merged", "false"),
    [
        ([], 0, 2, 0, 0, 0),
        ([(1.0, 6.0)], 0, 0, 0, 1, 0),
        ([(1.0, 1.4), (1.7, 2.0), (4.0, 6.0)], 1, 0, 1, 0, 0),
        ([(1.31, 2.0), (4.0, 6.0)], 1, 0, 0, 0, 0),
        ([(1.29, 2.29), (4.0, 6.31)], 1, 0, 0, 0, 0),
        ([(1.0, 2.0), (4.0, 6.0), (8.0, 8.5)], 2, 0, 0, 0, 1),
        ([(2.05, 2.5), (4.0, 6.0)], 1, 1, 0, 0, 0),
    ],
)
def test_turns_are_right_missed_split_merged_and_false(
    spans: list[tuple[float, float]], right: int, missed: int, split: int, merged: int, false: int
) -> None:
    result = scored(*spans)
    assert (result.right, result.missed, result.split, result.merged, result.false) == (
        right,
        missed,
        split,
        merged,
        false,
    )


def test_audio_that_is_handed_on_too_late_is_a_clipped_start() -> None:
    assert scored(*TURNS, handed_s=0.019).clipped == 0
    assert scored(*TURNS, handed_s=0.021).clipped == 100
    assert scored(*TURNS, handed_s=-0.5).clipped == 0


def test_the_ends_of_clean_speech_are_known_by_its_energy() -> None:
    audio = np.random.default_rng(1).normal(0, 1e-4, 4 * RATE)
    tone = 0.3 * np.sin(np.arange(RATE // 2) / 5)
    for at_s in (0.5, 1.15, 2.5):  # the first pause is bridged
        audio[round(at_s * RATE) :][: len(tone)] += tone
    assert speech_in(audio) == [pytest.approx((0.5, 1.65), abs=0.02), pytest.approx((2.5, 3.0), abs=0.02)]


def test_speech_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingSpeechError, match=r"^no prompts in .*: apt-get install asterisk-core"):
        made(tmp_path)


@pytest.mark.parametrize("seconds", [1, 3])
def test_noises_are_as_long_as_asked_for_and_the_same_each_time(tmp_path: Path, seconds: int) -> None:
    first, again = (noises(tmp_path, seconds * RATE) for _ in range(2))
    assert {name: len(audio) for name, audio in first.items()} == dict.fromkeys(first, seconds * RATE)
    assert all((audio == again[name]).all() and audio.std() > 0 for name, audio in first.items())


def test_the_noise_is_named_without_which_the_rest_is_worst() -> None:
    good, bad = scored(*TURNS), scored()
    assert hear.less_one({"fan": [good], "wind": [bad, good]}) == "0.67 (fan)"
    assert hear.less_one({"fan": [good]}) is None


def test_scores_add_up() -> None:
    total = add_up([scored(*TURNS), scored()])
    assert (total.turns, total.missed, total.right, total.silent_s) == (4, 2, 2, 14)
    assert total.share(total.missed) == 50
    assert total.turn_f1 == pytest.approx(2 * 2 / (4 + 2))


def test_a_condition_that_comes_later_has_its_turns_later() -> None:
    condition = Condition("c", "clean", np.ones(RATE, np.int16), ((0.25, 0.5),), "wind")
    later = condition.later(RATE // 4)
    assert (later.duration_s, later.turns, later.noise) == (1.25, ((0.5, 0.75),), "wind")
    assert later.audio.tolist() == [0] * (RATE // 4) + [1] * RATE


def test_what_most_projects_do_is_late_by_its_times() -> None:
    audio = np.zeros(4 * RATE, np.int16)
    audio[RATE : 2 * RATE] = 9_000
    row = InARow(lambda window: window.strip(b"\0") != b"", 320, 0.2, 0.8)
    (detection,), spent_s = listen(row, audio)
    assert detection == Detection(1.0, 1.2, 1.0, 2.0, 2.8)
    assert spent_s >= 0


def test_without_labelled_speech_it_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hear.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == (f"hear.py: no labelled speech in {tmp_path}: there is no set.json\n")


@pytest.mark.skipif(
    "VOICEPIPE_LABELLED_SPEECH" not in os.environ,
    reason="allowed skip: VOICEPIPE_LABELLED_SPEECH names no labelled speech",
)
def test_on_labelled_speech_the_stages_are_better_than_the_plain_detector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(os.environ["VOICEPIPE_LABELLED_SPEECH"])
    assert len(conditions(folder)) > 10
    assert hear.main([str(folder), "--only", "webrtc", "--md", str(tmp_path / "table.md")]) == 0
    shown = capsys.readouterr().out
    assert "plain webrtcvad" in shown
    assert (tmp_path / "table.md").read_text().startswith("| engine | frame F1 clean |")
