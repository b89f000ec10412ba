"""Live echo beside two busy loops: what the card counts, and what of it is the machine's.

VOICEPIPE_BUSY_S says for how long (60 is the full count). Beside the program, on a card of its own, runs
the bare duplex callback under `chrt -f 10`, and the machine's own standstills are written down: a virtual
machine whose host withholds both cores for longer than the device's buffer lasts stops everybody's sound.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from soundcard.plugging import HERE, NewCard
from soundcard.rooms import ProgramOnCard
from soundcard.stillness import Seen, seen
from soundcard.test_standing_still import busy_loops

SECONDS = float(os.environ.get("VOICEPIPE_BUSY_S", "5"))
ECHO = ("-m", "voicepipe.echo", "--live", "--rate", "48000", "--block", "480")
DUPLEX = (str(HERE / "wire.py"), "duplex", "--rate", "48000", "--block", "480")
SETTLE_S = 1.0
"""After opening. Where streams begin, they may count something."""
BLOCK_S = 0.01


def run(new_card: NewCard, latency: str) -> tuple[Seen, list[tuple[float, str]], list[tuple[float, str]]]:
    """What was seen; the unexplained overruns and underruns of the echo program, and of the control."""
    buffer_s = 2 * BLOCK_S if latency == "low" else float(latency)
    ours, bare = new_card(), new_card()
    options = ("--latency", latency)
    with (
        ProgramOnCard(ours, *ECHO, *options, "--mic", "vcard", "--speaker", "vcard", flags=()) as echo,
        ProgramOnCard(bare, *DUPLEX, *options, "--input", "vcard", "--output", "vcard", flags=()) as control,
    ):
        echo.has_opened()
        control.has_opened().is_preferred()
        time.sleep(SETTLE_S)
        with busy_loops(2), seen(ours, bare) as result:
            time.sleep(SECONDS)
        for program in (echo, control):
            assert program.send(signal.SIGINT).end().status == 0
    # Woken when a block has been played, a program has the rest of the buffer's time; and the
    # standstill that uses up half of it may come with another one, or with the program's own work.
    least_s = (buffer_s - BLOCK_S) / 2
    mine, its = (result.unexplained(card, least_s) for card in (ours, bare))
    print(
        f"\nlatency {latency}, {SECONDS:g} s, priority {'granted' if result.granted else 'refused'}: "
        f"the card counted {len(result.xruns[ours.path])} for the echo program, of them {len(mine)} beside "
        f"no standstill of the machine; {len(result.xruns[bare.path])} for the bare duplex callback, of them "
        f"{len(its)}; {len(result.stills)} standstills, the longest {1000 * result.longest_s():.1f} ms"
    )
    return result, mine, its


@pytest.mark.alone
@pytest.mark.parametrize("latency", ["low", "0.04"])
def test_live_echo_beside_two_busy_loops_loses_nothing_but_the_machines_own_time(
    new_card: NewCard, latency: str
) -> None:
    result, mine, _ = run(new_card, latency)
    if result.granted or latency != "low":
        assert mine == []
