"""Plays a scenario in virtual time, and keeps what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import tempfile
import warnings
from array import array
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from properties.simulation.cards import BLOCK_S, MADE, RATE, EagerMicrophone, NumberedCard
from properties.simulation.journal import Began, Ceased, Entry, Journal, Ping, Token
from properties.simulation.loop import WatchedLoop
from properties.simulation.recording import Recording, recording_at
from properties.simulation.scenario import HORIZON_S, Event, RunSpec, Scenario
from properties.simulation.stages import Stereo, World, built
from properties.simulation.standing import Stills
from properties.simulation.talking import Cancelled, CancellingMicrophone, Witness, cancelled_in, cancellers
from voicepipe import (
    AudioFormat,
    BackgroundAudioFrame,
    CancelFrame,
    EndFrame,
    Frame,
    FrameDirection,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    SpeakerOutput,
    take_census,
)
from voicepipe.endpoints.bot_speech import BotSpeech
from voicepipe.run.course import Course
from voicepipe_devices.device_watch import DeviceWatch
from voicepipe_devices.fake.sides import Side

__all__ = ["Played", "PlayedRun", "play"]

HANGS_S = 60.0
"""A run that takes so much longer than anything it waits for will take for ever."""
AFTERWARDS_S = 12.0
"""By then every call into a library has come back."""

_USUAL = Stills(())
"""What the speaker of any other run is like."""
_OWNERS = tuple(f"{owner.__name__}." for owner in (DeviceWatch, Course, BotSpeech))
"""Those whose timers belong to one run."""


@dataclass(slots=True)
class PlayedRun:
    """One run, and what came of it."""

    spec: RunSpec
    task: PipelineTask
    card: NumberedCard | None
    processors: list[Processor]
    made_s: float
    """When it was made; its events count from here."""
    accepted: list[Frame] = field(default_factory=list)
    """What `queue_frame` said yes to."""
    accepted_s: list[float] = field(default_factory=list)
    """When it said so."""
    pinged_s: list[float] = field(default_factory=list)
    """When it accepted a ping."""
    accepted_late_s: list[float] = field(default_factory=list)
    """When it said so though the end had been asked for."""
    deepest: dict[str, int] = field(default_factory=dict)
    """How many frames, but for live audio, have waited in the stages' mailboxes at most."""
    longest_s: dict[str, float] = field(default_factory=dict)
    """How many seconds of live audio have waited there at most."""
    made: list[int] = field(default_factory=list)
    """What the program has said that was not captured."""
    told: int = 0
    """How many facts the program has told."""
    told_s: list[float] = field(default_factory=list)
    """When it told those that were accepted."""
    early: int = 0
    """Those that it kept for its start."""
    asked: list[tuple[float, str]] = field(default_factory=list)
    """Requests from the program, as they came."""
    asked_inside_s: list[float] = field(default_factory=list)
    """Those made in the loop's own thread, which count at once."""
    interrupted: list[float] = field(default_factory=list)
    """When an interruption was asked for."""
    began_s: float | None = None
    returned_s: float | None = None
    error: BaseException | None = None
    """What `run()` raised."""
    first_line: int = 0
    last_line: int | None = None
    """The lines of the journal from when it was made until it had returned."""
    _captured_from: int = 0
    _rendered_from: int = 0
    _captured_to: int | None = None
    _rendered_to: int | None = None
    feeding: asyncio.Task[None] | None = None
    cancelled: Cancelled | None = None
    """What its canceller was given, and gave, where it has one."""
    tracks: Path | None = None
    """The file into which its tracks are recorded."""
    recording: Recording | None = None
    """What is in that file when it has returned."""

    def begin(self, line: int) -> None:
        """It is made."""
        self.first_line = line
        if self.card is not None:
            self._captured_from, self._rendered_from = len(self.card.captured), len(self.card.rendered)

    def end(self, now_s: float, line: int) -> None:
        """It has returned."""
        self.returned_s, self.last_line = now_s, line
        self.cancelled = cancelled_in(self.processors)
        self.recording = None if self.tracks is None else recording_at(self.tracks)
        if self.card is not None:
            self._captured_to, self._rendered_to = len(self.card.captured), len(self.card.rendered)

    @property
    def has_returned(self) -> bool:
        """It began, and its `run()` came back."""
        return self.returned_s is not None and self.task.report is not None

    @property
    def captured(self) -> list[int]:
        """What the card's microphone gave while it lasted, zeros left out."""
        assert self.card is not None
        return _sounds(self.card.captured[self._captured_from : self._captured_to])

    def captured_until(self, now_s: float) -> int:
        """How many samples its card's microphone had given by then, while it lasted."""
        assert self.card is not None
        times = self.card.captured_s[self._captured_from : self._captured_to]
        blocks = self.card.captured[self._captured_from : self._captured_to]
        return sum(len(block) for block, at_s in zip(blocks, times, strict=True) if at_s <= now_s)

    def played_between(self, from_s: float, to_s: float) -> Iterator[int]:
        """What its card's speaker was given between two times, zeros left out."""
        assert self.card is not None
        blocks = self.card.rendered[self._rendered_from : self._rendered_to]
        times = self.card.rendered_s[self._rendered_from : self._rendered_to]
        for block, at_s in zip(blocks, times, strict=True):
            if from_s < at_s < to_s:
                yield from (sample for sample in block if sample)

    @property
    def heard(self) -> list[int]:
        """What the card's speaker was given while it lasted, zeros left out."""
        assert self.card is not None
        return _sounds(self.card.rendered[self._rendered_from : self._rendered_to])

    def lines(self, journal: Journal) -> list[Entry]:
        """What was written down while it lasted."""
        return journal.entries[self.first_line : self.last_line]

    @property
    def report(self) -> RunReport:
        """Its report."""
        assert self.task.report is not None
        return self.task.report


