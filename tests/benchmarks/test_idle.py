"""The cost of an idle service is told apart and reckoned rightly, and the command has all its rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.idle import ROLES, Core, Count, counted, each_second, reckoned
from soundcard.plugging import soundcard_is_required

_IDLE = Path(__file__).with_name("idle.py")


def test_what_audio_costs_and_what_the_clock_costs_are_told_apart() -> None:
    per_audio_s, per_clock_s = 40e6, 0.5e6
    slower, faster = (
        Count(audio_s * per_audio_s + clock_s * per_clock_s, audio_s, clock_s)
        for audio_s, clock_s in ((1.0, 20.0), (1.7, 17.0))
    )
    assert each_second(slower, faster) == pytest.approx(per_audio_s + per_clock_s)


def test_the_kernels_share_is_that_of_this_machine() -> None:
    core = Core("a core", 1e9, 0.5)
    assert reckoned(core, 50e6, user=0.04, system=0.01) == pytest.approx(0.125)


def test_the_virtual_cards_own_work_is_not_counted_with_what_it_calls() -> None:
    dump = """
events: Ir

ob=(1) /usr/lib/libportaudio.so.2
fn=(1) callback
10 100
cob=(2) /tmp/vcard-plugin-0/abc.so
cfn=(2) vc_transfer
calls=3 +5
10 2000
cfn=(3) another of its own
calls=1 +5
10 30
fn=(4) still PortAudio's
11 1

ob=(2)
fn=(2)
20 1500
cob=(3) /usr/lib/libc.so.6
cfn=(5) memcpy
calls=9 +1
20 500

totals: 2631
"""
    assert counted(dump) == 2631 - 2000


def test_it_prints_a_row_for_each_process_and_their_sum() -> None:
    done = subprocess.run(
        [sys.executable, str(_IDLE), "--no-count", "--seconds", "0.5"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not soundcard_is_required():
        pytest.skip(f"allowed skip: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line[:22].strip(): line[22:].split() for line in done.stdout.splitlines()[2:]}
    assert list(rows) == [*ROLES, "all"]
    memory = [float(rows[role][3]) for role in (*ROLES, "all")]
    assert min(memory) > 1
    assert memory[-1] == pytest.approx(sum(memory[:-1]), abs=0.2)
