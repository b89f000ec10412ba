"""The hesitation benchmark, on the bundled voice: what it makes of a turn, and what its table says."""

from __future__ import annotations

import pytest

from benchmarks.hearing.conditions import RATE, Condition
from benchmarks.hearing.hesitations import GAPS_S, items_of, joined, room_of
from benchmarks.hesitation import Oracle, Timed, listen, main, row
from voicepipe.testing import noise, speech


def condition() -> Condition:
    """The first sentence of the bundled voice, in a quiet room."""
    audio = noise(8.0, level_db=-70.0).copy()
    audio[2 * RATE : 5 * RATE] += speech()[: 3 * RATE]
    begin_s, end_s = 2.25, 3.8
    return Condition("bundled", "clean", audio, ((begin_s, end_s),))


def test_a_turn_comes_as_it_was_said_and_with_each_hesitation() -> None:
    items = list(items_of(condition()))
    assert [item.gap_s for item in items] == [0.0, *GAPS_S]
    said = items[0].end_s
    assert [round(item.end_s - said, 1) for item in items[1:]] == list(GAPS_S)


def test_silence_cuts_the_longer_hesitations_and_the_oracle_none() -> None:
    audio, items = joined(list(items_of(condition())), room_of(condition()))
    ends = listen(audio, None, stop_s=0.7, eagerness="medium")
    shares = row("silence", items, ends, ())[2:8]
    assert shares == ("0", "0", "100", "100", "100", "0")
    timed = Timed(Oracle(items))
    name, cut, *_ = row("oracle", items, listen(audio, timed, stop_s=0.7, eagerness="medium"), timed.took_s)
    assert (name, cut) == ("oracle", "0")
    assert timed.took_s


def test_without_speech_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/nowhere"]) == 2
    assert "hesitation.py: no labelled speech in /nowhere" in capsys.readouterr().err
