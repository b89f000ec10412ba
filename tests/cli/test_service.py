"""`voicepipe service`: what is written, what systemd makes of it, and what is asked of systemctl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicepipe import Limits
from voicepipe.cli import main
from voicepipe.cli.parts.service_unit import Unit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: only Linux has systemd")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="allowed skip: there is no systemd-analyze"
)
SYSTEM = pytest.mark.parametrize("scope", [(), ("--system",)], ids=["user", "system"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a systemctl that notes what is asked of it.

    It fails where a file `broken` lies, or for one word with what stands in a file `fails-WORD`. The file
    `shown` has what it shows, and the file `log` is the journal.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "journalctl"):
        script = programs / name
        script.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && { echo "systemd 252 (252.1)"; exit; }\n'
            f'echo "{name} $*" >>"{tmp_path}/asked"\n'
            f'[ ! -e "{tmp_path}/broken" ] || {{ echo "Failed to connect\nto bus" >&2; exit 1; }}\n'
            f'for word in "$@"; do [ ! -e "{tmp_path}/fails-$word" ] || '
            f'{{ cat "{tmp_path}/fails-$word" >&2; exit 1; }}; done\n'
            f'[ {name} = systemctl ] || cat "{tmp_path}/log" 2>/dev/null\n'
            f'case " $* " in *" show "*) cat "{tmp_path}/shown" 2>/dev/null;; esac; exit 0\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
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


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """This program, as PyInstaller would have packed it."""
    program = home / "my_assistant"
    program.touch(0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


@pytest.mark.parametrize("action", ["show", "install"])
def test_a_frozen_program_has_no_python_to_run_echo(
    frozen: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["service", action])
    assert end.value.code == 2
    assert f"give the command, such as `-- {frozen}`" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_in_a_frozen_program_is_that_of_the_system(
    frozen: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    python = frozen.parent / "bin" / name
    python.parent.mkdir(exist_ok=True)
    python.touch(0o755)
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)
    assert value(shown(capsys, "--", name, "-m", "x"), "ExecStart") == f"{python} -m x"


@pytest.mark.parametrize(("action", "status"), [("status", 1), ("uninstall", 1)])
def test_a_frozen_program_asks_and_uninstalls_without_a_command(
    frozen: Path, capsys: pytest.CaptureFixture[str], action: str, status: int
) -> None:
    assert main(["service", action]) == status
    assert "is frozen" not in "".join(capsys.readouterr())


def test_a_frozen_program_itself_can_be_the_service(frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert value(shown(capsys, "--", str(frozen), "--loud"), "ExecStart") == f"{frozen} --loud"


def test_the_last_sentence_is_heard_before_systemd_kills() -> None:
    limits = Limits()
    stop_s = float(value(Unit("x", ("/bin/true",), "/").text, "TimeoutStopSec"))
    assert stop_s == 325
    assert stop_s > limits.drain_s + limits.cancel_s + limits.close_s + 5


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


# -- what fails leaves nothing ------------------------------------------------------------------

FAILURES = {
    "daemon-reload": "Reload daemon failed: Connection timed out",
    "enable": "Failed to enable unit: Unit file voicepipe.service is masked.",
    "restart": "Failed to restart voicepipe.service: Unit has a bad unit file setting.",
}


@pytest.mark.parametrize("verb", FAILURES)
def test_an_install_that_fails_leaves_nothing(
    home: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / f"fails-{verb}").write_text(FAILURES[verb])
    before = sorted(home.rglob("*"))
    assert main(["service", "install"]) == 1
    (home / "asked").unlink()
    assert sorted(home.rglob("*")) == before
    assert capsys.readouterr().err.startswith(f"voicepipe service: `systemctl --user {verb}")


@pytest.mark.parametrize("verb", ["enable", "restart"])
def test_a_service_that_was_enabled_and_does_not_start_is_stopped_again(home: Path, verb: str) -> None:
    (home / f"fails-{verb}").write_text(FAILURES[verb])
    assert main(["service", "install"]) == 1
    assert asked(home)[-2:] == ["systemctl --user disable --now voicepipe", "systemctl --user daemon-reload"]


@pytest.mark.parametrize("verb", FAILURES)
def test_an_install_over_another_that_fails_leaves_that_one(
    home: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install"]) == 0
    text = unit_file(home).read_text()
    (home / f"fails-{verb}").write_text(FAILURES[verb])
    (home / "asked").unlink()
    assert main(["service", "install", "--", "python", "-m", "my_assistant"]) == 1
    assert unit_file(home).read_text() == text
    assert not any("disable" in line for line in asked(home))
    assert "the service stays as it was" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config").touch()  # root may write anywhere, but not into a file
    assert main(["service", "install"]) == 1
    assert capsys.readouterr().err == f"voicepipe service: {home}/config/systemd: Not a directory\n"
    assert asked(home) == []


def test_a_folder_of_somebody_else_s_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)  # root, as whom tests may run, is refused nothing
    assert main(["service", "install"]) == 1
    assert "Permission denied: the folder must be yours; `ls -ld` shows" in capsys.readouterr().err
    assert main(["service", "install", "--system"]) == 1
    assert "Permission denied: only root can change a system service; try sudo" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_of_a_unit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = unit_file(home).parent
    folder.mkdir(parents=True)
    (folder / ".voicepipe.service.new").symlink_to("/dev/full")
    assert main(["service", "install"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_ctrl_c_while_systemd_is_slow_leaves_nothing(home: Path) -> None:
    systemctl = home / "bin" / "systemctl"
    interrupt = 'case "$*" in *enable*) sleep 0.2; kill -INT $PPID; exec sleep 5;; esac; case " '
    systemctl.write_text(systemctl.read_text().replace('case " ', interrupt, 1))
    with pytest.raises(KeyboardInterrupt):
        main(["service", "install"])
    assert not (home / "config").exists()


# -- nobody answers ---------------------------------------------------------------------------


NO_BUS = (
    "Failed to connect to bus: No medium found",
    "Failed to connect to bus: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined",
    "Failed to connect to user scope bus via local transport: No such file or directory",
    "Failed to get D-Bus connection: Operation not permitted",
    "Failed to connect to bus: Connection refused",
)


@pytest.mark.parametrize("words", NO_BUS)
def test_without_a_user_bus_it_is_said_what_to_do(
    home: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "fails---user").write_text(words)
    before = sorted(home.rglob("*"))
    assert main(["service", "install"]) == 1
    error = capsys.readouterr().err
    for advice in ("log in as ", "enable-linger ", "--system", "nothing was installed"):
        assert advice in error
    assert error.count("\n") == 1
    (home / "asked").unlink()
    assert sorted(home.rglob("*")) == before


def test_under_sudo_the_advice_is_to_leave_it_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUDO_USER", "pi")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    (home / "broken").touch()
    assert main(["service", "install"]) == 1
    assert "without sudo, as pi" in capsys.readouterr().err


@pytest.mark.parametrize("words", NO_BUS)
def test_uninstall_works_without_a_bus(home: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install"]) == 0
    link = unit_file(home).parent / "default.target.wants" / "voicepipe.service"
    link.parent.mkdir()
    link.symlink_to(unit_file(home))
    (home / "fails---user").write_text(words)
    capsys.readouterr()
    assert main(["service", "uninstall"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"removed: {unit_file(home)}"
    assert second.startswith("systemd was not told, so a service that runs may run on: no bus")
    assert list(unit_file(home).parent.iterdir()) == []
    assert main(["service", "uninstall"]) == 1


def test_uninstall_works_where_systemd_was_removed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install"]) == 0
    monkeypatch.setenv("PATH", str(home))
    assert main(["service", "uninstall"]) == 0
    assert "systemctl not found" in capsys.readouterr().out
    assert not unit_file(home).exists()


def test_uninstall_takes_a_link_whose_unit_is_gone(home: Path) -> None:
    """As somebody leaves it who deletes the unit by hand."""
    link = unit_file(home).parent / "default.target.wants" / "voicepipe.service"
    link.parent.mkdir(parents=True)
    link.symlink_to(unit_file(home))
    assert main(["service", "uninstall"]) == 0
    assert list(unit_file(home).parent.iterdir()) == []


@pytest.mark.parametrize("action", ["install", "status", "logs"])
def test_without_systemd_it_is_one_line(
    home: Path, action: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(home))
    assert main(["service", action]) == 1
    out, err = capsys.readouterr()
    assert "services need systemd" in out + err
    assert (out + err).count("\n") == 1
    assert not unit_file(home).exists()


def test_a_masked_unit_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit_file(home).parent.mkdir(parents=True)
    unit_file(home).symlink_to(os.devnull)
    assert main(["service", "install"]) == 1
    assert "is masked: `systemctl unmask`" in capsys.readouterr().err


def test_without_a_home_it_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pwd  # which only Unix has

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "")
    nobody = pwd.struct_passwd(("", "x", 4_321, 4_321, "", "", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: nobody)
    assert main(["service", "install"]) == 1
    assert "no home for a unit: set HOME, or install with --system" in capsys.readouterr().err


def test_an_empty_home_is_that_of_the_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd  # which only Unix has

    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "")
    user = pwd.struct_passwd(("u", "x", 4_321, 4_321, "", str(home), ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    assert main(["service", "install"]) == 0
    assert (home / ".config" / "systemd" / "user" / "voicepipe.service").exists()


# -- status in words ------------------------------------------------------------------------------

LOADED = "LoadState=loaded\nUnitFileState=enabled\n"
LAST = '; last line of its log: "no module named my_assistant"'
START = "`systemctl --user start voicepipe` starts it"
WORDS = {
    "running": (
        f"{LOADED}ActiveState=active\nActiveEnterTimestamp=Mon 2026-01-05\nStatusText=-20 dB\n",
        "voicepipe is running since Mon 2026-01-05: -20 dB",
        0,
    ),
    "running, disabled": (
        "LoadState=loaded\nUnitFileState=disabled\nActiveState=active\n",
        "voicepipe is running; it does not start by itself",
        0,
    ),
    "starting": (
        f"{LOADED}ActiveState=activating\nSubState=start\n",
        "voicepipe is starting: it is ready when sound flows",
        0,
    ),
    "stopping": (f"{LOADED}ActiveState=deactivating\n", "voicepipe is stopping: it plays what is left", 1),
    "not running": (
        f"{LOADED}ActiveState=inactive\nSubState=dead\n",
        f"voicepipe is installed, and not running; {START}",
        1,
    ),
    "failed": (
        f"{LOADED}ActiveState=failed\nResult=exit-code\nExecMainStatus=2\n",
        f"voicepipe has failed: it ended with status 2{LAST}; {START} again",
        1,
    ),
    "silent for too long": (
        f"{LOADED}ActiveState=failed\nResult=watchdog\n",
        f"voicepipe has failed: it made no sign for too long{LAST}; {START} again",
        1,
    ),
    "waits before the next start": (
        f"{LOADED}ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=1\n",
        f"voicepipe is started again after a failure: it ended with status 1{LAST}",
        1,
    ),
    "not read": (
        "LoadState=bad-setting\nActiveState=inactive\n",
        "voicepipe is installed, but systemd cannot use its unit: "
        "write it again with `voicepipe service install`",
        1,
    ),
    "masked": (
        "LoadState=masked\nActiveState=inactive\n",
        "voicepipe is masked: `systemctl --user unmask voicepipe` allows it to run",
        1,
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_status_is_in_words(home: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown, words, status = WORDS[name]
    assert main(["service", "install"]) == 0
    (home / "shown").write_text(shown)
    (home / "log").write_text("started\nno module named my_assistant\n\n")
    capsys.readouterr()
    assert main(["service", "status"]) == status
    assert capsys.readouterr() == (f"{words}\n", "")


@pytest.mark.parametrize(
    ("shown", "words", "status"),
    [
        (
            "LoadState=not-found\nActiveState=inactive\n",
            "x is not installed; `voicepipe service install --name x`",
            1,
        ),
        (
            "LoadState=not-found\nActiveState=active\n",
            "x is running, and its unit is gone; `systemctl --user stop x`",
            0,
        ),
        ("LoadState=loaded\nActiveState=active\n", "x is running", 0),
    ],
    ids=["nothing", "deleted by hand", "somebody else's"],
)
def test_status_of_what_was_not_installed(
    home: Path, shown: str, words: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "shown").write_text(shown)
    assert main(["service", "status", "--name", "x"]) == status
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize("installed", [False, True])
def test_status_without_a_bus_says_what_is_known(
    home: Path, installed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if installed:
        assert main(["service", "install"]) == 0
    (home / "broken").touch()
    capsys.readouterr()
    assert main(["service", "status"]) == 1
    said = capsys.readouterr().out
    known = "is installed, its state is not known: no bus" if installed else "is not installed"
    assert said.startswith(f"voicepipe {known}")
    assert "enable-linger" in said


def test_logs_ask_systemd(home: Path) -> None:
    assert main(["service", "logs", "--system", "-f", "--name", "x"]) == 0
    assert asked(home) == ["journalctl --no-pager -n 100 -f -u x"]


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
