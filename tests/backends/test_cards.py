"""Names by a card's id or socket stay when the numbers move."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from voicepipe import DeviceNotFoundError
from voicepipe.cli.commands.devices import device_lines
from voicepipe.devices import DeviceInfo, DeviceTrial, StreamInfo, StreamRequest
from voicepipe.endpoints.device_log import DeviceLog
from voicepipe_devices.portaudio.cards import Card, known_cards, parse_steady_name, steady_names_of
from voicepipe_devices.portaudio.choosing import Candidate, choose, describe_namesakes
from voicepipe_devices.portaudio.device import INPUT, find_in
from voicepipe_devices.portaudio.handle import PortAudioHandle

PC = """\
 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media USB PnP Sound Device at usb-0000:00:14.0-1, full speed
 2 [Device_1       ]: USB-Audio - USB PnP Sound Device
                      C-Media USB PnP Sound Device at usb-0000:00:14.0-1.2, full speed
10 [NVidia         ]: HDA-Intel - HDA NVidia
                      HDA NVidia at 0xf6080000 irq 17
"""
PI = """\
 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [vc4hdmi        ]: vc4-hdmi - vc4-hdmi
                      vc4-hdmi
 2 [ArrayUAC10     ]: USB-Audio - ReSpeaker 4 Mic Array (UAC1.0)
                      SEEED ReSpeaker 4 Mic Array (UAC1.0) at usb-3f980000.usb-1.1.3, full speed
 3 [Mic            ]: USB-Audio - Mic at home
                      Mic at home at usb-xhci-hcd.0-2, high speed
