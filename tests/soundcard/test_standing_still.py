"""A program that holds the interpreter's lock for 200 ms in every second, and its sound.

VOICEPIPE_STILL_S says for how long (60 is the full count), VOICEPIPE_STILL_LOAD beside how many busy loops.
And one whose processes all stand still: `tests/benchmarks/standstill.py` tells more of these.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.standing.card import echo, play
from benchmarks.standing.plan import Standstill
from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard, Samples

HOLDING = str(Path(__file__).with_name("holding.py"))
RATE = 48_000
SECONDS = float(os.environ.get("VOICEPIPE_STILL_S", "3"))
LOAD = int(os.environ.get("VOICEPIPE_STILL_LOAD", "0"))

BACK_MS = 25.0
"""Of 450; 10 on a machine with nothing else to do."""


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(loop.kill)
        yield


def noise(seconds: float, seed: int) -> Samples:
    """No sample of it is 0."""
    return np.random.default_rng(seed).integers(1, 9_000, round(seconds * RATE)).astype(np.int16)


def run(
    card: PluggedCard, backend: str, at: Path
) -> tuple[Samples, Samples, Samples, Samples, dict[str, Any]]:
    """What was to be played, what the speaker played, what was spoken, what was heard; and what it told."""
    to_play, spoken = noise(SECONDS, 1), noise(SECONDS, 2)
    (at / "play.raw").write_bytes(to_play.tobytes())
    command = [HOLDING, backend, str(SECONDS + 1.5), str(at / "play.raw"), str(at / "heard.raw")]
    with busy_loops(LOAD), ProgramOnCard(card, *command) as program:
        program.has_opened()
        begin = card.now(card.speaker)
        speaking = threading.Thread(target=program.say, args=[spoken])  # the card keeps 10 s of either
        speaking.start()
        parts = [program.heard(begin + at_s * RATE, RATE) for at_s in range(round(SECONDS) + 2)]
        speaking.join()
        ended = program.end()
    assert ended.status == 0, ended
    heard = np.frombuffer((at / "heard.raw").read_bytes(), np.int16)
    return to_play, np.concatenate(parts), spoken, heard, json.loads(ended.out.splitlines()[-1])


def gaps(whole: Samples, said: Samples) -> int:
    """Zeros within what was played; it must be whole otherwise."""
    loud = np.flatnonzero(whole)
    stretch = whole[loud[0] : loud[-1] + 1]
    np.testing.assert_array_equal(stretch[stretch != 0][: len(said)], said[: np.count_nonzero(stretch)])
    return len(stretch) - int(np.count_nonzero(stretch))


@pytest.mark.alone
def test_what_is_queued_has_no_gap_and_what_is_heard_is_whole(card: PluggedCard, tmp_path: Path) -> None:
    to_play, played, spoken, heard, told = run(card, "portaudio:outside", tmp_path)
    assert told == {"jumps": 0, "dropped": {}}
    assert gaps(played, to_play) == 0
    assert np.count_nonzero(played) == len(to_play)
    assert gaps(heard, spoken) == 0
    assert np.count_nonzero(heard) == len(spoken)


@pytest.mark.alone
def test_the_same_in_one_process_for_comparison(card: PluggedCard, tmp_path: Path) -> None:
    """It is not promised to be whole there: only the books must be true."""
    to_play, played, spoken, heard, told = run(card, "portaudio:inside", tmp_path)
    lost = len(spoken) - int(np.count_nonzero(heard))
    print(
        f"inside: {len(to_play) - int(np.count_nonzero(played))} samples not played, {lost} not heard, {told}"
    )
    assert set(told["dropped"]) <= {"mic_overflow"}


@pytest.mark.alone
@pytest.mark.heavy
def test_the_delay_of_live_sound_is_back_two_seconds_after_the_program_stood_still(card: PluggedCard) -> None:
    still = Standstill("program", (0.3, 0.15), apart_s=0.1, waits_s=0.0)
    run = play(card, echo(0.01, "--backend", "portaudio"), [still], settle_s=1.0)
    (delays,) = run.delays
    assert delays.grew_ms is not None, delays
    assert delays.grew_ms <= BACK_MS, delays
    assert run.dropped_ms["late"] > 100.0, run.dropped_ms
