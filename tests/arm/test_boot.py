"""What boot.py reads of the console, what it runs, and which processor it may borrow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from arm.boot import Check, check_in, requirements, verdict
from arm.machine import MACHINES, container_command, has_kvm
from arm.system import HERE


@pytest.mark.parametrize(
    ("line", "check"),
    [
        (
            "CHECK ok command 1: status 0, 9 s: sudo apt-get",
            Check("command 1", True, "status 0, 9 s: sudo apt-get"),
        ),
        (
            "[  7.1] python3[300]: CHECK failed nothing is left: ['a']\r\n",
            Check("nothing is left", False, "['a']"),
        ),
        ("CHECK ok it is active", Check("it is active", True)),
        ("CHECK maybe it is active: yes", None),
        ("Checking the disk", None),
    ],
)
def test_a_check_is_found_in_a_line_of_the_console(line: str, check: Check | None) -> None:
    assert check_in(line) == check


def test_all_is_well_only_where_every_check_held_and_the_trial_ended() -> None:
    held, failed = Check("one", True, "yes"), Check("two", False, "no")
    assert verdict([held], ended=True) == []
    assert verdict([held, failed], ended=True) == ["two: no"]
    assert verdict([held], ended=False) == ["the trial did not come to its end"]
    assert verdict([], ended=True) == ["the trial did not come to its end"]


@pytest.mark.parametrize("arch", list(MACHINES))
def test_the_machine_boots_the_systems_own_kernel_and_leaves_its_image_alone(arch: str) -> None:
    machine = MACHINES[arch]
    command = machine.command(Path("/tree"), Path("/image"), Path("/monitor"))
    assert command[0] == machine.program
    assert command[command.index("-kernel") + 1] == "/tree/vmlinuz"
    assert f"console={machine.console}" in command[command.index("-append") + 1]
    assert any("file=/image" in word and "snapshot=on" in word for word in command)
    assert "tcg,thread=multi" in command
    assert "kvm" in replace(machine, kvm=True).command(Path("/tree"), Path("/image"), Path("/monitor"))


def test_a_processor_of_another_kind_is_emulated() -> None:
    assert not has_kvm(replace(MACHINES["amd64"], platform="of another kind"), "flags\t\t: fpu svm")


def test_a_processor_that_cannot_be_shared_is_emulated() -> None:
    assert not has_kvm(MACHINES["amd64"], "flags\t\t: fpu sse2\nbugs\t\t: none of svm")


def test_the_wheels_are_for_the_dependencies_and_for_what_builds_the_project() -> None:
    names = [line.partition(">")[0] for line in requirements()]
    assert {"numpy", "sounddevice", "hatchling"} <= set(names)


def test_help_says_what_it_does() -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "boot.py"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "CHECK failed" in done.stdout


def test_a_container_asks_nobody_for_it() -> None:
    command = container_command(Path("/tree"))
    assert {"--boot", "--register=no", "--keep-unit", "--directory=/tree"} <= set(command)


def test_a_container_has_this_machines_kind() -> None:
    command = [sys.executable, str(HERE / "boot.py"), "--container", "--arch", "arm64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a container has this machine's kind" in done.stderr
