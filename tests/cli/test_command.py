"""The command `voicepipe`: its commands, its help, and Ctrl-C before anything heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.bare import bare
from support.program_output import without_slow_steps
from voicepipe.cli import COMMANDS, main
from voicepipe.version import __version__

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "voicepipe" / "data" / "speech.wav"


def test_without_a_command_it_tells_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert main(["--help"]) == main(["help"]) == 0
    assert shown.startswith("usage: voicepipe COMMAND")
    assert "echo" in shown
    assert "devices" in shown
    assert "exit status: 0 ended" in shown


def test_an_unknown_command_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ech\x1bo"]) == 2
    assert capsys.readouterr().err == "voicepipe: unknown command 'ech\\x1bo'; did you mean echo?\n"
    assert main(["-v"]) == 2
    assert capsys.readouterr().err == (
        "voicepipe: unknown command '-v'; choose "
        "echo, devices, vad, doctor, latency, record, play, level, status, config, service, completion\n"
    )


def test_an_option_that_is_nearly_right(capsys: pytest.CaptureFixture[str]) -> None:
    for words, near in ((["echo", "--Live"], "--live"), (["play", "x.wav", "--speeker=usb"], "--speaker")):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert f"unrecognized arguments: {words[-1]}; did you mean {near}? (--help tells more)" in error


def test_help_for_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["help", "play"])
    assert capsys.readouterr().out.startswith("usage: voicepipe play ")


@pytest.mark.heavy(after=1)
@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes them")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
@pytest.mark.parametrize("command", ["level --backend fake --seconds 0.1", "devices --backend fake"])
def test_a_program_whose_standard_streams_are_closed(closed: str, command: str) -> None:
    words = ["sh", "-c", f'exec "$0" -m voicepipe {command} {closed}', sys.executable]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, without_slow_steps(done.stderr)) == (0, "")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"voicepipe {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_of_its_own(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: voicepipe {command} ")
    assert "exit status: 0" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_devices_are_listed_with_those_that_would_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--backend", "fake"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        '"simulated microphone" (default microphone)',
        "    microphone  8 to 192 kHz, 1 channel; 16 kHz mono as it is",
        '"simulated speaker" (default speaker)',
        "    speaker     8 to 192 kHz, 1 channel; 16 kHz mono as it is",
    ]


def test_devices_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--backend", "fake", "--json"]) == 0
    microphone, speaker = json.loads(capsys.readouterr().out)
    assert microphone == {
        "name": "simulated microphone",
        "inputs": 1,
        "outputs": 0,
        "default_rate": 16_000,
        "default_input": True,
        "default_output": False,
        "host": "",
        "microphone": {
            "rates": [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000],
            "channels": [1],
            "taken_rate": 16_000,
            "taken_channels": 1,
            "trouble": "",
        },
        "speaker": None,
    }
    assert speaker["default_output"] is True


def test_devices_without_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--backend", "wav:/no/such.wav"]) == 0
    assert capsys.readouterr().out == (
        "no sound device found: plug one in, start the sound server, or end the program that uses it\n"
    )


def test_ctrl_c_before_a_program_listens_is_status_130() -> None:
    script = "import os; from voicepipe.cli import end_with; end_with(lambda: os.kill(os.getpid(), 2))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_until_ctrl_c_is_minded_nothing_is_imported() -> None:
    """Before `main` there are a few definitions only, for there a KeyboardInterrupt is a traceback."""
    script = "import sys; old = {*sys.modules}; import voicepipe.cli; print(sorted({*sys.modules} - old))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=bare(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['voicepipe', 'voicepipe.cli']\n"


def test_a_reader_that_has_enough_is_no_error() -> None:
    script = (
        "from voicepipe.cli import end_with; end_with(lambda: [print('x' * 1000) for _ in range(99)] and 1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=bare(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


COMPLETE = """
eval "$("$0" -m voicepipe completion bash)"
tried() {
    COMP_WORDS=(voicepipe "$@"); COMP_CWORD=$#; COMPREPLY=()
    _shtab_voicepipe; echo "${COMPREPLY[@]}"
}
tried e
tried echo --mi
tried echo --vad we
tried echo --preset ""
"""


def test_a_shell_completes_commands_options_and_what_they_take() -> None:
    done = subprocess.run(
        ["bash", "-c", COMPLETE, sys.executable], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == ""
    command, option, engines, presets = done.stdout.splitlines()
    assert command == "echo"
    assert "--mic" in option.split()
    assert engines == "webrtc webrtc-plain"
    assert presets == "responsive balanced patient"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shells_script_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)
    assert "16000" in script or shell == "bash"


def test_completion_without_shtab_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['shtab'] = None; from voicepipe.cli import main; "
        "sys.exit(main(['completion', 'bash']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("voicepipe completion: the package shtab is not installed")
    assert done.stderr.endswith("with its extra [completion]\n")
    assert done.stderr.count("\n") == 1
