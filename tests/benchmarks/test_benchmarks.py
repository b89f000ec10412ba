"""The benchmark's command works from anywhere, and has all its rows. It judges no figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from soundcard.plugging import soundcard_is_required

_RUN = Path(__file__).with_name("run.py")


def _run(*arguments: str, directory: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, str(_RUN), *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_quick_run_prints_and_writes_every_row(tmp_path: Path) -> None:
    done = _run("--quick", "--repeats", "1", "--json", "found.json", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    kinds = ["queues and tasks", "mailbox", "inline"]
    lives = [f"{kind}, {how}" for how in ("ended", "cancelled") for kind in kinds]
    expected = {
        "hops_flood": ["1", "4", "16", "slope"],
        "hops_inline": ["1", "4", "16", "slope"],
        "hops_mailbox": ["1", "4", "16", "slope"],
        "hops_mixed": ["1", "4", "16", "slope"],
        "making": [
            "as a microphone makes it",
            "of its data alone",
            "with_data",
            "OutputAudioFrame.of",
            "parts_of, one part",
            "of a user's own class",
            "with_data of that",
        ],
        "latency": ["coroutines", "inline", "queue", "mailbox"],
        "lifecycle": lives,
        "memory": kinds,
        "growth": lives,
        "soak": kinds,
        "many_stages": [
            f"{size} {kind}" for kind in ("inline", "inline, in branches", "mailbox") for size in (4, 8)
        ],
        "collection": kinds,
        "sessions": ["2", "4"],
        "density": ["inline", "two mailboxes", "mailbox"],
        "imports": ["numpy", "asyncio, on numpy", "voicepipe, on numpy"],
        "resampling": [
            f"{way}, {quality}"
            for way in (
                *("48000 to 16000", "8000 to 16000", "16000 to 48000"),
                *("16000 to 8000", "44100 to 16000"),
            )
            for quality in ("live", "LQ", "MQ", "HQ")
        ]
        + [f"{way}, without numpy" for way in ("48000 to 16000", "16000 to 48000")],
        "vad": [
            "silero, as it is, 10 ms",
            "silero, as it is, 20 ms",
            "silero, quiet, 10 ms",
            "silero, quiet, 20 ms",
            "webrtc, as it is, 20 ms",
            "webrtc-plain, as it is, 20 ms",
        ],
    }
    rows = {name: [next(iter(row.values())) for row in table] for name, table in found["tables"].items()}
    assert {"voicepipe.frames", "voicepipe.task"} <= set(rows.pop("modules"))
    echo, echo_latency = rows.pop("echo"), rows.pop("echo_latency", [])
    if soundcard_is_required():
        assert echo == ["bare bridge", "echo program", "echo at its defaults", "echo, 20 ms, high"]
        assert echo_latency == ["bare bridge", "echo at its defaults", "echo, 20 ms, high"]
    assert rows == expected
    printed = [line.strip() for line in done.stdout.splitlines()]
    for name in (row for table in expected.values() for row in table):
        assert any(line.startswith(f"{name} ") for line in printed), name


def test_only_measures_what_was_asked_for(tmp_path: Path) -> None:
    done = _run("--quick", "--repeats", "1", "--only", "hops", "--json", "found.json", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    tables = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["tables"]
    assert list(tables) == ["hops_flood", "hops_inline", "hops_mailbox", "hops_mixed"]
    kinds = ("data", "system", "interruptible")
    expected = {"stages", "by hand", *kinds, *(f"{kind} ratio" for kind in kinds)}
    assert tables["hops_mailbox"][-1].keys() == expected
    assert tables["hops_mailbox"][-1]["data ratio"].keys() == {"median", "low", "high"}
    assert {"queue", "queue without a limit", "mailbox ratio to it"} < tables["hops_flood"][-1].keys()


def test_unknown_section_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = _run("--only", "speed", directory=tmp_path)
    assert done.returncode == 2
    known = "hops, making, latency, lifecycle, stages, collection, density, imports, resampling, vad, echo"
    assert f"there is no 'speed': choose from {known}" in done.stderr


def test_plot_without_matplotlib_says_what_to_install_before_it_measures(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no such thing here')\n")
    done = _run("--plot", "found.png", directory=tmp_path, path=tmp_path)
    assert done.returncode == 2
    assert "a plot needs matplotlib (no such thing here): python -m pip install matplotlib" in done.stderr
    assert not done.stdout


def test_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="allowed skip: matplotlib is not installed, and need not be")
    done = _run("--quick", "--repeats", "1", "--only", "latency", "--plot", "found.png", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")


def test_interpreter_without_pipecat_is_one_line_and_the_rest_is_measured(tmp_path: Path) -> None:
    done = _run(
        "--quick", "--repeats", "1", "--only", "latency", "--pipecat", sys.executable, directory=tmp_path
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("run.py: pipecat-ai could not be measured with ")
    assert line.endswith("No module named 'pipecat'")
    assert "mailbox" in done.stdout
