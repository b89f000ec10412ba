"""`voicepipe doctor` on real PortAudio: what is well, and each fault in a sentence of its own."""

from __future__ import annotations

import json

import pytest

from soundcard.plugging import NewCard, PluggedCard
from soundcard.rooms import ProgramOnCard
from soundcard.servers import Server

ECHO_MS = 40
ROOM = [(ECHO_MS, 0.5)]


def doctor(card: PluggedCard, *options: str, device: str = "vcard") -> dict[str, str]:
    """What it says of each thing; a thing that is not good with its verdict before."""
    with ProgramOnCard(
        card,
        "-m",
        "voicepipe",
        "doctor",
        "--json",
        "--mic",
        device,
        "--speaker",
        device,
        *options,
        flags=("-W", "error"),
    ) as program:
        ended = program.end()
    assert ended.err == "", ended
    findings = json.loads(ended.out)
    said = {
        f["check"]: f["text"] if f["verdict"] == "good" else f"{f['verdict']}: {f['text']}" for f in findings
    }
    assert ended.status == int(any(text.startswith("bad: ") for text in said.values()))
    return said


def test_a_card_in_a_room_is_well(card: PluggedCard) -> None:
    card.echo(ROOM)
    said = doctor(card, "--rate", "48000")
    assert said["library"].startswith("PortAudio V19")
    assert said["devices"].startswith("2 with a microphone, 2 with a speaker")
    assert said["microphone"].startswith("vcard opened at 48000 Hz, 1 channel; it reports")
    assert said["speaker"].startswith("vcard opened at 48000 Hz, 1 channel; it reports")
    assert said["round trip"].endswith("(3 of 3 chirps heard), and the echo has -6 dB of what is played")
    assert said["server"].startswith("note: no sound server")


@pytest.mark.parametrize(
    ("rate", "microphones", "speakers"), [(48_000, 2, 2), (16_000, 1, 1), (44_100, 1, 2)]
)
def test_what_the_device_has_is_taken_and_converted(
    new_card: NewCard, rate: int, microphones: int, speakers: int
) -> None:
    said = doctor(new_card(rate=rate, mic=microphones, speaker=speakers))
    taken = "" if rate == 16_000 else f"{rate} Hz, 1 channel, and converted to "
    assert said["microphone"].startswith(f"vcard opened at {taken}16000 Hz, 1 channel; it reports")


@pytest.mark.parametrize(
    ("which", "kind", "check", "sentence"),
    [
        (
            "mic",
            "stall",
            "blocks",
            "bad: vcard gave nothing for 1 s: it is suspended, or its sound server hangs",
        ),
        ("mic", "vanish", "microphone", "bad: there is no microphone at all: plug one in"),
        (
            "speaker",
            "stall",
            "plays",
            "bad: vcard took nothing for 1 s: it is suspended, or its sound server hangs",
        ),
        ("both", "unplug", "devices", "bad: there is none: plug one in, start the sound server"),
        ("both", "unplug", "microphone", "bad: there is no microphone"),
        ("both", "unplug", "speaker", "bad: there is no speaker"),
        ("speaker", "busy", "speaker", "bad: there is no speaker"),
        ("mic", "none", "level", "bad: nothing but zeros: it is muted in the mixer"),
    ],
)
def test_a_fault_has_a_sentence_of_its_own(
    card: PluggedCard, which: str, kind: str, check: str, sentence: str
) -> None:
    card.fault(which, kind)
    assert doctor(card)[check].startswith(sentence)


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("nope", "bad: there is no microphone 'nope': there is 'default', 'vcard'"),
        ("a", "bad: 'a' could be any microphone of 'vcard', 'default': give more of its name"),
    ],
)
def test_a_name_that_means_no_device_or_several(card: PluggedCard, device: str, sentence: str) -> None:
    assert doctor(card, device=device)["microphone"] == sentence


def test_a_sound_server_that_was_killed_is_to_be_started_again(new_card: NewCard) -> None:
    server = Server(new_card(server="pulse"))
    assert doctor(server.card, device="default")["server"] == (
        "PulseAudio, or what stands in for it, answers"
    )
    server.kill()
    said = doctor(server.card, device="default")
    assert said["server"].startswith("bad: PulseAudio, or what stands in for it, does not answer")
    assert said["server"].endswith("systemctl --user restart pulseaudio pipewire-pulse")
