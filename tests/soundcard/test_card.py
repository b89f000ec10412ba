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

from soundcard.card import Card, save
from soundcard.plugging import HERE, NewCard, PluggedCard, plugged
from soundcard.rooms import DEV, ProgramOnCard, Samples, find, load_wav

RATE = 48000
PATIENCE_S = 20.0
STEADY = ("--block", "480", "--latency", "0.2", "--input", "vcard", "--output", "vcard")
"""A stream with so much in store that a busy machine does not break it."""
LIST = "import sounddevice as sd; print(*(d['name'] for d in sd.query_devices()))"


def noise(count: int) -> Samples:
    return np.random.default_rng(1).integers(-20000, 20000, count).astype(np.int16)


def wire(card: PluggedCard, *arguments: str) -> ProgramOnCard:
    return ProgramOnCard(card, str(HERE / "wire.py"), "duplex", *(arguments or STEADY))


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
    record = (str(HERE / "card.py"), "record", str(recorded), "--seconds", "3")
    with wire(card) as program, ProgramOnCard(card, *record) as recorder:
        program.has_opened()
        assert command(card, "play", str(wav), "--wait", "--after", "1").endswith(", 0.50 s\n")
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
