"""A Debian of its own in a folder, made by debootstrap: what emulate.py and boot.py share."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

__all__ = [
    "FOLDER",
    "HERE",
    "ROOT",
    "NotHereError",
    "System",
    "checkout",
    "command_of",
    "install",
    "make",
    "mirror",
    "pip_settings",
    "register",
    "take_settings",
    "tools_are_here",
]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = Path("/var/tmp/voicepipe-arm")
QEMU = "qemu-aarch64"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
REGISTRATION = Path(f"/usr/lib/binfmt.d/{QEMU}.conf")
"""Of the package qemu-user-static: which files the emulator is for, and that it is opened beforehand (F), so
that it need not lie in the system."""
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "cert")
_CERTIFICATES = "etc/of-this-machine.crt"


class NotHereError(Exception):
    """It cannot be done on this machine; says what to do."""


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


class System:
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


def tools_are_here(tools: Mapping[str, str]) -> None:
    """Root, on Linux, with these programs, each of the package beside it. Raises: NotHereError."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NotHereError("a system is made by root, on Linux: run it as root there")
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        raise NotHereError(f"tools are missing: apt-get install {' '.join(missing)}")


def register() -> None:
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


def mirror() -> list[str]:
    """Where this machine's own packages come from; debootstrap has one of its own otherwise."""
    if shutil.which("apt-get") is None:
        return []
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.rstrip("/").endswith("/debian")]
    return found[:1]


def make(system: System, arch: str, release: str, mirror: Sequence[str]) -> None:
    """The base system, once."""
    made = system.folder / "etc" / "voicepipe-made"
    if made.exists():
        system.say(f"the system in {system.folder} is there already")
        return
    shutil.rmtree(system.folder, ignore_errors=True)
    bootstrap = ["debootstrap", "--foreign", f"--arch={arch}", "--variant=minbase", release]
    system.run(f"Debian {release}, {arch}", ["env", "LC_ALL=C", *bootstrap, str(system.folder), *mirror])
    system.run(
        "its second stage", ["chroot", str(system.folder), "/debootstrap/debootstrap", "--second-stage"]
    )
    made.touch()


def install(packages: Sequence[str], *options: str) -> str:
    """The command for it, without a word where it goes well."""
    command = "apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0"
    return f"apt-get update -qq; {' '.join([command, *options, *packages])} >/dev/null"


def take_settings(system: System) -> None:
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


def checkout(system: System, home: str) -> None:
    """A clean one of HEAD in that folder of the system's, without what an earlier run left."""
    source = system.folder / home / "voicepipe"
    shutil.rmtree(source, ignore_errors=True)
    clone = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(source)]
    system.run("a clean checkout of HEAD", clone)
