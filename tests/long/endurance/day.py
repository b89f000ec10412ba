#!/usr/bin/env python3
"""A day of operation in virtual time, in which everything goes wrong that a day has room for:

    python tests/long/endurance/day.py [--hours 24] [--seed 1]

The simulated card's two clocks drift apart, its devices are unplugged, stall, vanish and crash, its sound
server is killed or hangs, the computer sleeps (the clock jumps), the loop stands still, and the disk that is
recorded on is full for a while. Every jump of the positions must be in the books, the memory flat, every
recorded file whole. The exit status is 1 where something failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    for part in ("tests", "devices", "."):
        sys.path.insert(0, str(Path(__file__).resolve().parents[3] / part))

import numpy as np

from long.endurance.check import Check
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    InlineProcessor,
    InputAudioFrame,
    Loopback,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
    take_census,
)
from voicepipe.audio.files.wav_file import WavReader, WavWriter
from voicepipe.dialogue import Remark
from voicepipe.testing import VirtualLoop
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.fake.sides import Side

__all__ = ["live", "main"]

RATE = 8_000
BLOCK_S = 0.1
AUDIO = AudioFormat(RATE)
FEED_S = 30.0
"""So much is said at once, and again when it has been heard."""
CALM_S = (20.0, 240.0)
"""Between two events."""
FILE_S = 900.0
"""A new recording begins so often."""
_LEFT_BYTES = 30
"""What still goes onto a full disk: less than a header, and no whole block."""
LOOKS = 20
"""At the memory."""
GROWTH_MB = 4.0
GROWTH_OBJECTS = 100
MOST_FILL_S = 1.2
"""What a speaker accepts, and a block."""
SAID_AN_EVENT = 4
"""Lines for a person to read: a device's loss, both devices', a reminder."""


class Continuity(InlineProcessor):
    """Notes every jump of the positions."""

    def __init__(self) -> None:
        super().__init__(name="continuity")
        self.position = 0
        self.passed = 0
        """Samples that came."""
        self.jumped = 0
        """Samples that did not."""
        self.jumps = 0
        self.backwards = 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Look, and pass on."""
        if isinstance(frame, InputAudioFrame):
            jump = frame.position - self.position
            self.jumps += jump > 0
            self.backwards += jump < 0
            self.jumped += jump
            self.passed += frame.num_samples
            self.position = frame.position + frame.num_samples
        return (frame,)


class Disk:
    """The real one, which is full for a while: the system refuses to let a file grow."""

    def __init__(self) -> None:
        self.is_full = False

    def has_room(self) -> None:
        """Somebody has tidied up."""
        self.is_full = False

    @contextlib.contextmanager
    def used(self, size: int) -> Iterator[None]:
        """Where it is full, no file grows beyond some bytes more than that size."""
        if not self.is_full:
            yield
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + _LEFT_BYTES, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Diary(InlineProcessor):
    """Records into one file after the other. Where the disk is full it is off until the next file is due,
    and the run goes on.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(name="diary")
        self.folder = folder
        self._disk = disk
        self._file: WavWriter | None = None
        self._due = 0
        self.files: dict[str, int] = {}
        """Their samples, by name."""
        self.missed = 0
        """Samples for which there was no room."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Record it, where there is room; and pass it on."""
        if isinstance(frame, InputAudioFrame):
            if frame.position >= self._due:
                self._begin(frame.position)
            self._record(frame)
        return (frame,)

    def _begin(self, position: int) -> None:
        self._end()
        self._due = position + round(FILE_S * RATE)
        self._name = f"{position}.wav"
        with contextlib.suppress(OSError), self._disk.used(0):
            self._file = WavWriter(self.folder / self._name, AUDIO, new=True)

    def _record(self, frame: InputAudioFrame) -> None:
        if self._file is None:
            self.missed += frame.num_samples
            return
        before = self._file.num_samples
        try:
            with self._disk.used(self._file.num_samples * AUDIO.sample_bytes):
                self._file.write(frame.data)
        except OSError:
            self.missed += before + frame.num_samples - self._file.num_samples
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            self.files[self._name] = self._file.num_samples
            self._file.close()
            self._file = None

    async def cleanup(self) -> None:
        """Close the file."""
        self._end()


@dataclass
class Memory:
    """What the process has."""

    objects: int
    megabytes: float

    @classmethod
    def now(cls) -> Memory:
        """As it is, without what is only waiting to be collected, and without remarks: 1,000 are kept."""
        gc.collect()
        objects = sum(type(each) is not Remark for each in gc.get_objects())
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
        return cls(objects, pages * 4096 / 1e6)


