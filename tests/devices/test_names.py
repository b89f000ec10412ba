"""Names of devices are compared as people mean them."""

# ruff: noqa: RUF001

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import pytest

from voicepipe import MicrophoneInput, SpeakerOutput, open_backend
from voicepipe.devices import StreamRequest
from voicepipe.devices.names import bare_name, find_named, fold, is_number, name_means
from voicepipe.text import printable
from voicepipe_devices.fake import SimulatedCard


@dataclass(frozen=True)
class Mic:
    name: str


def found(wanted: str, *names: str) -> list[str]:
    return [mic.name for mic in find_named([Mic(name) for name in names], wanted)]


ALIKE = {
    "composed and decomposed": ("AirPods de Zoé", unicodedata.normalize("NFD", "AirPods de Zoé")),
    "Korean letters in parts": ("마이크", unicodedata.normalize("NFD", "마이크")),
    "two marks in another order": ("a\u0323\u0302", "a\u0302\u0323"),
    "wide letters": ("ＵＳＢ Ｍｉｃ", "USB Mic"),
    "a ligature": ("ﬁeld mic", "field mic"),
    "letters of either case": ("USB PNP SOUND DEVICE", "usb PnP Sound Device"),
    "a sharp s": ("STRASSE", "Straße"),
    "Greek at the end of a word": ("ΜΙΚΡΟΦΩΝΟΣ", "μικροφωνος"),
    "Cyrillic": ("МИКРОФОН", "микрофон"),
    "runs of white space": ("USB   PnP\tSound  Device ", "USB PnP Sound Device"),
    "a space that does not break": ("USB\u00a0Mic", "USB Mic"),
    "a thin and an ideographic space": ("USB\u2009Mic\u3000Two", "USB Mic Two"),
    "an apostrophe of macOS": ("Zoe’s AirPods", "Zoe's AirPods"),
    "a modifier for an apostrophe": ("Zoeʼs AirPods", "Zoe's AirPods"),
    "an accent for an apostrophe": ("Zoe´s AirPods", "Zoe`s AirPods"),
    "quotation marks": ("“Blue” Yeti", '"Blue" Yeti'),
    "dashes": ("Scarlett 2i2 – USB", "Scarlett 2i2 - USB"),
    "a hyphen that does not break": ("Wi\u2011Fi Mic", "Wi-Fi Mic"),
    "marks of direction": ("\u200fميكروفون\u200e", "ميكروفون"),
    "isolates": ("\u2068USB\u2069 Mic", "USB Mic"),
    "a space of no width": ("USB\u200b Mic\ufeff", "USB Mic"),
    "marks at the end": ("Mic \u200e ", "Mic"),
    "a coloured heart": ("Mic ❤\ufe0f", "Mic ❤"),
    "Arabic forms": ("ﻣﻴﻚ", "ميك"),
    "half-width kana": ("ﾏｲｸ", "マイク"),
    "a trademark": ("Realtek™ Audio", "RealtekTM Audio"),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_spellings_of_one_name_are_alike(kind: str) -> None:
    one, other = ALIKE[kind]
    assert one != other
    assert fold(one) == fold(other)
    assert found(one, "Built-in", other) == [other]
    assert found(other, "Built-in", one) == [one]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zoé", "Zoe"), ("Mic 1", "Mic 11 "), ("麦克风", "麥克風"), ("USB-Mic", "USB_Mic"), ("Mic", "Mïc")],
)
def test_other_names_are_others(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_exactly_that_name_goes_before_another_spelling() -> None:
    assert found("usb mic", "USB Mic", "usb mic", "usb mic 2") == ["usb mic"]
    assert found("USB  MIC", "USB Mic", "usb mic 2") == ["USB Mic"]


NUMBERED = [
    ("USB PnP Sound Device: Audio (hw:1,0)", "USB PnP Sound Device: Audio (hw:2,0)"),
    ("usb pnp sound device: audio  (HW:1,0)", "USB PnP Sound Device: Audio (hw:12,0)"),
    ("HDA (Intel) PCH: ALC257 (Analog) (hw:0,0)", "HDA (Intel) PCH: ALC257 (Analog) (hw:1,0)"),
    ("USB PnP (hw:1,0)", "USB PnP Sound Device: Audio (hw:2,0)"),
    ("Microphone (USB Audio Device)", "Microphone (2- USB Audio Device)"),
    ("Microphone (2- USB Audio Device)", "Microphone (3- USB Audio Device)"),
    ("麦克风: 音频 (hw:1,0)", "麦克风: 音频 (hw:3,0)"),
]


@pytest.mark.parametrize(("saved", "there"), NUMBERED)
def test_a_device_whose_number_moved_has_its_name_still(saved: str, there: str) -> None:
    assert found(saved, "HDMI: - (hw:0,3)", there, "default") == [there]


def test_the_device_of_the_card_stays_what_it_is() -> None:
    names = ("Card: Audio (hw:2,0)", "Card: Audio (hw:2,1)")
    assert found("Card: Audio (hw:1,1)", *names) == [names[1]]
    assert found("Card: Audio (hw:1,2)", *names) == list(names)
    assert found("Card: Audio", *names) == list(names)


def test_a_number_alone_is_no_name_to_look_for() -> None:
    assert found("(hw:7,0)", "USB (hw:1,0)", "HDMI (hw:0,0)") == []
    assert found("(hw:1,0)", "USB (hw:1,0)", "HDMI (hw:0,0)") == ["USB (hw:1,0)"]
    assert bare_name("(hw:7,0)") == ""


@pytest.mark.parametrize("name", ["\u200fميكروفون", "evil\x1b[31m name", "USB\u200bMic"])
def test_a_name_copied_from_the_screen_is_found(name: str) -> None:
    assert printable(name) != name
    assert found(printable(name), "Built-in", name) == [name]


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0", "\u200b", "\u200e \u200f"])
def test_a_blank_name_means_none(blank: str) -> None:
    assert found(blank, "USB Mic", "Built-in") == []


@pytest.mark.parametrize("text", ["3", " 3 ", "#3", "-1", "３", "٣", "0"])
def test_a_number_is_no_name(text: str) -> None:
    assert is_number(text)
    with pytest.raises(ValueError, match=r"must be a name, not the number .*`voicepipe devices` lists"):
        MicrophoneInput(SimulatedCard().backend(), device=text)
    with pytest.raises(ValueError, match="moves when devices come and go"):
        SpeakerOutput(SimulatedCard().backend(), device=text)


@pytest.mark.parametrize("name", ["hw:3", "Mic 3", "3M", "1.5", "3, ALSA"])
def test_a_name_may_have_a_number(name: str) -> None:
    assert not is_number(name)
    assert StreamRequest(device=name).device == name


@pytest.mark.parametrize("device", [3, 3.0, -1])
def test_a_number_that_is_no_text_is_refused_with_the_same_advice(device: object) -> None:
    with pytest.raises(TypeError, match=r"moves when devices come and go; `voicepipe devices` lists"):
        MicrophoneInput("fake", device=device)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", [" ", "\u200b", "\n"])
def test_a_blank_name_is_refused(device: str) -> None:
    with pytest.raises(
        ValueError, match=r"is blank; `voicepipe devices` lists the names; an empty one means"
    ):
        MicrophoneInput("fake", device=device)


def test_no_name_is_the_default_device() -> None:
    assert StreamRequest(device="").device == ""
    assert name_means("anything", "")


@pytest.mark.parametrize("name", ["SIMULATED", "simulated\u00a0microphone", " microphone "])
async def test_the_simulated_card_is_named_in_the_same_way(name: str) -> None:
    stream = await SimulatedCard().backend().open_input(StreamRequest(device=name), lambda: None)
    await stream.close()


async def test_a_file_is_named_in_the_same_way(tmp_path: object) -> None:
    backend = open_backend(f"wav:,{tmp_path}/Zoé’s Voice.wav")
    stream = await backend.open_output(StreamRequest(device="ZOE\u0301'S voice"), lambda: None)
    await stream.close()
