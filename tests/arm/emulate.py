"""The project on a 64-bit ARM Debian, which Raspberry Pi OS is made from; emulated, and as root.

    python tests/arm/emulate.py                             # bookworm
    python tests/arm/emulate.py --release trixie --log trixie.log
    python tests/arm/emulate.py -- tests/test_echo.py       # what follows -- is for pytest

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
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

__all__ = ["NotHereError", "command_of", "not_emulated", "pip_settings"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = Path("/var/tmp/voicepipe-arm")
QEMU = "qemu-aarch64"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
REGISTRATION = Path(f"/usr/lib/binfmt.d/{QEMU}.conf")
"""Of the package qemu-user-static: which files the emulator is for, and that it is opened beforehand (F), so
that it need not lie in the system."""
TOOLS = {"debootstrap": "debootstrap", "qemu-aarch64-static": "qemu-user-static", "git": "git"}
FOR_USERS = ("python3-venv", "libportaudio2", "sudo")
FOR_TESTS = (
    *("gcc", "libc6-dev", "libasound2-dev", "libasound2-plugins", "procps"),
    *("pulseaudio", "pulseaudio-utils", "pipewire", "wireplumber", "dbus-daemon", "systemd"),
)
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "cert")
_CERTIFICATES = "etc/of-this-machine.crt"


FAILED = 1
"""pytest's status where tests failed."""


class NotHereError(Exception):
    """It cannot be done on this machine; says what to do."""


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


def command_of(readme: Path, name: str) -> str:
    """The fenced block behind the line `<!-- command: NAME -->`."""
    found = re.search(
        rf"^<!-- command: {name} -->\n+```\w*\n(.*?)^```$",
        readme.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    if not found:
        raise NotHereError(f"{readme} has no fenced block behind the line <!-- command: {name} -->")
    return found[1]


def pip_settings(listed: str) -> dict[str, str]:
    """Where pip finds packages, out of what `pip config list` prints, as variables: the last one counts."""
    settings: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        words = [word for word in " ".join(shlex.split(value)).split() if not word.startswith("file:")]
        if key in _PIP_KEYS and words:
            settings["PIP_" + key.upper().replace("-", "_")] = " ".join(words)
    return settings


class _System:
    """An emulated system in a folder."""

    def __init__(self, folder: Path, log: TextIO) -> None:
        self.folder = folder
        self._log = log
        self.environment: dict[str, str] = {}

    def say(self, line: str) -> None:
        """To the screen and into the log."""
        print(line, flush=True)
        print(line, file=self._log, flush=True)

    def run(self, what: str, command: Sequence[str], *, may_fail: bool = False) -> int:
        """A command of this machine; its output is said. Raises: NotHereError, where it fails and may not."""
        began_s = time.monotonic()
        self.say(f"\n== {what}")
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            self.say(line.rstrip("\n"))
        status = process.wait()
        self.say(f"== {what}: status {status}, {time.monotonic() - began_s:.0f} s")
        if status and not may_fail:
            raise NotHereError(f"{what}: status {status}")
        return status

    def inside(self, what: str, script: str, *, may_fail: bool = False, **variables: str) -> int:
        """A shell's script in the system."""
        pairs = [f"{name}={value}" for name, value in {**self.environment, **variables}.items()]
        enter = [str(HERE / "enter"), str(self.folder), *pairs, "bash", "-ec"]
        return self.run(what, [*enter, script], may_fail=may_fail)


def _tools_are_here() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NotHereError("a system is made by root, on Linux: run it as root there")
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise NotHereError(f"tools are missing: apt-get install {' '.join(missing)}")


def _register() -> None:
    """Let the kernel run ARM programs by the emulator, as the package does where systemd runs."""
    if os.uname().machine == "aarch64":
        return
    try:
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=True)
        if not (BINFMT / QEMU).exists():
            (BINFMT / "register").write_text(REGISTRATION.read_text(encoding="utf-8"), encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHereError(f"the kernel does not take an emulator (binfmt_misc): {error}") from error


def _mirror() -> list[str]:
    """Where this machine's own packages come from; debootstrap has one of its own otherwise."""
    if shutil.which("apt-get") is None:
        return []
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.rstrip("/").endswith("/debian")]
    return found[:1]


