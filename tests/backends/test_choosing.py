"""Which device a name means."""

from __future__ import annotations

import pytest

from voicepipe.errors import DeviceNotFoundError
from voicepipe_devices.portaudio.choosing import HOST_APIS, Candidate, choose

USB = Candidate("USB Audio: #1 (hw:2,0)", 3, "ALSA")
HDA = Candidate("HDA Intel PCH: ALC257 (hw:0,0)", 0, "ALSA")
PULSE = Candidate("pulse", 5, "ALSA")
PULSE_MIX = Candidate("pulse mix", 6, "ALSA")
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
        ("usb,alsa", USB),
        ("  usb ", USB),
    ],
)
def test_a_name_or_a_unique_part_of_it(wanted: str, device: Candidate) -> None:
    assert choose(ALL, wanted, "microphone") is device


@pytest.mark.parametrize("wanted", ["hw:", "pul", ", alsa"])
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


def test_among_equal_names_the_first_host_api_wins_and_another_can_be_named() -> None:
    hosts = ["MME", "Windows DirectSound", "Windows WASAPI", "Windows WDM-KS", "one that nobody knows"]
    same = [Candidate("USB Mic", number, host) for number, host in enumerate(hosts)]
    assert choose(same, "USB Mic", "microphone").host == "Windows WASAPI"
    assert choose(same, "usb", "microphone").host == "Windows WASAPI"
    assert choose(same[:2], "usb", "microphone").host == "Windows DirectSound"
    assert choose(same[::4], "usb", "microphone").host == "MME"
    assert choose(same, "USB Mic, MME", "microphone").host == "MME"
    assert choose(same, "usb, wdm", "microphone").host == "Windows WDM-KS"
    assert choose(same, "mic, one that", "microphone").host == "one that nobody knows"


def test_the_order_of_host_apis_is_one_of_names_that_portaudio_knows() -> None:
    assert len(set(HOST_APIS)) == len(HOST_APIS)
    assert HOST_APIS.index("ALSA") < HOST_APIS.index("JACK Audio Connection Kit") < HOST_APIS.index("OSS")


def test_a_name_with_a_comma_is_that_name_before_it_is_a_host_api() -> None:
    named = [Candidate("Mic, ALSA", 0, "OSS"), Candidate("Mic", 1, "ALSA")]
    assert choose(named, "Mic, ALSA", "microphone").index == 0
    assert choose(named, "Mic, OSS", "microphone").index == 0


FULL = "Microphone (Realtek High Definition Audio)"
CUT = FULL[:31]


@pytest.mark.parametrize(
    ("wanted", "host"),
    [
        (FULL, "Windows WASAPI"),
        ("Realtek", "Windows WASAPI"),  # the cut name is no other device
        (CUT, "MME"),
        (f"{FULL}, MME", "MME"),
        ("Realtek, MME", "MME"),
        ("realtek HIGH, windows directsound", "Windows DirectSound"),
    ],
)
def test_a_name_that_windows_cuts_short_is_still_that_device(wanted: str, host: str) -> None:
    there = [
        Candidate(CUT, 0, "MME"),
        Candidate(FULL, 1, "Windows DirectSound"),
        Candidate(FULL, 2, "Windows WASAPI"),
        Candidate("Headset", 3, "Windows WASAPI"),
    ]
    assert choose(there, wanted, "microphone").host == host


def test_a_full_name_means_the_cut_one_where_there_is_no_other() -> None:
    there = [Candidate(CUT, 0, "MME"), Candidate("Headset", 1, "MME")]
    assert choose(there, FULL, "microphone").index == 0
    with pytest.raises(DeviceNotFoundError):
        choose([Candidate("Microphone", 0, "MME")], FULL, "microphone")


@pytest.mark.parametrize("number", ["0", "3", "#3", "-1", " 5 "])
def test_a_number_is_refused_and_the_names_are_given(number: str) -> None:
    with pytest.raises(
        DeviceNotFoundError, match=r"is a number, and numbers move .*: name the microphone"
    ) as e:
        choose(ALL, number, "microphone")
    assert "'USB Audio: #1 (hw:2,0)'" in str(e.value)


def test_a_device_whose_name_is_a_number_is_that_one() -> None:
    assert choose([*ALL, Candidate("3", 9, "JACK Audio Connection Kit")], "3", "microphone").index == 9


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\n"])
def test_a_blank_name_is_refused(blank: str) -> None:
    with pytest.raises(DeviceNotFoundError, match="is no name of a microphone: there is "):
        choose(ALL, blank, "microphone")


def test_hostile_names_are_escaped_and_long_lists_are_cut() -> None:
    many = [Candidate(f"\x1b[31mevil {n}", n) for n in range(50)]
    with pytest.raises(DeviceNotFoundError) as e:
        choose(many, "nothing\u202e", "microphone")
    assert "\x1b" not in str(e.value)
    assert "\u202e" not in str(e.value)
    assert "and 42 more" in str(e.value)
