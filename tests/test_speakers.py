"""When a run's own sound was in the speakers."""

from __future__ import annotations

from voicepipe.speakers import Speakers


def test_it_sounded_from_its_begin_to_its_end() -> None:
    speakers = Speakers()
    assert not speakers.has_sound(0.0, 100.0)
    speakers.begin("a", 1.0)
    assert not speakers.has_sound(0.0, 1.0)
    assert speakers.has_sound(0.9, 1.1)
    assert speakers.has_sound(50.0, 50.1)
    speakers.end("a", 2.0)
    assert speakers.has_sound(1.9, 2.1)
    assert speakers.has_sound(0.0, 9.0)
    assert not speakers.has_sound(2.0, 9.0)


def test_begun_twice_it_began_at_first_and_an_end_without_a_begin_is_none() -> None:
    speakers = Speakers()
    speakers.end("a", 5.0)
    assert not speakers.has_sound(0.0, 9.0)
    speakers.begin("a", 1.0)
    speakers.begin("a", 3.0)
    speakers.end("a", 4.0)
    speakers.end("a", 8.0)
    assert speakers.has_sound(1.5, 2.0)
    assert not speakers.has_sound(4.0, 9.0)


def test_it_sounds_while_one_of_several_speakers_does() -> None:
    speakers = Speakers()
    speakers.begin("a", 1.0)
    speakers.begin("b", 2.0)
    speakers.end("a", 3.0)
    assert speakers.has_sound(4.0, 5.0)
    speakers.end("b", 4.5)
    assert not speakers.has_sound(4.5, 5.0)


def test_it_remembers_no_more_than_it_needs() -> None:
    speakers = Speakers()
    for second in range(10_000):
        speakers.begin("a", second)
        speakers.end("a", second + 0.5)
    assert speakers.has_sound(9_999.0, 9_999.1)
    assert not speakers.has_sound(0.0, 1.0), "so long ago nobody asks"
