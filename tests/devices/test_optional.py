"""The parts of a stream that a back end may lack."""

from __future__ import annotations

from typing import Any

from voicepipe.devices.optional import stamps_of, take_heard
from voicepipe.speakers import Sounded


class Bare:
    """A stream of a class that does not derive from the port."""


class Endless(Bare):
    """One that always has another block."""

    stamps = "early"

    def heard(self) -> Sounded:
        return Sounded(b"\1\2", 0, 0.0)


def test_a_stream_without_a_record_has_told_nothing() -> None:
    bare: Any = Bare()
    assert list(take_heard(bare)) == []
    assert stamps_of(bare) == ""
    assert stamps_of(None) == ""


def test_a_record_without_an_end_does_not_hold_up_the_loop() -> None:
    endless: Any = Endless()
    assert 4 / 0.001 < len(list(take_heard(endless))) < 100_000
    assert stamps_of(endless) == "early"
