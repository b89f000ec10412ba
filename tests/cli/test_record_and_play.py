"""`voicepipe record` and `voicepipe play`: to the sample, for its owner alone, never over another file."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from support.sound import noise
from voicepipe import AudioFormat, MicrophoneInput, Pipeline, PipelineTask
from voicepipe.audio.files.private_files import create_private_file
from voicepipe.audio.files.wav_file import WavReader, WavWriter
from voicepipe.cli import main
from voicepipe.cli.commands.record import Recorder, recording_path
from voicepipe.cli.terminal.screen import Screen
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard

pytestmark = pytest.mark.real_time
MONO = AudioFormat(16_000)


def wav(path: Path, audio: AudioFormat = MONO, seconds: float = 1.2) -> bytes:
    """A file of noise; returns its samples."""
    data = noise(seconds * audio.channels, rate=audio.rate).tobytes()
    with WavWriter(path, audio) as file:
        file.write(data)
    return data


def read(path: Path) -> tuple[AudioFormat, bytes]:
    with WavReader(path) as file:
        return file.format, file.read(1 << 30)


def record(tmp_path: Path, *options: str, to: str = "new/out.wav") -> int:
    return main(["record", str(tmp_path / to), "--backend", f"wav:{tmp_path / 'in.wav'}", *options])


def test_what_is_heard_is_recorded_to_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = wav(tmp_path / "in.wav")
    assert record(tmp_path, "--rate", "16000") == 0
    assert read(tmp_path / "new" / "out.wav") == (MONO, data)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"recording into {tmp_path}/new/out.wav, which only you can read. Ctrl-C to finish"
    assert last.startswith(f"{tmp_path}/new/out.wav: 1.20 s, 16000 Hz, 1 channel, peak -11.")


def test_a_recording_is_its_owners_alone(tmp_path: Path) -> None:
    wav(tmp_path / "in.wav")
    assert record(tmp_path) == 0
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "out.wav").stat().st_mode) == 0o600


def test_the_time_stands_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2026, 1, 2, 3, 4, 5, 4, 2, 0)))
    assert recording_path("%Y/%m/%d/%H-%M-%S 100%.wav", {}) == "2026/01/02/03-04-05 100%.wav"
    assert recording_path("%j%%.wav", {}) == "%j%%.wav"


def test_a_service_records_into_its_state_directory() -> None:
    service = {"NOTIFY_SOCKET": "/run/notify", "STATE_DIRECTORY": "/var/lib/x/recordings:/var/lib/y"}
    assert recording_path("a/day.wav", service) == "/var/lib/x/recordings/a/day.wav"
    assert recording_path("/srv/day.wav", service) == "/srv/day.wav"
    assert recording_path("day.wav", {"STATE_DIRECTORY": "/var/lib/x"}) == "day.wav"
    assert recording_path("day.wav", {"NOTIFY_SOCKET": "/run/notify"}) == "day.wav"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o027, 0o077, 0o277, 0o777], ids=oct)
@pytest.mark.parametrize("to", ["new/out.wav", "a/b/c/out.wav", "a/../b/out.wav", "there/new/out.wav"])
def test_every_folder_that_is_made_is_its_owners_alone(tmp_path: Path, to: str, mask: int) -> None:
    wav(tmp_path / "in.wav")
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there").chmod(0o755)
    with umask(mask):
        assert record(tmp_path, to=to) == 0
    made = [path for path in tmp_path.rglob("*") if path.name not in ("in.wav", "there")]
    folders = {path.name for path in made if path.is_dir()}
    assert folders == {part for part in Path(to).parts[:-1] if part not in ("there", "..")}
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755, "one that exists stays as it is"


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777], ids=oct)
def test_the_settings_are_their_owners_alone(
    tmp_path: Path, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config" / "deep"))
    monkeypatch.delenv("VOICEPIPE_CONFIG", raising=False)
    with umask(mask):
        assert main(["config", "set", "mic", "usb"]) == 0
    made = list(tmp_path.rglob("*"))
    assert len(made) == 4
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("mask", [0o000, 0o777], ids=oct)
def test_a_picture_of_sound_is_its_owners_alone(tmp_path: Path, mask: int) -> None:
    with umask(mask), create_private_file(tmp_path / "new.png") as file:
        file.write(b"sound")
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o600
    (tmp_path / "new.png").chmod(0o644)
    with create_private_file(tmp_path / "new.png") as file:
        file.write(b"ton")
    assert (tmp_path / "new.png").read_bytes() == b"ton"
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o644, "one that exists stays as it is"


def test_a_file_in_the_place_of_a_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav(tmp_path / "in.wav")
    assert record(tmp_path, to="in.wav/out.wav") == 1
    assert capsys.readouterr().err == f"voicepipe record: {tmp_path / 'in.wav'}: not a folder\n"


def test_so_many_seconds(tmp_path: Path) -> None:
    data = wav(tmp_path / "in.wav")
    assert record(tmp_path, "--rate", "16000", "--seconds", "0.5") == 0
    assert read(tmp_path / "new" / "out.wav") == (MONO, data[:16_000])


def test_the_rate_and_the_channels_that_were_asked_for(tmp_path: Path) -> None:
    wav(tmp_path / "in.wav")
    assert record(tmp_path, "--rate", "44100", "--channels", "2") == 0
    audio, data = read(tmp_path / "new" / "out.wav")
    assert audio == AudioFormat(44_100, 2)
    assert len(data) // 4 == pytest.approx(1.2 * 44_100, abs=2)


@pytest.mark.parametrize("link", [False, True])
def test_no_other_file_is_touched(tmp_path: Path, link: bool, capsys: pytest.CaptureFixture[str]) -> None:
    wav(tmp_path / "in.wav")
    precious, there = tmp_path / "precious", tmp_path / "there.wav"
    precious.write_text("precious")
    if link:
        there.symlink_to(precious)
    else:
        there.write_text("precious")
    assert record(tmp_path, to="there.wav") == 1
    assert precious.read_text() == there.read_text() == "precious"
    assert capsys.readouterr().err == (
        f"voicepipe record: {there} already exists: choose another name or delete it\n"
    )


@pytest.mark.parametrize("name", ["note.mp3", "call 1.flac"])
def test_only_wav_files_are_written(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wav(tmp_path / "in.wav")
    with pytest.raises(SystemExit) as ended:
        record(tmp_path, to=name)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    stem, ending = name.split(".")
    assert f"only .wav can be written, not .{ending}; type: voicepipe record " in error
    assert f"{stem}.wav" in error
    assert not (tmp_path / name).exists()


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    wav(tmp_path / "in.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "elsewhere.wav")
    assert record(tmp_path, to="link.wav") == 1
    assert not (tmp_path / "elsewhere.wav").exists()


def test_a_microphone_that_cannot_be_opened_leaves_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["record", str(tmp_path / "out.wav"), "--backend", f"wav:{tmp_path / 'none.wav'}"]) == 1
    assert not (tmp_path / "out.wav").exists()
    assert "none.wav" in caplog.text


def test_what_the_microphone_lost_is_silence_so_that_the_time_is_true(tmp_path: Path) -> None:
    said = noise(2.0)
    card = SimulatedCard()
    card.mic.hear(said)
    card.mic.run_out()
    with WavWriter(tmp_path / "out.wav", MONO) as file:
        recorder = Recorder(file, Screen(), "out.wav")
        task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), recorder]))

        async def lose_some() -> None:
            asyncio.get_running_loop().call_later(0.5, card.mic.xrun, 5_000)
            await task.run()

        run_virtual(lose_some())
        assert "; 0.3 s were lost, and are silence" in recorder.summary()
    _, data = read(tmp_path / "out.wav")
    heard = np.frombuffer(data, np.int16)
    lost = np.flatnonzero(heard == 0)
    assert len(lost) == 5_000
    sounds = heard != 0
    np.testing.assert_array_equal(heard[sounds], said[: len(heard)][sounds])


@pytest.mark.parametrize("audio", [MONO, AudioFormat(44_100, 2)])
def test_a_file_is_played_to_the_sample(
    tmp_path: Path, audio: AudioFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    data = wav(tmp_path / "a,b.wav", audio)
    assert main(["play", str(tmp_path / "a,b.wav"), "--backend", f"wav:,{tmp_path / 'out.wav'}"]) == 0
    assert read(tmp_path / "out.wav") == (audio, data)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{tmp_path}/a,b.wav: 1.20 s, {audio}. Ctrl-C to finish"
    assert out[-1] == "played 1.2 s of 1.2 s"


@pytest.mark.heavy
def test_it_shows_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav(tmp_path / "in.wav", seconds=1.5)
    assert main(["play", str(tmp_path / "in.wav"), "--backend", "fake"]) == 0
    _, status, last = capsys.readouterr().out.splitlines()
    assert " s of 1.5 ####" in status
    assert last == "played 1.5 s of 1.5 s"


@pytest.mark.parametrize("command", ["record", "play"])
def test_without_a_file_is_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    assert "FILE" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["record", "play", "vad"])
def test_standard_input_and_output_are_no_files(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "-"])
    assert ended.value.code == 2
    assert "- is no file; give the name of one" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no sound"])
def test_what_is_no_wav_file_is_one_line(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.wav"
    if content is not None:
        path.write_bytes(content)
    assert main(["play", str(path), "--backend", f"wav:,{tmp_path / 'out.wav'}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("voicepipe play: ")
    assert "in.wav" in line
