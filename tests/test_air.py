"""When a run's own sound was in the air."""

from __future__ import annotations

from voicepipe.air import Air


def test_it_sounded_from_its_begin_to_its_end() -> None:
    air = Air()
    assert not air.has_sound(0.0, 100.0)
    air.begin("a", 1.0)
    assert not air.has_sound(0.0, 1.0)
    assert air.has_sound(0.9, 1.1)
    assert air.has_sound(50.0, 50.1)
    air.end("a", 2.0)
    assert air.has_sound(1.9, 2.1)
    assert air.has_sound(0.0, 9.0)
    assert not air.has_sound(2.0, 9.0)


def test_begun_twice_it_began_at_first_and_an_end_without_a_begin_is_none() -> None:
    air = Air()
    air.end("a", 5.0)
    assert not air.has_sound(0.0, 9.0)
    air.begin("a", 1.0)
    air.begin("a", 3.0)
    air.end("a", 4.0)
    air.end("a", 8.0)
    assert air.has_sound(1.5, 2.0)
    assert not air.has_sound(4.0, 9.0)


def test_it_sounds_while_one_of_several_speakers_does() -> None:
    air = Air()
    air.begin("a", 1.0)
    air.begin("b", 2.0)
    air.end("a", 3.0)
    assert air.has_sound(4.0, 5.0)
    air.end("b", 4.5)
    assert not air.has_sound(4.5, 5.0)


def test_it_remembers_no_more_than_it_needs() -> None:
    air = Air()
    for second in range(10_000):
        air.begin("a", second)
        air.end("a", second + 0.5)
    assert air.has_sound(9_999.0, 9_999.1)
    assert not air.has_sound(0.0, 1.0), "so long ago nobody asks"
