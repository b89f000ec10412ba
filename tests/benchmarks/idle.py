"""What a service costs that listens, while nobody speaks: all its processes, on a virtual card.

    python tests/benchmarks/idle.py                 # five minutes; needs valgrind for the instructions
    python tests/benchmarks/idle.py --no-count      # the share of a core here, and memory, alone
    python tests/benchmarks/idle.py --vad webrtc-plain

Instructions do not depend on the machine, and are counted by callgrind, which is too slow for real time: so
the card is slowed down. What is done for each second of audio and what is done for each second of the clock
are told apart by two speeds of the card. The kernel's work is not among them; its share is that of the
processor's time here. What the virtual card itself does is left out, where a real one's driver would stand.

Interpreters differ: a Raspberry Pi has Debian's, so measure with that one (/usr/bin/python3 -m venv ...).
"""

from __future__ import annotations

import argparse
import array
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (1, 2)]

from soundcard.costs import family, memory_mb
from soundcard.plugging import CannotRunError, PluggedCard, plugged

__all__ = ["CORES", "Core", "Count", "counted", "each_second", "reckoned"]

SERVICE = Path(__file__).with_name("idle_service.py")
ROLES = ("program", "speaker's process", "microphone's process")
"""In the order in which they start: stages open from the last to the first."""
SLOW = (20, 10)
"""How much the card is slowed down while instructions are counted."""
SETTLE_S = 3.0
DUMP_S = 60.0
PLUGIN = "/vcard-plugin-"
"""In the path of the virtual card's library."""
NOISE = 30
"""The mean height of the room's noise, in steps of 16 bits: -60 dB."""


@dataclass(frozen=True, slots=True)
class Core:
    """A core of a small machine."""

    name: str
    hz: float
    per_cycle: float
    """Instructions in a cycle: see devices/raspberry-pi/README.md for where that comes from."""


CORES = (Core("Raspberry Pi 4", 1.5e9, 0.9), Core("Raspberry Pi Zero 2 W", 1.0e9, 0.5))


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions that were counted over some time."""

    instructions: float
    audio_s: float
    clock_s: float


@dataclass(frozen=True, slots=True)
class Share:
    """Of one core here, 0 to 1; and memory."""

    user: float
    system: float
    pss_mb: float
    switches: float
    """A second."""


def each_second(slower: Count, faster: Count) -> float:
    """Instructions in a second in which a second of audio passes, from counts at two speeds of the card."""
    determinant = slower.audio_s * faster.clock_s - faster.audio_s * slower.clock_s
    audio = (slower.instructions * faster.clock_s - faster.instructions * slower.clock_s) / determinant
    clock = (slower.audio_s * faster.instructions - faster.audio_s * slower.instructions) / determinant
    return audio + clock


def reckoned(core: Core, instructions: float, user: float, system: float) -> float:
    """The share of that core, 0 to 1; the kernel's time stands to the program's as it does here."""
    return instructions / (core.hz * core.per_cycle) * (1 + system / user)


# -- running it


@contextmanager
def _running(card: PluggedCard, engine: str, before: Sequence[str] = ()) -> Iterator[list[int]]:
    """The service on the card, until both streams run. Its processes, in the order of `ROLES`."""
    environment = {**card.env, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [*before, sys.executable, str(SERVICE), engine]
    service = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while not (card.mic.running and card.speaker.running):
            time.sleep(0.01)
            if service.poll() is not None:
                assert service.stderr is not None
                raise RuntimeError(f"the service has ended: {service.stderr.read().strip()}")
        time.sleep(SETTLE_S)
        yield sorted(family(service.pid), key=_began)
    finally:
        service.send_signal(signal.SIGINT)
        service.communicate()


def _fields(pid: int) -> list[int]:
    """Of /proc/PID/stat, from the state on."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) if field.lstrip("-").isdigit() else 0 for field in fields]


def _began(pid: int) -> tuple[int, int]:
    return _fields(pid)[19], pid


def _switches(pid: int) -> int:
    lines = [path.read_text().splitlines() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(line.split()[1]) for task in lines for line in task if "ctxt_switches" in line)


def _make_noise(card: PluggedCard, seconds: float) -> None:
    """Let the microphone hear a quiet room."""
    dice = random.Random(1)
    samples = (round(dice.gauss(0, NOISE)) for _ in range(int(card.rate * seconds)))
    card.put(card.now(card.mic), array.array("h", samples))


def shares(card: PluggedCard, engine: str, seconds: float) -> list[Share]:
    """Of each process, in real time."""
    with _running(card, engine) as processes:
        _make_noise(card, min(8.0, seconds))
        before = [(*_fields(pid)[11:13], _switches(pid)) for pid in processes]
        began_s = time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - began_s
        after = [(*_fields(pid)[11:13], _switches(pid)) for pid in processes]
        memory = [memory_mb(pid) for pid in processes]
    tick = os.sysconf("SC_CLK_TCK")
    found = []
    for (user, system, switches), (user0, system0, switches0), pss in zip(after, before, memory, strict=True):
        times = (user - user0) / tick / took_s, (system - system0) / tick / took_s
        found.append(Share(*times, pss, (switches - switches0) / took_s))
    return found


# -- counting

