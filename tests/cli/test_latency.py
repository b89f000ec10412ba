"""`voicepipe latency` in a simulated room: every chirp's way, and what is said of all of them."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from cli.test_doctor import Room
from process.running import Program
from voicepipe import AudioFormat
from voicepipe.cli import main
from voicepipe.cli.commands.latency import LatencyOptions, measure
from voicepipe.cli.parts.chirp import Trip
from voicepipe.cli.parts.measurement import Measurement, percentile
from voicepipe.devices.port import StreamInfo
from voicepipe_devices.fake import FakeBackend

INFO = StreamInfo("card", AudioFormat(48_000), 480, 0.01)


def trip(ms: float) -> Trip:
    return Trip(0.0, ms / 1e3, (ms + 5) / 1e3, -6.0)


async def test_in_a_room_every_chirp_is_heard() -> None:
    told: list[int] = []
    options = LatencyOptions("fake", format=AudioFormat(16_000), count=5)
    found = await measure(Room(), options, lambda trips: told.append(len(trips)))
    assert told == [1, 2, 3, 4, 5]
    assert len(found.heard) == 5
    for each in found.heard:  # the next block of the speaker, and the next of the microphone
        assert 0.0 <= each.seconds <= 0.0301
        assert each.seconds < each.in_hand_s <= each.seconds + 0.0151
        assert each.gain_db == pytest.approx(-12.0, abs=0.5)


async def test_without_air_between_every_chirp_is_lost() -> None:
    found = await measure(FakeBackend(), LatencyOptions("fake", count=2), lambda trips: None)
    assert found.trips == (None, None)
    assert "turn both up" in found.lines()[1]
    assert (found.as_dict()["lost"], found.as_dict()["round_trip_ms"]) == (2, {})


def test_what_is_said_of_all_of_them() -> None:
    found = Measurement(INFO, INFO, (trip(30), None, trip(50), trip(40)))
    assert found.lines() == [
        '"card" to "card", 48000 Hz, 1 channel: 3 of 4 chirps heard',
        "to the microphone  p50 40.0 ms  p95 50.0 ms  max 50.0 ms",
        "in the program     p50 45.0 ms  p95 55.0 ms  max 55.0 ms",
        "the devices report 20.0 ms for both directions, blocks not counted",
    ]
    machine = found.as_dict()
    assert machine["round_trip_ms"] == {"p50": 40.0, "p95": 50.0, "max": 50.0}
    assert (machine["chirps"], machine["lost"], machine["reported_ms"]) == (4, 1, 20.0)
    assert machine["trips"][1] is None
    assert json.loads(json.dumps(machine)) == machine


@pytest.mark.parametrize(("percent", "value"), [(50.0, 10), (95.0, 19), (96.0, 20), (100.0, 20), (0.0, 1)])
def test_percentiles(percent: float, value: int) -> None:
    assert percentile(range(20, 0, -1), percent) == value


@pytest.mark.real_time
@pytest.mark.heavy
def test_nothing_heard_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "--backend", "fake", "--count", "1", "--listen", "0.1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["lost"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "0"], "is not a number of chirps"),
        (["--backend", "wav:a.wav"], "a file has no latency"),
        (["--rate", "8000", "--block", "9000"], "choose at most 1 s"),
    ],
)
def test_wrong_usage(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["latency", *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.heavy
def test_the_ways_are_drawn(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = ['.', 'devices', 'tests']; import cli.test_latency as t; "
        "from voicepipe.cli.parts.trips_picture import draw_trips; "
        "found = t.Measurement(t.INFO, t.INFO, (t.trip(30), None, t.trip(40))); "
        f"draw_trips(found, {str(tmp_path / 'it.png')!r})"
    )
    # In a process of its own: matplotlib keeps its fonts open.
    line = f"exec {shlex.join([sys.executable, '-c', script])}"
    with Program("drawing", shell=line, MPLCONFIGDIR=str(tmp_path)) as program:
        ended = program.end()
    assert ended.status == 0, ended
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")