def _make(system: _System, release: str, mirror: Sequence[str]) -> None:
    """The base system, once."""
    made = system.folder / "etc" / "voicepipe-made"
    if made.exists():
        system.say(f"the system in {system.folder} is there already")
        return
    shutil.rmtree(system.folder, ignore_errors=True)
    bootstrap = ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", release, str(system.folder)]
    system.run(f"Debian {release}, arm64", ["env", "LC_ALL=C", *bootstrap, *mirror])
    system.run(
        "its second stage", ["chroot", str(system.folder), "/debootstrap/debootstrap", "--second-stage"]
    )
    made.touch()


def _install(packages: Sequence[str]) -> str:
    install = "apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0"
    return f"apt-get update -qq; {install} {' '.join(packages)} >/dev/null"


def _take_settings(system: _System) -> None:
    """Names of hosts, proxies, and where pip looks, as on this machine."""
    shutil.copy("/etc/resolv.conf", system.folder / "etc" / "resolv.conf")
    (system.folder / "etc" / "hosts").write_text("127.0.0.1 localhost emulated\n", encoding="utf-8")
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings = pip_settings(listed.stdout)
    if certificates := settings.get("PIP_CERT"):
        shutil.copy(certificates, system.folder / _CERTIFICATES)
        settings["PIP_CERT"] = f"/{_CERTIFICATES}"
    proxies = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    system.environment = {**proxies, **settings, "PIP_ONLY_BINARY": ":all:", "PIP_PROGRESS_BAR": "off"}


def _checkout(system: _System) -> None:
    """A clean one of HEAD, without what an earlier run left."""
    source = system.folder / "root" / "voicepipe"
    shutil.rmtree(source, ignore_errors=True)
    clone = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(source)]
    system.run("a clean checkout of HEAD", clone)


def _as_a_user(system: _System) -> bool:
    """What the two READMEs tell a user to do, before there is a compiler. Whether the echo program ran."""
    system.inside("a compiler?", "command -v gcc cc clang || echo none")
    echo = command_of(ROOT / "README.md", "echo").rstrip() + " --seconds 5"
    ran = system.inside("README.md: echo", f"cd ~/voicepipe\n{echo}", may_fail=True) == 0
    went = 0
    commands = command_of(ROOT / "devices" / "raspberry-pi" / "README.md", "service").splitlines()
    for command in commands:
        script = f"export USER=root; cd ~/voicepipe\n{command}"
        went += system.inside(f"raspberry-pi/README.md: {command}", script, may_fail=True) == 0
    system.say(f"\nof the {len(commands)} commands of devices/raspberry-pi/README.md {went} went")
    return ran


def _tests(system: _System, arguments: Sequence[str]) -> int:
    """The suite: its status. Its last line, with what is left out counted as deselected, is pytest's own."""
    system.inside("packages for tests", _install(FOR_TESTS))
    left_out = [f"--deselect={test}" for test in not_emulated()]
    whole = ["--color=no", "--durations=25", "-o", "console_output_style=count", *left_out, *arguments]
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
        _tools_are_here()
        _register()
        options.folder.mkdir(parents=True, exist_ok=True)
        log = options.log or options.folder / f"{options.release}.log"
        with log.open("w", encoding="utf-8") as file:
            system = _System(options.folder / options.release, file)
            _make(system, options.release, [options.mirror] if options.mirror else _mirror())
            _take_settings(system)
            system.inside("packages for users", _install(FOR_USERS))
            _checkout(system)
            ran = _as_a_user(system)
            status = _tests(system, options.pytest)
    except NotHereError as error:
        print(f"emulate.py: {error}", file=sys.stderr)
        return 1
    return status or int(not ran)


if __name__ == "__main__":
    raise SystemExit(main())
