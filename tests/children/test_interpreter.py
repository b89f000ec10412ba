"""The Python that runs a child: ours, a named one, the frozen program, or a sentence that says what to do."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from children.looking import PATH, run_python
from voicepipe.children.interpreter import NAMED_BY, Interpreter, Kind, find_interpreter
from voicepipe.children.launcher import launch
from voicepipe.children.start import MARK
from voicepipe.errors import BackendMissingError, LaunchError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: its sound has no process")

NOWHERE = "sys.prefix = sys.exec_prefix = sys.base_exec_prefix = '/nowhere'; sys._base_executable = None"
FIND = """
import json, sys
{}
from voicepipe.children.interpreter import find_interpreter
from voicepipe.errors import LaunchError
try:
    found = find_interpreter()
    print(json.dumps([found.kind.name, found.path]))
except LaunchError as error:
    print(json.dumps(["error", str(error)]))
"""


def found(source: str, **environment: str) -> tuple[str, str]:
    """Return the kind and the path of what a program finds that begins so, or "error" and the sentence."""
    done = run_python("-c", FIND.format(source), **environment)
    assert done.returncode == 0, done.stderr
    kind, text = json.loads(done.stdout)
    return kind, text


def test_an_ordinary_program_has_its_own_python() -> None:
    assert find_interpreter() == Interpreter(sys.executable, Kind.OURS)


@pytest.mark.parametrize(
    "executable",
    ["None", "''", "'/usr/sbin/uwsgi'", "'/bin/sh'", "'python3'", "'/nowhere/python3'", "7", "'/usr/bin'"],
)
def test_an_embedded_python_is_found_beside_its_library_or_there_is_a_sentence(executable: str) -> None:
    kind, path = found(f"sys._base_executable = None; sys.executable = {executable}")
    assert kind == "OURS"
    assert Path(path).samefile(sys.executable)
    kind, text = found(f"sys.executable = {executable}; {NOWHERE}")
    assert kind == "error"
    assert text.startswith("Python is embedded in another program here")
    assert f"sys.executable is {executable}" in text
    assert "set VOICEPIPE_PYTHON" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "is_python"),
    [
        *(
            (name, True)
            for name in ("python", "python3", "python3.13", "python3.13t", "pypy3", "python3-dbg")
        ),
        *((name, True) for name in ("Python", ".python3.11-wrapped", "graalpy", "pythonw")),
        *((name, False) for name in ("pythonista-app", "python-assistant", "my_python", "uwsgi", "ipython")),
        *((name, False) for name in ("python3.13.sh", "app", "blender", "python_app")),
    ],
)
def test_a_program_is_taken_for_a_python_by_its_name_alone(
    name: str, is_python: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / name).chmod(0o755)
    kind, _ = found(f"sys.executable = {str(tmp_path / name)!r}; {NOWHERE}")
    assert kind == ("OURS" if is_python else "error")


FROZEN = "sys.frozen = True"
FREEZE_SUPPORT = f"{FROZEN}\nimport voicepipe\nvoicepipe.freeze_support()"
NUITKA = "import types; sys.modules['__main__'].__compiled__ = types.SimpleNamespace(standalone=True)"


@pytest.mark.parametrize(
    "source", [FROZEN, NUITKA, "sys.frozen = 'console_exe'", "sys.frozen = 'macosx_app'"]
)
def test_a_frozen_program_is_not_run_again_unless_it_says_that_it_can(source: str) -> None:
    kind, text = found(source)
    assert kind == "error"
    assert "does not begin with voicepipe.freeze_support(): add that as its first statement" in text
    assert found(f"{source}\nimport voicepipe\nvoicepipe.freeze_support()") == ("FROZEN", sys.executable)


BEGUN = "\nimport voicepipe; voicepipe.freeze_support()"


@pytest.mark.parametrize(
    "base", ["sys._base_executable = {!r}", "sys.modules['__main__'].__compiled__.process_exe = {!r}"]
)
def test_nuitkas_program_is_found_though_its_python_is_not_there(base: str) -> None:
    """As Nuitka 4 leaves it: seen in a program that it had compiled."""
    base = base.format(sys.executable)
    begin = f"{NUITKA}; sys._base_executable = None; sys.executable = '/nowhere/python'; {base}"
    assert found(begin + BEGUN) == ("FROZEN", sys.executable)


def test_a_frozen_program_whose_file_is_gone_is_a_sentence() -> None:
    kind, text = found(f"{FROZEN}; sys._base_executable = None; sys.executable = '/nowhere/app'{BEGUN}")
    assert kind == "error"
    assert text.startswith("the frozen program's file is not found (sys.executable is '/nowhere/app'): set")


def test_freeze_support_is_nothing_to_a_program_that_is_not_frozen() -> None:
    assert found("import voicepipe\nvoicepipe.freeze_support()") == ("OURS", sys.executable)


@pytest.mark.parametrize("source", ["", FROZEN, FREEZE_SUPPORT, "sys.executable = None"])
def test_a_python_that_the_user_names_is_taken(source: str) -> None:
    assert found(source, **{NAMED_BY: sys.executable}) == ("NAMED", sys.executable)


@pytest.mark.parametrize("named", ["python3", "/nowhere/python", "/usr", "/etc/passwd", " "])
def test_a_named_python_that_is_none_is_a_sentence(named: str) -> None:
    kind, text = found("", **{NAMED_BY: named})
    assert kind == "error"
    assert text.startswith(f"VOICEPIPE_PYTHON is {named!r}, which is no program with its whole path; name a")


@pytest.mark.parametrize("source", ["", FROZEN, "sys.executable = None"])
@pytest.mark.parametrize("mark", ["1 3 some.module", "by hand", ""])
def test_a_child_launches_none(source: str, mark: str) -> None:
    """So that there is no chain, whatever program was started as a child."""
    kind, text = found(source, **{MARK: mark})
    assert kind == "error"
    assert "a child process of voicepipe starts no other" in text


def test_a_child_opens_no_sound_hardware_either(monkeypatch: pytest.MonkeyPatch) -> None:
    from voicepipe import open_backend

    monkeypatch.setenv(MARK, "1 3 some.module")
    with pytest.raises(BackendMissingError, match="a child process of voicepipe starts no other"):
        open_backend("portaudio:outside")


@pytest.mark.parametrize("mark", ["by hand", "1 9999 some.module", "one two three", ""])
def test_a_program_whose_mark_was_set_by_hand_says_so_and_ends(mark: str) -> None:
    done = run_python("-c", "import voicepipe; voicepipe.freeze_support(); print('run')", **{MARK: mark})
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "voicepipe: VOICEPIPE_CHILD is set, and this is no child process of voicepipe; unset it\n"
    )


def test_a_program_that_cannot_be_run_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_bytes(b"\x7fELF of nothing")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(LaunchError, match=r"python cannot be run as a child process: .*Exec format error"):
        launch("children.idle_child")


def test_a_python_of_another_version_is_told(tmp_path: Path) -> None:
    """An embedded Python may take the one that is first on PATH for its own."""
    source = "sys.version_info = (3, 9, 0, 'final', 0)\nfrom voicepipe.children.launcher import launch\n"
    source += "child = launch('children.idle_child'); print(child.process.stderr.read().decode())"
    done = run_python("-c", f"import sys\n{source}")
    major, minor = sys.version_info[:2]
    assert f"is Python {major}.{minor}, the program is of (3, 9): set VOICEPIPE_PYTHON to a" in done.stdout


def test_a_named_python_brings_its_own_packages(tmp_path: Path) -> None:
    wrapper = tmp_path / "any-name"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{PATH}" exec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    source = f"{FROZEN}\nfrom voicepipe.children.launcher import launch\n"
    source += "child = launch('children.idle_child'); print(child.process.stdout.readline())"
    done = run_python("-c", f"import sys\n{source}", **{NAMED_BY: str(wrapper)})
    assert done.stdout.startswith("b'"), done.stderr
    assert done.stdout != "b''\n"


@pytest.mark.parametrize("shell", ["/bin/sh", shutil.which("bash") or "/bin/sh"])
def test_a_script_between_that_does_not_become_the_python_goes_too(shell: str, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!{shell}\n{sys.executable} "$@"\nexit $?\n')
    wrapper.chmod(0o755)
    from children.looking import children_of, last_of

    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(wrapper))
        child = launch("children.idle_child")
    assert child.process.stdout is not None
    inner = int(child.process.stdout.readline())
    assert children_of(child.process.pid) == [inner]
    child.close()
    child.process.wait(5)
    last_of([inner], 2.0)
