"""The five commands of devices/raspberry-pi/README.md, and the service, on a Debian that is booted; as root.

    python tests/arm/boot.py --container                    # as fast as this machine: 5 minutes
    python tests/arm/boot.py --container --release trixie   # another Debian
    python tests/arm/boot.py                                # an arm64 computer: emulated, and slow
    python tests/arm/boot.py --arch amd64 --log boot.log    # with KVM, where this machine is x86-64: minutes

A Debian is made with debootstrap (it stays in --folder for the next time) and booted, with systemd as
process 1 and the user `pi`, who logs in at the console. There trial.py runs the commands and looks at the
service. What it found is one line each, `CHECK ok ...` or `CHECK failed ...`; the exit status says whether
all of it held.

The system has no network. The packages that the first command installs lie in apt's cache, and the wheels
that the third one installs in a folder that /etc/pip.conf names.

A computer (of QEMU's) has Debian's kernel and its sound drivers: snd-aloop, which brings what is played on
one side to the microphone of the other, a card on the PCI bus, and a USB speaker, which is unplugged and
plugged where trial.py asks for it (`PLEASE unplug`). A container (of systemd-nspawn) has this machine's
kernel, and the virtual card of tests/soundcard, which trial.py unplugs itself.

Where a processor is emulated, everything is 10 to 30 times as slow as on a computer of today: trial.py is
patient, names the devices and has the program listen with `webrtc-plain`. Not judged there: gaps in the sound
(a sentence is compared piece by piece), how fast anything is, and how often the program was started before
its limits for listing (5 s) and opening (4.5 s) a device were kept.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arm.machine import CONTAINER, MACHINES, REBOOTS, Machine, Monitor, container_command, has_kvm
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
from arm.wheels import RELEASES, wheels_for

__all__ = ["Check", "check_in", "requirements", "verdict"]

TOOLS = {"debootstrap": "debootstrap", "git": "git"}
FOR_IMAGE = {"mke2fs": "e2fsprogs"}
FOR_ARM = {"qemu-aarch64-static": "qemu-user-static"}
INCLUDED = (
    *("systemd-sysv", "dbus-user-session", "libpam-systemd", "udev", "kmod", "initramfs-tools", "zstd"),
    *("sudo", "python3", "alsa-utils", "procps", "login", "ca-certificates"),
)
FOR_CARD = ("libportaudio2", "gcc", "libc6-dev", "libasound2-dev")
"""What makes the virtual card, in a container."""
FOR_USERS = ("python3-venv", "libportaudio2")
"""What the first of the five commands installs: it is fetched beforehand, and not installed."""
DISK = "6G"
GUEST = HERE / "guest"
"""Settings that the system has over those of Debian, each at its place: common ones, and those of a kind."""
USER = "pi"


@dataclass(frozen=True, slots=True)
class Check:
    """What trial.py found of one thing."""

    name: str
    held: bool
    seen: str = ""


def check_in(line: str) -> Check | None:
    """The check in a line of the console, if there is one."""
    found = re.search(r"CHECK (ok|failed) (.+?)(?:: (.*))?$", line.rstrip())
    return Check(found[2], found[1] == "ok", found[3] or "") if found else None


def verdict(checks: Sequence[Check], *, ended: bool) -> list[str]:
    """What is wrong, a line each: what failed, and that the trial did not come to its end."""
    wrong = [f"{check.name}: {check.seen}" for check in checks if not check.held]
    return wrong if ended and checks else [*wrong, "the trial did not come to its end"]


def requirements() -> list[str]:
    """What the third command needs: the dependencies, and what builds the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [*project["project"]["dependencies"], *project["build-system"]["requires"]]


# -- the system ------------------------------------------------------------------------


def _furnish(system: System, kind: str, packages: Sequence[str]) -> None:
    """What a Raspberry Pi OS Lite has beyond a minimal Debian, and what the first command installs; once.

    Args:
        kind: of guest.
        packages: what that wants.
    """
    done = system.folder / "etc" / "voicepipe-furnished"
    if done.exists():
        return
    shutil.copytree(GUEST / kind, system.folder, dirs_exist_ok=True)
    system.inside("packages of a fresh system", install(INCLUDED))
    system.inside(f"packages of a {kind}", install(packages))
    system.inside("packages for the first command, not installed", install(FOR_USERS, "--download-only"))
    system.inside("a user", f"useradd -m -u 1000 -s /bin/bash -G adm,sudo,audio {USER}")
    done.touch()


def _settle(system: System, kind: str, patience: int) -> None:
    """What is written anew each time: settings, the checkout, the trial."""
    for settings in ("common", kind):
        shutil.copytree(GUEST / settings, system.folder, dirs_exist_ok=True)
    trial = system.folder / "opt" / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    (trial / "arm").mkdir(parents=True)
    for name in ("__init__.py", "trial.py", "looking.py", "hearing.py", "cards.py"):
        shutil.copy(HERE / name, trial / "arm")
    commands = command_of(ROOT / "devices" / "raspberry-pi" / "README.md", "service")
    (trial / "commands").write_text(commands, encoding="utf-8")
    (trial / "patience").write_text(str(patience), encoding="utf-8")
    checkout(system, f"home/{USER}")
    system.inside("it is the user's", f"chown -R {USER}: /home/{USER}")