class Day:
    """One run in virtual time, and what happens to it.

    Args:
        hours: how long it is.
        seed: makes the events the same every time.
        folder: for what is recorded.
    """

    def __init__(self, hours: float, seed: int, folder: Path) -> None:
        self.seconds = hours * 3_600.0
        self.happened: Counter[str] = Counter()
        self.memory: list[Memory] = []
        self.warnings = 0
        self.fills: list[float] = []
        """Of the speaker, every virtual minute, in seconds."""
        self.stood_s = 0.0
        self._random = random.Random(seed)
        self._disk = Disk()
        self.card = SimulatedCard(keep_s=0.0, jitter_s=0.003, seed=seed)
        self.card.mic.drift_ppm = self._random.uniform(-100.0, 100.0)
        self.card.speaker.drift_ppm = self._random.uniform(-100.0, 100.0)
        self.continuity, self.diary = Continuity(), Diary(folder, self._disk)
        self._speaker = SpeakerOutput(self.card.backend(), block_s=BLOCK_S, steady=True)
        ear = MicrophoneInput(self.card.backend(), block_s=BLOCK_S)
        stages = [ear, self.continuity, self.diary, Loopback(), self._speaker]
        self.task = PipelineTask(Pipeline(stages), name="day", input=AUDIO, output=AUDIO)
        self._said = 0

    async def run(self) -> RunReport:
        """All of it. Raises: PipelineError: the run failed."""
        loop = asyncio.get_running_loop()
        self._room_at = loop.call_later(0.0, self._disk.has_room)
        others = [loop.create_task(what) for what in (self._feed(), self._events(), self._look())]
        try:
            return await self.task.run()
        finally:
            self._room_at.cancel()
            for other in others:
                other.cancel()
            await asyncio.wait(others)
            for other in others:
                if not other.cancelled():
                    other.result()

    async def _feed(self) -> None:
        voice = np.random.default_rng(1).integers(1, 9_000, round(FEED_S * RATE)).astype(np.int16).tobytes()
        while True:
            if self._said - self.card.mic.captured < FEED_S * RATE:
                self.card.mic.hear(voice)
                self._said += round(FEED_S * RATE)
            await asyncio.sleep(FEED_S / 3)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(60.0)
            statistics = self._speaker.device_statistics()
            self.fills.append(0.0 if statistics is None else statistics.fill_s)
            if len(self.memory) < LOOKS * loop.time() / self.seconds:
                self.memory.append(Memory.now())

    async def _events(self) -> None:
        loop = asyncio.get_running_loop()
        events = (
            self._away,
            self._server,
            self._stalls,
            self._crash,
            self._sleeps,
            self._blocked,
            self._full,
        )
        while loop.time() < self.seconds:
            await asyncio.sleep(self._random.uniform(*CALM_S))
            await self._random.choice(events)()
        await asyncio.sleep(30.0)  # whatever was lost is back
        self.task.end()

    # -- what happens --------------------------------------------------------------

    def _sides(self) -> list[Side]:
        both: list[Side] = [self.card.mic, self.card.speaker]
        return self._random.choice((both[:1], both[1:], both))

    def _note(self, what: str) -> None:
        self.happened[what] += 1

    async def _away(self) -> None:
        sides, told = self._sides(), self._random.random() < 0.5
        self._note("unplugged" if told else "vanished")
        for side in sides:
            side.unplug() if told else side.vanish()
        await asyncio.sleep(self._random.choice((0.3, 3.0, 30.0, 300.0)))
        for side in sides:
            side.replug()

    async def _server(self) -> None:
        seconds, dies = self._random.choice((0.5, 5.0, 60.0)), self._random.random() < 0.5
        self._note("server died" if dies else "server hung")
        for side in (self.card.mic, self.card.speaker):
            side.break_(seconds) if dies else side.hang(seconds)
        await asyncio.sleep(seconds)

    async def _stalls(self) -> None:
        self._note("stalled")
        sides, seconds = self._sides(), self._random.choice((0.2, 2.0, 20.0))
        for side in sides:
            side.stall()
        self.stood_s += seconds
        await asyncio.sleep(seconds)
        for side in sides:
            side.stall(False)

    async def _crash(self) -> None:
        self._note("crashed")
        for side in self._sides():
            side.crash()

    async def _sleeps(self) -> None:
        """The computer sleeps: nothing moves, and then the clock has jumped."""
        self._note("slept")
        sides = (self.card.mic, self.card.speaker)
        for side in sides:
            side.stall()
        await asyncio.sleep(2 * BLOCK_S)  # callbacks that were due do not come
        seconds = self._random.choice((10.0, 60.0, 1_200.0))
        loop = _virtual_loop()
        loop.set_time(loop.time() + seconds)
        self.stood_s += seconds
        for side in sides:
            side.stall(False)

    async def _blocked(self) -> None:
        """The loop stands still, while the card goes on."""
        self._note("blocked")
        _virtual_loop().freeze(self._random.choice((0.1, 1.0, 4.0)))

    async def _full(self) -> None:
        self._note("disk full")
        self._disk.is_full = True
        loop, seconds = asyncio.get_running_loop(), self._random.choice((1.0, 60.0, 600.0))
        self._room_at.cancel()
        self._room_at = loop.call_later(seconds, self._disk.has_room)


