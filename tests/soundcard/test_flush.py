"""An interruption and a cancel in the midst of an utterance, by the sample: the fade, the silence, the count.

VOICEPIPE_CUTS says how often it is interrupted; by default 2 times, and at a latency only that a machine with
other things to do keeps too.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundcard.plugging import HERE, PluggedCard
from soundcard.rooms import ProgramOnCard, Samples

RATE = 48_000
BLOCK_S, RAMP_S = 0.01, 0.005
RAMP = round(RAMP_S * RATE)
CUTS = int(os.environ.get("VOICEPIPE_CUTS", "2"))
LATENCIES = ["0.2", "0.06", "low"] if "VOICEPIPE_CUTS" in os.environ else ["0.2"]
ASKED_S = 0.002
"""From the request to the flush, in a program that has nothing else to do."""
SPOKEN: Samples = np.random.default_rng(1).integers(1_000, 9_000, 3 * RATE).astype(np.int16)
"""No sample is 0, and none of its ramp but the last."""


class Cut(ProgramOnCard):
    """The program that obeys."""

    def obeys(self, order: str, *, lines: int) -> dict[str, Any]:
        """What it tells about that order, in so many lines."""
        before = self.out.count("\n")
        self.write(f"{order}\n")
        if lines:
            self.says("\n", times=before + lines)
        told: dict[str, Any] = {}
        for line in self.out.splitlines()[before:]:
            told |= json.loads(line)
        return told

    def is_cut(self, order: str) -> tuple[float, dict[str, Any]]:
        """Let it speak, cut it short, and look at what was heard. Returns the seconds until silence.

        They are from the request to the last sample, and less what is promised: the device's latency and a
        block of it, which are its buffer (its period may be two of our blocks), and the ramp.
        """
        card = self.card
        begin = card.now(card.speaker)
        self.obeys("play", lines=0)
        time.sleep(0.6)  # 2 s are queued, of 3
        told = self.obeys(order, lines=2)
        until = (
            card.now(card.speaker) + card.speaker.buffer + RATE // 10
        )  # what was handed over is heard then
        played = np.array(card.heard(begin, until - begin), np.int16)
        first = int(np.flatnonzero(played)[0])
        heard = told["heard"]
        assert 0.3 * RATE < heard < 1.0 * RATE
        whole = heard - RAMP
        np.testing.assert_array_equal(played[first : first + whole], SPOKEN[:whole])
        faded = [int(SPOKEN[whole + n] * (1 - n / RAMP)) for n in range(RAMP)]
        np.testing.assert_array_equal(played[first + whole : first + heard], faded)
        assert not played[first + heard :].any(), "silence, and nothing more of it"
        at = begin + first + heard
        silent_s = card.speaker.epoch_ns / 1e9 + at / RATE - told["at_s"]
        assert (begin + first + whole - card.speaker.base) % round(BLOCK_S * RATE) == 0, (
            "it fades in a new block"
        )
        return silent_s - card.speaker.buffer / RATE - RAMP_S, told


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("backend", ["portaudio:outside", "portaudio:inside"])
def test_what_is_cut_short_fades_in_the_next_block_and_tells_how_much_was_heard(
    card: PluggedCard, tmp_path: Path, backend: str, latency: str
) -> None:
    spoken = tmp_path / "spoken.raw"
    spoken.write_bytes(SPOKEN.tobytes())
    with Cut(card, str(HERE / "cutting.py"), backend, latency, str(spoken), flags=()) as program:
        program.has_opened(mic=False)
        over = []
        for _ in range(CUTS):
            over_s, told = program.is_cut("interrupt")
            assert told["interrupted"] is True
            over.append(over_s)
        over_s, told = program.is_cut("cancel")
        assert set(told["dropped"]) == {"interrupted", "cancelled"}
        over.append(over_s)
        assert program.end().status == 0
    print(
        f"\n{backend}, {latency}: silence after the promised time by {[round(1000 * s, 1) for s in over]} ms"
    )
    assert statistics.median(over) <= ASKED_S
