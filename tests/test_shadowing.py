"""A user's module of a standard one's name, beside the program: the error names the file, and what to do."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from support.bare import bare
from voicepipe.shadowing import ShadowNaming, shadow_error

PROGRAM = """
import voicepipe as vp

backend = vp.open_backend("fake")
backend.card.mic.run_out()
stages = [vp.MicrophoneInput(backend), vp.Loopback(), vp.SpeakerOutput(backend)]
vp.PipelineRunner().main(vp.PipelineTask(vp.Pipeline(stages)))
"""
MODULES = [
    "queue",
    "typing",
    "random",
    "asyncio",
    "logging",
    "socket",
    "signal",
    "enum",
    "dataclasses",
    "contextlib",
    "selectors",
    "threading",
    "weakref",
]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = bare()["PYTHONPATH"]
    return subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env=bare(PYTHONPATH=path, HOME=str(folder), TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.heavy(after=4)
def test_the_module_is_named_in_the_last_line_of_a_program(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text("mine = 1\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run(tmp_path, "program.py")
    # Behind it, Python's own end may miss the module too.
    assert (
        f"ImportError: {path} shadows the standard library's module {name}: rename it, or move it elsewhere"
    ) in done.stderr.splitlines()
    assert "left behind" not in done.stderr
    assert done.returncode == 1


@pytest.mark.heavy
@pytest.mark.parametrize("module", ["voicepipe", "voicepipe.echo"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("queue", "mine = 1"),
        ("logging", "mine = 1"),
        ("dataclasses", "this is no Python"),
        ("threading", "raise ValueError('mine')"),
        ("socket", "import no_such_module"),
        ("asyncio/__init__", "mine = 1"),
    ],
    ids=["queue", "logging", "no Python", "raises", "imports", "package"],
)
def test_a_command_says_it_in_one_line(tmp_path: Path, name: str, text: str, module: str) -> None:
    path = tmp_path / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{text}\n")
    command = [] if module.endswith("echo") else ["echo"]
    done = run(tmp_path, "-m", module, *command, "--backend", "fake", "--seconds", "0.2")
    standard = name.partition("/")[0]
    assert done.stderr == (
        f"voicepipe: {path} shadows the standard library's module {standard}: "
        "rename it, or move it elsewhere\n"
    )
    assert (done.stdout, done.returncode) == ("", 1)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["test", "code", "this", "voicepipe_notes", "colorsys"])
def test_a_module_that_is_not_in_the_way_is_not_blamed(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("mine = 1\n")
    (tmp_path / "program.py").write_text(PROGRAM + "\nraise SystemExit(3)\n")
    assert run(tmp_path, "program.py").returncode == 0
    (tmp_path / "program.py").write_text(
        f"import {name}\nimport voicepipe as vp\nvp.open_backend('nothing')\n"
    )
    done = run(tmp_path, "program.py")
    assert "unknown back end 'nothing'" in done.stderr.splitlines()[-1]
    assert "shadows" not in done.stderr


def of_a_user(name: str, path: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = path
    return module


@pytest.mark.parametrize(
    "path",
    ["/home/pi/queue.py", "C:\\pi\\queue.py", "/usr/lib/python3/dist-packages/queue.py", "/x/queue.pyc"],
)
def test_an_attribute_that_is_missing_names_the_file(path: str) -> None:
    with pytest.raises(AttributeError) as caught:
        of_a_user("queue", path).SimpleQueue  # noqa: B018
    assert str(shadow_error(caught.value)).startswith(f"{path} shadows the standard library's module queue")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("queue"),
        AttributeError("module 'queue' has no attribute 'SimpleQueue'"),
        AttributeError("x", name="x", obj=subprocess),
        AttributeError("x", name="x", obj=of_a_user("my_queue", "/home/pi/my_queue.py")),
        ImportError("x", name="numpy", path="/home/pi/numpy/__init__.py"),
        ImportError("x", name="queue", path=subprocess.__file__),
        ModuleNotFoundError("x", name="sounddevice"),
    ],
    ids=["other", "only words", "the standard's own", "another name", "another package", "well", "missing"],
)
def test_other_errors_are_left_as_they_are(error: Exception) -> None:
    assert shadow_error(error) is None
    with pytest.raises(type(error)) as caught, ShadowNaming():
        raise error
    assert caught.value is error


def test_the_cause_of_an_error_is_looked_at_too() -> None:
    try:
        try:
            raise ImportError("x", name="queue", path="/home/pi/queue.py")
        except ImportError as error:
            raise RuntimeError("numpy cannot be imported") from error
    except RuntimeError as error:
        wrapped = error
    assert "/home/pi/queue.py shadows" in str(shadow_error(wrapped))
