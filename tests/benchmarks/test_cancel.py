"""The benchmark of the echo canceller: its measures by hand, and what it says without data."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cancel
from benchmarks.cancelling import voices
from benchmarks.cancelling.ears import Judged, Turn, noticed
from benchmarks.cancelling.goals import Goal, Line, missed, table_of
from benchmarks.cancelling.reduction import over_time, reduction_db
from benchmarks.cancelling.rooms import RATE, Floats, room
from benchmarks.cancelling.scenes import Onset, Scene, conversation, ints, listening
from benchmarks.cancelling.simulated import simulated
from benchmarks.cancelling.transcripts import compared, plain_words
from benchmarks.cancelling.voices import Said, program, said
from benchmarks.cancelling.word_lines import FAINT_DB, with_faint_noise
from benchmarks.hearing.conditions import MissingSpeechError
from voicepipe.sample import speech

FAR = np.random.default_rng(1).normal(0, 0.1, 2 * RATE).clip(-1, 1)


def test_a_tenth_of_the_echo_is_20_db_less() -> None:
    mic = ints(FAR)
    assert reduction_db(mic, ints(FAR / 10)) == pytest.approx(20, abs=0.1)
    assert reduction_db(mic, mic) == 0
    left = np.concatenate([mic[:RATE], ints(FAR[RATE:] / 100)])
    times, reduced = over_time(mic, left)
    assert reduction_db(mic, left, 1.0) == pytest.approx(40, abs=0.2)
    assert (times[0], reduced[0], times[-1]) == (1.0, 0.0, 2.0)
    assert reduced[-1] == pytest.approx(40, abs=0.2)


@pytest.mark.parametrize("seed", [2, 3])
def test_a_room_of_a_seed_is_the_same_again_and_fades(seed: int) -> None:
    first, again = room(seed, 0.3), room(seed, 0.3)
    assert (first.impulse == again.impulse).all()
    energy = np.cumsum(first.impulse[::-1] ** 2)[::-1]
    assert energy[0] == pytest.approx(1)
    at = [int(np.argmax(energy < 10 ** (-db / 10))) for db in (15, 25)]
    assert 6 * (at[1] - at[0]) / RATE == pytest.approx(0.3, rel=0.35)
    assert 0.002 * RATE <= np.flatnonzero(first.impulse)[0] <= 0.011 * RATE


@pytest.mark.parametrize("reverberation_s", [0.3, 0.6])
@pytest.mark.parametrize("seed", [2, 2_000, 5_002])
def test_a_box_passes_a_voice_and_nothing_that_no_loudspeaker_plays(
    seed: int, reverberation_s: float
) -> None:
    gains = np.abs(np.fft.rfft(room(seed, reverberation_s).impulse, RATE)) ** 2
    assert 10 * np.log10(gains[:12].mean()) < -9
    assert 10 * np.log10(gains[200:4_000].mean()) == pytest.approx(0, abs=2)


def test_faint_noise_is_the_same_each_time_and_changes_the_words_by_so_little() -> None:
    clean = ints(FAR / 2)
    noise = with_faint_noise(clean).astype(float) - clean
    assert 20 * np.log10(noise.std() / 32_768) == pytest.approx(FAINT_DB, abs=0.2)
    assert (with_faint_noise(clean) == with_faint_noise(clean)).all()


def test_an_echo_is_as_loud_as_was_asked_for_and_has_its_way() -> None:
    way = room(3, 0.3)
    scene = listening("it", FAR, [way, way], echo_db=-6.0, changed_s=[1.0])
    assert 20 * np.log10(scene.microphone().std() / 32_768) == pytest.approx(-32, abs=0.5)
    louder = Scene("it", FAR, scene.user, (scene.ways[0], 10 * scene.ways[1]), changed=scene.changed)
    mic = louder.microphone()
    assert reduction_db(mic[RATE:], mic[:RATE]) == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize(("stops_s", "sounds"), [(0.35, False), (None, True)])
def test_a_program_stops_when_the_user_talks_over_it_or_goes_on(stops_s: float | None, sounds: bool) -> None:
    word = said("word", FAR[:RATE])
    scene = conversation("it", FAR, room(3, 0.3), [word, word], echo_db=0.0, seed=1, stops_s=stops_s)
    first, second = scene.onsets
    assert first.end + 5 * RATE <= second.at <= len(scene.far) - 2 * RATE
    assert scene.far[first.at : first.at + 5_000].all()
    assert scene.far[first.at + 6_000 : first.end].any() == sounds
    assert 20 * np.log10(scene.clean[first.at : first.end].std() / 32_768) == pytest.approx(-26, abs=0.1)


def test_a_user_is_noticed_in_time_late_or_never() -> None:
    word = Said("word", FAR)
    onsets = [Onset(at * RATE, (at + 1) * RATE, word) for at in (1, 5, 9, 13)]
    turns = (Turn(1.2, 2.0), Turn(5.5, 6.0), Turn(8.0, 10.0), Turn(12.0, 12.9))
    assert noticed(Judged(turns, 0.0), onsets) == pytest.approx([0.2, 0.5, None, None])


@pytest.mark.parametrize(
    ("heard", "errors", "first"),
    [
        ("turn the light on", 0, 1),
        ("turn light on", 1, 1),
        ("the light on", 1, 0),
        ("burn the light on now", 2, 0),
        ("please turn the light on", 1, 1),
        ("", 4, 0),
    ],
)
def test_words_that_are_wrong_missing_or_too_many_are_counted(heard: str, errors: int, first: int) -> None:
    found = compared(plain_words("Turn the light on."), plain_words(heard))
    assert (found.words, found.errors, found.utterances, found.first_words) == (4, errors, 1, first)


def test_a_figure_that_falls_short_or_is_not_there_is_missed() -> None:
    figures = {"high": 30.0, "low": 10.0, "none": None}
    least, most = Goal(20.0), Goal(20.0, most=True)
    lines = [Line(n, figures, goal, n) for goal in (least, most, None) for n in figures]
    assert [(line.name, line.goal) for line in missed(lines)] == [
        ("low", least),
        ("none", least),
        ("high", most),
        ("none", most),
    ]
    assert "MISSED" in str(table_of("it", "title", lines))


def test_without_speech_or_a_model_it_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VOICEPIPE_LABELLED_SPEECH", raising=False)
    assert cancel.main(["noticed"]) == 2
    assert capsys.readouterr().err == (
        "cancel.py: noticed: no labelled speech: name its folder, or set VOICEPIPE_LABELLED_SPEECH\n"
    )
    monkeypatch.setenv("VOICEPIPE_WHISPER", "/nowhere")
    assert cancel.main(["words", "--speech", "/nowhere"]) == 2
    assert "no model of Whisper in /nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "name a line, or all"),
        ("rooms romos", "unknown line 'romos': --help lists them"),
        ("rooms --rooms 0", "argument --rooms: must be 1 or more, not 0"),
        ("rooms --seconds 3", "argument --seconds: must be 7 or more, not 3"),
        ("own-voice --minutes nan", "argument --minutes: must be 0.2 or more, not nan"),
        ("noticed --utterances many", "argument --utterances: invalid number value: 'many'"),
        ("rooms --seed -1", "argument --seed: must be 0 or more, not -1"),
        ("rooms --json /nowhere/figures.json", "there is no folder /nowhere: make it first"),
        ("--plot /nowhere/echo.svg", "there is no folder /nowhere: make it first"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_played(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cancel.main(line.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"cancel.py: error: {said}"


@pytest.mark.parametrize("way", [["--offline"], []])
def test_without_the_package_of_aec3_it_ends_with_one_line(
    way: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(voices, "_spoken", lambda random: itertools.repeat(program_of(5.0)))
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    assert cancel.main(["clipping", *way, "--rooms", "1", "--seconds", "7"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("cancel.py: clipping: ")
    assert "pywebrtc-audio" in told
    assert told.count("\n") == 1


def test_every_line_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cancel.main(["--help"])
    told = capsys.readouterr().out
    assert all(f"\n  {name:12} {about}\n" in told for name, (_, about) in cancel.LINES.items())


def test_a_scene_is_played_as_a_card_in_a_room_gives_it() -> None:
    scene = listening("it", program_of(2.0), [room(3, 0.3)], echo_db=-6.0)
    taken = simulated()(scene)
    assert set(taken.heard) == {"microphone", "AEC3 alone", "voicepipe"}
    expected = scene.microphone()
    assert np.abs(taken.mic[RATE // 2 :].astype(int) - expected[RATE // 2 :]).max() <= 2
    assert taken.told.startswith("cancelling")
    assert reduction_db(taken.mic, taken.heard["voicepipe"].ear, 1.0) > 10
    assert 0.0 < taken.heard["voicepipe"].late_s < 0.05


def program_of(seconds: float) -> Floats:
    """Return so much of the bundled voice."""
    return np.resize(np.frombuffer(speech(), "<i2") / 32_768, round(seconds * RATE))


@pytest.mark.heavy
@pytest.mark.parametrize(
    "line", [("clipping", "--offline"), ("path-change", "--offline"), ("own-voice", "--offline"), ("losses",)]
)
def test_a_line_has_figures_of_all_subjects(line: tuple[str, ...], tmp_path: Path) -> None:
    try:
        program(1.0, 1)
    except MissingSpeechError:
        pytest.skip("allowed skip: neither espeak-ng nor prompts are installed")
    figures = tmp_path / "figures.json"
    sizes = ["--rooms", "1", "--seconds", "7", "--minutes", "0.2"]
    assert cancel.main([*line, *sizes, "--json", str(figures)]) in (0, 1)
    for record in json.loads(figures.read_text()):
        assert {record["microphone"], record["AEC3 alone"], record["voicepipe"]}.isdisjoint({None})