"""
MICS = (
    "HDA Intel PCH: ALC892 Analog (hw:0,0)",
    "HDA Intel PCH: ALC892 Alt Analog (hw:0,2)",
    "USB PnP Sound Device: USB Audio (hw:1,0)",
    "USB PnP Sound Device: USB Audio (hw:2,0)",
    "HDA NVidia: HDMI 0 (hw:10,3)",
    "HDA NVidia: HDMI 1 (hw:10,7)",
    "default",
)


def cards(folder: Path, text: str) -> dict[int, Card]:
    (folder / "asound").mkdir(exist_ok=True)
    (folder / "asound" / "cards").write_text(text)
    return known_cards(folder)


@pytest.fixture
def pc(tmp_path: Path) -> dict[int, Card]:
    return cards(tmp_path, PC)


def candidates(known: dict[int, Card], names: tuple[str, ...] = MICS) -> list[Candidate]:
    return [Candidate(name, n, "ALSA", steady_names_of(name, known)) for n, name in enumerate(names)]


def test_cards_have_ids_and_sockets(tmp_path: Path) -> None:
    assert [(card.number, card.id, card.socket) for card in cards(tmp_path, PC).values()] == [
        (0, "PCH", ""),
        (1, "Device", "usb-0000:00:14.0-1"),
        (2, "Device_1", "usb-0000:00:14.0-1.2"),
        (10, "NVidia", ""),
    ]
    assert [(card.id, card.name, card.socket) for card in cards(tmp_path, PI).values()] == [
        ("Headphones", "bcm2835 Headphones", ""),
        ("vc4hdmi", "vc4-hdmi", ""),
        ("ArrayUAC10", "ReSpeaker 4 Mic Array (UAC1.0)", "usb-3f980000.usb-1.1.3"),
        ("Mic", "Mic at home", "usb-xhci-hcd.0-2"),
    ]


@pytest.mark.parametrize("text", ["", "--- no soundcards ---\n", "\x00\xff", " 0 [", "0 []: - -"])
def test_a_kernel_that_does_not_tell_has_no_cards(tmp_path: Path, text: str) -> None:
    assert known_cards(tmp_path) == {}
    assert cards(tmp_path, text) == {}


def test_devices_of_the_cards_have_steady_names(pc: dict[int, Card]) -> None:
    assert [candidate.steady for candidate in candidates(pc)] == [
        ("card:PCH",),
        ("card:PCH,2",),
        ("card:Device", "usb-0000:00:14.0-1"),
        ("card:Device_1", "usb-0000:00:14.0-1.2"),
        ("card:NVidia,3",),
        ("card:NVidia,7",),
        (),
    ]


STEADY = [
    ("card:Device", 2),
    ("CARD:device", 2),
    ("card: Device_1", 3),
    ("card:Device,0", 2),
    ("card:PCH", 0),
    ("card:PCH,2", 1),
    ("card:NVidia", 4),  # its first device has the number 3
    ("card:NVidia,7", 5),
    ("hw:CARD=Device", 2),
    ("hw:CARD=Device_1,DEV=0", 3),
    ("plughw:CARD=PCH,DEV=2", 1),
    ("sysdefault:CARD=Device", 2),
    ("hw:Device", 2),
    ("plughw:Device_1,0", 3),
    ("usb-0000:00:14.0-1", 2),
    ("usb-0000:00:14.0-1.2", 3),
    ("usb:0000:00:14.0-1.2", 3),
    ("USB-0000:00:14.0-1,0", 2),
]


@pytest.mark.parametrize(("wanted", "index"), STEADY)
def test_a_steady_name_means_one_device(wanted: str, index: int, pc: dict[int, Card]) -> None:
    assert choose(candidates(pc), wanted, "microphone", cards=pc).index == index


@pytest.mark.parametrize(("wanted", "index"), STEADY)
def test_a_steady_name_means_the_same_device_when_the_numbers_have_moved(
    wanted: str, index: int, tmp_path: Path
) -> None:
    moved = re.sub(r"(?m)^ ?(\d+) \[", lambda line: f" {(int(line[1]) + 5) % 11} [", PC)
    known = cards(tmp_path, moved)
    names = tuple(re.sub(r"hw:(\d+)", lambda hw: f"hw:{(int(hw[1]) + 5) % 11}", name) for name in MICS)
    assert choose(candidates(known, names), wanted, "microphone", cards=known).index == index


@pytest.mark.parametrize(
    "wanted", ["card:Nobody", "card:PCH,9", "usb-0000:00:14.0-7", "hw:CARD=X", "hw:Nobody", "/dev/snd/x"]
)
def test_an_unknown_steady_name_is_refused_and_those_that_there_are_are_named(
    wanted: str, pc: dict[int, Card]
) -> None:
    with pytest.raises(DeviceNotFoundError, match="there is no microphone") as error:
        choose(candidates(pc), wanted, "microphone", cards=pc)
    assert "(card:Device or usb-0000:00:14.0-1)" in str(error.value)
    assert not error.value.is_ambiguous


@pytest.mark.parametrize("name", ["hw:1,0", "hw:10,7", "Alt Analog", "USB-C 2", "sysdefault", "default"])
def test_other_names_are_no_steady_ones(name: str) -> None:
    assert parse_steady_name(name, {}) is None


def test_what_looks_like_a_steady_name_may_be_a_part_of_another(pc: dict[int, Card]) -> None:
    named = [*candidates(pc), Candidate("My usb-audio 2.0-1 Mic", 7, "PulseAudio"), Candidate("card:x", 8)]
    assert choose(named, "usb-audio 2.0-1", "microphone", cards=pc).index == 7
    assert choose(named, "card:x", "microphone", cards=pc).index == 8


@pytest.mark.parametrize("node", ["controlC2", "pcmC2D0c"])
def test_a_link_of_udevs_leads_to_its_card(node: str, tmp_path: Path, pc: dict[int, Card]) -> None:
    link = tmp_path / "by-id-usb-C-Media-00"
    link.symlink_to(tmp_path / node)
    wanted = f"/dev/snd/../..{link}"
    assert choose(candidates(pc), wanted, "microphone", cards=pc).index == 3


def test_two_cards_of_one_kind_are_told_apart_by_steady_names(pc: dict[int, Card]) -> None:
    with pytest.raises(DeviceNotFoundError) as error:
        choose(candidates(pc), "USB PnP", "microphone", cards=pc)
    assert error.value.is_ambiguous
    assert str(error.value) == (
        "'USB PnP' could be any microphone of "
        "'USB PnP Sound Device: USB Audio (hw:1,0)' (card:Device or usb-0000:00:14.0-1), "
        "'USB PnP Sound Device: USB Audio (hw:2,0)' (card:Device_1 or usb-0000:00:14.0-1.2): "
        "give more of its name, or the name in brackets"
    )


def test_of_two_devices_with_one_name_it_is_told_which_one_was_chosen(pc: dict[int, Card]) -> None:
    there = candidates(pc)

    def note(wanted: str) -> str:
        return describe_namesakes(there, choose(there, wanted, "microphone", cards=pc), wanted, "microphone")

    assert note("USB PnP Sound Device: USB Audio (hw:2,0)") == (
        'one of 2 microphones of that name: give "usb-0000:00:14.0-1.2" to have this one for certain'
    )
    assert note("hw:1,0").endswith('give "usb-0000:00:14.0-1" to have this one for certain')
    for certain in ("card:Device", "usb-0000:00:14.0-1.2", "Alt Analog", "default", "HDMI 1"):
        assert note(certain) == ""


def test_of_two_devices_that_nothing_tells_apart_the_first_is_taken_and_that_is_said() -> None:
    twins = [Candidate("USB Mic", n, "Core Audio") for n in (4, 5)]
    chosen = choose(twins, "usb", "speaker")
    assert chosen.index == 4
    assert describe_namesakes(twins, chosen, "usb", "speaker") == (
        "the first of 2 speakers of that name: rename one in the system's settings to tell them apart"
    )


def test_one_device_in_two_host_apis_is_not_two() -> None:
    there = [Candidate("USB Mic", 0, "MME"), Candidate("USB Mic", 1, "Windows WASAPI")]
    chosen = choose(there, "usb", "microphone")
    assert chosen.index == 1
    assert describe_namesakes(there, chosen, "usb", "microphone") == ""


class Library:
    """The lists of the sound library."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def query_devices(self) -> list[dict[str, object]]:
        fields = {"hostapi": 0, "max_input_channels": 1, "default_samplerate": 48_000.0}
        return [{"name": name, **fields} for name in self._names]

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": "ALSA"}]