def _virtual_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


class _Counting(logging.Handler):
    """Counts what a person would have to read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1


def live(hours: float, seed: int, folder: Path) -> list[Check]:
    """One day; what it must have kept."""
    day = Day(hours, seed, folder)
    log, counting = logging.getLogger("voicepipe"), _Counting()
    log.addHandler(counting)
    log.propagate = False
    began_s, before = time.perf_counter(), take_census()
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            report = runner.run(day.run())
            took_s = time.perf_counter() - began_s
    finally:
        log.removeHandler(counting)
        log.propagate = True
    return list(_checks(day, report, counting.records, str(take_census().since(before) or ""), took_s))


def _checks(day: Day, report: RunReport, said: int, left: str, took_s: float) -> Iterator[Check]:
    yield Check("it ran to the end", report.state is RunState.ENDED, _story(day, report, took_s))
    unbalanced = [seam.name for seam in report.seams if not seam.balanced or seam.held]
    yield Check("in = out + held + dropped", not unbalanced, f"at every seam {unbalanced or ''}".strip())
    yield _gaps(day, report)
    yield _positions(day, report)
    yield _recorded(day)
    yield _fill(day)
    yield _flat(day)
    events = day.happened.total()
    limit = SAID_AN_EVENT * (events + 1)
    yield Check("the log stays short", said <= limit, f"{said} warnings for {events} events")
    yield Check("nothing is left", not left, left.replace("\n", "; ") or "by the census")


def _story(day: Day, report: RunReport, took_s: float) -> str:
    told = ", ".join(f"{what} {count}" for what, count in sorted(day.happened.items()))
    back = sum(device.reconnections for device in report.devices)
    return f"{report.seconds / 3600:.2f} h in {took_s:.0f} s; {told}; {back} devices came back"


def _gaps(day: Day, report: RunReport) -> Check:
    """What jumped in the positions is what the books say, to the sample."""
    mic = next(seam for seam in report.seams if seam.name == "MicrophoneInput device")
    lost = {why: count for why, count in mic.dropped.items() if count}
    seen = day.continuity
    holds = seen.jumped == sum(lost.values()) and seen.passed == mic.given and not seen.backwards
    return Check(
        "every gap is explained by a counter",
        holds,
        f"{seen.jumps} jumps over {seen.jumped} samples, counted {lost}; {seen.passed} samples came",
    )


def _positions(day: Day, report: RunReport) -> Check:
    """The microphone's positions are the time that passed. What the computer slept may be in them or not:
    where the stream was lost with it, it is.
    """
    counted_s = day.continuity.position / RATE / (1 + day.card.mic.drift_ppm * 1e-6)
    spare_s = 1.0 + 0.1 * day.happened.total() + 0.0002 * report.seconds
    least_s, most_s = report.seconds - day.stood_s - spare_s, report.seconds + spare_s
    figures = f"{counted_s:.1f} s of {report.seconds:.1f} s, it slept or stood still for {day.stood_s:.1f} s"
    return Check("positions are true", least_s <= counted_s <= most_s, figures)


def _recorded(day: Day) -> Check:
    """What was recorded can be read, all of it, and the rest was missed by a full disk."""
    bad = []
    for name, samples in day.diary.files.items():
        with WavReader(day.diary.folder / name) as file:
            if file.num_samples != samples or len(file.read(samples)) != samples * AUDIO.sample_bytes:
                bad.append(name)
    total = sum(day.diary.files.values())
    holds = not bad and total + day.diary.missed == day.continuity.passed and total > 0
    figures = f"{len(day.diary.files)} files, {total} samples, {day.diary.missed} missed {bad or ''}".strip()
    return Check("recordings are whole", holds, figures)


def _fill(day: Day) -> Check:
    most_s = max(day.fills)
    return Check("the speaker's queue is bounded", most_s <= MOST_FILL_S, f"at most {most_s:.2f} s")


def _flat(day: Day) -> Check:
    """The least of either half: while a device is lost there is a little more than else."""
    half = len(day.memory) // 2
    halves = day.memory[1:half], day.memory[half:]
    objects = [min(memory.objects for memory in part) for part in halves]
    megabytes = [min(memory.megabytes for memory in part) for part in halves]
    holds = objects[1] - objects[0] < GROWTH_OBJECTS and megabytes[1] - megabytes[0] < GROWTH_MB
    figures = (
        f"at least {objects[0]} objects in the first half, {objects[1]} in the second; "
        f"{megabytes[0]:.1f} MB, {megabytes[1]:.1f}"
    )
    return Check("memory is flat", holds, figures)


def main() -> int:
    """Do what the command line says. Returns the exit status."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        verdict = live(options.hours, options.seed, Path(folder))
    for check in verdict:
        print(check)
    return 0 if all(check.holds for check in verdict) else 1


if __name__ == "__main__":
    sys.exit(main())
