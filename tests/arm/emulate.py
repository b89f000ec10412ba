"""The project on a 64-bit ARM Debian, which Raspberry Pi OS is made from; emulated, and as root.

    python tests/arm/emulate.py                             # bookworm
    python tests/arm/emulate.py --release trixie --log trixie.log
    python tests/arm/emulate.py -- tests/cli/test_echo.py       # what follows -- is for pytest

It makes the system with debootstrap (it stays in --folder for the next time), and takes a clean checkout of
HEAD into it. There it runs the echo program as README.md says, the commands of
devices/raspberry-pi/README.md, and the tests. Every dependency must come as a wheel: pip builds none, and in
a new system no compiler is there until the tests want one, for their virtual sound card.

What emulation cannot do stands in not_emulated.txt, with its reason; pytest counts it as deselected. Emulated
programs are ten to twenty times as slow, and tests of real processes wait for them: what fails is run once
more by itself. The exit status is pytest's, or 1 where something before it failed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arm.system import (
    FOLDER,
    HERE,
    ROOT,
    NotHereError,
    System,
    checkout,
    command_of,
    install,
    make,
    mirror,
    register,
    take_settings,
    tools_are_here,
)

__all__ = ["not_emulated"]

TOOLS = {"debootstrap": "debootstrap", "qemu-aarch64-static": "qemu-user-static", "git": "git"}
FOR_USERS = ("python3-venv", "libportaudio2", "sudo")
FOR_TESTS = (
    *("gcc", "libc6-dev", "libasound2-dev", "libasound2-plugins", "procps"),
    *("pulseaudio", "pulseaudio-utils", "pipewire", "wireplumber", "dbus-daemon", "systemd"),
)
HEARS = """
.venv/bin/voicepipe vad voicepipe/data/speech.wav | tee heard.txt
grep -q '^2 segments.* silero' heard.txt
"""
"""Nothing but the wheel is installed then: with no extra both sentences are found by the network."""
PROCESSOR = "cortex-a72"
"""A Pi 4's. The emulator can do more, but takes five times as long for it (programs of trixie sign the places
they return to), and its vector unit is wrong: in QEMU 7.2 numpy's products of matrices are."""
FAILED = 1
"""pytest's status where tests failed."""


def not_emulated() -> dict[str, str]:
    """The tests that are left out, each with its reason."""
    reasons: dict[str, str] = {}
    reason = ""
    for line in (HERE / "not_emulated.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line:
            reasons[line] = reason
    return reasons


def _as_a_user(system: System) -> bool:
    """What the two READMEs tell a user to do, before there is a compiler. Whether echo ran, and it hears."""
    system.inside("a compiler?", "command -v gcc cc clang || echo none")
    echo = command_of(ROOT / "README.md", "echo").rstrip() + " --seconds 5"
    ran = system.inside("README.md: echo", f"cd ~/voicepipe\n{echo}", may_fail=True) == 0
    ran &= system.inside("the engine that all hear with", f"cd ~/voicepipe\n{HEARS}", may_fail=True) == 0
    went = 0
    commands = command_of(ROOT / "devices" / "raspberry-pi" / "README.md", "service").splitlines()
    for command in commands:
        script = f"export USER=root; cd ~/voicepipe\n{command}"
        went += system.inside(f"raspberry-pi/README.md: {command}", script, may_fail=True) == 0
    system.say(f"\nof the {len(commands)} commands of devices/raspberry-pi/README.md {went} went")
    return ran


def _tests(system: System, arguments: Sequence[str]) -> int:
    """The suite: its status. Its last line, with what is left out counted as deselected, is pytest's own."""
    system.inside("packages for tests", install(FOR_TESTS))
    left_out = [f"--deselect={test}" for test in not_emulated()]
    whole = [
        "--all",
        "--color=no",
        "--durations=25",
        "-o",
        "console_output_style=count",
        *left_out,
        *arguments,
    ]
    script = f"cd ~/voicepipe\n{command_of(ROOT / 'README.md', 'tests')}"
    status = system.inside("README.md: tests", script, may_fail=True, PYTEST_ADDOPTS=shlex.join(whole))
    if status == FAILED:
        once_more = shlex.join([*whole, "--last-failed", "--last-failed-no-failures=none", "-n0"])
        status = system.inside("what failed, once more", script, may_fail=True, PYTEST_ADDOPTS=once_more)
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--release", default="bookworm", help="Debian's name for it: bookworm, trixie")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where systems lie; default {FOLDER}")
    parser.add_argument(
        "--log", type=Path, help="where everything is written; default RELEASE.log in the folder"
    )
    parser.add_argument("--mirror", help="of Debian; default: what apt-get uses here")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    return parser.parse_args()


def main() -> int:
    """Do it; returns the exit status."""
    options = _options()
    try:
        tools_are_here(TOOLS)
        register()
        options.folder.mkdir(parents=True, exist_ok=True)
        log = options.log or options.folder / f"{options.release}.log"
        with log.open("w", encoding="utf-8") as file:
            system = System(options.folder / options.release, file)
            make(system, "arm64", options.release, [options.mirror] if options.mirror else mirror())
            take_settings(system)
            system.environment["QEMU_CPU"] = PROCESSOR
            system.inside("packages for users", install(FOR_USERS))
            checkout(system, "root")
            ran = _as_a_user(system)
            status = _tests(system, options.pytest)
    except NotHereError as error:
        print(f"emulate.py: {error}", file=sys.stderr)
        return 1
    return status or int(not ran)


if __name__ == "__main__":
    raise SystemExit(main())
