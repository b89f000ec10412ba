"""`voicepipe record` and `voicepipe play`: what is in the file, whose it is, and what is said."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from sound_for_tests import noise, virtual_loop
from stages_for_tests import Recorder as Frames
from voicepipe import AudioFormat, MicrophoneInput, Pipeline, PipelineTask
from voicepipe.cli import main
from voicepipe.programs.record import Recorder
from voicepipe.wavfile import WavReader, WavWriter
from voicepipe_devices.fake import SimulatedCard

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "voicepipe" / "data" / "speech.wav"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def samples_of(path: Path) -> bytes:
    with WavReader(path) as file:
        return file.read(file.num_samples)


def record(path: Path | str, *options: str) -> int:
    return main(["record", str(path), "--backend", f"wav:{SAMPLE}", *options])


def test_what_was_heard_is_in_the_file_to_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "said.wav"
    assert record(path) == 0
    assert samples_of(path) == samples_of(SAMPLE)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"records into {path}, for you alone. Ctrl-C ends it"
    assert last == f"recorded 7.24 s, 16000 Hz, 1 channel, into {path}; lost samples: none"


def test_so_many_seconds_are_so_many_samples(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"
    assert record(path, "--seconds", "1.5", "--rate", "48000", "--channels", "2") == 0
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (48_000, 2, 72_000)


def test_a_recording_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert record(tmp_path / "new" / "said.wav", "--seconds", "1") == 0
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new") == 0o700
    assert mode_of(tmp_path / "new" / "said.wav") == 0o600


@pytest.mark.parametrize("what", ["file", "link", "dangling link", "folder"])
def test_what_is_there_is_not_touched(tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    path, other = tmp_path / "said.wav", tmp_path / "other"
    if what == "folder":
        path.mkdir()
    elif what == "file":
        path.write_text("precious")
    else:
        path.symlink_to(other)
        if what == "link":
            other.write_text("precious")
    assert record(path) == 1
    assert caplog.messages == [
        f"Recorder did not start: {path} is there already: give another name, or remove it first"
    ]
    assert other.exists() == (what == "link")
    assert what not in ("file", "link") or path.read_text() == "precious"


def test_where_nothing_was_recorded_nothing_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "new" / "said.wav"
    assert main(["record", str(path), "--backend", "wav:/no/such.wav"]) == 1
    assert "/no/such.wav cannot be read" in caplog.messages[0]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert record(tmp_path / "no" / "such" / "said.wav") == 1
    assert caplog.messages[0].endswith("said.wav cannot be made: No such file or directory")


LIMITED = """
import resource, sys
from voicepipe.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_takes_no_more_ends_it_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "record", str(path), "--backend", f"wav:{SAMPLE}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "devices")])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert f"{path} cannot be written any more (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    kept = samples_of(path)
    assert len(kept) == 40_000 - 44
    assert kept == samples_of(SAMPLE)[: len(kept)]


def started(path: Path) -> subprocess.Popen[str]:
    """`record` from the simulated card, in a process of its own, once there is more than a second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voicepipe", "record", str(path), "--backend", "fake"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "devices")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not path.exists() or path.stat().st_size < 2 * 20_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)]
)
def test_it_is_valid_after_ctrl_c_and_after_a_kill(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    path = tmp_path / "said.wav"
    with started(path) as process:
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (status, "")
    there = (path.stat().st_size - 44) // 2
    with wave.open(str(path)) as file:  # which believes the header
        assert there - file.getnframes() < 16_000
        told = file.readframes(file.getnframes())
    assert told == samples_of(SAMPLE)[: len(told)]
    assert len(told) >= 2 * 16_000
    if number != signal.SIGKILL:
        assert len(told) == 2 * there


async def test_it_is_a_stage_that_passes_everything_on(tmp_path: Path) -> None:
    card, behind = SimulatedCard(), Frames()
    said = noise(0.5)
    card.mic.hear(said)
    card.mic.run_out()
    recorder = Recorder(str(tmp_path / "said.wav"))
    report = await PipelineTask(Pipeline([MicrophoneInput(card.backend()), recorder, behind])).run()
    assert samples_of(tmp_path / "said.wav") == said.tobytes()
    assert recorder.seconds == 0.5
    assert sum(len(getattr(frame, "data", b"")) for frame in behind.frames) == said.nbytes
    assert report.dropped == {}
    assert virtual_loop().time() < 1.0


def test_a_new_file_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavWriter(path, AudioFormat(), new=True) as file:
        file.write(b"\1\0")
    with pytest.raises(FileExistsError):
        WavWriter(path, AudioFormat(), new=True)
    assert samples_of(path) == b"\1\0"


# -- playing -----------------------------------------------------------------------


def play(path: Path | str, out: Path) -> int:
    return main(["play", str(path), "--backend", f"wav:,{out}"])


def test_a_file_is_played_to_its_last_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "heard.wav"
    assert play(SAMPLE, out) == 0
    assert samples_of(out) == samples_of(SAMPLE)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"plays {SAMPLE}, 7.24 s. Ctrl-C ends it"
    assert last == "played 7.24 of 7.24 s"


def test_a_file_is_played_at_its_own_rate_and_channels(tmp_path: Path) -> None:
    path, out = tmp_path / "a,b.wav", tmp_path / "heard.wav"
    sound = np.arange(2_000, dtype=np.int16).tobytes()
    with WavWriter(path, AudioFormat(44_100, 2)) as file:
        file.write(sound)
    assert play(path, out) == 0
    with WavReader(out) as file_out:
        assert file_out.format == AudioFormat(44_100, 2)
    assert samples_of(out) == sound


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), (b"", "is empty"), (b"RIFFxxxxWAVE", "no whole WAV file")],
)
def test_what_cannot_be_played_is_one_line(
    tmp_path: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    assert play(path, tmp_path / "heard.wav") == 1
    told = capsys.readouterr().err
    assert told.startswith("voicepipe play: ")
    assert told.count("\n") == 1
    assert said in told
    assert not (tmp_path / "heard.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["record"], "FILE.wav"),
        (["record", ""], "is no file's name"),
        (["record", "a.wav", "--rate", "5"], "is no rate"),
        (["record", "a.wav", "--channels", "0"], "is no number of channels"),
        (["play"], "FILE.wav"),
        (["play", "a.wav", "--latency", "tiny"], "is no latency"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
