"""The back end "portaudio" over real PortAudio, on the virtual card."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundcard.plugging import NewCard, PluggedCard
from soundcard.rooms import ProgramOnCard
from voicepipe.testing import BACKEND_CHECKS

HERE = Path(__file__).parent
FLAGS = ("-X", "dev", "-W", "error")
every_backend = pytest.mark.parametrize("backend", ["portaudio:inside", "portaudio:outside"])


def lines_of(card: PluggedCard, program: str, *arguments: str) -> list[str]:
    """What one of the programs beside this file says."""
    with ProgramOnCard(card, str(HERE / program), *arguments, flags=FLAGS) as running:
        ended = running.end()
    assert ended.status == 0, ended
    return ended.out.splitlines()


@pytest.mark.parametrize(
    ("device", "rate"), [("vcard", 48_000), ("vcard", 16_000), ("default", 16_000), ("default", 44_100)]
)
@every_backend
def test_it_keeps_the_ports_promises(card: PluggedCard, backend: str, device: str, rate: int) -> None:
    assert lines_of(card, "conforming.py", backend, device, str(rate)) == [
        check.__name__ for check in BACKEND_CHECKS
    ]


@every_backend
def test_devices_are_found_by_name_and_opened_at_what_they_have(card: PluggedCard, backend: str) -> None:
    assert lines_of(
        card,
        "opening.py",
        backend,
        "in::16000",
        "out:VCARD:48000",
        "in:vc:8000",
        "in:nope:16000",
        "in:a:16000",
    ) == [
        "opened default, 16000 Hz, 1 channel",
        "opened vcard, 48000 Hz, 1 channel",
        "opened vcard, 8000 Hz, 1 channel",
        "DeviceNotFoundError: there is no microphone 'nope': there is 'default', 'vcard'",
        "DeviceNotFoundError: 'a' could be any microphone of 'vcard', 'default': give more of its name",
    ]


@every_backend
def test_a_card_in_use_says_so(card: PluggedCard, backend: str) -> None:
    with ProgramOnCard(
        card, str(HERE / "opening.py"), backend, "in:vcard:48000", "pause", "in:vcard:48000"
    ) as program:
        program.says("paused")
        card.fault("both", "busy")
        ended = program.write("\n").end()
    line = ended.out.splitlines()[-1]
    # Another process does not see a device at all that is in use: ALSA is asked why.
    name = "vcard" if backend.endswith("inside") else "the microphone 'vcard'"
    assert line.startswith(f"DeviceBusyError: {name} is in use by another program: ")


@every_backend
def test_a_card_that_is_gone_says_so(card: PluggedCard, backend: str) -> None:
    card.fault("both", "unplug")
    first, *_ = lines_of(card, "opening.py", backend, "in:vcard:48000")
    assert first.startswith("DeviceNotFoundError: there is no microphone")


@every_backend
@pytest.mark.parametrize(("mic", "speaker"), [(1, 1), (2, 2)])
def test_cards_of_16_khz_with_few_channels_and_with_more(
    new_card: NewCard, backend: str, mic: int, speaker: int
) -> None:
    card = new_card(rate=16_000, mic=mic, speaker=speaker)
    assert lines_of(card, "opening.py", backend, "in:vcard:48000", "out:vcard:48000") == [
        "opened vcard, 48000 Hz, 1 channel",
        "opened vcard, 48000 Hz, 1 channel",
    ]


WITHOUT_EXECUTABLE_MEMORY = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE: what MemoryDenyWriteExecute does
    sys.exit(77)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@every_backend
def test_where_callbacks_are_forbidden_the_error_says_which_setting_to_leave_out(
    card: PluggedCard, backend: str
) -> None:
    command = ["-c", WITHOUT_EXECUTABLE_MEMORY, str(HERE / "opening.py"), backend, "in:vcard:48000"]
    with ProgramOnCard(card, *command, flags=()) as program:
        ended = program.end()
    if ended.status == 77:
        pytest.skip("allowed skip: this kernel has no PR_SET_MDWE (Linux 6.3 has)")
    assert ended.out.startswith("DevicePermissionError: vcard: callbacks are not allowed here"), ended
    assert "leave out MemoryDenyWriteExecute" in ended.out
