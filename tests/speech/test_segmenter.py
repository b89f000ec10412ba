"""Scores in, segments out: evidence, lapses, reach, splits, and a state that stays finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from voicepipe.speech.segmenter import (
    PRESETS,
    REACH_S,
    Edge,
    NoiseFloor,
    Segmenter,
    SegmenterSettings,
    preset,
    quietest,
)

WINDOW_S = 0.01
VALUES = {"#": 1.0, "+": 0.45, "-": 0.3, ".": 0.0}


def segmenter(**settings: Any) -> Segmenter:
    """Windows of 10 ms: 4 votes begin a segment, 2 keep it going after a lapse, 6 against it end it."""
    return Segmenter(SegmenterSettings(**{"start_s": 0.05, "stop_s": 0.06, **settings}), WINDOW_S)


def edges(scores: str | Iterable[float], **settings: Any) -> list[tuple[int, int]]:
    """After which window which edge was certain."""
    finder = segmenter(**settings)
    numbers = [VALUES[c] for c in scores] if isinstance(scores, str) else scores
    return [(n, edge.at) for n, score in enumerate(numbers, 1) for edge in finder.add(score)]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("....####.........", [(8, 4), (14, 8)]),
        ("....###..........", []),  # a knock
        ("....##.###.......", [(10, 4), (16, 10)]),  # a soft place in a word
        ("....#..#.##......", []),
        ("....#.####.......", [(10, 4), (16, 10)]),
        ("#####.....#####......", [(4, 0), (21, 15)]),  # a pause shorter than the limit
        ("#####......#####......", [(4, 0), (11, 5), (15, 11), (22, 16)]),  # as long as the limit
        ("#####.....#..#..#", [(4, 0), (12, 5)]),  # votes so rare do not hold it
        ("#####.....###......", [(4, 0), (19, 13)]),
        ("#####.....##.......", [(4, 0), (18, 12)]),
        ("#####.....#.....", [(4, 0), (12, 5)]),  # a single vote does not hold it
    ],
)
def test_votes_begin_and_end_a_segment(scores: str, expected: list[tuple[int, int]]) -> None:
    assert edges(scores) == expected


def test_a_score_between_holds_a_segment_and_begins_none() -> None:
    assert edges("++++++++++++") == []
    assert edges("+++#") == [(4, 0)]
    assert edges("####++++++......") == [(4, 0), (16, 10)]
    assert edges("####------......") == [(4, 0), (10, 4)]


def test_a_beginning_takes_its_run_up_along() -> None:
    assert edges("..--####") == [(8, 2)]
    assert edges("..-.####") == [(8, 4)]
    assert edges("-" * 30 + "####") == [(34, 30 - 16)]


def test_a_beginning_reaches_back_over_a_burst_that_would_have_been_held() -> None:
    assert edges("..##....####") == [(12, 2)]
    assert edges("..#.....####") == [(12, 8)]  # a click
    assert edges("..##......####") == [
        (14, 10)
    ]  # as far as the limit: it would have been a segment of its own


def test_a_reach_stays_behind_the_segment_before_and_within_a_second() -> None:
    # Its last votes held nothing any more: they are free, and the next segment may have them.
    assert edges("####......####") == [(4, 0), (10, 4), (14, 10)]
    burst = "##.." * 60
    ((_, begin),) = edges(burst + "####", stop_s=1.0)[:1]
    assert len(burst) - begin <= (REACH_S + 0.1) / WINDOW_S


def test_votes_for_one_segment_do_not_count_for_the_next() -> None:
    votes = "#######" + ".." + "##"
    assert edges(votes, start_s=0.1, stop_s=0.02) == [(7, 0), (9, 7)]


def test_a_single_window_is_enough_where_nothing_else_was_asked_for() -> None:
    assert edges("..#..", start_s=0, stop_s=0) == [(3, 2), (4, 3)]


def test_what_is_too_short_is_no_segment() -> None:
    assert edges("....######.........", min_s=0.08) == []
    assert edges("....########.........", min_s=0.08) == [(12, 4), (18, 12)]


def test_edges_alternate_and_go_forward_only() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        start_s, stop_s = (float(x) for x in random.uniform(0, 0.3, 2))
        max_s = None if random.random() < 0.5 else 1.0
        settings = SegmenterSettings(start_s, stop_s, max_s=max_s)
        finder = Segmenter(settings, WINDOW_S, gives_probability=bool(random.random() < 0.5))
        last, speaking = 0, False
        scores = random.random(600) ** float(random.uniform(0.3, 3))
        for score in scores:
            for edge in finder.add(float(score), float(random.normal(-40, 10))):
                assert edge.begins is not speaking
                assert last <= edge.at <= finder.windows
                last, speaking = edge.at, edge.begins
            assert finder.speaking is speaking
        for edge in finder.finish():
            assert not edge.begins
            assert edge.at == finder.windows
        assert not finder.speaking
        assert not finder.finish()


# Probabilities

WINDOW_OF_32_MS = 0.032
QUIET = [0.0] * 200


def likely(**settings: Any) -> Segmenter:
    """Windows of 32 ms, as a network judges them: about 2.2 likely ones begin a segment, 22 others end it."""
    return Segmenter(SegmenterSettings(**settings), WINDOW_OF_32_MS, gives_probability=True)


def begins(scores: Iterable[float], levels_db: Iterable[float] = (), **settings: Any) -> int | None:
    """After which window of these it was certain; None: after none."""
    finder = likely(**settings)
    levels = iter(levels_db)
    for n, score in enumerate(scores, 1):
        if finder.add(score, next(levels, 0.0)):
            return n
    return None


@pytest.mark.parametrize(
    ("score", "windows"), [(0.99, 1), (0.98, 1), (0.9, 2), (0.8, 2), (0.7, 3), (0.6, 5), (0.51, 12)]
)
def test_the_surer_it_is_the_less_of_it_begins_a_segment(score: float, windows: int) -> None:
    assert begins([score] * 50) == windows


@pytest.mark.parametrize("score", [0.49, 0.4, 0.1, 0.0])
def test_what_is_no_more_than_possible_begins_none(score: float) -> None:
    assert begins([score] * 500) is None
    assert begins([score, score, 0.6] * 100 if score < 0.3 else []) is None


@pytest.mark.parametrize(
    ("before", "windows"), [([0.0] * 200, 1), ([0.2] * 200, 2), ([], 2), ([0.9, *QUIET], 1)]
)
def test_in_a_calm_room_one_likely_window_is_enough(before: list[float], windows: int) -> None:
    finder = likely()
    for score in before:
        for edge in finder.add(score):
            assert edge.at in (0, 1)  # the turn that came before
    assert [bool(finder.add(0.8)) for _ in range(windows)] == [False] * (windows - 1) + [True]


def test_a_noise_that_the_engine_half_believed_makes_it_ask_for_more() -> None:
    assert begins([*QUIET, 0.8]) == 201
    assert begins([*QUIET, *[0.45] * 8, 0.0, 0.0, 0.8]) is None
    assert begins([*QUIET, *[0.45] * 8, *QUIET, 0.8]) == 409


BANG = [0.45, 0.9, 0.95, 0.9, 0.6, 0.2]
"""A network remembers a bang for some windows."""


@pytest.mark.parametrize("loud_db", [-10.0, -30.0, -50.0])
@pytest.mark.parametrize("fall_db", [7.0, 12.0, 20.0])
def test_a_sound_that_is_over_begins_nothing_however_sure_the_engine_is(
    loud_db: float, fall_db: float
) -> None:
    quiet = [-80.0] * len(QUIET)
    falling = [loud_db - fall_db * n for n in range(len(BANG))]
    assert begins([*QUIET, *BANG], [*quiet, *falling]) is None
    assert begins([*QUIET, *BANG], [*quiet, *[loud_db - n for n in range(len(BANG))]]) == 202


def ends(scores: Iterable[float], levels_db: Iterable[float] = (), **settings: Any) -> int:
    """Where a segment ends that begins with 20 sure windows."""
    finder = likely(**settings)
    levels = iter(levels_db)
    for _ in range(20):
        finder.add(0.99)
    for score in scores:
        for edge in finder.add(score, next(levels, 0.0)):
            return edge.at
    raise AssertionError("it has not ended")


@pytest.mark.parametrize(
    ("lapse", "behind", "end"),
    [
        ([], [0.6, 0.5, 0.7], 23),  # no lapse yet: all of it is one sound
        ([0.3], [0.6, 0.9], 23),  # a soft place
        ([0.0] * 10, [0.98], 31),  # as sure as for a beginning
        ([0.0] * 10, [0.8, 0.8, 0.8], 33),
        ([0.0] * 10, [0.9], 20),  # a bang
        ([0.0] * 10, [0.8, 0.7, 0.4], 20),
        ([0.1] * 10, [0.55] * 5, 20),
    ],
)
def test_after_a_lapse_going_on_takes_as_much_as_a_beginning(
    lapse: list[float], behind: list[float], end: int
) -> None:
    assert ends([*lapse, *behind, *QUIET]) == end


def test_a_bang_within_a_turn_does_not_hold_it_open() -> None:
    pause = [0.0] * 15
    levels = [-70.0] * 15 + [-20.0, -30.0, -42.0, -54.0, -66.0, -70.0]
    assert ends([*pause, *BANG, *QUIET], levels) == 20
    assert ends([*pause, *BANG, *QUIET]) > 35


def test_a_soft_ending_is_an_ending() -> None:
    assert ends([0.43, 0.41, 0.42, 0.44, *[0.43] * 100]) == 20
    assert ends([0.7, 0.5, 0.47, 0.3, *QUIET]) == 23


def test_time_does_not_run_out_in_a_window_of_likely_speech() -> None:
    assert ends([*[0.0] * 21, 0.8, 0.8, 0.8, *QUIET]) == 44
    assert ends([*[0.0] * 22, 0.8, 0.8, 0.8, *QUIET]) == 20


def test_a_beginning_reaches_back_over_a_short_break_and_no_further() -> None:
    def begin(pause: int) -> int:
        finder = likely()
        scores = [*[0.2] * 100, 0.55, 0.55, 0.4, *[0.0] * pause, 0.99]
        return next(edge.at for score in scores for edge in finder.add(score))

    burst = 100 - 8  # with what rises to it
    assert [begin(pause) for pause in (5, 12, 16)] == [burst] * 3
    assert [begin(pause) for pause in (17, 21)] == [103 + 17, 103 + 21]


def test_evidence_that_hovers_reaches_back_no_further_than_a_second() -> None:
    hovering = [0.6, 0.3] * 500
    finder = likely()
    found = [(finder.windows, edge.at) for score in [*hovering, 0.99] for edge in finder.add(score)]
    ((now, at),) = found
    assert now - at <= (REACH_S + 0.14 + 0.1) / WINDOW_OF_32_MS + 1


def test_nothing_holds_a_segment_beyond_its_silence() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        stop_s = float(random.uniform(0, 1))
        finder = Segmenter(
            SegmenterSettings(float(random.uniform(0, 1)), stop_s),
            WINDOW_OF_32_MS,
            gives_probability=bool(random.random() < 0.5),
        )
        for score in random.random(int(random.integers(1, 200))):
            finder.add(float(score), float(random.normal(-40, 10)))
        for _ in range(max(1, round(stop_s / WINDOW_OF_32_MS))):
            finder.add(0.0, -60.0)
        assert not finder.speaking


# Splits


def test_a_long_segment_is_split_at_the_quietest_place_of_its_last_third() -> None:
    finder = segmenter(max_s=1.5)
    found: list[tuple[int, Edge]] = []
    for n in range(400):
        level_db = -60.0 if n % 150 in (40, 41, 42, 120, 121, 122) else -20.0
        found += [(n + 1, edge) for edge in finder.add(1.0, level_db)]
    assert found[:3] == [
        (4, Edge(True, 0)),
        (150, Edge(False, 121, is_split=True)),
        (150, Edge(True, 121, is_split=True)),
    ]
    parts = [edge.at for _, edge in found if edge.begins]
    assert all(0 < b - a <= 150 for a, b in pairwise(parts))


def test_the_quietest_place_is_a_stretch_and_the_last_of_several() -> None:
    assert quietest([-20, -90, -20, -20, -40, -41, -40, -20]) in (1, 2, 5)
    assert quietest([-20.0, -50, -50, -50, -20, -50, -50, -50, -20]) == 6
    assert quietest([-20.0]) == 0
    assert quietest([-20.0, -30.0]) == 1


# Noise


def test_the_noise_floor_is_what_is_lowest_for_a_while() -> None:
    floor = NoiseFloor(WINDOW_S)
    assert floor.level_db == -96
    for _ in range(100):
        floor.add(-50.0)
    for _ in range(200):
        floor.add(-20.0)
    assert floor.level_db == pytest.approx(-50, abs=0.1)
    for _ in range(300):
        floor.add(-20.0)
    assert floor.level_db == pytest.approx(-20, abs=0.5)
    for _ in range(50):
        floor.add(-70.0)
    assert floor.level_db == pytest.approx(-70, abs=0.1)


def test_a_gate_lets_only_what_is_louder_than_the_noise_count() -> None:
    def found(gate_db: float) -> int:
        finder = segmenter(gate_db=gate_db)
        quiet = [finder.add(1.0 if n > 20 else 0.0, -50.0) for n in range(100)]
        return sum(map(len, quiet))

    assert found(0) == 1
    assert found(3) == 0
    finder = segmenter(gate_db=3)
    loud = [finder.add(float(n > 50), -30.0 if n > 50 else -50.0) for n in range(100)]
    assert sum(map(len, loud)) == 1


@pytest.mark.parametrize("gate_db", [0.0, 3.0, 6.0, 12.0, 40.0])
def test_a_gate_ends_nothing(gate_db: float) -> None:
    finder = segmenter(gate_db=gate_db)
    for n in range(60):
        finder.add(float(n >= 50), -20.0 if n >= 50 else -80.0)
    assert finder.speaking
    assert not any(finder.add(float(n % 6 > 2), -80.0) for n in range(60))  # after lapses too
    assert finder.speaking


# What is no number


@pytest.mark.parametrize("score", [math.nan, -math.inf, -5.0])
@pytest.mark.parametrize("level_db", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_number_is_no_speech_and_leaves_no_trace(score: float, level_db: float) -> None:
    finder = segmenter(max_s=1.0, gate_db=3)
    for _ in range(500):
        assert not finder.add(score, level_db)
    for _ in range(200):
        finder.add(0.0, -50.0)
    found = [edge for n in range(8) for edge in finder.add(1.0, -20.0)]
    assert [edge.begins for edge in found] == [True]
    assert math.isfinite(finder.noise.level_db)


def test_a_score_beyond_one_counts_as_one() -> None:
    assert edges([math.inf] * 5 + [0.0] * 20) == edges([1.0] * 5 + [0.0] * 20) != []


def test_after_a_reset_nothing_before_counts() -> None:
    random = np.random.default_rng(2)
    scores = [float(x) for x in random.random(300)]
    used, new = segmenter(max_s=1.0, gate_db=1.0), segmenter(max_s=1.0, gate_db=1.0)
    for score in scores:
        used.add(score, 100 * score - 90)
    used.reset()
    assert [used.add(s, -30 * s) for s in scores] == [new.add(s, -30 * s) for s in scores]


# Settings


def test_presets_differ_in_patience() -> None:
    responsive, balanced, patient = (PRESETS[n] for n in ("responsive", "balanced", "patient"))
    assert responsive.stop_s < balanced.stop_s < patient.stop_s
    assert responsive.start_s < balanced.start_s < patient.start_s
    assert preset("patient", stop_s=2.0, start_s=None) == SegmenterSettings(patient.start_s, 2.0)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^unknown preset 'eager'; choose responsive, balanced, patient$"):
        preset("eager")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_s": 1.5}, "^min_s must be a finite number from 0 to 1, not 1.5$"),
        ({"max_s": 0.5}, "^max_s must be a finite number"),
        ({"max_s": math.nan}, "^max_s must be a finite number"),
        ({"gate_db": -1}, "^gate_db must be a finite number from 0 to 40, not -1$"),
        ({"gate_db": math.inf}, "^gate_db must be"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_by_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegmenterSettings(**wrong)
