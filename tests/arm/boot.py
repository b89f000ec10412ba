"""The five commands of devices/raspberry-pi/README.md, and the service, on a Debian that is booted; as root.

    python tests/arm/boot.py                                # arm64: emulated, and slow
    python tests/arm/boot.py --arch amd64 --log boot.log    # with KVM, where this machine is x86-64: minutes

A bookworm is made with debootstrap (it stays in --folder for the next time) and booted in a virtual machine:
Debian's kernel and its sound drivers, systemd as process 1, and the user `pi`, who logs in at the serial
console. There trial.py runs the commands and looks at the service. What it found is one line each,
`CHECK ok ...` or `CHECK failed ...`; the exit status says whether all of it held.

The machine has no network. The packages that the first command installs lie in apt's cache, and the wheels
that the third one installs in a folder that /etc/pip.conf names. Its sound cards are snd-aloop, which brings
what is played on one side to the microphone of the other, a card on the PCI bus, and a USB speaker, which is
unplugged and plugged where trial.py asks for it (`PLEASE unplug`).

Where a processor is emulated, everything is 10 to 30 times as slow as on a computer of today: trial.py is
patient, names the devices and has the program listen with `webrtc-plain`. Not judged there: gaps in the sound
(a sentence is compared piece by piece), how fast anything is, and how often the program was started before
its limits for listing (5 s) and opening (4.5 s) a device were kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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

__all__ = ["Check", "Machine", "check_in", "verdict"]

RELEASE, PYTHON, GLIBC = "bookworm", "3.11", 36
TOOLS = {
    "debootstrap": "debootstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "mke2fs": "e2fsprogs",
    "git": "git",
}
INCLUDED = (
    *("systemd-sysv", "dbus-user-session", "libpam-systemd", "udev", "kmod", "initramfs-tools", "zstd"),
    *("sudo", "python3", "alsa-utils", "procps", "login", "ca-certificates"),
)
FOR_USERS = ("python3-venv", "libportaudio2")
"""What the first of the five commands installs: it is fetched beforehand, and not installed."""
DISK = "6G"
GUEST = HERE / "guest"
"""Settings that the system has over those of Debian, each at its place."""
USER = "pi"


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of computer, and what emulates it."""

    arch: str
    """Debian's word for it."""
    platform: str
    """The wheels' word for it."""
    program: str
    package: str
    """Debian's, that has the program."""
    console: str
    board: tuple[str, ...]
    """With the processor that is emulated where it cannot be had."""

    kvm: bool = False
    """The kernel's own virtual machine has it, and nothing is emulated but devices."""

    @property
    def patience(self) -> int:
        """How many times as long as on a computer of today everything may take."""
        return 1 if self.kvm else 4

    def command(self, tree: Path, image: Path, monitor: Path) -> list[str]:
        """What runs it from that image, with the tree's kernel. What is written to the image is lost."""
        accelerator = ("-cpu", "host", "-accel", "kvm") if self.kvm else ("-accel", "tcg,thread=multi")
        kernel = f"root=/dev/vda rw console={self.console} loglevel=1 systemd.show_status=0"
        return [
            *(
                self.program,
                *self.board,
                *accelerator,
                "-smp",
                "2",
                "-m",
                "1536",
                "-nodefaults",
                "-nic",
                "none",
            ),
            *("-display", "none", "-serial", "stdio", "-qmp", f"unix:{monitor},server=on,wait=off"),
            *("-kernel", str(tree / "vmlinuz"), "-initrd", str(tree / "initrd.img"), "-append", kernel),
            *("-drive", f"file={image},if=none,id=disk,format=raw,snapshot=on,cache=unsafe"),
            *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"),
            *("-audiodev", "none,id=card", "-device", "intel-hda", "-device", "hda-duplex,audiodev=card"),
            *("-audiodev", "none,id=usb", "-device", "qemu-xhci,id=bus"),
            *("-device", "usb-audio,id=speaker,bus=bus.0,audiodev=usb"),
        ]


MACHINES = {
    "arm64": Machine(
        *("arm64", "aarch64", "qemu-system-aarch64", "qemu-system-arm", "ttyAMA0"),
        ("-M", "virt", "-cpu", "cortex-a72"),
    ),
    "amd64": Machine(
        *("amd64", "x86_64", "qemu-system-x86_64", "qemu-system-x86", "ttyS0"),
        ("-M", "q35", "-cpu", "max"),
    ),
}


@dataclass(frozen=True, slots=True)
class Check:
    """What trial.py found of one thing."""

    name: str
    held: bool
    seen: str = ""


def has_kvm(machine: Machine, cpuinfo: str) -> bool:
    """Whether this computer's own processor can be lent: it is of that kind, and the kernel has it do so.

    A processor of x86-64 says so itself. Where it does not, /dev/kvm may be there all the same, for
    kernels that are made for it; Debian's takes minutes there for what it does in a second.
    """
    if os.uname().machine != machine.platform or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    return machine.arch == "arm64" or re.search(r"^flags\b.*\b(vmx|svm)\b", cpuinfo, re.MULTILINE) is not None


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


def _furnish(system: System, machine: Machine) -> None:
    """What a Raspberry Pi OS Lite has beyond a minimal Debian, and what the first command installs; once."""
    done = system.folder / "etc" / "voicepipe-furnished"
    if done.exists():
        return
    shutil.copytree(GUEST / "etc/initramfs-tools", system.folder / "etc/initramfs-tools", dirs_exist_ok=True)
    system.inside("packages of a fresh system", install(INCLUDED))
    system.inside("a kernel", install([f"linux-image-{machine.arch}"]))
    system.inside("packages for the first command, not installed", install(FOR_USERS, "--download-only"))
    system.inside("a user", f"useradd -m -u 1000 -s /bin/bash -G adm,sudo,audio {USER}")
    done.touch()


