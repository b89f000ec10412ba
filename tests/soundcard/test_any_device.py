"""Cards of all rates, channels and sample formats: what is said comes back, and programs say what is so."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundcard.plugging import NewCard, PluggedCard
from soundcard.rooms import DEV, ProgramOnCard, Samples, find, load_wav

VOICE = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"
PAUSE_S = 1.0
"""After which an utterance is over."""
TRIES = 3
SIGINT = signal.SIGINT


def sentence(rate: int) -> Samples:
    """The first of the bundled two."""
    return load_wav(VOICE, rate)[: round(2.3 * rate)]


def troubles(card: PluggedCard) -> int:
    """By the card's own count."""
    return card.mic.xruns + card.speaker.xruns + card.speaker.late


def answer_to(said: Samples, card: PluggedCard) -> tuple[Samples, str]:
    """What the echo program says back of it, and what it printed; at its own 16 kHz mono.

    Where the machine stood still meanwhile, by the card's own count, it is said again.
    """
    devices = ("--mic", "vcard", "--speaker", "vcard", "--latency", "0.2", "--debug")
    heard = np.zeros(0, np.int16)
    with ProgramOnCard(card, "-m", "voicepipe.echo", *devices, flags=()) as program:
        program.has_opened().says("speak, and pause")
        for _ in range(TRIES):
            before = troubles(card)
            start = program.say(said) + len(said) + round(0.3 * card.rate)
            heard = program.heard(start, round((PAUSE_S + 3.1) * card.rate))
            if troubles(card) == before:
                break
        ended = program.send(SIGINT).end()
    assert ended.status == 0, ended
    return heard, ended.out + ended.err


def assert_comes_back(said: Samples, heard: Samples, rate: int) -> None:
    """The same shape as a whole, and no later at its end than at its beginning: pitch and speed are right."""
    whole = find(said, heard)
    assert whole.correlation > 0.99, whole
    begin, end = said[: round(1.2 * rate)], said[round(1.2 * rate) :]
    late = find(end, heard).offset - len(begin) - find(begin, heard).offset
    assert abs(late) <= rate // 1000


CARDS = [  # each rate, number of channels and format in each direction, not each with each
    (48_000, 2, 2, "S16_LE"),
    (16_000, 1, 1, "S16_LE"),
    (44_100, 2, 1, "S16_LE"),
    (48_000, 1, 2, "FLOAT_LE"),
    (16_000, 1, 2, "S24_3LE"),
]


@pytest.mark.parametrize(("rate", "mic", "speaker", "sample"), CARDS)
def test_the_echo_comes_back_at_the_right_pitch_and_speed(
    new_card: NewCard, rate: int, mic: int, speaker: int, sample: str
) -> None:
    card, said = new_card(rate=rate, mic=mic, speaker=speaker, sample=sample), sentence(rate)
    heard, printed = answer_to(said, card)
    assert_comes_back(said, heard, rate)
    taken = f'the microphone "vcard" opened at {rate} Hz, {mic} channel{"s" if mic > 1 else ""}'
    assert taken in printed
    converted = (rate, mic) != (16_000, 1)
    assert (f"{taken}, and converted to 16000 Hz, 1 channel" in printed) is converted
    assert ("Invalid sample rate" in printed.split(taken)[1].split("\n")[0]) is (rate != 16_000)


@pytest.mark.parametrize("speaker", [1, 2])
def test_one_voice_is_heard_from_every_loudspeaker(new_card: NewCard, speaker: int) -> None:
    card, said = new_card(rate=16_000, speaker=speaker), load_wav(VOICE, 16_000)
    play = ("-m", "voicepipe", "play", str(VOICE), "--speaker", "vcard")
    heard: list[Samples] = []
    for _ in range(TRIES):
        before = troubles(card)
        with ProgramOnCard(card, *play, flags=DEV) as program:
            begun = program.has_opened(mic=False).card.now()
            assert program.end().status == 0
            start, length = begun - card.rate // 2, len(said) + 2 * card.rate
            heard = [program.heard(start, length, channel) for channel in range(speaker)]
        if troubles(card) == before:
            break
    assert [find(said, channel).same > 0.99 for channel in heard] == [True] * speaker


