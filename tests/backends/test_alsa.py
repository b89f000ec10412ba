"""Why a device is not in PortAudio's list: what the kernel knows of its devices, and who holds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicepipe import DeviceBusyError, DeviceError, DeviceNotFoundError
from voicepipe_devices.portaudio.alsa import explain, explain_busy, find_unlisted, kernel_devices

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ALSA is of Linux")

CARDS = """\
 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media USB PnP Sound Device at usb-0000:00:14.0-1, full speed
"""
PCMS = """\
00-00: ALC892 Analog : ALC892 Analog : playback 1 : capture 1
00-03: HDMI 0 : HDMI 0 : playback 1
01-00: USB Audio : USB Audio : playback 1 : capture 1
something else
"""
NOT_FOUND = DeviceNotFoundError("there is no microphone")


class Kernel:
    """What the kernel shows of its sound cards, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.dev = folder / "proc", folder / "dev"
        (self.proc / "asound").mkdir(parents=True)
        (self.proc / "asound" / "cards").write_text(CARDS)
        (self.proc / "asound" / "pcm").write_text(PCMS)
        (self.dev / "snd").mkdir(parents=True)
        for name in ("pcmC0D0c", "pcmC0D0p", "pcmC0D3p", "pcmC1D0c", "pcmC1D0p"):
            (self.dev / "snd" / name).touch()

    def hold(self, pcm: str, pid: int, name: str, *arguments: str) -> None:
        """That process has it open."""
        substream = self.proc / "asound" / pcm / "sub0"
        substream.mkdir(parents=True)
        (substream / "status").write_text(f"state: RUNNING\nowner_pid   : {pid}\ntrigger_time: 1.2\n")
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "comm").write_text(f"{name}\n")
        (self.proc / str(pid) / "cmdline").write_text("\0".join([f"/usr/bin/{name}", *arguments, ""]))

    def explain(self, name: str = "", *, capture: bool = True) -> DeviceError:
        return explain(NOT_FOUND, name, capture=capture, proc=self.proc, dev=self.dev)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_the_kernels_devices_have_portaudios_names(kernel: Kernel) -> None:
    assert [device.name for device in kernel_devices(capture=True, proc=kernel.proc)] == [
        "HDA Intel PCH: ALC892 Analog (hw:0,0)",
        "USB PnP Sound Device: USB Audio (hw:1,0)",
    ]
    assert [device.node for device in kernel_devices(capture=False, proc=kernel.proc)] == [
        "pcmC0D0p",
        "pcmC0D3p",
        "pcmC1D0p",
    ]


def test_without_cards_there_are_none(tmp_path: Path) -> None:
    assert list(kernel_devices(capture=True, proc=tmp_path)) == []


def test_who_holds_a_device_is_named(kernel: Kernel) -> None:
    kernel.hold("card1/pcm0c", 4711, "arecord", "x.wav")
    error = kernel.explain("usb")
    assert isinstance(error, DeviceBusyError)
    assert str(error) == (
        "USB PnP Sound Device: USB Audio (hw:1,0) is in use by arecord (pid 4711): end it, or start a sound "
        "server (PipeWire, PulseAudio), which shares devices"
    )
    assert kernel.explain("hda") is NOT_FOUND


@pytest.mark.parametrize(
    "name",
    [
        "card:Device",
        "hw:CARD=Device,DEV=0",
        "usb-0000:00:14.0-1",
        "usb\u00a0PNP",
        "USB PnP Sound Device: USB Audio (hw:3,0)",  # its number has moved
    ],
)
def test_who_holds_a_device_is_named_by_whatever_name_it_is_asked_for(kernel: Kernel, name: str) -> None:
    kernel.hold("card1/pcm0c", 4711, "arecord")
    assert str(kernel.explain(name)).startswith(
        "USB PnP Sound Device: USB Audio (hw:1,0) is in use by arecord"
    )
    assert kernel.explain("card:PCH") is NOT_FOUND


def test_what_portaudio_does_not_list_is_told_by_its_number(kernel: Kernel) -> None:
    listed = ["HDA Intel PCH: ALC892 (hw:0,0)", "default"]
    (missing,) = find_unlisted(listed, capture=True, proc=kernel.proc)
    assert missing.name == "USB PnP Sound Device: USB Audio (hw:1,0)"
    assert missing.steady == ("card:Device", "usb-0000:00:14.0-1")
    assert [c.name for c in find_unlisted(listed, capture=False, proc=kernel.proc)] == [
        "HDA Intel PCH: HDMI 0 (hw:0,3)",
        "USB PnP Sound Device: USB Audio (hw:1,0)",
    ]
    assert find_unlisted(["pulse", "default"], capture=True, proc=kernel.proc) == []


def test_a_python_program_is_named_by_what_it_runs(kernel: Kernel) -> None:
    kernel.hold("card1/pcm0c", 12, "python3", "-m", "voicepipe.echo")
    assert "in use by python3 -m voicepipe.echo (pid 12): end it" in str(kernel.explain("usb"))


def test_a_sound_server_that_holds_it_shares_it(kernel: Kernel) -> None:
    kernel.hold("card0/pcm0p", 12, "pipewire")
    assert str(kernel.explain(capture=False)).endswith(
        "is in use by pipewire (pid 12), which shares it: "
        "install its plugin for ALSA (pipewire-alsa, or libasound2-plugins)"
    )


def test_a_device_that_became_busy_after_it_was_listed(kernel: Kernel) -> None:
    said = DeviceBusyError("it is in use by another program")
    name = "USB PnP Sound Device: USB Audio (hw:1,0)"
    assert explain_busy(said, name, capture=True, proc=kernel.proc) is said
    kernel.hold("card1/pcm0c", 12, "zoom")
    assert str(explain_busy(said, name, capture=True, proc=kernel.proc)).startswith(
        f"{name} is in use by zoom (pid 12)"
    )
    assert explain_busy(said, name, capture=False, proc=kernel.proc) is said


def test_a_name_that_means_several_is_not_explained(kernel: Kernel) -> None:
    kernel.hold("card1/pcm0c", 12, "zoom")
    error = DeviceNotFoundError("'a' could be any microphone of these")
    error.is_ambiguous = True
    assert explain(error, "a", capture=True, proc=kernel.proc, dev=kernel.dev) is error


CLOSED = """
import sys
from pathlib import Path
from voicepipe import DeviceNotFoundError
from voicepipe_devices.portaudio.alsa import explain
proc, dev = map(Path, sys.argv[1:])
error = explain(DeviceNotFoundError("none"), "", capture=True, proc=proc, dev=dev)
print(f"{type(error).__name__}: {error}")
"""


def test_a_device_that_this_user_may_not_use(kernel: Kernel) -> None:
    node = kernel.dev / "snd" / "pcmC1D0c"
    node.chmod(0)
    dropped = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*dropped, sys.executable, "-c", CLOSED, str(kernel.proc), str(kernel.dev)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    assert said == (
        f"DevicePermissionError: no right to {node}: sudo usermod -aG audio $USER, and log in again\n"
    )
