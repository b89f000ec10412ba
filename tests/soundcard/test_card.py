"""The virtual sound card is one: real PortAudio streams run on it, and what it tells about them is so."""

from __future__ import annotations

import array
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT

import numpy as np
import pytest

from process.running import PATIENCE_S
from soundcard.card import Card, save
from soundcard.plugging import HERE, NewCard, PluggedCard, bring_up, plugged
from soundcard.rooms import DEV, ProgramOnCard, Samples, Wire, find, load_wav
from voicepipe.testing import room_impulse
from voicepipe_devices.fake.fractional import interpolate

RATE = 48000
STEADY = ("--block", "480", "--latency", "0.2", "--input", "vcard", "--output", "vcard")
"""A stream with so much in store that a busy machine does not break it."""
LIST = "import sounddevice as sd; print(*(d['name'] for d in sd.query_devices()))"


def noise(count: int) -> Samples:
    return np.random.default_rng(1).integers(-20000, 20000, count).astype(np.int16)


def wire(card: PluggedCard, *arguments: str) -> Wire:
    return Wire(card, *(arguments or STEADY))


def python(card: PluggedCard, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *DEV, *arguments],
        env={**os.environ, **card.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def command(card: PluggedCard, *arguments: str) -> str:
    done = python(card, str(HERE / "card.py"), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def devices(card: PluggedCard) -> list[str]:
    return python(card, "-c", LIST).stdout.split()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stands_still(card: PluggedCard, seconds: float = 0.5) -> bool:
    """Whether the program moves no sound for so long."""
    before = card.speaker.appl
    time.sleep(seconds)
    return card.speaker.appl == before


# -- sound


def test_what_is_said_comes_out_of_the_speaker_to_the_bit(card: PluggedCard) -> None:
    said = noise(RATE)
    with wire(card) as program:
        program.has_opened()
        start = program.say(said)
        found = find(said, program.heard(start, 2 * RATE))
        end = program.send(SIGINT).end()
    assert found.same >= 0.999, (found, end)
    assert 0 < found.offset < RATE // 2
    assert found.correlation > 0.999
    assert end.status == 0


def test_a_card_of_another_rate_and_other_channels(new_card: NewCard) -> None:
    card, said = new_card(rate=16000, mic=2, speaker=1), noise(8000)
    with wire(card, *STEADY, "--rate", "16000") as program:
        program.has_opened()
        found = find(said, program.heard(program.say(said), 16000))
    assert found.same > 0.99, found
    status = card.status()
    assert (status["rate"], status["mic"]["channels"], status["speaker"]["channels"]) == (16000, 2, 1)


def test_the_microphone_hears_the_speaker_through_the_air(card: PluggedCard) -> None:
    card.echo([(40, 0.5)])
    assert card.status()["echo"] == [(40.0, 0.5)]
    click = np.array([8000] * 24, dtype=np.int16)
    with wire(card) as program:
        program.has_opened()
        heard = program.heard(program.say(click), RATE)
    first, second = (int(np.argmax(heard == level)) for level in (8000, 4000))
    assert 0 < first < second
    assert second - first == pytest.approx(first + RATE * 0.040, abs=2)


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(("clip", "ppm"), [(4.0, 0), (0.0, 0), (0.0, 200)])
def test_room_is_the_convolution_of_all_that_is_played(card: PluggedCard, clip: float, ppm: int) -> None:
    """The program passes its microphone on: what it plays is what was said, and the echo of what it plays."""
    impulse = room_impulse(RATE, level_db=-12.0)
    card.clock("speaker", ppm)
    card.room(impulse.tolist(), clip)
    said = noise(RATE // 2)
    with wire(card) as program:
        program.has_opened()
        first = program.card.say(array.array("h", said.tobytes()), 0.4)
        before = card.at_speaker(first) - RATE // 4
        played = np.array(card.heard(before, 2 * RATE), np.float64)
    ratio = 1 + ppm * 1e-6
    # The speaker's place, among the samples that were played, at the microphone's first frame.
    place = (card.mic.epoch_ns - card.speaker.epoch_ns) * 1e-9 * RATE * ratio + first * ratio - before
    sounds = interpolate(played, place - RATE // 4 * ratio, ratio, 3 * RATE // 2)
    sounds = np.tanh(clip * sounds / 32768) / clip * 32768 if clip else sounds
    size = len(sounds) + len(impulse)
    echo = np.fft.irfft(np.fft.rfft(sounds, size) * np.fft.rfft(impulse, size), size)[: len(sounds)]
    expected = np.concatenate([np.zeros(RATE // 4), said, np.zeros(len(echo))])[: len(echo)] + echo
    rest = slice(RATE // 2, RATE + RATE // 4)
    at = find(np.rint(expected[rest]).astype(np.int16), played.astype(np.int16)).offset
    off = played[at : at + RATE * 3 // 4] - expected[rest]
    assert np.std(echo[rest]) > 300
    assert np.std(off) < 1.0 if not ppm else np.std(off) < 0.02 * np.std(echo[rest])
    command(card, "room", "--off")
    assert card.status()["impulse"] == 0


def test_room_of_the_command_is_a_file_or_a_line_that_says_why_not(card: PluggedCard, tmp_path: Path) -> None:
    text, sound = tmp_path / "room.txt", tmp_path / "room.wav"
    text.write_text("0, 0.5  # the direct sound\n0.25\n")
    save(str(sound), array.array("h", [16384] * 1000), RATE)
    command(card, "room", str(text), "--clip", "4")
    assert (card.status()["impulse"], card.status()["clip"]) == (3, 4.0)
    command(card, "room", str(sound), "--gain", "0.5")
    assert card.status()["impulse"] == 1000
    save(str(sound), array.array("h", [1]), 16_000)
    text.write_text("loud")
    for arguments, reason in (
        ([str(sound)], "has 16000 Hz, the card 48000: convert it"),
        ([str(text)], "could not convert string to float: 'loud'"),
        ([str(tmp_path / "no.wav")], "No such file"),
        ([], "name the file of an impulse response, or --off"),
    ):
        done = python(card, str(HERE / "card.py"), "room", *arguments)
        assert done.returncode == 2
        assert reason in done.stderr.splitlines()[-1]
    with pytest.raises(ValueError, match="131073 taps: at most 131072"):
        card.room([0.0] * 131_073)


def test_a_new_card_may_be_in_a_room_at_once(card: PluggedCard, tmp_path: Path) -> None:
    """The fixture is there for what a machine needs for any card."""
    impulse = tmp_path / "room.txt"
    impulse.write_text("0 0.5 0.25\n")
    options = ["--room", str(impulse), "--clip", "4", "--loss", "mic:20:3000"]
    with PluggedCard(bring_up(tmp_path / "card", *options), "none") as other:
        status = other.status()
        assert (status["impulse"], status["clip"]) == (3, 4.0)
        assert (other.mic.loss, other.mic.loss_every) == (0.02 * RATE, 3 * RATE)
        assert other.speaker.loss == 0
    assert card.status()["impulse"] == 0


def test_lost_samples_are_lost_without_a_word(card: PluggedCard) -> None:
    said = noise(RATE)
    with wire(card) as program:
        start = program.has_opened().say(said, after_s=0.5)
        while card.now(card.mic) < start + RATE // 2:
            time.sleep(0.005)
        card.loss("mic", 0.02)
        heard = program.heard(start, 2 * RATE)
    assert (card.mic.lost, card.mic.xruns, card.speaker.xruns) == (960, 0, 0)
    begin, end = find(said[: RATE // 4], heard).offset, find(said[-RATE // 4 :], heard).offset
    assert end - begin == RATE * 3 // 4 - 960
    command(card, "loss", "speaker", "--ms", "10", "--every-ms", "500")
    with wire(card) as program:
        start = program.has_opened().say(said, after_s=0.5)
        heard = program.heard(start, 2 * RATE)
    begin, end = find(said[: RATE // 4], heard).offset, find(said[-RATE // 4 :], heard).offset
    assert end - begin in (RATE * 3 // 4 + 480, RATE * 3 // 4 + 960)
    assert card.speaker.xruns == 0


def test_two_cards_at_once_do_not_hear_each_other(new_card: NewCard) -> None:
    one, other = new_card(), new_card()
    said = noise(RATE // 2)
    with wire(one) as program, wire(other) as neighbour:
        program.has_opened()
        neighbour.has_opened()
        start = program.say(said)
        assert find(said, program.heard(start, RATE)).same > 0.99
        assert not any(other.heard(other.now() - RATE // 2, RATE // 2))


# -- the list of devices


def test_the_devices_are_the_card_and_the_default(card: PluggedCard) -> None:
    assert devices(card) == ["vcard", "default"]


def test_a_card_whose_path_has_spaces(tmp_path: Path, card: PluggedCard) -> None:
    with plugged(tmp_path / "a room: with 'a view'") as spacious:
        assert spacious.env["VCARD_DIR"].endswith("'a view'")
        assert devices(spacious) == ["vcard", "default"]
    assert not (tmp_path / "a room: with 'a view'").exists()
    assert devices(card) == ["vcard", "default"]


# -- faults


def test_unplugged_card_stops_the_stream_and_is_gone_from_the_list(card: PluggedCard) -> None:
    with wire(card) as program:
        program.has_opened()
        command(card, "fault", "both", "unplug")
        wait_until(lambda: stands_still(card))
        assert "vcard" not in devices(card)
        program.send(SIGINT)
        assert program.end().status == 0
    command(card, "fault", "both", "none")
    assert devices(card) == ["vcard", "default"]


def test_busy_card_cannot_be_opened(card: PluggedCard) -> None:
    command(card, "fault", "both", "busy")
    with wire(card) as program:
        end = program.end()
    assert end.status == 1
    (line,) = end.err.splitlines()
    assert line.startswith("wire.py: ")
    assert not card.mic.opens


def test_stalled_card_stands_still_and_goes_on(card: PluggedCard) -> None:
    with wire(card) as program:
        program.has_opened()
        wait_until(lambda: card.speaker.appl > RATE // 5)
        command(card, "fault", "both", "stall")
        wait_until(lambda: stands_still(card))
        command(card, "fault", "both", "none")
        wait_until(lambda: not stands_still(card, 0.1))
        assert program.send(SIGINT).end().status == 0


def test_xrun_is_counted_and_the_stream_goes_on(card: PluggedCard) -> None:
    with wire(card) as program:
        program.has_opened()
        before = card.mic.xruns
        command(card, "fault", "mic", "xrun")
        wait_until(lambda: card.mic.xruns > before)
        wait_until(lambda: not stands_still(card, 0.1))
        assert program.send(SIGINT).end().status == 0


# -- the commands


def test_status_tells_what_the_program_has_open(card: PluggedCard) -> None:
    with wire(card) as program:
        program.has_opened()
        status = json.loads(command(card, "status"))
        assert status["file"] == card.path
        assert status["rate"] == RATE
        for direction in ("mic", "speaker"):
            assert status[direction]["running"] == 1
            assert status[direction]["pid"] == program.pid
            assert 0 < status[direction]["period"] < status[direction]["buffer"]
        program.send(SIGINT).end()
    assert not card.mic.running
    assert not card.speaker.running


def test_play_and_record(card: PluggedCard, tmp_path: Path) -> None:
    said, wav, recorded = noise(RATE // 2), tmp_path / "said.wav", tmp_path / "heard.wav"
    save(str(wav), array.array("h", said.tobytes()), RATE)
    record = (str(HERE / "card.py"), "record", str(recorded), "--seconds", "4")
    with wire(card) as program, ProgramOnCard(card, *record) as recorder:
        program.has_opened()
        recorder.says("from frame")
        assert command(card, "play", str(wav), "--wait", "--after", "0.5").endswith(", 0.50 s\n")
        assert recorder.end().status == 0
    assert find(said, load_wav(recorded)).same > 0.99


def test_play_brings_a_recording_to_the_rate_of_the_card(new_card: NewCard, tmp_path: Path) -> None:
    card, wav = new_card(rate=16000), tmp_path / "said.wav"
    save(str(wav), array.array("h", noise(RATE).tobytes()), RATE)
    assert command(card, "play", str(wav), "--gain", "0.5").endswith(", 1.00 s\n")
    assert len(load_wav(wav, 16000)) == 16000


def test_latency_of_a_program_is_one_line_of_json(card: PluggedCard) -> None:
    program = (sys.executable, str(HERE / "wire.py"), "duplex", *STEADY)
    options = ("--count", "8", "--every-ms", "300", "--settle", "0.3", "--label", "wire", "--max-lost", "0")
    done = python(card, str(HERE / "latency.py"), *options, "--", *program)
    assert done.returncode == 0, (done.stdout, done.stderr)
    report = json.loads(done.stdout)
    assert (report["label"], report["clicks"], report["lost"], report["died"]) == ("wire", 8, 0, False)
    assert 200 < report["min"] <= report["p50"] <= report["p95"] <= report["max"] < 280


def test_latency_tells_of_a_program_that_opens_nothing(card: PluggedCard) -> None:
    done = python(card, str(HERE / "latency.py"), "--", sys.executable, "-c", "pass")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "the command did not open microphone and speaker\n"


# -- where it cannot be put in


def test_what_is_no_card_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "card"
    file.write_bytes(bytes(8192))
    with pytest.raises(ValueError, match="no virtual sound card: make one with"):
        Card(str(file))


@pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: a script for Linux")
def test_what_is_missing_and_may_not_be_installed_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "cat", "cut", "dirname", "flock", "id", "ln", "mkdir", "sha256sum", "uname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    env = {"PATH": str(programs), "TMPDIR": str(tmp_path), "VCARD_DIR": str(tmp_path / "card")}
    done = subprocess.run([HERE / "up"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("no virtual sound card: packages are missing (on Debian: sudo apt-get install ")
    assert " gcc libc6-dev)" in line
