"""A child imports what its program imports: from the same places, and the standard library before all."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from children.looking import PATH, ROOT, run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: its sound has no process")

PROGRAM = """
import asyncio, sys
{}
from voicepipe.devices.port import StreamRequest
from voicepipe_devices.sound_process.backend import OutsideBackend
async def main():
    print(len(await OutsideBackend("support.blocking_drivers:well", "library", shares_air=False).devices()))
asyncio.run(main())
"""
SHADOWS = ("queue", "json", "enum", "typing", "dataclasses", "threading", "select", "struct", "contextlib")
"""The sound process imports them; there were packages of some of these names, for old Pythons."""
BROKEN = "raise RuntimeError('the wrong module')\n"
LISTS = ("2\n", 0)


def lists_devices(*command: str, cwd: Path | None = None, **environment: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": PATH, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.returncode


@pytest.mark.parametrize(
    "late", ["sys.path.append({!r})", "sys.path.insert(0, {!r})", "sys.path.insert(1, {!r})"]
)
def test_a_shadow_of_the_standard_library_does_not_hurt_the_child(late: str, tmp_path: Path) -> None:
    """The program has imported its own by then, and is well."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(BROKEN)
    source = PROGRAM.format(f"import {', '.join(SHADOWS)}, numpy\n" + late.format(str(tmp_path)))
    assert lists_devices("-c", source) == LISTS


@pytest.mark.parametrize("shadow", SHADOWS)
def test_a_backport_beside_our_packages_does_not_hurt_the_child(shadow: str, tmp_path: Path) -> None:
    """As in site-packages, behind the standard library of the program."""
    for folder, name in (("", "voicepipe"), ("devices", "voicepipe_devices"), ("tests", "support")):
        (tmp_path / name).symlink_to(ROOT / folder / name)
    (tmp_path / f"{shadow}.py").write_text(BROKEN)
    kept = f"[path for path in sys.path if path not in {PATH.split(os.pathsep)!r}]"
    source = PROGRAM.format(f"sys.path = [*{kept}, {str(tmp_path)!r}]")
    assert lists_devices("-c", source, PYTHONPATH="", PYTHONSAFEPATH="1") == LISTS


@pytest.mark.parametrize(
    "flags", [("-S",), ("-E",), ("-I",), ("-I", "-S"), ("-P",), ("-s", "-B"), ("-O",), ("-X", "dev")]
)
def test_whatever_the_flags_of_the_program(flags: tuple[str, ...]) -> None:
    extra = [path for path in sys.path if "site-packages" in path]
    source = PROGRAM.format(f"sys.path += {PATH.split(os.pathsep) + extra!r}")
    assert lists_devices(*flags, "-c", source) == LISTS


def test_a_path_that_is_set_at_run_time_is_the_childs_too(tmp_path: Path) -> None:
    source = f"sys.path += {PATH.split(os.pathsep)!r}"
    assert lists_devices("-c", PROGRAM.format(source), PYTHONPATH="") == LISTS


@pytest.mark.parametrize("name", ["with space", "with:colon", "with\nnewline", "größer", "--", "-c"])
def test_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for part, package in (("", "voicepipe"), ("devices", "voicepipe_devices"), ("tests", "support")):
        (folder / package).symlink_to(ROOT / part / package)
    assert lists_devices("-c", PROGRAM.format(f"sys.path.insert(0, {str(folder)!r})"), PYTHONPATH="") == LISTS


def test_a_current_folder_that_is_deleted(tmp_path: Path) -> None:
    source = PROGRAM.format(f"import os; os.rmdir({str(tmp_path)!r})")
    assert lists_devices("-c", source, cwd=tmp_path) == LISTS


def test_a_relative_path_is_meant_from_where_the_program_is(tmp_path: Path) -> None:
    (tmp_path / "lib").symlink_to(ROOT / "tests")
    source = PROGRAM.format("sys.path.insert(0, 'lib')")
    path = os.pathsep.join(str(ROOT / folder) for folder in ("", "devices"))
    assert lists_devices("-c", source, cwd=tmp_path, PYTHONPATH=path) == LISTS


def test_entries_that_are_no_text_are_left_out() -> None:
    assert (
        lists_devices(
            "-c", PROGRAM.format("import pathlib; sys.path += [pathlib.Path('/x'), b'/y', None, '']")
        )
        == LISTS
    )


def test_out_of_a_zip_archive(tmp_path: Path) -> None:
    """As zipapp and pex make them."""
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as app:
        app.writestr("__main__.py", PROGRAM.format(""))
        for folder, package in (("", "voicepipe"), ("devices", "voicepipe_devices"), ("tests", "support")):
            top = ROOT / folder
            for path in (top / package).rglob("*.py"):
                app.write(path, path.relative_to(top))
    assert lists_devices(str(archive), PYTHONPATH="") == LISTS


def test_in_a_virtual_environment_that_is_reached_by_a_link(tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    (tmp_path / "link").symlink_to(tmp_path / "env")
    extra = [path for path in sys.path if "site-packages" in path]
    source = PROGRAM.format(f"sys.path += {extra!r}")
    done = subprocess.run(
        [str(tmp_path / "link" / "bin" / "python"), "-c", source],
        env={**os.environ, "PYTHONPATH": PATH},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "2\n"


def test_the_child_has_the_arguments_and_the_environment_of_no_one_else() -> None:
    source = "import sys\nfrom voicepipe.children.launcher import launch\n"
    source += "child = launch('children.telling_child', ['a b', '--', ''])\n"
    source += "print(child.process.stdout.read().decode())"
    done = run_python("-c", source, NOTIFY_SOCKET="/run/notify")
    assert done.stdout.split("\n")[:2] == ["['a b', '--', '']", "None"], done.stderr
