"""`voicepipe latency` on real PortAudio: what it measures is so by the card's own clock."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest

from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard
from voicepipe import AudioFormat
from voicepipe.cli.parts.chirp import Chirp

RATE = 48_000
ROOM_MS = 40
COUNT = 6
AGREES_MS = 1.0


@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_it_agrees_with_the_cards_own_clock(card: PluggedCard, rate: int) -> None:
    card.echo([(ROOM_MS, 0.5)])
    options = ["--mic", "vcard", "--speaker", "vcard", "--count", str(COUNT), "--listen", "0.4", "--json"]
    options += ["--rate", str(rate)]
    with ProgramOnCard(card, "-m", "voicepipe", "latency", *options, flags=()) as program:
        ended = program.end()
    now = card.now(card.speaker)
    assert (ended.status, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert (found["chirps"], found["lost"]) == (COUNT, 0)
    epoch = card.speaker.epoch_ns * RATE / 1e9
    first = round(found["trips"][0]["began_s"] * RATE - epoch) - RATE // 100
    heard = np.array(card.heard(first, now - first), np.int16) / 32768
    chirp, differ_ms = Chirp(AudioFormat(RATE)), list[float]()
    for trip in found["trips"]:
        written = trip["began_s"] * RATE - epoch
        at = round(written) - first
        place = chirp.find(heard[at : at + round(0.5 * RATE)])
        assert place is not None
        by_the_card_ms = 1e3 * (at + place[0] + first - written) / RATE + ROOM_MS
        differ_ms.append(1e3 * trip["seconds"] - by_the_card_ms)
        assert trip["seconds"] < trip["in_hand_s"] < trip["seconds"] + 0.2
        assert trip["gain_db"] == pytest.approx(-6.0, abs=0.6)
    print(f"it differs from the card by {differ_ms} ms; {found['round_trip_ms']}")
    assert abs(statistics.median(differ_ms)) <= AGREES_MS, differ_ms
