"""Reckons a day of live audio between two clocks, and prints how full the queue was.

    python tests/long/drift_day.py [HOURS]

The world here is made of times and lengths only: a writer that the microphone's clock drives,
a reader that the speaker's drives, and the controller between them.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from voicepipe.drift.drift import FillController
from voicepipe.drift.stretch import SLEW_PPM_PER_S
from voicepipe.drift.surplus import Surplus

MINUTE_S = 60.0
_EPSILON_S = 1e-9


@dataclass(frozen=True, slots=True)
class World:
    """How audio comes and goes. Times are the speaker's; its clock is the true one."""

    ppm: float = 0.0
    """How much faster the microphone's clock runs."""
    writes_s: float = 0.02
    """Seconds of audio in a block of the microphone."""
    reads_s: float = 0.02
    """Seconds of audio that the speaker takes at once."""
    jitter_s: float = 0.0
    """A write comes up to so much late."""
    stall_s: float = 0.0
    """For so long the loop stands still, now and then: nothing is written, and then all at once."""
    cushion: bool = True
    """Silence of the target's length goes before the first block."""
    seed: int = 0
    blocks: int = 1
    """How many blocks the speaker takes at once."""

    def __str__(self) -> str:
        return (
            f"{self.ppm:+5.0f} ppm, {self.writes_s * 1e3:2.0f}/{self.reads_s * 1e3:2.0f} ms, "
            f"jitter {self.jitter_s * 1e3:2.0f} ms, stalls {self.stall_s * 1e3:3.0f} ms, "
            f"{'cushion' if self.cushion else 'none   '}"
        )


@dataclass(slots=True)
class Figures:
    """What was seen after the first minute."""

    underruns: int = 0
    early_underruns: int = 0
    """In the first minute."""
    least_s: float = math.inf
    """The least fill before a write."""
    most_s: float = 0.0
    """The largest fill before a write."""
    least_level: float = math.inf
    """The least smoothed fill, in targets."""
    most_level: float = 0.0
    most_ppm: float = 0.0
    """The largest correction of the audio, either way; from the beginning on."""
    least_latency_s: float = math.inf
    most_latency_s: float = -math.inf
    """From a write to the air, less what never changes; after the first ten minutes."""
    engaged_s: float = 0.0
    """For how long audio was being corrected; from the beginning on."""

    def note(self, now_s: float, passed_s: float, ppm: float, dry: int) -> None:
        """One write."""
        if dry and now_s > MINUTE_S:
            self.underruns += dry
        elif dry:
            self.early_underruns += dry
        if ppm:
            self.engaged_s += passed_s
            self.most_ppm = max(self.most_ppm, abs(ppm))

    def note_fill(self, fill_s: float, level: float) -> None:
        """What waits before a write, and smoothed in targets."""
        self.least_s = min(self.least_s, fill_s)
        self.most_s = max(self.most_s, fill_s)
        self.least_level = min(self.least_level, level)
        self.most_level = max(self.most_level, level)

    def note_latency(self, latency_s: float) -> None:
        """Of what is written now."""
        self.least_latency_s = min(self.least_latency_s, latency_s)
        self.most_latency_s = max(self.most_latency_s, latency_s)

    @property
    def kept(self) -> bool:
        """What is promised was kept."""
        return self.held and self.underruns == 0

    @property
    def held(self) -> bool:
        """What is promised was kept, but for the dry runs of stalls."""
        held = 0.25 <= self.least_level <= self.most_level <= 2.0
        return held and self.most_ppm <= 500.0 and self.cents < 1.0

    @property
    def cents(self) -> float:
        """The largest change of pitch."""
        return 1200 * math.log2(1 + self.most_ppm * 1e-6)

    def __str__(self) -> str:
        return (
            f"fill {self.least_s * 1e3:5.1f} to {self.most_s * 1e3:5.1f} ms, "
            f"smoothed {self.least_level:.2f} to {self.most_level:.2f} targets, "
            f"underruns {self.early_underruns}+{self.underruns}, at most {self.most_ppm:3.0f} ppm "
            f"= {self.cents:.2f} cents, corrected {self.engaged_s / 3600:5.2f} h"
        )


