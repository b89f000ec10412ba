"""The picture of somebody who talks over the program shows a run, and the run is as the page says."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from support.talking_over import RATE, Talk, draw, run


def level_db(talk: Talk, place: int, from_s: float, to_s: float) -> float:
    sound = talk.rows[place][2][int(from_s * RATE) : int(to_s * RATE)]
    return 10 * float(np.log10(np.mean(sound * sound) + 1e-12))


@pytest.mark.heavy
def test_it_stops_and_hears_the_user_alone_and_keeps_the_words() -> None:
    talk = run()
    begin_s, end_s = talk.user_s[-1]
    assert 0.05 < talk.after_s < 0.4
    speaker, microphone, ear, kept = range(4)
    alone = (begin_s - 1.0, begin_s - 0.1)
    assert level_db(talk, speaker, *alone) > -35
    assert level_db(talk, microphone, *alone) - level_db(talk, ear, *alone) > 20, "the ear hears it no more"
    words = (talk.silent_s + 0.1, end_s)
    assert abs(level_db(talk, microphone, *words) - level_db(talk, kept, *words)) < 1
    assert level_db(talk, kept, begin_s, talk.silent_s) > -40, "the first word is kept"
    assert level_db(talk, speaker, *words) < -90
    root = ElementTree.fromstring(draw(talk))
    assert [each.get("class") for each in root if each.tag.endswith("path")].count("cut") == 1
    assert f"it stops after {talk.after_s:.2f} s" in "".join(root.itertext())
