"""What boot.py boots a system in: a computer of QEMU's, or a container."""

from __future__ import annotations

import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from arm.system import NotHereError

__all__ = ["CONTAINER", "MACHINES", "REBOOTS", "Machine", "Monitor", "container_command", "has_kvm"]


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
            *(self.program, *self.board, *accelerator),
            *("-smp", "2", "-m", "1536", "-nodefaults", "-nic", "none"),
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


CONTAINER = "systemd-nspawn"
"""Its program."""
_PRIORITY = "--capability=CAP_SYS_NICE"
"""Real-time priority can be had, where a limit grants it."""
REBOOTS = 133
"""Its status where the system in it wants to be booted again."""


def container_command(tree: Path) -> list[str]:
    """What boots the tree, with systemd as process 1, on this machine's own kernel.

    Nobody is asked for it: neither a systemd of this machine nor its machined. What is written stays.
    """
    options = ("--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", _PRIORITY)
    return [CONTAINER, *options, f"--directory={tree}", "systemd.show_status=0"]


def has_kvm(machine: Machine, cpuinfo: str) -> bool:
    """Whether this computer's own processor can be lent: it is of that kind, and the kernel has it do so.

    A processor of x86-64 says so itself. Where it does not, /dev/kvm may be there all the same, for
    kernels that are made for it; Debian's takes minutes there for what it does in a second.
    """
    if os.uname().machine != machine.platform or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    return machine.arch == "arm64" or re.search(r"^flags\b.*\b(vmx|svm)\b", cpuinfo, re.MULTILINE) is not None


class Monitor:
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
