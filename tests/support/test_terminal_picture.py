"""The picture of a terminal: every stretch of a colour in its place, and nothing that is no text."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from support.terminal_picture import CELL, COLOURS, MARGIN, svg

SPACE = "{http://www.w3.org/2000/svg}"


def test_a_screen_becomes_texts_in_their_places() -> None:
    picture = ET.fromstring(svg("$ <echo>\n |\x1b[32m##  \x1b[39m| \x1b[31mclipped\x1b[m\n\n", 20))
    texts = [(text.text, text.get("x"), text.get("fill")) for text in picture.iter(f"{SPACE}text")]
    places = [f"{MARGIN + column * CELL:.1f}" for column in (0, 0, 2, 6, 8)]
    assert texts == [
        ("$ <echo>", places[0], None),
        (" |", places[1], None),
        ("##  ", places[2], COLOURS["32"]),
        ("|", places[3], None),
        ("clipped", places[4], COLOURS["31"]),
    ]
    assert re.fullmatch(r"0 0 196 66", picture.get("viewBox", "")), "two rows"