@dataclass(slots=True)
class Played:
    """A scenario, and what came of it."""

    scenario: Scenario
    runs: list[PlayedRun]
    journal: Journal
    frozen: list[tuple[float, float]] = field(default_factory=list)
    """When the loop stood still: from, to."""
    left: str = ""
    """What was there at the end and not at the beginning."""


def play(scenario: Scenario) -> Played:
    """Play it. Never raises for what it finds; that is in what it returns."""
    before = take_census()
    loop = WatchedLoop()
    with (
        tempfile.TemporaryDirectory() as folder,
        _unseen_errors(loop.outrages),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        try:
            played = runner.run(_Play(scenario, loop, Path(folder)).play())
        except BaseException as error:  # the virtual clock's, too: it is what the scenario shows
            played = Played(scenario, [], Journal(loop.time))
            played.journal.outrages.append(f"the loop broke: {type(error).__name__}: {error}")
    played.journal.outrages += loop.outrages
    left = take_census().since(before)
    if left and not played.left:
        played.left = str(left)
    return played


@contextmanager
def _unseen_errors(outrages: list[str]) -> Iterator[None]:
    """What Python only prints."""

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        outrages.append(f"nobody sees: {what.err_msg} {what.object!r}: {what.exc_value!r}")

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    level = logging.getLogger("voicepipe").level
    logging.getLogger("voicepipe").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
            gc.collect(0)
        outrages += [f"warning: {warning.message}" for warning in caught]
    finally:
        sys.unraisablehook = hook
        logging.getLogger("voicepipe").setLevel(level)


class _Play:
    def __init__(self, scenario: Scenario, loop: WatchedLoop, folder: Path) -> None:
        self._scenario = scenario
        self._folder = folder
        self._loop = loop
        self._bodies: dict[str, asyncio.Task[RunReport]] = {}
        self._side_tasks: set[asyncio.Task[Any]] = set()
        self._world: World
        self._journal: Journal

    async def play(self) -> Played:
        loop, scenario = self._loop, self._scenario
        self._world = World(loop)
        self._journal = self._world.journal
        before = take_census()
        for event in scenario.freezes:
            loop.call_at(event.at_s, loop.freeze, event.seconds)
        played = Played(scenario, [], self._journal, loop.frozen)
        chains: list[list[RunSpec]] = []
        for spec in scenario.runs:
            if spec.again:
                chains[-1].append(spec)
            else:
                chains.append([spec])
        jobs = [loop.create_task(self._one_after_the_other(chain, played.runs)) for chain in chains]
        await asyncio.gather(*jobs)
        await self._afterwards(played)
        played.left = str(left) if (left := take_census().since(before)) else ""
        return played

    async def _afterwards(self, played: Played) -> None:
        """Everybody lets go; what is there then stays."""
        self._world.released.set()
        for run in played.runs:
            if run.card is not None:
                for side in (run.card.mic, run.card.speaker):
                    _mend(side)
        longer_s = max((run.spec.longer_s for run in played.runs), default=0.0)
        await asyncio.sleep(max(AFTERWARDS_S, HORIZON_S + longer_s - self._loop.time()))
        for task in (*self._side_tasks, *(run.feeding for run in played.runs)):
            if task is not None and not task.done():
                self._journal.outrages.append(f"{task.get_name()} waits for ever")
                task.cancel()
                await asyncio.wait([task])

    # -- runs ------------------------------------------------------------------------

    async def _one_after_the_other(self, specs: list[RunSpec], runs: list[PlayedRun]) -> None:
        last: PlayedRun | None = None
        for spec in specs:
            last = self._made(spec, last)
            runs.append(last)
            await self._run(last)

    def _made(self, spec: RunSpec, like: PlayedRun | None) -> PlayedRun:
        card, processors = (like.card, like.processors) if like else self._equipment(spec)
        if like is not None:
            for processor in processors:
                _begin_anew(processor)
            if card is not None:
                for side in (card.mic, card.speaker):
                    _mend(side)
        audio = AudioFormat(RATE)
        is_recorded = spec.talk is not None and spec.talk.is_recorded
        tracks = self._folder / spec.name / "talk.wav" if is_recorded else None
        task = PipelineTask(
            Pipeline(processors),
            name=spec.name,
            input=audio,
            output=audio,
            limits=spec.limits,
            tracks=tracks,
        )
        task.subscribe(lambda frame, direction: self._journal.note(spec.name, "surfaced", frame, direction))
        run = PlayedRun(spec, task, card, processors, self._loop.time(), tracks=tracks)
        run.begin(len(self._journal.entries))
        for stage in spec.stages:
            self._journal.deepest.pop(stage.name, None)
            self._journal.longest_s.pop(stage.name, None)
        return run

    def _equipment(self, spec: RunSpec) -> tuple[NumberedCard | None, list[Processor]]:
        card = None
        processors = built(spec.shape, self._world)
        if spec.devices != "none":
            card = NumberedCard(
                spec.name,
                self._journal,
                drift_ppm=spec.drift_ppm,
                jitter_s=spec.jitter_s,
                seed=self._scenario.seed,
                runs_out_s=spec.runs_out_s,
            )
        if card is not None and spec.devices in ("mic", "both"):
            name = f"{spec.name}.mic"
            # One that has run out gives zeros in the run after it, and would be opened again for good reason.
            kind = MicrophoneInput if spec.runs_out_s else EagerMicrophone
            if spec.talk is not None and spec.talk.place == "microphone":
                kind = CancellingMicrophone
            block_s = BLOCK_S if spec.live is None else spec.live.mic_block_s
            mic = kind(card.backend(), block_s=block_s, mute=False, on_loss=spec.on_loss, name=name)
            processors[:0] = [mic, *cancellers(mic, spec.talk, spec.name)]
            card.is_timed = spec.talk is not None
        if card is not None and spec.devices in ("speaker", "both"):
            name = f"{spec.name}.speaker"
            live = spec.live or _USUAL
            speaker = SpeakerOutput(
                card.backend(),
                block_s=live.speaker_block_s,
                steady=live.steady,
                on_loss=spec.on_loss,
                name=name,
            )
            processors += [Loopback(), *([Stereo()] if live.is_stereo else []), speaker]
        return card, processors

    async def _run(self, run: PlayedRun) -> None:
        spec, loop = run.spec, self._loop
        run.feeding = loop.create_task(self._feed(run), name=f"{spec.name}:feeder")
        for event in spec.events:
            at = run.made_s + event.at_s
            if event.from_outside and event.what in ("end", "cancel", "interrupt"):
                loop.hardware.call_at(at, lambda event=event: self._happen(run, event))  # type: ignore[misc]
            else:
                loop.call_at(at, self._happen, run, event)
        timers = [loop.call_at(run.made_s + at_s, self._tell, run) for at_s in spec.facts_s]
        await asyncio.sleep(spec.begins_s)
        run.began_s = loop.time()
        self._journal.note(spec.name, "begins")
        body = self._bodies[spec.name] = loop.create_task(run.task.run(), name=f"{spec.name}:run")
        last_word = loop.call_at(run.made_s + HORIZON_S + 0.5 + spec.longer_s, self._ask, run, "end")
        hangs = loop.time() + HORIZON_S + HANGS_S + 4 * spec.longer_s
        while not body.done() and loop.time() < hangs:
            await asyncio.wait([body], timeout=hangs - loop.time())
        run.end(loop.time(), len(self._journal.entries))
        run.deepest, run.longest_s = dict(self._journal.deepest), dict(self._journal.longest_s)
        for timer in (last_word, *timers):
            timer.cancel()
        if not body.done():
            self._journal.outrages.append(f"{spec.name} hangs: {run.task.where()}")
            body.cancel()
            await asyncio.wait([body], timeout=HANGS_S)
            return
        run.error = asyncio.CancelledError() if body.cancelled() else body.exception()
        self._journal.note(spec.name, "returned")
        self._look_what_is_left(spec.name)
        if run.task.report is None:
            if not isinstance(run.error, asyncio.CancelledError):  # else cancelled before its first step
                self._journal.outrages.append(f"{spec.name} did not run: {run.error!r}")
            return
        await self._refused(run.task.run(), f"{spec.name} ran a second time")

    def _look_what_is_left(self, name: str) -> None:
        """At the very moment at which `run()` has returned nothing of it is there."""
        own = (f"{name}:feeder ", f"{name}:queues a request ")
        census = take_census()
        left = [task for task in census.tasks if task.startswith(f"{name}:") and not task.startswith(own)]
        if all(body.done() for body in self._bodies.values()) and not census.abandoned:
            left += [timer for timer in census.timers if timer.startswith(_OWNERS)]
        self._journal.outrages += [f"left of {name} when it has returned: {each}" for each in left]

    async def _refused(self, run: Coroutine[None, None, RunReport], outrage: str) -> None:
        """Such a run must be refused before anything is opened."""
        body = self._loop.create_task(run, name="is refused")
        await asyncio.wait([body], timeout=1.0)
        if not body.done() or not isinstance(body.exception(), RuntimeError):
            self._journal.outrages.append(outrage)
            body.cancel()
            await asyncio.wait([body])

    async def _feed(self, run: PlayedRun) -> None:
        feed, name = run.spec.feed, run.spec.name
        if run.spec.live is not None and run.spec.live.has_background:
            await self._hum(run)
        await asyncio.sleep(feed.from_s)
        for number in range(1, feed.count + 1):
            frame: Frame = Token(f"{name}.feed", number)
            if run.spec.devices == "speaker":
                first = (number - 1) * 20 + 1
                frame = OutputAudioFrame(array("H", range(first, first + 20)).tobytes(), RATE)
            try:
                asked_s, is_late = self._loop.time(), bool(run.asked_inside_s)
                if await run.task.queue_frame(frame):
                    run.accepted.append(frame)
                    run.accepted_s.append(asked_s)
                    if is_late:
                        run.accepted_late_s.append(asked_s)
                    run.early += run.task.state in (RunState.CREATED, RunState.OPENING)
            except RuntimeError as error:
                if "wait for the start" not in str(error):
                    raise
            if feed.pings and number % 3 == 0:
                await self._ping(run)
            if feed.every_s:
                await asyncio.sleep(feed.every_s)

    async def _hum(self, run: PlayedRun) -> None:
        """Keep a sound beside the voice, all zeros: the speaker mixes, and numbers stay what they are."""
        every_s = 0.5
        zeros = bytes(2 * round(every_s * RATE))
        goes_on = True
        while goes_on:
            await asyncio.sleep(0.9 * every_s)
            goes_on = await run.task.queue_frame(BackgroundAudioFrame(zeros, RATE))

    async def _ping(self, run: PlayedRun) -> None:
        asked_s = self._loop.time()
        with contextlib.suppress(RuntimeError):  # too many frames wait for the start
            if await run.task.queue_frame(Ping()):
                run.pinged_s.append(asked_s)
                run.early += run.task.state in (RunState.CREATED, RunState.OPENING)

    # -- events ------------------------------------------------------------------------

    def _happen(self, run: PlayedRun, event: Event) -> None:
        if event.whom:
            self._journal.note(run.spec.name, f"{event.what} {event.whom}")
            _provoke(getattr(run.card, event.whom), event)
        elif event.what == "run twice":
            if run.processors and run.task.state in (RunState.OPENING, RunState.RUNNING):
                twin = PipelineTask(Pipeline(run.processors), name=f"twin of {run.spec.name}")
                twin.end()
                outrage = f"the processors of {run.spec.name} ran in two pipelines"
                self._side_tasks.add(self._loop.create_task(self._refused(twin.run(), outrage)))
        elif event.what == "speak":
            self._speak(run, event.seconds)
        elif event.what == "cancel all":
            self._journal.note(run.spec.name, "cancel all")
            if run.began_s is not None:
                run.asked.append((self._loop.time(), event.what))
            for task in asyncio.all_tasks(self._loop):
                if task.get_name().startswith(f"{run.spec.name}:") and task is not run.feeding:
                    task.cancel()
        else:
            self._ask(run, event.what)

    def _ask(self, run: PlayedRun, what: str) -> None:
        self._journal.note(run.spec.name, f"asked: {what}")
        now = self._loop.time()
        if what == "interrupt":
            run.interrupted.append(now)
        else:
            run.asked.append((now, what))
        task = run.task
        calls: dict[str, Callable[[], None]] = {
            "end": task.end,
            "cancel": task.cancel,
            "interrupt": task.interrupt,
            "EndFrame": lambda: self._queue(run, EndFrame()),
            "CancelFrame": lambda: self._queue(run, CancelFrame()),
            "outer": lambda: self._cancel_outer(run),
        }
        calls[what]()
        if what in ("end", "cancel") and asyncio._get_running_loop() is self._loop:
            run.asked_inside_s.append(now)

    def _queue(self, run: PlayedRun, frame: Frame) -> None:
        self._side_tasks.add(
            self._loop.create_task(run.task.queue_frame(frame), name=f"a request of {run.spec.name}")
        )

    def _speak(self, run: PlayedRun, seconds: float) -> None:
        """Say something that was not captured: what is said has numbers of its own."""
        first = MADE + len(run.made)
        said = array("H", range(first, first + round(seconds * RATE)))
        run.made.extend(said)
        self._queue(run, OutputAudioFrame(said.tobytes(), RATE))

    def _tell(self, run: PlayedRun) -> None:
        """Tell a fact. Whether it is accepted, is noted."""
        self._side_tasks.add(self._loop.create_task(self._tell_now(run), name=f"{run.spec.name} tells"))

    async def _tell_now(self, run: PlayedRun) -> None:
        run.told += 1
        name = f"{run.spec.name}.program"
        fact = (Began if run.told % 2 else Ceased)(name, run.told)
        opens = run.task.state in (RunState.CREATED, RunState.OPENING)
        what = "queues early" if opens else "queues"
        self._journal.note(name, what, fact, FrameDirection.DOWNSTREAM)
        asked_s = self._loop.time()
        accepted = await run.task.queue_frame(fact)
        if accepted:
            run.told_s.append(asked_s)
            run.early += run.task.state in (RunState.CREATED, RunState.OPENING)
        self._journal.note(name, "accepted" if accepted else "refused", fact, FrameDirection.DOWNSTREAM)

    def _cancel_outer(self, run: PlayedRun) -> None:
        body = self._bodies.get(run.spec.name)
        if body is None or body.done():  # nobody is there to be cancelled
            run.asked.pop()
        else:
            body.cancel()


def _sounds(blocks: list[array[int]]) -> list[int]:
    return [sample for block in blocks for sample in block if sample]


def _provoke(side: Side, event: Event) -> None:
    if event.what in ("mend", "limp"):
        _mend(side)
        side.stall(event.what == "limp")
    elif event.what in ("lose", "step_stamps"):
        getattr(side, event.what)(event.seconds)
    elif event.what == "xrun":
        side.xrun(round(event.seconds * RATE))
    elif event.what in ("slow_open", "stuck_close"):
        getattr(side, event.what)(event.seconds)
    else:
        getattr(side, event.what)()


def _mend(side: Side) -> None:
    side.replug()
    side.stall(False)
    side.mend()
    side.busy(False)
    side.forbid(False)
    side.fail_start(False)
    side.mute(False)
    side.slow_open(0.0)
    side.stuck_close(0.0)


def _begin_anew(processor: Processor) -> None:
    for inner in getattr(processor, "processors", ()) or getattr(processor, "branches", ()):
        _begin_anew(inner)
    if isinstance(processor, Witness):
        processor.forget()
    does = getattr(processor, "does", None)
    if does is not None:
        does.seen = 0
