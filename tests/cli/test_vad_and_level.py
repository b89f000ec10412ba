"""`voicepipe vad` and `voicepipe level`: what they print, draw, and say when something is wrong."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from support.bare import bare
from support.program_output import without_slow_steps
from voicepipe.cli import main
from voicepipe.cli.terminal.status_lines import bar

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "voicepipe" / "data" / "speech.wav"
SENTENCES_S = ((0.31, 1.77), (2.91, 6.0))


def write(path: Path, audio: npt.NDArray[Any], rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if audio.ndim == 1 else audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(audio.astype(np.int16).tobytes())
    return path


def close_to_the_sentences(spans: list[tuple[float, float]]) -> bool:
    return len(spans) == 2 and bool(np.abs(np.subtract(spans, SENTENCES_S)).max() < 0.2)


@pytest.mark.parametrize("engine", ["webrtc", "webrtc-plain", "auto"])
def test_the_segments_are_lines_of_text(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vad", str(SAMPLE), "--vad", engine]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == f"{SAMPLE}: 7.24 s, 16000 Hz mono"
    assert close_to_the_sentences([(float(line.split()[0]), float(line.split()[1])) for line in lines])
    assert last.startswith("2 segments, ")
    assert engine == "auto" or f"; {engine}, " in last


def test_the_segments_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vad", str(SAMPLE), "--json", "--vad", "webrtc", "--stop", "0.6"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rate"], found["channels"], found["engine"]) == (16_000, 1, "webrtc")
    assert found["settings"]["stop_s"] == 0.6
    assert close_to_the_sentences([(each["begin_s"], each["end_s"]) for each in found["segments"]])
    assert all(each["begin_s"] == each["begin"] / 16_000 for each in found["segments"])


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (SAMPLE.read_bytes()[:100_000], "it is cut off: its header says 7.24 s, it has 3.12 s"),
        (SAMPLE.read_bytes() * 2, "another WAV file follows its audio, and is not read"),
        (SAMPLE.read_bytes() + b"and more!", "9 bytes behind its audio are not read"),
    ],
    ids=["cut off", "joined", "more"],
)
@pytest.mark.parametrize("command", ["vad", "vad --json", "play --backend wav:,out.wav"])
def test_a_fault_of_the_file_is_a_line_beside_the_result(
    command: str, content: bytes, remark: str, tmp_path: Path
) -> None:
    (tmp_path / "in.wav").write_bytes(content)
    words = [sys.executable, "-m", "voicepipe", *command.split(), "in.wav"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    name = command.split()[0]
    assert done.stderr.startswith(f"voicepipe {name}: in.wav: {remark}")
    assert len(done.stderr.splitlines()) == 1
    if command.endswith("json"):
        json.loads(done.stdout)


def test_the_command_that_helps_is_shown_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ("a rather long name ") / "in.wav"
    path.parent.mkdir()
    path.write_bytes(b"\0\0\0\x1cftypM4A " + bytes(99))
    assert main(["vad", str(path)]) == 1
    assert capsys.readouterr().err.endswith("in.wav' out.wav` makes one\n")
    assert main(["record", str(tmp_path / "out.wav"), "--backend", f"wav:{path}"]) == 1
    assert caplog.messages[0].endswith("in.wav' out.wav` makes one")


@pytest.mark.parametrize(
    ("kind", "subtype"), [("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
)
def test_the_same_speech_is_found_in_files_of_every_kind(
    tmp_path: Path, kind: str, subtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, rate = soundfile.read(SAMPLE, dtype="int16")
    soundfile.write(tmp_path / "call", audio, rate, format=kind, subtype=subtype)
    assert main(["vad", str(tmp_path / "call"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert close_to_the_sentences([(each["begin_s"], each["end_s"]) for each in found["segments"]])
    assert found["duration_s"] == pytest.approx(len(audio) / rate, abs=0.1)


def test_a_file_that_ends_before_its_length_is_as_long_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, rate = soundfile.read(SAMPLE, dtype="int16")
    soundfile.write(tmp_path / "whole", audio, rate, format="FLAC")
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "call").write_bytes(content[: len(content) // 2])
    assert main(["vad", str(tmp_path / "call")]) == 0
    said = capsys.readouterr()
    length = float(said.out.splitlines()[0].split(": ")[1].split()[0])
    assert 2 < length < 6
    assert f"its header says 7.24 s, {length:.2f} s can be read" in said.err


def test_the_segments_as_labels_for_audacity(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vad", str(SAMPLE), "--labels"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for _, _, label in lines] == ["speech"] * 2
    assert close_to_the_sentences([(float(begin), float(end)) for begin, end, _ in lines])


def test_a_stereo_file_at_44100_has_the_same_segments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from voicepipe import AudioFormat
    from voicepipe.sample import speech

    audio = np.frombuffer(speech(AudioFormat(44_100, 2)), np.int16).reshape(-1, 2)
    assert main(["vad", str(write(tmp_path / "two.wav", audio, 44_100)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert close_to_the_sentences([(each["begin_s"], each["end_s"]) for each in found["segments"]])


def test_long_speech_is_split_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vad", str(SAMPLE), "--json", "--max", "2"]) == 0
    spans = [(each["begin_s"], each["end_s"]) for each in json.loads(capsys.readouterr().out)["segments"]]
    assert len(spans) >= 3
    assert all(end - begin <= 2.0 for begin, end in spans)


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros(1), np.zeros(16_000)])
def test_a_file_without_speech_has_no_segments(
    audio: npt.NDArray[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vad", str(write(tmp_path / "silence.wav", audio))]) == 0
    assert "0 segments, 0.00 s of speech" in capsys.readouterr().out


PICTURES = {
    "it.png": (None, 2, (1_540, 784)),
    "long.PNG": (100 * 8_000, 0, (1_540, 378)),
    "short.svg": (8_000, 0, b"<?xml"),
    "silence.pdf": (0, 0, b"%PDF"),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_as_its_name_says(name: str, tmp_path: Path) -> None:
    samples, segments, expected = PICTURES[name]
    # In a process of its own: matplotlib keeps its fonts open.
    file = SAMPLE if samples is None else write(tmp_path / "日本 $1$.wav", np.zeros(samples), 8_000)
    fonts = str(tmp_path / "fonts")
    done = run_program("vad", str(file), "--plot", str(tmp_path / name), MPLCONFIGDIR=fonts)
    assert (done.returncode, without_slow_steps(done.stderr)) == (0, "")
    assert f"{segments} segments" in done.stdout
    header = (tmp_path / name).read_bytes()[:24]
    if isinstance(expected, bytes):
        assert header.startswith(expected)
    else:
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">2I", header[16:]) == expected


@pytest.mark.parametrize("command", ["vad call.wav", "latency"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("it.jpg", "the name of a picture ends in .png, .svg or .pdf; give a name such as it.png"),
        ("it", "the name of a picture ends in .png, .svg or .pdf; give a name such as it.png"),
        ("it.png.gz", "give a name such as it.png.png"),
        (".png", "give a name such as .png.png"),
        ("none/it.png", "none is no folder; make it first"),
    ],
)
def test_a_picture_of_another_kind_is_wrong_usage_before_the_work(
    command: str, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--plot", name])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_matplotlib_one_line_names_the_extra_and_nothing_is_done(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['matplotlib'] = None; from voicepipe.cli import main; "
        f"sys.exit(main(['vad', {str(SAMPLE)!r}, '--plot', {str(tmp_path / 'it.png')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the package matplotlib is not installed" in done.stderr
    assert "[plot]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_none_is_one_line_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "no.wav", tmp_path, write(tmp_path / "x.wav", np.zeros(9))):
        if path.suffix == ".wav" and path.exists():
            path.write_bytes(b"RIFFnothing")
        assert main(["vad", str(path)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("voicepipe vad: ")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--vad", "rnn"], "argument --vad"),
        (["--preset", "eager"], "argument --preset"),
        (["--stop", "x"], "argument --stop"),
        (["--start", "2"], "start_s must be a finite number from 0 to 1, not 2.0"),
        (["--max", "0.5"], "max_s must be a finite number"),
        (["--gate", "99"], "argument --gate"),
        (["--json", "--labels"], "not allowed with"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["vad", str(SAMPLE), *wrong])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def run_program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voicepipe", *arguments],
        cwd=ROOT,
        env=bare(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_level_says_the_segments_as_they_come() -> None:
    done = run_program("level", "--backend", f"wav:{SAMPLE}", "--vad", "webrtc")
    assert (done.returncode, done.stderr) == (0, "")
    greeting, *lines, last = done.stdout.splitlines()
    assert greeting == "voice detection: webrtc. Ctrl-C to finish"
    spoken = [line.split() for line in lines if line.endswith("of speech")]
    assert close_to_the_sentences([(float(begin), float(end)) for begin, end, *_ in spoken])
    assert last.startswith("listened 7.2 s, 2 segments, ")


def sentences(peak: float, noise: float) -> npt.NDArray[Any]:
    from voicepipe.sample import speech

    voice = np.frombuffer(speech(), np.int16).astype(float)
    around = np.random.default_rng(1).normal(0, noise, len(voice))
    audio: npt.NDArray[Any] = np.rint(voice * peak / np.abs(voice).max() + around)
    return audio


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("audio", "options", "segments", "words"),
    [
        (sentences(207, 2), (), 2, "the speech is quiet (-65 dB), .*use --gain-db 36$"),
        (sentences(207, 2), ("--gain-db", "30"), 2, ""),
        (sentences(8_000, 2), (), 2, ""),
        (
            sentences(0, 2),
            (),
            0,
            "did not move (-8. dB, hardly anything): if you spoke, turn the microphone up",
        ),
        (
            sentences(0, 60),
            (),
            0,
            "did not move (-5. dB): if you spoke, this is the wrong input; choose another",
        ),
        (sentences(0, 60) * (np.arange(115_840) // 8_000 % 5 > 0), (), 0, "did not move"),
        (
            sentences(0, 60) * (1 + 9 * (np.arange(115_840) // 16_000 % 2)),
            (),
            0,
            "moved by [12]. dB, but nothing",
        ),
        (np.zeros(115_840), (), 0, ""),
    ],
)
def test_level_judges_the_microphone_by_what_moved(
    audio: npt.NDArray[Any], options: tuple[str, ...], segments: int, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "mic.wav", audio)
    done = run_program("level", "--backend", f"wav:{path}", "--vad", "webrtc", *options)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.startswith("listened 7.2 s")]
    assert f", {segments} segment" in lines[place]
    said = " ".join(lines[place + 1 :])
    pattern = words.replace("(", r"\(").replace(")", r"\)")
    assert re.search(pattern, said) if words else not said, said


def test_level_ends_after_the_seconds_that_were_asked_for() -> None:
    done = run_program("level", "--backend", f"wav:{SAMPLE}", "--seconds", "2.5")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("listened 2.5 s, 1 segment, ")


def test_level_of_a_missing_file_is_one_line() -> None:
    done = run_program("level", "--backend", "wav:/no/such.wav")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_the_bar_shows_level_peak_and_noise() -> None:
    assert bar(-96, -96, -96, 12) == " " * 12
    assert bar(0, 0, 0, 12) == "#" * 11 + "|"
    assert bar(-36, -12, -60, 12) == "#:####   |  "
    assert bar(-36, -12, None, 12) == "######   |  "
    assert len(bar(20, 20, 20, 36)) == len(bar(-200, -200, -200, 36)) == 36
