"""The echo program on a card that is pulled out, vanishes, stalls or breaks, and comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from soundcard.conversation import BACK_S, LOST_S, Conversation
from soundcard.plugging import HERE, PluggedCard
from soundcard.rooms import ProgramOnCard
from voicepipe.endpoints.search import WAIT_S

CYCLES = int(os.environ.get("VOICEPIPE_CYCLES", "15"))
"""How often a microphone and a speaker are opened and closed; the full count is 150."""
ABSENT_S = 0.5
"""How long a device is away after its loss was told."""
BUSY_S = 1.5
"""How long it is then in use by another program."""


@pytest.fixture
def echo(card: PluggedCard) -> Iterator[Conversation]:
    with Conversation(card, "vcard") as program:
        yield program.is_listening()


def survives(echo: Conversation, which: str, kind: str, *, busy_s: float = 0.0) -> None:
    """A fault happens and passes, and the conversation goes on until Ctrl-C."""
    echo.card.fault(which, kind)
    echo.tells("is lost", within_s=LOST_S)
    time.sleep(ABSENT_S)
    if busy_s:
        echo.card.fault(which, "busy")
        time.sleep(busy_s)
    echo.card.fault(which, "none")
    # Whoever found it busy looks again up to 3 s later.
    echo.is_answered(BACK_S + (WAIT_S if busy_s else 0.0))
    echo.ctrl_c()


@pytest.mark.parametrize(
    ("which", "kind"),
    [
        ("both", "unplug"),
        ("mic", "vanish"),
        ("speaker", "vanish"),
        ("mic", "stall"),
        ("speaker", "stall"),
        ("mic", "break"),
        ("speaker", "break"),
    ],
)
def test_a_device_lost_while_it_listens_is_waited_for(echo: Conversation, which: str, kind: str) -> None:
    survives(echo, which, kind)


@pytest.mark.parametrize(("which", "kind"), [("both", "unplug"), ("speaker", "break")])
def test_a_device_lost_while_it_plays_is_waited_for(echo: Conversation, which: str, kind: str) -> None:
    survives(echo.is_playing(), which, kind)


def test_a_card_that_is_busy_at_its_return_is_waited_for(echo: Conversation) -> None:
    survives(echo, "both", "unplug", busy_s=BUSY_S)


@pytest.mark.parametrize("kind", ["unplug", "break"])
def test_ctrl_c_while_the_card_is_lost(echo: Conversation, kind: str) -> None:
    echo.card.fault("both", kind)
    echo.tells("is lost", within_s=LOST_S)
    echo.ctrl_c()


def test_ctrl_c_while_it_plays_to_a_speaker_that_stands_still(echo: Conversation) -> None:
    """At once: before the loss can be known."""
    echo.is_playing().card.fault("speaker", "stall")
    echo.ctrl_c(statuses=(0, 1))


def test_a_killed_program_leaves_no_helper(echo: Conversation) -> None:
    echo.is_killed_with_all_its_helpers()


def test_opening_and_closing_leaves_nothing_behind(card: PluggedCard) -> None:
    with ProgramOnCard(card, str(HERE / "cycling.py"), "vcard", str(CYCLES)) as program:
        for times in range(CYCLES):
            program.says("\n", times=times + 1)
        ended = program.end()
    assert ended.status == 0, ended
    cycles = [tuple(map(int, line.split())) for line in ended.out.splitlines()]
    assert len(cycles) == CYCLES
    descriptors, children, bytes_used = zip(*cycles[min(20, CYCLES // 3) :], strict=True)
    assert len(set(descriptors)) == 1, f"descriptors: {descriptors}"
    assert len(set(children)) == 1, f"child processes: {children}"
    assert bytes_used[-1] - bytes_used[0] < 5_000_000, f"bytes: {bytes_used}"
