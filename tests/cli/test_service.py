"""`voicepipe service`: what is written, what systemd makes of it, and what is asked of systemctl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicepipe.cli import main
from voicepipe.cli.parts.service_unit import Unit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: only Linux has systemd")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="allowed skip: there is no systemd-analyze"
)
SYSTEM = pytest.mark.parametrize("scope", [(), ("--system",)], ids=["user", "system"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a systemctl that notes what is asked of it; it fails where a file `broken` lies."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "journalctl"):
        script = programs / name
        script.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && { echo "systemd 252 (252.1)"; exit; }\n'
            f'echo "{name} $*" >>"{tmp_path}/asked"\n'
            f'[ ! -e "{tmp_path}/broken" ] || {{ echo "Failed to connect\nto bus" >&2; exit 1; }}\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(home: Path) -> list[str]:
    return (home / "asked").read_text().splitlines() if (home / "asked").exists() else []


def unit_file(home: Path, name: str = "voicepipe") -> Path:
    return home / "config" / "systemd" / "user" / f"{name}.service"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["service", "show", *arguments]) == 0
    return capsys.readouterr().out


def value(unit: str, key: str) -> str:
    (found,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]
    return found


# -- what is written -----------------------------------------------------------------------


@needs_systemd
@SYSTEM
def test_systemd_has_nothing_to_say_against_the_unit(
    scope: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "assistant.service"
    path.write_text(shown(capsys, *scope, "--name", "assistant", "--", "python", "-m", "my_assistant"))
    manager = [] if scope else ["--user"]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    verified = subprocess.run(
        ["systemd-analyze", *manager, "--man=no", "verify", str(path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize(("scope", "most"), [(("--system",), 3.0), ((), 7.0)], ids=["system", "user"])
def test_the_unit_leaves_little_exposed(
    scope: tuple[str, ...], most: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "assistant.service"
    unit = shown(capsys, *scope)
    path.write_text(unit.replace(f"User={value(unit, 'User')}", "User=pi") if scope else unit)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    exposure = float(last.partition(": ")[2].split()[0])
    print(last)
    assert exposure < most


@SYSTEM
def test_what_would_break_sound_is_not_in_it(
    scope: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    unit = shown(capsys, *scope)
    for directive in ("MemoryDenyWriteExecute", "PrivateDevices", "RestrictRealtime", "PrivateUsers"):
        assert f"\n{directive}=" not in unit
    assert value(unit, "Type") == "notify"
    assert value(unit, "KillMode") == "mixed"
    assert value(unit, "StartLimitIntervalSec") == "0"


def test_python_is_the_one_that_runs_here_and_the_folder_is_this_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = shown(capsys, "--", "python", "-m", "my_assistant", "--loud")
    assert value(unit, "ExecStart") == f"{sys.executable} -m my_assistant --loud"
    assert value(unit, "WorkingDirectory") == str(home)
    assert value(shown(capsys), "ExecStart") == f"{sys.executable} -m voicepipe echo"


def test_words_of_a_command_stay_the_words_they_are() -> None:
    words = ("a b", 'say "hi"', "100%", "$HOME", ";", "back\\slash", "", "it's")
    unit = Unit("x", ("/opt/my venv/run", *words), "/srv/50%", "").text
    assert value(unit, "ExecStart") == (
        '"/opt/my venv/run" "a b" "say \\"hi\\"" "100%%" "$$HOME" ";" "back\\\\slash" "" "it\'s"'
    )
    assert value(unit, "WorkingDirectory") == "/srv/50%%"


@pytest.mark.parametrize(("systemd", "steps"), [(252, 0), (253, 0), (254, 1), (257, 1)])
def test_the_back_off_grows_where_systemd_knows_how(systemd: int, steps: int) -> None:
    text = Unit("x", ("/bin/true",), "/", systemd=systemd).text
    assert text.count("RestartSteps=") == steps
    assert text.count("RestartSec=") == 1


# -- install and uninstall --------------------------------------------------------------------


def test_install_writes_the_unit_and_starts_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install", "--name", "assistant", "--", "python", "-m", "my_assistant"]) == 0
    said = capsys.readouterr().out
    unit = unit_file(home, "assistant").read_text()
    assert unit == shown(capsys, "--name", "assistant", "--", "python", "-m", "my_assistant")
    assert asked(home) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable assistant",
        "systemctl --user restart --no-block assistant",
    ]
    assert "loginctl enable-linger" in said


def test_uninstall_takes_back_what_install_did(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install"]) == main(["service", "install"]) == 0
    (home / "asked").unlink()
    assert main(["service", "uninstall"]) == 0
    assert not unit_file(home).exists()
    assert asked(home) == ["systemctl --user disable --now voicepipe", "systemctl --user daemon-reload"]
    assert main(["service", "uninstall"]) == 1
    assert "nothing was installed" in capsys.readouterr().err


def test_uninstall_takes_the_folders_that_systemd_made_where_they_are_empty(home: Path) -> None:
    assert main(["service", "install", "--name", "notes"]) == 0
    (home / "config" / "notes" / "recordings").mkdir(parents=True)
    assert main(["service", "uninstall", "--name", "notes"]) == 0
    assert not (home / "config" / "notes").exists()


def test_uninstall_leaves_recordings_and_says_where_they_are(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install"]) == 0
    recordings = home / "config" / "voicepipe" / "recordings"
    recordings.mkdir(parents=True)
    (recordings / "day.wav").touch()
    capsys.readouterr()
    assert main(["service", "uninstall"]) == 0
    assert (recordings / "day.wav").exists()
    assert capsys.readouterr().out == f"removed: {unit_file(home)}\nrecordings are kept: {recordings}\n"


def test_uninstall_leaves_settings(home: Path) -> None:
    assert main(["service", "install"]) == 0
    recordings = home / "config" / "voicepipe" / "recordings"
    recordings.mkdir(parents=True)
    (recordings.parent / "config.toml").touch()
    assert main(["service", "uninstall"]) == 0
    assert list(recordings.parent.iterdir()) == [recordings.parent / "config.toml"]


@pytest.mark.parametrize(
    ("user", "systemd", "folder"),
    [
        ("", 252, "/settings/notes/recordings"),
        ("", 254, "/state/notes/recordings"),
        ("pi", 252, "/var/lib/notes/recordings"),
    ],
)
def test_where_systemd_keeps_the_state_of_a_service(
    user: str, systemd: int, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/settings")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    unit = Unit("notes", ("/bin/true",), "/", user, systemd)
    assert str(unit.recordings) == folder
    assert value(unit.text, "StateDirectory") == "notes/recordings"


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_unit_of_somebody_else_s_is_left_alone(
    home: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unit_file(home).parent.mkdir(parents=True)
    unit_file(home).write_text("[Service]\n")
    assert main(["service", action]) == 1
    assert unit_file(home).read_text() == "[Service]\n"
    assert asked(home) == []
    assert "choose another --name" in capsys.readouterr().err


def test_what_systemctl_complains_of_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "broken").touch()
    assert main(["service", "install"]) == 1
    assert capsys.readouterr().err == (
        "voicepipe service: `systemctl --user daemon-reload` failed: Failed to connect to bus\n"
    )


def test_status_and_logs_ask_systemd(home: Path) -> None:
    assert main(["service", "status"]) == main(["service", "logs", "--system", "-f", "--name", "x"]) == 0
    assert asked(home) == [
        "systemctl --user --no-pager status voicepipe",
        "journalctl --no-pager -n 100 -f -u x",
    ]


def test_a_user_s_logs_are_found_in_whatever_journal_holds_them(home: Path) -> None:
    assert main(["service", "logs"]) == 0
    assert asked(home) == ["journalctl --no-pager -n 100 --user-unit voicepipe"]


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["install", "--name", "../x"], "letters, digits"),
        (["install", "--", "no-such-program-here"], "give its path"),
        (["install", "--", "python", "a\nb"], "control character"),
        (["status", "--", "python"], "takes no command"),
        (["begin"], "install"),
        ([], "ACTION"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    home: Path, arguments: list[str], right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["service", *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert right in error
    assert error.count("\n") == 1
    assert not unit_file(home).exists()
