"""A live program on the virtual card, through real PortAudio: its processes stand still by SIGSTOP."""

from __future__ import annotations

import array
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np

from benchmarks.standing.plan import Standstill
from benchmarks.standing.run import AFTER_S, BEFORE_S, ROOM_S, Moment, Run
from benchmarks.standing.tape import Noise, Tape
from process.running import Program
from soundcard.costs import family
from soundcard.plugging import PluggedCard
from soundcard.rooms import Samples

__all__ = ["RATE", "bridge", "echo", "pipecat", "play"]

RATE = 48_000
SETTLE_S = 2.0
"""From the moment at which both streams run: how a program starts is not what is measured."""
_AHEAD_S = 2.0
_READ_S = 0.25
_OPENING_S = 20.0
_HERE = Path(__file__).resolve().parent
_ENV = ("env", "--default-signal=INT")
"""A shell makes what it runs in the background ignore SIGINT, which ends the program here."""
Command = Sequence[str]


def echo(block_s: float, *options: str) -> Command:
    """Return the command of the live echo with blocks of that length."""
    sound = ("--block", str(round(block_s * 16_000)), "--no-mute", "--mic", "vcard", "--speaker", "vcard")
    return (sys.executable, "-m", "voicepipe.echo", "--live", *sound, *options)


def bridge(block_s: float) -> Command:
    """Return the command of a bare bridge of two streams through asyncio, in one process."""
    wire = _HERE.parents[1] / "soundcard" / "wire.py"
    block = str(round(block_s * RATE))
    return (sys.executable, str(wire), "asyncio", "--block", block, "--input", "vcard", "--output", "vcard")


def pipecat(python: str) -> Command:
    """Return the command of a live program of pipecat-ai, at its defaults, in an interpreter that has it."""
    return (python, "-P", "-W", "ignore", str(_HERE.parent / "pipecat_echo.py"))


def play(
    card: PluggedCard, command: Command, standstills: Sequence[Standstill], *, settle_s: float = SETTLE_S
) -> Run:
    """Run the program on the card, and let it stand still, after some seconds.

    Raises:
        AssertionError: it does not open the card, or ends too soon; has what it said.
    """
    with TemporaryDirectory() as folder, ExitStack() as stack:
        status = Path(folder) / "status"
        if "voicepipe.echo" in command:
            command = (*command, "--status-socket", os.fspath(status))
        program = stack.enter_context(_running(card, command))
        deck = stack.enter_context(_Deck(card))
        time.sleep(settle_s)  # the start of a real program is over by then
        moments = _stand(program, deck, standstills)
        counts = status.exists()
        dropped = _dropped_ms(status) if counts else {}
        program.send(signal.SIGINT).end()
        return Run(deck.tape(), tuple(moments), dropped, counts)


@contextmanager
def _running(card: PluggedCard, command: Command) -> Iterator[Program]:
    variables = [f"{name}={value}" for name, value in card.env.items()]
    with Program(command[-1], shell=f"exec {shlex.join([*_ENV, *variables, *command])}") as program:
        until_s = time.monotonic() + _OPENING_S
        while not (card.mic.running and card.speaker.running):
            if time.monotonic() > until_s or not program.is_alive:
                raise AssertionError(f"it did not open the card: {program.end()}")
            time.sleep(0.01)  # a card has no event to wait for
        yield program


def _stand(program: Program, deck: _Deck, standstills: Sequence[Standstill]) -> list[Moment]:
    cast, moments = _Cast(program.pid), list[Moment]()
    for standstill in standstills:
        time.sleep(BEFORE_S + standstill.waits_s)  # what is heard before it, by the real clock
        processes = cast.of(standstill.who)
        begin_s = deck.now_s()
        for number, stands_s in enumerate(standstill.stands_s):
            time.sleep(standstill.apart_s if number else 0.0)  # as the plan says
            _stop(processes, stands_s)
        moments.append(Moment(standstill, begin_s, deck.now_s()))
        time.sleep(AFTER_S + ROOM_S)  # what is heard behind it
    return moments


def _stop(processes: Sequence[int], seconds: float) -> None:
    try:
        for process in processes:
            with suppress(ProcessLookupError):  # it was taken for lost, and replaced
                os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)  # by the real clock, as all here: real processes stand still on a real device
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


class _Cast:
    """Who is who among the processes of a program: the speaker's is opened first, as everybody's last stage.

    Args:
        pid: the program.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._roles: dict[str, int] = {}

    def of(self, who: str) -> list[int]:
        """Return the processes to stop; the program's own where it has none of that role."""
        alive = family(self._pid)
        children = sorted(set(alive) - {self._pid})
        self._roles = {role: pid for role, pid in self._roles.items() if pid in children}
        unknown = [pid for pid in children if pid not in self._roles.values()]
        free = [role for role in ("speaker", "microphone") if role not in self._roles]
        self._roles |= dict(zip(free, unknown, strict=False))
        if who == "all":
            return alive
        return [self._roles.get(who, self._pid)]


class _Deck:
    """Speaks into the microphone without an end, and records what the speaker plays, in a thread."""

    def __init__(self, card: PluggedCard) -> None:
        self._card, self._noise = card, Noise(RATE)
        self._begin = self._next = card.now()
        self._said_to = self._begin
        self._heard: list[Samples] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record, name="deck")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def now_s(self) -> float:
        """Return the seconds since the tape began."""
        return (self._card.now() - self._begin) / RATE

    def tape(self) -> Tape:
        """End the recording, and return what is on it."""
        self.__exit__()
        heard = np.concatenate(self._heard)
        return Tape(RATE, self._noise.at(self._begin, len(heard)), heard)

    def _record(self) -> None:
        card, count = self._card, round(_READ_S * RATE)
        while not self._over.is_set():
            ahead = card.now(card.mic) + round(_AHEAD_S * RATE) - self._said_to
            if ahead > 0:
                samples = self._noise.at(self._said_to, ahead)
                card.put(self._said_to, array.array("h", samples.tobytes()))
                self._said_to += ahead
            self._heard.append(np.array(card.heard(self._next, count), np.int16))
            self._next += count


def _dropped_ms(path: Path) -> dict[str, float]:
    """Return what the program has dropped, by reason, at its own 16 kHz."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(5.0)
        caller.connect(os.fspath(path))
        (task,) = json.loads(b"".join(iter(lambda: caller.recv(65_536), b"")))["tasks"]
    dropped: Mapping[str, int] = task["dropped"]
    return {reason: samples / 16 for reason, samples in dropped.items()}
