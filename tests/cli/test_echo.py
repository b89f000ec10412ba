"""The echo program, in a process of its own, without sound hardware. On real PortAudio: tests/soundcard."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from support.bare import bare
from support.program_output import without_countdown, without_slow_steps
from support.stages import DOWN
from voicepipe import (
    AudioFormat,
    InputAudioFrame,
    OutputAudioFrame,
    RunReport,
    RunState,
    TextFrame,
    UtteranceFrame,
)
from voicepipe.audio.files.wav_file import WavReader, WavWriter
from voicepipe.cli.arguments.sound_source import Sound, choose_sound
from voicepipe.cli.commands.echo import SayBack, _task, read_options
from voicepipe.cli.terminal.screen import Screen
from voicepipe.runner.closing_report import echoes
from voicepipe.sample import speech
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual, silence

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "voicepipe" / "data" / "speech.wav"


def echo(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "voicepipe.echo", *arguments],
        cwd=ROOT,
        env=bare(VOICEPIPE_CONFIG=os.devnull, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Its status, and what it said on stdout and on stderr."""
    with echo(*arguments, **environment) as program:
        out, err = program.communicate(timeout=40)
    return program.returncode, out, without_slow_steps(err)


def content(path: Path | str) -> bytes:
    with WavReader(path) as file:
        return file.read(file.num_samples)