def _settle(system: System, machine: Machine) -> None:
    """What is written anew each time: settings, the checkout, the trial."""
    shutil.copytree(GUEST, system.folder, dirs_exist_ok=True)
    trial = system.folder / "opt" / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    (trial / "arm").mkdir(parents=True)
    for name in ("__init__.py", "trial.py", "looking.py", "hearing.py"):
        shutil.copy(HERE / name, trial / "arm")
    commands = command_of(ROOT / "devices" / "raspberry-pi" / "README.md", "service")
    (trial / "commands").write_text(commands, encoding="utf-8")
    (trial / "patience").write_text(str(machine.patience), encoding="utf-8")
    checkout(system, f"home/{USER}")
    system.inside("it is the user's", f"chown -R {USER}: /home/{USER}")


def _wheels(system: System, machine: Machine) -> None:
    """Those of the third command, in /opt/wheels."""
    names = [f"manylinux_2_{minor}_{machine.platform}" for minor in range(GLIBC, 16, -1)]
    platforms = [f"--platform={name}" for name in (*names, f"manylinux2014_{machine.platform}")]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", *platforms]
    options = ["--implementation=cp", f"--python-version={PYTHON}", f"--dest={system.folder}/opt/wheels"]
    system.run("wheels for the third command", [*pip, *options, *requirements()])


def _image(system: System, image: Path) -> None:
    """The whole tree as a file system in a file; nothing is mounted for it."""
    image.unlink(missing_ok=True)
    make_it = ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(system.folder)]
    system.run("an image of it", [*make_it, str(image), DISK])


# -- the machine -----------------------------------------------------------------------


class _Monitor:
    """QEMU's: it unplugs and plugs the USB speaker."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._said = self._socket.makefile("r", encoding="utf-8")
        self._do({"execute": "qmp_capabilities"})

    def unplug(self) -> None:
        """Pull the speaker out."""
        self._do({"execute": "device_del", "arguments": {"id": "speaker"}})

    def plug(self) -> None:
        """Push it in again."""
        device = {"driver": "usb-audio", "id": "speaker", "bus": "bus.0", "audiodev": "usb"}
        self._do({"execute": "device_add", "arguments": device})

    def close(self) -> None:
        """Let go of it."""
        self._said.close()
        self._socket.close()

    def _do(self, what: object) -> None:
        """Raises: NotHereError, where QEMU does not."""
        self._socket.sendall(json.dumps(what).encode() + b"\n")
        for line in self._said:
            answer = json.loads(line)
            if "error" in answer:
                raise NotHereError(f"qemu does not {what}: {answer['error']}")
            if "return" in answer:
                return


def _lines(process: subprocess.Popen[bytes], limit_s: float) -> Iterator[str]:
    """What the console says. A machine that takes longer is ended."""
    assert process.stdout is not None
    until_s = time.monotonic() + limit_s
    os.set_blocking(process.stdout.fileno(), False)
    kept = b""
    while process.poll() is None:
        if time.monotonic() > until_s:
            process.kill()
            yield f"boot.py: ended, for it took longer than {limit_s:.0f} s"
        kept += process.stdout.read() or b""
        *lines, kept = kept.split(b"\n")
        yield from (line.decode(errors="replace").strip("\r") for line in lines)
        time.sleep(0.05)  # a console prints a line now and then
    yield kept.decode(errors="replace")


def _boot(system: System, command: Sequence[str], monitor: Path, limit_s: float) -> list[str]:
    """Run the machine to its end: what is wrong."""
    monitor.unlink(missing_ok=True)
    system.say(f"\n== {' '.join(command)}")
    began_s = time.monotonic()
    checks: list[Check] = []
    ended = False
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        for line in _lines(process, limit_s):
            system.say(f"{time.monotonic() - began_s:7.1f} {line}")
            if check := check_in(line):
                checks.append(check)
            ended = ended or "TRIAL ended" in line
            if asked := re.search(r"PLEASE (unplug|plug)", line):
                qemu = _Monitor(monitor)
                (qemu.unplug if asked[1] == "unplug" else qemu.plug)()
                qemu.close()
    finally:
        process.kill()
        process.wait()
    system.say(f"\n{sum(check.held for check in checks)} of {len(checks)} checks held")
    return verdict(checks, ended=ended)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", choices=list(MACHINES), default="arm64", help="Debian's word for it")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where systems lie; default {FOLDER}")
    parser.add_argument("--log", type=Path, help="where everything is written; default in the folder")
    parser.add_argument("--mirror", help="of Debian; default: what apt-get uses here")
    return parser.parse_args()


def main() -> int:
    """Do it; returns the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the machine ends with us
    machine = MACHINES[options.arch]
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    machine = replace(machine, kvm=has_kvm(machine, cpuinfo))
    name = f"booted-{machine.arch}"
    try:
        tools_are_here({**TOOLS, machine.program: machine.package})
        if machine.arch == "arm64":
            register()
        options.folder.mkdir(parents=True, exist_ok=True)
        with (options.log or options.folder / f"{name}.log").open("w", encoding="utf-8") as file:
            system = System(options.folder / name, file)
            make(system, machine.arch, RELEASE, [options.mirror] if options.mirror else mirror())
            take_settings(system)
            _furnish(system, machine)
            _wheels(system, machine)
            _settle(system, machine)
            image, monitor = options.folder / f"{name}.ext4", options.folder / f"{name}.monitor"
            _image(system, image)
            command = machine.command(system.folder, image, monitor)
            wrong = _boot(system, command, monitor, limit_s=1800 * machine.patience)
            system.say("\n".join(wrong) or "all of it held")
    except NotHereError as error:
        print(f"boot.py: {error}", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
