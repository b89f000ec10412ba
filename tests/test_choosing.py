"""Which device a name means."""

from __future__ import annotations

import pytest

from voicepipe.errors import DeviceNotFoundError
from voicepipe_devices.choosing import Candidate, choose

USB = Candidate("USB Audio: #1 (hw:2,0)", 3, "ALSA", True)
HDA = Candidate("HDA Intel PCH: ALC257 (hw:0,0)", 0, "ALSA", True)
PULSE = Candidate("pulse", 5, "ALSA", True)
PULSE_MIX = Candidate("pulse mix", 6, "ALSA", True)
ALL = (HDA, USB, PULSE, PULSE_MIX)


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        ("USB Audio: #1 (hw:2,0)", USB),
        ("usb", USB),
        ("hw:0,0", HDA),
        ("pulse", PULSE),  # exactly that name goes before a part of one
        ("PULSE", PULSE),
        ("pulse m", PULSE_MIX),
        ("pulse, ALSA", PULSE),
        ("  usb ", USB),
    ],
)
def test_a_name_or_a_unique_part_of_it(wanted: str, device: Candidate) -> None:
    assert choose(ALL, wanted, "microphone") is device


@pytest.mark.parametrize("wanted", ["hw:", "pul", "alsa"])
def test_a_part_of_several_names_is_refused_and_they_are_named(wanted: str) -> None:
    with pytest.raises(
        DeviceNotFoundError, match=r"could be any microphone of .*: give more of its name"
    ) as e:
        choose(ALL, wanted, "microphone")
    assert "'pulse mix'" in str(e.value) or "hw:2,0" in str(e.value)


def test_an_unknown_name_is_refused_and_the_nearest_is_named_first() -> None:
    with pytest.raises(
        DeviceNotFoundError, match="there is no speaker 'puls3': there is 'pulse', 'pulse mix'"
    ):
        choose(ALL, "puls3", "speaker")


def test_without_any_device_the_error_says_what_to_do() -> None:
    says = "there is no speaker at all: plug one in, start the sound server, or end what uses it"
    with pytest.raises(DeviceNotFoundError, match=says):
        choose((), "usb", "speaker")


def test_among_equal_names_the_systems_own_host_api_wins_and_another_can_be_named() -> None:
    same = [Candidate("Mic", 1, "MME"), Candidate("Mic", 7, "WASAPI", True), Candidate("Mic", 9, "WDM-KS")]
    assert choose(same, "Mic", "microphone").index == 7
    assert choose(same, "mi", "microphone").index == 7
    assert choose(same, "Mic, MME", "microphone").index == 1
    assert choose(same[::2], "Mic", "microphone").index == 1  # none is the system's own: the first


def test_hostile_names_are_escaped_and_long_lists_are_cut() -> None:
    many = [Candidate(f"\x1b[31mevil {n}", n) for n in range(50)]
    with pytest.raises(DeviceNotFoundError) as e:
        choose(many, "nothing\u202e", "microphone")
    assert "\x1b" not in str(e.value)
    assert "\u202e" not in str(e.value)
    assert "and 42 more" in str(e.value)
