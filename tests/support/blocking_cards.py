"""The simulated card with its faults as a library whose calls block, for tests.

Each function makes one; a sound process calls it by its name.
"""

from __future__ import annotations

import os

from support.blocking_card import BlockingCard
from voicepipe_devices.fake import SimulatedCard


def card() -> BlockingCard:
    """The simulated one, and well."""
    return BlockingCard()


def card_that_is_unplugged() -> BlockingCard:
    def unplug(card: SimulatedCard) -> None:
        card.mic.unplug()
        card.speaker.unplug()

    return BlockingCard(then=unplug)


def card_that_vanishes() -> BlockingCard:
    def vanish(card: SimulatedCard) -> None:
        card.mic.vanish()
        card.speaker.vanish()

    return BlockingCard(then=vanish)


def card_that_stalls() -> BlockingCard:
    def stall(card: SimulatedCard) -> None:
        card.mic.stall()
        card.speaker.stall()

    return BlockingCard(then=stall)


def card_whose_server_dies() -> BlockingCard:
    """Closing what was open does not return."""

    def die(card: SimulatedCard) -> None:
        card.mic.break_()
        card.speaker.break_()

    return BlockingCard(then=die)


def card_that_crashes() -> BlockingCard:
    def crash(card: SimulatedCard) -> None:
        os.write(2, b"Assertion `sound' failed.\n")
        card.mic.crash_process()
        card.speaker.crash_process()

    return BlockingCard(then=crash)


def card_that_is_busy() -> BlockingCard:
    def hold(card: SimulatedCard) -> None:
        card.mic.busy()
        card.speaker.busy()

    return BlockingCard(first=hold)


def card_that_hangs_when_opened() -> BlockingCard:
    def hang(card: SimulatedCard) -> None:
        card.mic.hang()
        card.speaker.hang()

    return BlockingCard(first=hang)


def card_that_refuses() -> BlockingCard:
    def refuse(card: SimulatedCard) -> None:
        card.mic.refuse(48_000, channels=2)
        card.speaker.refuse(8_000, 44_100)

    return BlockingCard(first=refuse)
