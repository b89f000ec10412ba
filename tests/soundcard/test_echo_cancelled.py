"""The echo of a real stream's sound is cancelled, and again within 2 s after whatever happens to a device."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest

from soundcard.plugging import HERE, NewCard, PluggedCard
from soundcard.rooms import ProgramOnCard
from soundcard.servers import Server
from voicepipe.testing import room_impulse

LEARNT_S = 2.0
"""Within which it cancels again, from the first echo on."""
LEAST_DB = 20.0
ECHO_DB = -50.0
"""A microphone that hears the program is louder."""
OVER_S = 1.5
"""Over which an echo is compared with what is left of it: longer than a pause between words."""
BACK_S = 8.0

pytestmark = pytest.mark.heavy


class Speaking(ProgramOnCard):
    """The program that speaks on and on, in a room."""

    def __init__(self, card: PluggedCard, device: str) -> None:
        super().__init__(card, str(HERE / "speaking.py"), device)

    def lines(self, what: str) -> list[dict[str, Any]]:
        """What it has told so far."""
        whole = self.out[: self.out.rfind("\n") + 1].splitlines()
        return [line for line in map(json.loads, whole) if line["what"] == what]

    def wait_for(self, fact: Callable[[], object], within_s: float, what: str) -> Self:
        """Wait until something is so."""
        deadline = time.monotonic() + within_s
        while not fact():
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}; {self._said}"
            time.sleep(0.05)
        return self

    def has_lost(self, times: int) -> Self:
        """Wait until it has told so often that a device was lost."""
        return self.wait_for(lambda: len(self.lines("DeviceLostFrame")) >= times, 5.0, "a loss")

    def cancels_again(self, since_s: float) -> None:
        """Wait for an echo since then; it is cancelled 2 s later."""
        first_s = self.first_echo_s(since_s)
        self.wait_for(lambda: self._reduction(first_s + LEARNT_S) is not None, 6.0, "levels")
        reduction_db = self._reduction(first_s + LEARNT_S)
        assert reduction_db is not None
        assert reduction_db >= LEAST_DB, f"{reduction_db:.1f} dB; {self._levels_since(first_s)}"

    def first_echo_s(self, since_s: float) -> float:
        """Wait for an echo that is captured since then; return its time."""

        def found() -> list[float]:
            lines = self._levels_since(since_s)
            return [line["at_s"] for line in lines if line["mic_db"] > ECHO_DB]

        self.wait_for(found, BACK_S, "an echo")
        return found()[0]

    def _levels_since(self, since_s: float) -> list[dict[str, Any]]:
        return [line for line in self.lines("level") if line["at_s"] >= since_s]

    def _reduction(self, from_s: float) -> float | None:
        """By how much the echo was less, in dB, from then on; None: that is not known yet."""
        lines = self._levels_since(from_s)[: round(OVER_S / 0.1)]
        if len(lines) < round(OVER_S / 0.1):
            return None
        mic, ear = (np.mean([10 ** (line[key] / 10) for line in lines]) for key in ("mic_db", "ear_db"))
        return float(10 * np.log10(mic / ear))


def in_room(card: PluggedCard) -> None:
    card.room(room_impulse(card.rate, level_db=-12.0, seed=3).tolist())


def test_each_side_of_a_card_is_pulled_out_in_mid_conversation(card: PluggedCard) -> None:
    in_room(card)
    with Speaking(card, "vcard") as program:
        program.has_opened().cancels_again(0.0)
        for times, which in enumerate(("speaker", "mic")):
            card.fault(which, "unplug")
            program.has_lost(times + 1)
            time.sleep(1.0)
            card.fault(which, "none")
            back_s = time.monotonic()
            program.cancels_again(back_s)
        program.write("\n").end()


def test_sound_server_is_restarted_and_then_the_device_is_changed(new_card: NewCard) -> None:
    server = Server(new_card(server="pulse"))
    in_room(server.card)
    with Speaking(server.card, "default") as program:
        program.cancels_again(0.0)
        server.kill()
        program.has_lost(2)
        server.restart()
        program.cancels_again(time.monotonic())
        for side in ("speaker", "mic"):
            program.write(f"{side} pulse\n")
            changed_s = time.monotonic()
            time.sleep(1.0)
            program.cancels_again(changed_s)
        program.write("\n").end()
