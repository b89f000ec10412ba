"""The table at the top of frames.py says of every frame what its class says."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from voicepipe import frames
from voicepipe.frames import ControlFrame, DataFrame, FactFrame, Frame, SystemFrame

KINDS: dict[str, type[Frame]] = {
    "data": DataFrame,
    "control": ControlFrame,
    "fact": FactFrame,
    "system": SystemFrame,
}
ABSTRACT = {Frame, *KINDS.values()}


class Row(NamedTuple):
    """What the table says of one frame."""

    frame: str
    kind: str
    interruptible: str
    made_by: str
    direction: str


def table_of(docstring: str) -> list[Row]:
    """The rows of the docstring's table: what lies between its rule and the next empty line.

    The rule's strokes are the columns' widths.
    """
    lines = docstring.splitlines()
    rule = next(number for number, line in enumerate(lines) if line and set(line) == {"-", " "})
    widths = [len(strokes) for strokes in lines[rule].split()]
    starts = [sum(widths[:column]) + 2 * column for column in range(len(widths))]
    body = lines[rule + 1 : lines.index("", rule)]
    return [
        Row(*(line[start : start + width].strip() for start, width in zip(starts, widths, strict=True)))
        for line in body
    ]


def exported_frames() -> dict[str, type[Frame]]:
    """Every frame that frames.py exports and that may travel, by name."""
    exported = {name: getattr(frames, name) for name in frames.__all__}
    return {
        name: value
        for name, value in exported.items()
        if isinstance(value, type) and issubclass(value, Frame) and value not in ABSTRACT
    }


TABLE = table_of(frames.__doc__ or "")


def test_the_table_has_every_exported_frame_once() -> None:
    assert sorted(row.frame for row in TABLE) == sorted(exported_frames())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.frame)
def test_a_row_says_what_its_class_says(row: Row) -> None:
    frame = exported_frames()[row.frame]
    kinds = [kind for kind, base in KINDS.items() if issubclass(frame, base)]
    assert kinds == (["fact", "system"] if row.kind == "fact" else [row.kind])
    assert frame.is_system is (row.kind in ("system", "fact"))
    assert frame.is_fact is (row.kind == "fact")
    assert row.interruptible == ("yes" if frame.interruptible else "no")


def test_every_cell_is_filled() -> None:
    assert [row for row in TABLE if not all(row)] == []


def test_the_reader_cuts_the_columns_at_the_rule() -> None:
    docstring = "\n".join(
        [
            "Frames.",
            "",
            "frame      kind    interruptible  made by           direction",
            "---------  ------  -------------  ----------------  ---------",
            "HornFrame  system  no             the task, a boat  up",
            "",
            "More words.",
        ]
    )
    assert table_of(docstring) == [Row("HornFrame", "system", "no", "the task, a boat", "up")]