def _wheels(system: System, machine: Machine, release: str) -> None:
    """Those of the third command, in /opt/wheels."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", f"--dest={system.folder}/opt/wheels"]
    options = wheels_for(RELEASES[release], machine.platform)
    system.run("wheels for the third command", [*pip, *options, *requirements()])


def _image(system: System, image: Path) -> None:
    """The whole tree as a file system in a file; nothing is mounted for it."""
    image.unlink(missing_ok=True)
    make_it = ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(system.folder)]
    system.run("an image of it", [*make_it, str(image), DISK])


# -- the machine -----------------------------------------------------------------------


def _lines(command: Sequence[str], limit_s: float) -> Generator[str]:
    """What the console says, over reboots. A system that takes longer is ended."""
    until_s = time.monotonic() + limit_s
    status = REBOOTS
    while status == REBOOTS:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            yield from _said(process, until_s)
        finally:
            process.kill()
            status = process.wait()
    yield f"boot.py: it has ended with status {status}"


def _said(process: subprocess.Popen[bytes], until_s: float) -> Generator[str]:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    kept = b""
    while process.poll() is None:
        if time.monotonic() > until_s:
            process.kill()
            yield "boot.py: ended, for it took too long"
        kept += process.stdout.read() or b""
        *lines, kept = kept.split(b"\n")
        yield from (line.decode(errors="replace").strip("\r") for line in lines)
        time.sleep(0.05)  # a console prints a line now and then
    yield (kept + (process.stdout.read() or b"")).decode(errors="replace")


def _boot(system: System, command: Sequence[str], please: Callable[[str], None], limit_s: float) -> list[str]:
    """Run the system to its end: what is wrong.

    Args:
        please: unplugs and plugs the USB speaker.
    """
    system.say(f"\n== {' '.join(command)}")
    began_s = time.monotonic()
    checks: list[Check] = []
    ended = False
    with closing(_lines(command, limit_s)) as lines:
        for line in lines:
            system.say(f"{time.monotonic() - began_s:7.1f} {line}")
            if check := check_in(line):
                checks.append(check)
            ended = ended or "TRIAL ended" in line
            if asked := re.search(r"PLEASE (unplug|plug)", line):
                please(asked[1])
    system.say(f"\n{sum(check.held for check in checks)} of {len(checks)} checks held")
    return verdict(checks, ended=ended)


def _in_a_computer(system: System, machine: Machine) -> list[str]:
    """What is wrong, in one of QEMU's."""
    image, monitor = system.folder.with_suffix(".ext4"), system.folder.with_suffix(".monitor")
    _image(system, image)
    monitor.unlink(missing_ok=True)

    def please(what: str) -> None:
        qemu = Monitor(monitor)
        (qemu.unplug if what == "unplug" else qemu.plug)()
        qemu.close()

    return _boot(system, machine.command(system.folder, image, monitor), please, 1800 * machine.patience)


def _in_a_container(system: System) -> list[str]:
    """What is wrong, in a container of this machine: of a copy, for what is written stays."""
    copy = system.folder.with_name(f"{system.folder.name}.running")
    shutil.rmtree(copy, ignore_errors=True)
    system.run("a copy of it", ["cp", "-a", "--reflink=auto", str(system.folder), str(copy)])

    def please(what: str) -> None:
        raise NotHereError(f"a container has nothing to {what}")

    try:
        return _boot(system, container_command(copy), please, 1800)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", choices=list(MACHINES), help="Debian's word for it; default arm64")
    parser.add_argument("--container", action="store_true", help="on this machine's own kernel")
    parser.add_argument(
        "--release", choices=list(RELEASES), default="bookworm", help="Debian's name for it; default bookworm"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where systems lie; default {FOLDER}")
    parser.add_argument("--log", type=Path, help="where everything is written; default in the folder")
    parser.add_argument("--mirror", help="of Debian; default: what apt-get uses here")
    options = parser.parse_args()
    if options.container and options.arch:
        parser.error("--arch is for computers: a container has this machine's kind")
    return options


def _machine(options: argparse.Namespace) -> Machine:
    """That of the options, or the kind that this machine is of. Raises: NotHereError."""
    if not options.container:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        machine = MACHINES[options.arch or "arm64"]
        return replace(machine, kvm=has_kvm(machine, cpuinfo))
    kind = os.uname().machine
    for machine in MACHINES.values():
        if machine.platform == kind:
            return machine
    raise NotHereError(f"a container has the kind of this machine, {kind}: it must be x86_64 or aarch64")


def main() -> int:
    """Do it; returns the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the machine ends with us
    try:
        machine = _machine(options)
        emulator = {CONTAINER: "systemd-container"}
        if not options.container:
            emulator = {machine.program: machine.package, **FOR_IMAGE}
        foreign = os.uname().machine != machine.platform
        tools_are_here({**TOOLS, **emulator, **(FOR_ARM if foreign else {})})
        if foreign:
            register()
        kind = "container" if options.container else "computer"
        name = f"{'contained' if options.container else 'booted'}-{options.release}-{machine.arch}"
        options.folder.mkdir(parents=True, exist_ok=True)
        with (options.log or options.folder / f"{name}.log").open("w", encoding="utf-8") as file:
            system = System(options.folder / name, file)
            make(system, machine.arch, options.release, [options.mirror] if options.mirror else mirror())
            take_settings(system)
            _furnish(system, kind, FOR_CARD if options.container else [f"linux-image-{machine.arch}"])
            _wheels(system, machine, options.release)
            _settle(system, kind, 1 if options.container else machine.patience)
            wrong = _in_a_container(system) if options.container else _in_a_computer(system, machine)
            system.say("\n".join(wrong) or "all of it held")
    except NotHereError as error:
        print(f"boot.py: {error}", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