@pytest.mark.parametrize("number", [0, 2, 7])
def test_a_service_finds_its_device_in_the_library_after_the_number_has_moved(number: int) -> None:
    there = f"USB PnP Sound Device: Audio (hw:{number},0)"
    device = find_in(Library("HDMI: - (hw:9,3)", there), INPUT, "USB PnP Sound Device: Audio (hw:1,0)")
    assert device.name == there


@pytest.mark.parametrize("copies", [2, 3])
def test_the_log_warns_of_a_device_whose_name_another_has(
    copies: int, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"USB PnP Sound Device: Audio (hw:{n},0)" for n in range(copies)]
    opened: list[StreamInfo] = []

    class StopError(Exception):
        pass

    def make(info: StreamInfo) -> PortAudioHandle:
        opened.append(info)
        raise StopError

    with pytest.raises(StopError):
        find_in(Library(*names), INPUT, names[1]).open(StreamRequest(), make)
    with caplog.at_level("INFO", "voicepipe"):
        DeviceLog("microphone", "", "wait").log_opened(opened[0])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"of {copies} microphones of that name" in record.getMessage()


def test_voicepipe_devices_shows_the_steady_names() -> None:
    info = DeviceInfo("USB (hw:1,0)", 1, 0, 48_000, False, False, "ALSA", "card:Device", "usb-0000:00:14.0-1")
    title, steady, _ = device_lines([DeviceTrial(info)])
    assert title == '"USB (hw:1,0)", ALSA'
    assert steady == '    steady name "card:Device" or "usb-0000:00:14.0-1"'
    assert len(list(device_lines([DeviceTrial(replace(info, card="", socket=""))]))) == 2


def test_a_device_that_cannot_be_opened_is_not_replaced_by_its_twin(pc: dict[int, Card]) -> None:
    listed, unlisted = candidates(pc), candidates(pc)[3:4]
    del listed[3]
    for wanted in (unlisted[0].name, "card:Device_1", "hw:2,0"):
        with pytest.raises(DeviceNotFoundError, match="is there, but cannot be opened"):
            choose(listed, wanted, "microphone", unlisted=unlisted, cards=pc)
    assert choose(listed, "USB PnP", "microphone", unlisted=unlisted, cards=pc).index == 2