class _Writer:
    """When the blocks of the microphone reach the speaker's stage."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._block_s = world.writes_s / (1 + world.ppm * 1e-6)
        self._stall_from_s = 20.0 if world.stall_s else math.inf
        self._last_s = 0.0
        self.age_s = 0.0
        """How late the last one came."""

    def time_of(self, block: int) -> float:
        """When the next one comes: asked for in order."""
        world = self._world
        when_s = block * self._block_s + self._rng.random() * world.jitter_s
        if when_s >= self._stall_from_s:
            until_s = self._stall_from_s + world.stall_s
            if when_s < until_s:
                when_s = until_s
            else:  # a second one within the first minute, then every few minutes
                later_s = 20.0 if when_s < MINUTE_S / 2 else self._rng.uniform(60, 600)
                self._stall_from_s = until_s + later_s
        self._last_s = max(self._last_s, when_s)
        self.age_s = self._last_s - block * self._block_s
        return self._last_s


class _Reader:
    """What waits for the speaker, which takes a block whenever its clock says so."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._block_s = world.reads_s
        self._at_s = rng.random() * world.reads_s
        self.fill_s = 0.0

    @property
    def last_s(self) -> float:
        """When it last took some."""
        return self._at_s - self._block_s

    def latency_s(self, now_s: float) -> float:
        """When what is written now will sound: what was taken plays on, silence and all, without a break."""
        return self.last_s + self.fill_s - now_s

    def read_until(self, now_s: float) -> int:
        """How many blocks got less than their length since the last time."""
        dry = 0
        while self._at_s < now_s:
            self._at_s += self._block_s
            self.fill_s -= self._block_s
            if self.fill_s < 0.0:
                dry += self.fill_s < -_EPSILON_S
                self.fill_s = 0.0
        return dry


def live(world: World, hours: float, controller: FillController | None = None) -> Figures:
    """So many hours of it."""
    rng = random.Random(world.seed)
    controller = controller or FillController(world.reads_s / world.blocks)
    surplus = Surplus(world.reads_s / world.blocks, follows=True)
    base_s = controller.target_s
    figures, writer, reader = Figures(), _Writer(world, rng), _Reader(world, rng)
    last_s, ppm = writer.time_of(0), 0.0
    reader.read_until(last_s)
    controller.observe(last_s, 0.0, since_s=last_s - reader.last_s)
    lacks_s = controller.target_s - controller.even_s(0.0, last_s - reader.last_s)
    reader.fill_s = world.writes_s + (lacks_s if world.cushion else 0.0)
    for block in count(1):
        now_s = writer.time_of(block)
        if now_s > hours * 3600:
            break
        dry = reader.read_until(now_s)
        since_s = now_s - reader.last_s
        even_s = controller.even_s(reader.fill_s, since_s)
        spare_s = min(reader.fill_s, even_s - base_s + controller.band_s / 2)
        late_s = surplus.observe(now_s, even_s + writer.age_s, spare_s, world.writes_s)
        if late_s:
            surplus.left_out(late_s)
            reader.fill_s -= late_s
        controller.target_s = base_s + surplus.raised_s
        if surplus.is_pending:
            wish = controller.hold(now_s)
        else:
            wish = controller.observe(now_s, reader.fill_s, since_s=since_s)
        most = SLEW_PPM_PER_S * (now_s - last_s)  # as the stretcher moves
        ppm = max(ppm - most, min(ppm + most, wish))
        figures.note(now_s, now_s - last_s, ppm, dry)
        if now_s > MINUTE_S:
            figures.note_fill(reader.fill_s, controller.level_s / controller.target_s)
        if now_s > 10 * MINUTE_S:
            figures.note_latency(reader.latency_s(now_s))
        reader.fill_s += world.writes_s / (1 + ppm * 1e-6)
        last_s = now_s
    return figures


def main(hours: float = 24.0) -> int:
    """Print the table. Returns 1 where a promise was broken, else 0."""
    broken = 0
    worlds = [
        World(ppm, writes_s, reads_s, jitter_s, cushion=cushion)
        for ppm, (writes_s, reads_s, jitter_s, cushion) in product(
            (-150, -50, -5, 0, 5, 50, 150),
            ((0.02, 0.02, 0.0, True), (0.02, 0.02, 0.003, False), (0.032, 0.01, 0.01, True)),
        )
    ]
    worlds += [World(ppm, stall_s=0.1, jitter_s=0.003) for ppm in (-150, 0, 150)]
    for world in worlds:
        began_s = time.perf_counter()
        figures = live(world, hours)
        kept = figures.held if world.stall_s else figures.kept
        broken += not kept
        verdict = "" if kept else "  BROKEN"
        print(f"{world}: {figures}{verdict}  ({time.perf_counter() - began_s:.0f} s)", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Reckon a day of live audio between two clocks.")
    parser.add_argument("hours", type=float, nargs="?", default=24.0, help="how long; 24 by default")
    sys.exit(main(parser.parse_args().hours))