def without_a_card(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with PortAudio and no card: an ALSA configuration without one."""
    config = tmp_path / "asound.conf"
    config.write_text("pcm.default { type hw card 31 }\n")
    return {"ALSA_CONFIG_PATH": str(config), "TMPDIR": str(tmp_path), "JACK_NO_START_SERVER": "1"}


def without_the_library(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without PortAudio: importing sounddevice raises what it then raises."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "devices")])
    return {"PYTHONPATH": path, "TMPDIR": str(tmp_path)}


# -- where there is no sound card


@pytest.mark.heavy
def test_the_bundled_voice_comes_back_whole_and_nothing_is_left(tmp_path: Path) -> None:
    status, out, err = ended("--backend", "fake", "--report", TMPDIR=str(tmp_path))
    assert (status, err) == (0, "")
    assert '\nstopped at the end of "simulated microphone"\nlistened 7.2 s, 2 utterances, played ' in out
    durations = [float(seconds) for seconds in re.findall(r"heard (\d+\.\d+) s of speech", out)]
    (said,) = re.findall(r", played (\d+\.\d{3}) s", out)
    assert "dropped samples: none" in out
    assert "nothing is left running" in out
    assert sum(durations) == pytest.approx(float(said), abs=0.02)
    (path,) = re.findall(r"the simulated speaker's sound is in (\S+)", out)
    assert Path(path).parent == tmp_path
    played, spoken = np.frombuffer(content(path), np.int16), np.frombuffer(speech(), np.int16)
    loud = np.flatnonzero(played)
    first = played[loud[0] : loud[0] + 16_000].tobytes()
    assert first in spoken.tobytes(), "sample for sample"


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (without_a_card, "no sound card found (plug one in, or start the sound server)"),
        (
            without_the_library,
            "the PortAudio library is not there (PortAudio library not found); install it: ",
        ),
    ],
)
@pytest.mark.heavy(after=1)
def test_without_sound_it_says_so_in_one_line_and_runs_on_the_simulated_card(
    tmp_path: Path, missing: object, says: str
) -> None:
    environment = missing(tmp_path)  # type: ignore[operator]
    status, out, err = ended("--seconds", "0.5", **environment)
    assert (status, err) == (0, "")
    first = out.splitlines()[0]
    assert says in first
    assert first.endswith("; using a simulated card instead, whose microphone hears a bundled voice")
    assert "the simulated speaker's sound is in" in out
    if missing is without_the_library and "debian" in Path("/etc/os-release").read_text():
        assert "sudo apt-get install -y libportaudio2" in first

    status, out, err = ended("--backend", "portaudio", **environment)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert re.search(
        r"there is no (speaker|microphone): plug one in|the PortAudio library is not there", line
    )


def test_ctrl_c_says_all_that_was_heard() -> None:
    with echo("--backend", "fake", "--report") as program:
        wait_for("speech", program)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (program.returncode, without_slow_steps(without_countdown(err))) == (0, "")
    assert "\nstopped (Ctrl-C)\n" in out
    (heard,) = re.findall(r"heard (\d+\.\d+) s of speech", out)
    assert f", 1 utterance, played {float(heard):.1f} s\n" in out
    assert "dropped samples: none" in out
    assert "nothing is left running" in out


@pytest.mark.heavy
def test_ctrl_c_again_and_again_shows_no_traceback() -> None:
    with echo("--backend", "fake") as program:
        wait_for("dB", program)
        while program.poll() is None:
            program.send_signal(signal.SIGINT)
            time.sleep(0.002)
        assert program.stderr is not None
        assert "Traceback" not in program.stderr.read()
    # Ended by the first, stopped by the second, or on its way out already: what a shell calls 130.
    assert program.returncode in (0, 130, -signal.SIGINT)


def wait_for(text: str, program: subprocess.Popen[str]) -> None:
    assert program.stdout is not None
    while text not in (line := program.stdout.readline()):
        assert line, f"it ended without: {text}"


@pytest.mark.heavy
def test_a_closed_stdout_is_no_error(tmp_path: Path) -> None:
    with echo("--backend", "fake", "--seconds", "0.5", TMPDIR=str(tmp_path)) as program:
        assert program.stdout is not None
        program.stdout.close()
        program.wait(timeout=30)
        assert program.stderr is not None
        assert without_countdown(without_slow_steps(program.stderr.read())) == ""
    assert program.returncode == 0


# -- files


def test_every_utterance_of_a_file_is_in_the_output_sample_for_sample(tmp_path: Path) -> None:
    output = tmp_path / "out.wav"
    status, out, err = ended("--backend", f"wav:{SAMPLE},{output}")
    assert (status, err) == (0, "")
    spoken, said = np.frombuffer(speech(), np.int16), np.frombuffer(content(output), np.int16)
    durations = re.findall(r"heard (\d+\.\d+) s of speech", out)
    assert len(durations) == 2
    first = place_of(said, spoken)
    length = int(np.argmin(spoken[first : first + len(said)] == said[: len(spoken) - first]))
    second = place_of(said[length:], spoken)
    assert second > first + length
    np.testing.assert_array_equal(said[length:], spoken[second : second + len(said) - length])
    assert [length / 16_000, (len(said) - length) / 16_000] == pytest.approx(
        list(map(float, durations)), abs=0.01
    )


def place_of(part: npt.NDArray[np.int16], whole: npt.NDArray[np.int16]) -> int:
    """Where the first second of `part` is in `whole`."""
    place = whole.tobytes().find(part[:16_000].tobytes())
    assert place % 2 == 0, "it is nowhere"
    return place // 2


def test_live_passes_a_file_on_as_it_is(tmp_path: Path) -> None:
    output = tmp_path / "out.wav"
    status, out, err = ended("--live", "--backend", f"wav:{SAMPLE},{output}")
    assert (status, err) == (0, "")
    assert content(output) == speech()
    assert "\nlistened 7.2 s, played 7.2 s\n" in out


def test_a_limit_in_seconds_counts_the_files_seconds(tmp_path: Path) -> None:
    output = tmp_path / "out.wav"
    status, out, _ = ended("--live", "--seconds", "1.5", "--backend", f"wav:{SAMPLE},{output}")
    assert status == 0
    assert content(output) == speech()[: 2 * 24_000]
    assert "\nstopped after 1.5 s\n" in out


@pytest.mark.heavy
def test_an_output_may_be_left_out() -> None:
    status, out, err = ended("--backend", f"wav:{SAMPLE}")
    assert (status, err) == (0, "")
    assert "2 utterances, played 0.0 s" in out


@pytest.mark.heavy
def test_the_back_end_may_come_from_the_environment() -> None:
    status, out, _ = ended(VOICEPIPE_BACKEND=f"wav:{SAMPLE}")
    assert status == 0
    assert "2 utterances" in out
    status, _, err = ended(VOICEPIPE_BACKEND="soundblaster")
    assert status == 2
    assert "VOICEPIPE_BACKEND: unknown back end 'soundblaster'" in err


@pytest.mark.heavy
def test_a_file_of_another_format_is_converted(tmp_path: Path) -> None:
    import voicepipe

    audio = voicepipe.AudioFormat(44_100, 2)
    with WavWriter(tmp_path / "in.wav", audio) as file:
        file.write(speech(audio))
    status, out, err = ended("--backend", f"wav:{tmp_path / 'in.wav'}")
    assert (status, err) == (0, "")
    assert "listened 7.2 s, 2 utterances" in out


# -- bad input: one line, status 2 for usage and 1 for the rest


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seconds", "nan"], "'nan' is not a time in seconds; give a number such as 10 or 2.5"),
        (["--seconds=-1"], "'-1' is not a time in seconds"),
        (["--seconds", "soon"], "'soon' is not a time in seconds"),
        (["--seconds", "inf"], "'inf' is not a time in seconds"),
        (["--rate", "48k"], "'48k' is not a rate; give 8000 to 384000, such as 16000 or 48000"),
        (["--rate", "0"], "'0' is not a rate"),
        (["--block", "0"], "'0' is not a block; give a whole number of samples, such as 480"),
        (["--block", "2.5"], "'2.5' is not a block"),
        (["--block", "384000"], "choose at most 1 s"),
        (["--latency", "tiny"], "'tiny' is not a latency; give low, high, or seconds up to 10, such as 0.05"),
        (["--latency", "nan"], "'nan' is not a latency"),
        (
            ["--backend", "soundblaster"],
            "unknown back end 'soundblaster'; choose portaudio, wav:IN.wav,OUT.wav or fake",
        ),
        (["--frobnicate"], "unrecognized arguments: --frobnicate (--help"),  # it is like no other
        (["--backend", "wav:"], "the back end 'wav' needs a file"),
        (["--backend", "fake:1"], "the back end 'fake' takes nothing but 'voice' or 'room' behind its name"),
        (["--backend", f"wav:{SAMPLE},{SAMPLE}"], "is the input file too"),
        (["--backend", f"wav:{SAMPLE}", "--mic", "usb"], "--mic and --speaker name sound devices"),
        (["--backend", "wav:,out.wav"], "'wav:,out.wav' names no input; give wav:IN.wav or"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--sec", "1"], "unrecognized arguments: --sec 1"),
        (["--backend"], "argument --backend: expected one argument"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str], says: str) -> None:
    status, out, err = ended(*arguments)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("python -m voicepipe.echo: ")
    assert says in line


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--backend", "fake", "--mic", "nope"],
            "there is no device 'nope': there is 'simulated microphone'",
        ),
        (["--backend", "wav:nope.wav"], "nope.wav cannot be read: there is no such file"),
        (["--backend", "wav:README.md"], "README.md is no WAV file"),
        (["--backend", "wav:tests"], "tests"),
        (["--backend", f"wav:{SAMPLE},/no/such/folder/out.wav"], "its folder is not there: make it first"),
        (["--backend", "wav:/dev/zero"], "/dev/zero"),
    ],
)
def test_what_cannot_be_opened_is_one_line_and_status_1(arguments: list[str], says: str) -> None:
    status, out, err = ended(*arguments)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert says in line


# -- its stage


def test_an_utterance_is_said_and_the_microphones_sound_goes_no_further() -> None:
    heard = UtteranceFrame(b"\1\0" * 16_000 * 25, position=320, captured_s=1.5)
    first, *said = SayBack().process(heard, DOWN)
    assert first is heard
    assert all(isinstance(frame, OutputAudioFrame) for frame in said)
    parts = [frame for frame in said if isinstance(frame, OutputAudioFrame)]
    assert b"".join(part.data for part in parts) == heard.data
    assert [part.position for part in parts] == [320, 160_320, 320_320]
    assert [part.captured_s for part in parts] == [1.5, 11.5, 21.5]
    assert list(SayBack().process(InputAudioFrame(b"\1\0"), DOWN)) == []
    other = TextFrame("x")
    assert list(SayBack().process(other, DOWN)) == [other]


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ["webrtc", "webrtc-plain"])
def test_it_hears_with_the_engine_that_was_asked_for_and_says_so(engine: str, tmp_path: Path) -> None:
    backend = f"wav:{SAMPLE},{tmp_path / 'out.wav'}"
    status, out, err = ended("--backend", backend, "--vad", engine, "--preset", "responsive")
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == f"voice detection: {engine}"
    assert "2 utterances" in out


CANCELS, HALF, NONE = (
    "echo cancelling: you can talk over it (aec3 and kalman)",
    "half-duplex: it hears you only if you are louder than it",
    "headphones: without them it hears itself",
)


@pytest.mark.parametrize(
    ("words", "has_room", "said"),
    [
        ("", True, CANCELS),
        ("--no-cancel", True, HALF),
        ("--mute", False, HALF),
        ("--headphones", True, NONE),
        ("--live", True, NONE),
        ("", False, ""),
    ],
)
def test_one_line_at_the_start_says_which_protection_is_active(
    words: str, has_room: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    card = SimulatedCard()
    if has_room:
        card.room(room_impulse())
    card.mic.hear(silence(0.2))
    card.mic.run_out()
    task, _ = _task(read_options(words.split(), "echo"), Sound(card.backend()), Screen())
    run_virtual(task.run())
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line in (CANCELS, HALF, NONE)] == ([said] if said else [])


@pytest.mark.heavy
def test_the_bundled_voice_talks_over_it_and_it_stops(capsys: pytest.CaptureFixture[str]) -> None:
    sound = choose_sound("fake:room", print)
    task, dashboard = _task(read_options([], "echo"), sound, Screen())
    sound.begin(AudioFormat(), None)
    report = run_virtual(task.run())
    shown = capsys.readouterr().out
    news = [line for line in shown.splitlines() if line.startswith(("heard", "you talked"))]
    assert [line.partition(" ")[0] for line in news] == ["heard", "heard", "you", "heard"]
    assert (dashboard.utterances, list(report.dropped)) == (3, ["interrupted"])


@pytest.mark.heavy
def test_the_figures_of_the_echo_are_on_the_screen_and_at_the_end() -> None:
    card = SimulatedCard()
    card.room(room_impulse(level_db=-10.0))
    words, pause = np.frombuffer(speech(), np.int16), silence(9.0)
    card.mic.hear(np.concatenate([words, pause, words, pause]))
    card.mic.run_out()
    task, dashboard = _task(read_options([], "echo"), Sound(card.backend()), Screen(io.StringIO()))
    shown: set[str] = set()
    figures = re.compile(r"echo reduced by [2-6]\d dB, \d ms late")

    def look() -> None:
        shown.update(figures.findall(" ".join(" ".join(dashboard.lines()).split())))
        asyncio.get_running_loop().call_later(0.5, look)

    async def run() -> RunReport:
        asyncio.get_running_loop().call_later(1.0, look)
        return await task.run()

    report = run_virtual(run())
    assert shown, "live"
    (line,) = echoes(report)
    assert figures.match(line)


def test_two_devices_that_open_slowly_are_no_failure() -> None:
    card = SimulatedCard()
    for device in (card.mic, card.speaker):
        device.slow_open(4.0)
    card.mic.run_out()
    task, _ = _task(read_options(["--seconds", "1"], "echo"), Sound(card.backend()), Screen())
    assert run_virtual(task.run()).state is RunState.ENDED