def recorded(card: PluggedCard, folder: Path, said: Samples, *options: str) -> Samples:
    """What `voicepipe record` makes of what is said into the second channel."""
    path = folder / "recorded.wav"
    command = ("-m", "voicepipe", "record", str(path), "--mic", "vcard", "--rate", str(card.rate))
    with ProgramOnCard(card, *command, *options, flags=DEV) as program:
        start = program.has_opened(speaker=False).say(said, channel=2)
        program.heard(start, len(said) + card.rate // 2)
        ended = program.send(SIGINT).end()
    assert ended.status == 0, ended
    return load_wav(path, card.rate)


def test_a_channel_that_is_picked_is_heard_alone(new_card: NewCard, tmp_path: Path) -> None:
    card, said = new_card(mic=2), sentence(48_000)
    heard = recorded(card, tmp_path, said, "--mic-channel", "2")
    assert find(said, heard).same > 0.99
    (tmp_path / "recorded.wav").unlink()
    assert not recorded(card, tmp_path, said, "--mic-channel", "1").any()


def test_channels_are_mixed_until_one_is_found_to_hear_nothing(new_card: NewCard, tmp_path: Path) -> None:
    card, said = new_card(mic=2), sentence(48_000)
    heard = recorded(card, tmp_path, np.concatenate([said, said]))
    again = find(said, heard)
    assert again.same > 0.99, "the second time it is as loud as in its channel"
    first = heard[again.offset - len(said) :][:40_000]
    assert np.array_equal(first, np.rint(said[:40_000] / 2).astype(np.int16))


def test_a_channel_that_is_not_there_is_refused_in_one_line(card: PluggedCard, tmp_path: Path) -> None:
    command = ("record", str(tmp_path / "note.wav"), "--mic", "vcard", "--mic-channel", "2")
    with ProgramOnCard(card, "-m", "voicepipe", *command, flags=DEV) as program:
        ended = program.end()
    assert ended.status == 1
    assert ended.err == (
        "voicepipe record: the microphone did not start: vcard has 1 channel, and no channel 2; choose 1\n"
    )
    assert not (tmp_path / "note.wav").exists()


@pytest.mark.parametrize("sample", ["S16_LE", "FLOAT_LE", "S32_LE", "S24_3LE"])
def test_silence_is_silence_and_what_is_too_loud_saturates(
    new_card: NewCard, tmp_path: Path, sample: str
) -> None:
    """The microphone hears the loudspeaker three times as loud: beyond full scale, as floats can be."""
    card = new_card(sample=sample)
    card.echo([(10, 3.0)])
    path = tmp_path / "recorded.wav"
    said = sentence(48_000)
    play = ("-m", "voicepipe", "play", str(VOICE), "--speaker", "vcard")
    record = ("-m", "voicepipe", "record", str(path), "--mic", "vcard", "--rate", "48000")
    with ProgramOnCard(card, *record, flags=DEV) as recorder:
        recorder.has_opened(speaker=False)
        with ProgramOnCard(card, *play, flags=DEV) as player:
            player.has_opened()
            recorder.heard(card.now(card.mic), 3 * card.rate)
            assert player.send(SIGINT, SIGINT).end().status == 130
        assert recorder.send(SIGINT).end().status == 0
    heard = load_wav(path, 48_000)
    loud = np.clip(3.0 * said, -32_768, 32_767).astype(np.int16)
    found = find(loud, heard)
    assert found.correlation > 0.99, found
    assert np.max(heard) == 32_767
    assert np.min(heard) <= -32_767
    assert not heard[: card.rate // 10].any(), "no dither, while the player was not there yet"


@pytest.mark.parametrize("backend", ["portaudio:outside", "portaudio:inside"])
@pytest.mark.parametrize("which", ["mic", "speaker"])
def test_a_rate_that_changes_while_the_device_is_open_is_noticed(
    card: PluggedCard, backend: str, which: str
) -> None:
    """Nobody tells of it: the card's clock goes over to half its pace, as that of a headset might."""
    kind = {"mic": "microphone", "speaker": "speaker"}[which]
    echo = ("-m", "voicepipe.echo", "--live", "--mic", "vcard", "--speaker", "vcard", "--backend", backend)
    with ProgramOnCard(card, *echo, "--rate", "48000", "--latency", "0.2", flags=()) as program:
        program.has_opened().says("sound passes straight through")
        card.clock(which, -500_000)
        program.says(f'the {kind} "vcard" is lost', on="err")
        card.clock(which, 0)
        ended = program.send(SIGINT).end()
    assert "and was opened at 48000 Hz: its rate has changed" in ended.out + ended.err
    paces = re.findall(r"vcard runs at about (\d+) Hz", ended.out + ended.err)
    # The second over which a busy machine measured it may have begun before the change.
    assert 0.9 * 24_000 <= float(paces[0]) < 36_000, "not nearer to the new pace than to the old"


def listed(card: PluggedCard, *options: str) -> list[dict[str, Any]]:
    """What `voicepipe devices --json` says."""
    with ProgramOnCard(card, "-m", "voicepipe", "devices", "--json", *options, flags=DEV) as program:
        ended = program.end()
    assert (ended.status, ended.err) == (0, ""), ended
    devices: list[dict[str, Any]] = json.loads(ended.out)
    return devices


@pytest.mark.parametrize("backend", ["portaudio:outside", "portaudio:inside"])
@pytest.mark.parametrize(("rate", "mic", "speaker"), [(48_000, 1, 2), (16_000, 2, 1), (22_050, 4, 2)])
def test_devices_says_what_really_opens_and_what_would_be_taken(
    new_card: NewCard, backend: str, rate: int, mic: int, speaker: int
) -> None:
    card = new_card(rate=rate, mic=mic, speaker=speaker)
    vcard, default = listed(card, "--backend", backend)
    assert (vcard["name"], vcard["host"], vcard["inputs"], vcard["outputs"]) == (
        "vcard",
        "ALSA",
        mic,
        speaker,
    )
    assert (default["default_input"], default["default_output"]) == (True, True)
    for side, channels, taken in ((vcard["microphone"], mic, mic), (vcard["speaker"], speaker, 1)):
        assert side["rates"] == [rate]
        assert side["channels"] == [n for n in (1, 2, 4) if n <= channels]
        assert (side["taken_rate"], side["taken_channels"]) == (rate, taken)
        assert side["trouble"] == ""
    assert default["microphone"]["rates"][0] == 8_000  # ALSA's converter takes them all
    assert (default["microphone"]["taken_rate"], default["microphone"]["taken_channels"]) == (16_000, 1)
    assert not card.mic.starts
    assert not card.speaker.starts, "nothing was heard or played"


def test_devices_says_what_another_program_uses(card: PluggedCard) -> None:
    card.fault("mic", "busy")
    for device in listed(card):
        assert device["inputs"] == 0
        assert device["microphone"]["trouble"].startswith("in use by another program: end it")
        assert device["speaker"]["trouble"] == ""


def test_a_card_that_nobody_can_open_says_what_was_tried_and_what_it_has(new_card: NewCard) -> None:
    card = new_card(rate=900, mic=2)
    vcard, _ = listed(card) if len(listed(card)) > 1 else (listed(card)[0], None)
    assert vcard["microphone"]["trouble"] == "it refuses every usual rate; its own is 900 Hz"
    with ProgramOnCard(
        card, "-m", "voicepipe", "level", "--mic", "vcard", "--backend", "portaudio", flags=DEV
    ) as program:
        ended = program.end()
    assert ended.status == 1
    assert ended.err == (
        "voicepipe level: the microphone did not start: vcard refuses all that was tried: 16000, 48000, "
        "44100 Hz, 1 or 2 channels (Invalid sample rate); it says that it has 900 Hz and at most 2 channels: "
        "choose another device\n"
    )