_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def counts(card: PluggedCard, engine: str, seconds: float) -> list[float]:
    """Instructions in a second of each process."""
    with TemporaryDirectory() as folder:
        file = f"{folder}/%p"
        valgrind = [
            "valgrind",
            "--tool=callgrind",
            "--trace-children=yes",
            f"--callgrind-out-file={file}",
            "-q",
        ]
        if os.geteuid() == 0:  # the kernel ends a real-time thread that computes for 0.2 s, as all do here
            valgrind = ["setpriv", "--bounding-set=-sys_nice", *valgrind]
        card.clock("both", round(-1e6 * (1 - 1 / SLOW[0])))
        with _running(card, engine, valgrind) as processes:
            _make_noise(card, seconds)
            found = []
            for slow in SLOW:
                card.clock("both", round(-1e6 * (1 - 1 / slow)))
                time.sleep(SETTLE_S)
                found.append(_count(processes, seconds, slow, Path(folder)))
    return [each_second(slower, faster) for slower, faster in zip(*found, strict=True)]


def _count(processes: Sequence[int], seconds: float, slow: int, folder: Path) -> list[Count]:
    """Of each process, from one dump of callgrind's to the next: it begins again at zero with each."""
    begun = [_dump(pid, folder) for pid in processes]
    time.sleep(seconds)
    ended = [_dump(pid, folder) for pid in processes]
    times = [then_s - before_s for (_, before_s), (_, then_s) in zip(begun, ended, strict=True)]
    return [
        Count(counted(text), took_s / slow, took_s) for (text, _), took_s in zip(ended, times, strict=True)
    ]


def _dump(pid: int, folder: Path) -> tuple[str, float]:
    """What callgrind wrote of the time since the one before, and when it was."""
    file = folder / f"{pid}.{len(list(folder.glob(f'{pid}.*'))) + 1}"
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    at_s = time.monotonic()
    while not (file.exists() and _TOTALS.search(file.read_text(errors="replace"))):
        if time.monotonic() > at_s + DUMP_S:
            raise RuntimeError(f"callgrind wrote no counts within {DUMP_S:g} s")
        time.sleep(0.1)
    return file.read_text(errors="replace"), at_s


def counted(dump: str) -> int:
    """Instructions in one of callgrind's dumps, less those of the virtual card and of what it calls.

    In its format (valgrind's manual, "Callgrind Format Specification") a line `ob=` names the library of the
    functions that follow, `cob=` that of the function called next, and the line behind `calls=` ends with all
    that the call cost.
    """
    totals = _TOTALS.search(dump)
    assert totals is not None
    plugins: set[str] = set()
    within = called = ""
    cards, is_call = 0, False
    for line in dump.splitlines():
        if is_call:
            if called in plugins and within not in plugins:
                cards += int(line.split()[1])
            called, is_call = within, False
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith(("ob=", "cob=")):
            key, _, name = line.partition(" ")
            kind, _, number = key.partition("=")
            if PLUGIN in name:
                plugins.add(number)
            called = number
            if kind == "ob":
                within = number
    return int(totals[1]) - cards


# -- the command


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--vad", default="silero", help="the engine: silero, webrtc, webrtc-plain; default silero"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="how long each measurement is; default 30"
    )
    parser.add_argument("--no-count", action="store_true", help="no instructions: it needs no valgrind")
    options = parser.parse_args()
    if not options.no_count and shutil.which("callgrind_control") is None:
        parser.error("instructions need valgrind: apt-get install valgrind, or --no-count")
    return options


def main() -> int:
    """Print the table; returns the exit status."""
    options = _options()
    try:
        with TemporaryDirectory() as folder:
            with plugged(Path(folder) / "real") as card:
                real = shares(card, options.vad, options.seconds)
            instructions: Sequence[float] = [float("nan")] * len(real)
            if not options.no_count:
                with plugged(Path(folder) / "slow") as card:
                    instructions = counts(card, options.vad, options.seconds)
    except (CannotRunError, RuntimeError) as error:
        print(f"idle.py: {error}", file=sys.stderr)
        return 1
    _print(real, instructions)
    return 0


def _print(real: Sequence[Share], instructions: Sequence[float]) -> None:
    python = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    print(f"{python}, {platform.machine()}")
    columns = f"{'million instructions/s':>22} {'user':>7} {'system':>9} {'PSS MiB':>8} {'switches/s':>11}"
    print(f"{'':<22} {columns}")
    whole = Share(*(sum(getattr(share, name) for share in real) for name in Share.__slots__))
    for role, share, each in zip(
        (*ROLES, "all"), (*real, whole), (*instructions, sum(instructions)), strict=True
    ):
        print(
            f"{role:<22} {each / 1e6:>22.1f} {share.user:>7.2%} {share.system:>9.2%} "
            f"{share.pss_mb:>8.1f} {share.switches:>11.0f}"
        )
    for core in CORES if sum(instructions) > 0 else ():
        share_there = reckoned(core, sum(instructions), whole.user, whole.system)
        assumed = f"{core.hz / 1e9:g} GHz, {core.per_cycle:g} instructions a cycle"
        print(f"{core.name}: {share_there:.1%} of a core ({assumed})")


if __name__ == "__main__":
    raise SystemExit(main())
