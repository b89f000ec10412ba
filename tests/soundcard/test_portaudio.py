"""The back end "portaudio" over real PortAudio, on the virtual card."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundcard.plugging import NewCard, PluggedCard
from soundcard.rooms import ProgramOnCard
from test_backend_port import CHECKS

HERE = Path(__file__).parent
FLAGS = ("-X", "dev", "-W", "error")


def lines_of(card: PluggedCard, program: str, *arguments: str) -> list[str]:
    """What one of the programs beside this file says."""
    with ProgramOnCard(card, str(HERE / program), *arguments, flags=FLAGS) as running:
        ended = running.end()
    assert ended.status == 0, ended
    return ended.out.splitlines()


@pytest.mark.parametrize(
    ("device", "rate"), [("vcard", 48_000), ("vcard", 16_000), ("default", 16_000), ("default", 44_100)]
)
def test_it_keeps_the_ports_promises(card: PluggedCard, device: str, rate: int) -> None:
    assert lines_of(card, "conforming.py", device, str(rate)) == [check.__name__ for check in CHECKS]


def test_devices_are_found_by_name_or_part_of_it_and_opened_at_what_they_have(card: PluggedCard) -> None:
    assert lines_of(
        card, "opening.py", "in::16000", "out:VCARD:48000", "in:vc:8000", "in:nope:16000", "in:a:16000"
    ) == [
        "opened default, 16000 Hz, 1 channel",
        "opened vcard, 48000 Hz, 1 channel",
        "opened vcard, 8000 Hz, 1 channel",
        "DeviceNotFoundError: there is no microphone 'nope': there is 'default', 'vcard'",
        "DeviceNotFoundError: 'a' could be any microphone of 'vcard', 'default': give more of its name",
    ]


def test_a_card_in_use_says_so(card: PluggedCard) -> None:
    with ProgramOnCard(
        card, str(HERE / "opening.py"), "in:vcard:48000", "pause", "in:vcard:48000"
    ) as program:
        program.says("paused")
        card.fault("both", "busy")
        ended = program.write("\n").end()
    line = ended.out.splitlines()[-1]
    assert line.startswith("DeviceBusyError: vcard is in use by another program: close that first")


def test_a_card_that_is_gone_says_so(card: PluggedCard) -> None:
    card.fault("both", "unplug")
    first, *_ = lines_of(card, "opening.py", "in:vcard:48000")
    assert first.startswith("DeviceNotFoundError: there is no microphone")


@pytest.mark.parametrize(("mic", "speaker"), [(1, 1), (2, 2)])
def test_cards_of_16_khz_with_few_channels_and_with_more(new_card: NewCard, mic: int, speaker: int) -> None:
    card = new_card(rate=16_000, mic=mic, speaker=speaker)
    assert lines_of(card, "opening.py", "in:vcard:48000", "out:vcard:48000") == [
        "opened vcard, 48000 Hz, 1 channel",
        "opened vcard, 48000 Hz, 1 channel",
    ]
