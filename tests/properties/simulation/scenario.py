"""A scenario as a value: what is built, what goes wrong, and who asks for the end, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from properties.simulation.manners import PLAIN, Manners, manners_of
from properties.simulation.manners import standing_of as standing_manners_of
from properties.simulation.standing import Stills, standing_of
from properties.simulation.talk import UNTOLD, Talk, talk_of
from voicepipe import Limits
from voicepipe.endpoints.kept_device import OnLoss

__all__ = [
    "BREAKS",
    "FORGETS",
    "GATHERS",
    "STRAYS",
    "Branches",
    "Event",
    "Feed",
    "RunSpec",
    "Scenario",
    "Shape",
    "StageSpec",
    "stages_in",
]

HORIZON_S = 4.0
"""Everything that is to happen happens by then."""

Devices = Literal["none", "mic", "speaker", "both"]

WELL_BEHAVED = (
    *("passes", "passes", "holds", "slow", "slow", "answers", "tells", "child", "early", "early"),
    *("deliberates", "deliberates", "floods"),
)
"""What a stage of a run does in which nothing may be lost."""
LIVE = ("passes", "passes", "holds", "answers", "tells", "early")
"""What a stage of a live path does: it takes no time."""
GATHERS = "gathers"
"""It keeps the sound, and gives it out in bursts."""
AT_A_FRAME = ("raises", "hangs", "stubborn", "freezes", "asks", "swallows", "reports", "fumbles")
"""What goes wrong with the n-th frame."""
BREAKS = "breaks"
"""With the n-th frame, the scope that it entered in on_start breaks down: it cancels its task each turn."""
STRAYS, FORGETS = "strays", "forgets"
"""With the n-th frame, a task of the stage ends by a CancelledError that nobody asked for; or a coroutine of
the stage is not awaited."""
IN_A_HOOK = ("raises in", "hangs in", "stubborn in", "slow in")
"""What goes wrong in a hook."""
HOOKS = ("on_start", "on_running", "on_end", "on_cancel", "cleanup", "on_interruption", "on_ending")
AWAITED_HOOKS = ("on_start", "on_start", "on_running", "on_end", "on_cancel", "cleanup")
ERRORS = ("ValueError", "CancelledError", "KeyboardInterrupt", "SystemExit", "DeviceLostError")
REQUESTS = ("end", "end", "end", "cancel", "cancel", "outer", "EndFrame", "CancelFrame")
"""Who asks for the end: the task's methods, an outer cancellation, or a frame that is queued."""
FAULTS = (
    *("unplug", "vanish", "vanish", "stall", "stall", "break_", "hang", "hang"),
    *("busy", "forbid", "fail_start", "slow_open", "stuck_close", "crash", "mute", "xrun"),
)


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage."""

    name: str
    does: str
    """One of the words above."""
    inline: bool
    what: str = ""
    """The error that is raised, the hook it is about, or what is asked for."""
    nth: int = 0
    """With which data frame it happens, from 0."""
    seconds: float = 0.0
    """How long something takes."""
    mailbox: int = 32
    may_take_s: float | None = None
    """The time without progress that it asks for while a run drains."""
    manners: Manners = PLAIN
    """What it does besides, and misbehaves with in nothing."""

    def __str__(self) -> str:
        kind = "inline" if self.inline else f"mailbox of {self.mailbox}"
        when = f" at frame {self.nth}" if self.does in (*AT_A_FRAME, BREAKS, STRAYS, FORGETS) else ""
        much = f" {self.seconds:.3f} s" if self.seconds else ""
        asks = "" if self.may_take_s is None else f", may take {self.may_take_s} s"
        return f"{self.name}: {self.does} {self.what}{when}{much} ({kind}{asks}){self.manners}"


@dataclass(frozen=True, slots=True)
class Branches:
    """A parallel pipeline."""

    branches: tuple[Shape, ...]


Shape = tuple["StageSpec | Branches | Shape", ...]
"""A row: of stages, of nested rows, of branches."""


def stages_in(shape: Shape) -> Iterator[StageSpec]:
    """Every stage, in order."""
    for part in shape:
        if isinstance(part, StageSpec):
            yield part
        elif isinstance(part, Branches):
            for branch in part.branches:
                yield from stages_in(branch)
        else:
            yield from stages_in(part)


def has_branches(shape: Shape) -> bool:
    """Whether it is parallel anywhere."""
    return any(
        isinstance(part, Branches) or (not isinstance(part, StageSpec) and has_branches(part))
        for part in shape
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time, in virtual seconds since the scenario began."""

    at_s: float
    what: str
    """A request, "interrupt", a fault, its "mend", or a "limp" (it is back, and makes no callback), "freeze"
    (the loop stands still), "cancel all" (tasks of the run), "run twice" (with the same processors), "speak"
    (the program says something)."""
    whom: str = ""
    """"mic" or "speaker", for a fault."""
    seconds: float = 0.0
    from_outside: bool = False
    """A request comes from another thread."""

    def __str__(self) -> str:
        much = f" {self.seconds:.3f} s" if self.seconds else ""
        thread = " (another thread)" if self.from_outside else ""
        return f"{self.at_s:6.3f} s: {self.what} {self.whom}{much}{thread}"


@dataclass(frozen=True, slots=True)
class Feed:
    """Frames that the program queues: so many, so far apart, from a time on."""

    count: int
    every_s: float
    from_s: float = 0.0
    pings: bool = False
    """A system frame goes with every third."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run."""

    name: str
    shape: Shape
    devices: Devices
    feed: Feed
    begins_s: float
    events: tuple[Event, ...]
    limits: Limits
    drift_ppm: float = 0.0
    jitter_s: float = 0.0
    runs_out_s: float = 0.0
    """The microphone's input is at its end after so much; 0: never."""
    on_loss: OnLoss = "wait"
    facts_s: tuple[float, ...] = ()
    """When the program tells a fact."""
    longer_s: float = 0.0
    """How much longer it lasts, because a stage stands."""
    again: bool = False
    """It is run with the processors of the run before, when that has ended."""
    live: Stills | None = None
    """It is a live path that stands still; None: it is anything."""
    talk: Talk | None = None
    """Its canceller; None: it has none."""

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """Its stages, in order."""
        return tuple(stages_in(self.shape))

    @property
    def is_clean(self) -> bool:
        """Nothing misbehaves, and no device fails."""
        return not any(e.what in FAULTS or e.what == "cancel all" for e in self.events) and all(
            spec.does in WELL_BEHAVED for spec in self.stages
        )

    @property
    def requests(self) -> tuple[Event, ...]:
        """Who asks it to stop."""
        return tuple(event for event in self.events if event.what in REQUESTS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played."""

    seed: int
    runs: tuple[RunSpec, ...]
    freezes: tuple[Event, ...]
    """The loop stands still."""

    @classmethod
    def of(cls, seed: int) -> Scenario:
        """The scenario of that seed."""
        return _Maker(seed).scenario()

    def __str__(self) -> str:
        lines = [f"seed {self.seed}"]
        for run in self.runs:
            again = " again" if run.again else ""
            lines.append(
                f"  {run.name}{again}: begins at {run.begins_s:.3f} s, devices: {run.devices}, "
                f"on_loss={run.on_loss}, input runs out after {run.runs_out_s or 'ever'}"
            )
            lines.append(f"    {run.limits}")
            lines.append(f"    feed: {run.feed}")
            lines += [f"    {each}" for each in (run.live, run.talk) if each is not None]
            if run.facts_s or run.longer_s:
                lines.append(f"    facts of the program at {run.facts_s}; lasts {run.longer_s} s longer")
            lines += _drawn(run.shape, "    ")
            lines += [f"    {event}" for event in run.events]
        lines += [f"  {event}" for event in self.freezes]
        return "\n".join(lines)


def _drawn(shape: Shape, indent: str) -> Iterator[str]:
    for part in shape:
        if isinstance(part, StageSpec):
            yield f"{indent}- {part}"
        elif isinstance(part, Branches):
            for branch in part.branches:
                yield f"{indent}- branch"
                yield from _drawn(branch, indent + "  ")
        else:
            yield f"{indent}- nested"
            yield from _drawn(part, indent + "  ")


class _Maker:
    """Draws a scenario."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._trouble = self._random.choices((0, 1, 2, 3), (4, 4, 2, 1))[0]
        """How much goes wrong, over all runs."""

    def scenario(self) -> Scenario:
        if (stills := standing_of(self._seed)) is not None:
            return _standing_still(self._seed, stills)
        draw = self._random
        runs: list[RunSpec] = []
        for number in range(draw.choices((1, 2, 3), (6, 2, 1))[0]):
            again = bool(runs) and draw.random() < 0.4
            runs.append(self._run(f"run{number}", runs[-1] if again else None))
        freezes = [
            Event(self._moment(runs), "freeze", seconds=draw.choice((0.01, 0.1, 0.4, 1.0, 3.0)))
            for _ in range(draw.choices((0, 1, 3), (6, 3, 1))[0])
        ]
        return Scenario(
            self._seed, _with_cancellers(self._seed, _with_manners(self._seed, runs)), tuple(freezes)
        )

    def _time(self) -> float:
        """Often early, when everything happens at once, or at the very moment at which audio comes."""
        draw = self._random
        at = draw.choice((draw.uniform(0, 0.1), draw.uniform(0, 1), draw.uniform(0, HORIZON_S)))
        return round(at / 0.02) * 0.02 if draw.random() < 0.3 else round(at, 4)

    def _moment(self, runs: list[RunSpec]) -> float:
        """Any time, or the very moment at which something is asked for."""
        asked = [event.at_s for run in runs for event in run.requests]
        if asked and self._random.random() < 0.5:
            return self._random.choice(asked) + self._random.choice((0.0, 0.005, 0.05))
        return self._time()

    def _times(self, count: int) -> list[float]:
        """So many times, often all in one go."""
        draw = self._random
        times = [self._time() for _ in range(count)]
        if count > 1 and draw.random() < 0.6:
            apart = draw.choice((0.0, 0.001, 0.01, 0.02, 0.3))
            times = [round(times[0] + apart * n, 4) for n in range(count)]
        return times

    def _run(self, name: str, like: RunSpec | None) -> RunSpec:
        draw = self._random
        devices: Devices = (
            like.devices if like else draw.choices(("none", "mic", "speaker", "both"), (4, 2, 3, 4))[0]
        )
        events: list[Event] = []
        if devices != "none" and self._trouble and draw.random() < 0.7:
            events += self._faults(devices)
        shape = like.shape if like else self._shape(name)
        waits = bool(events) and draw.random() < 0.6  # for what becomes of a fault
        if draw.random() < (0.8 if devices == "speaker" else 0.4):
            events += [Event(at, "interrupt") for at in self._times(draw.randint(1, 3))]
        events += [] if waits else self._requests()
        return RunSpec(
            name,
            shape,
            devices,
            self._feed(devices),
            begins_s=draw.choice((0.0, 0.0, 0.5)),
            events=tuple(sorted(events, key=lambda event: event.at_s)),
            limits=Limits(
                start_s=draw.choice((1.0, 5.0)),
                stall_s=1.5,
                drain_s=self._drain_s(name),
                cancel_s=draw.choice((0.5, 2.0)),
                close_s=1.0,
                passed_by=draw.choice(("fail", "report")),
            ),
            drift_ppm=draw.choice((0.0, 0.0, 150.0, -150.0)),
            jitter_s=draw.choice((0.0, 0.0, 0.0, 0.015)),
            runs_out_s=draw.choice((0.0, 0.0, 0.0, 0.5)),
            on_loss=draw.choice(("wait", "wait", "wait", "end", "fail")),
            again=like is not None,
        )

    def _drain_s(self, name: str) -> float:
        other = random.Random(f"{self._seed} {name} drain")  # apart, so that no other seed changes
        return other.choice((0.05, 0.4, 1.0)) if other.random() < 0.1 else 310.0

    def _feed(self, devices: Devices) -> Feed:
        draw = self._random
        if devices in ("mic", "both") and draw.random() < 0.6:
            return Feed(0, 0.0)
        flood = draw.random() < 0.3
        return Feed(
            draw.choice((3, 40, 120)),
            0.0 if flood else draw.choice((0.005, 0.02)),
            draw.choice((0.0, 0.3)),
            pings=draw.random() < 0.4,
        )

    def _requests(self) -> list[Event]:
        draw = self._random
        times = self._times(draw.choices((0, 1, 2, 3, 4), (1, 6, 3, 1, 1))[0])
        events = [Event(at, draw.choice(REQUESTS), from_outside=draw.random() < 0.2) for at in times]
        if self._trouble and draw.random() < 0.15:
            asked = [at + draw.choice((0.0, 0.005, 0.05, 0.5)) for at in times]
            at = draw.choice(asked) if asked and draw.random() < 0.6 else self._time()
            events.append(Event(round(at, 4), "cancel all"))
        if draw.random() < 0.1:
            events.append(Event(self._time(), "run twice"))
        return events

    def _faults(self, devices: Devices) -> Iterator[Event]:
        draw = self._random
        sides = {"mic": ["mic"], "speaker": ["speaker"]}.get(devices, ["mic", "speaker"])
        for _ in range(draw.choice((1, 1, 2))):
            side, fault, at = draw.choice(sides), draw.choice(FAULTS), self._time()
            seconds = {
                "slow_open": draw.choice((0.05, 0.7, 9.0)),
                "stuck_close": draw.choice((0.2, 0.8, 5.0)),
                "xrun": draw.choice((0.005, 0.1)),
            }.get(fault, 0.0)
            yield Event(at if seconds == 0.0 or draw.random() < 0.5 else 0.0, fault, side, seconds)
            if draw.random() < 0.7:
                back = draw.choice(("mend", "mend", "limp"))
                yield Event(round(at + draw.choice((0.1, 1.2, 3.0)), 4), back, side)

    # -- pipelines -----------------------------------------------------------------

    def _shape(self, name: str) -> Shape:
        draw = self._random
        count = draw.choice((0, 1, 2, 3, 4, 5, 6))
        names = [f"{name}.{letter}" for letter in "abcdef"[:count]]
        bad = set(draw.sample(names, min(count, self._trouble)) if draw.random() < 0.8 else ())
        specs = [self._bad(each) if each in bad else self._good(each) for each in names]
        return self._nested(specs, depth=0)

    def _nested(self, specs: Sequence[StageSpec], depth: int) -> Shape:
        draw = self._random
        if depth == 2 or len(specs) < 2 or draw.random() < 0.5:
            return tuple(specs)
        first, last = sorted(draw.sample(range(len(specs) + 1), 2))
        inside = specs[first:last]
        part: Branches | Shape
        if draw.random() < 0.5:
            part = self._nested(inside, depth + 1)
        else:
            cut = draw.randint(0, len(inside))
            part = Branches((self._nested(inside[:cut], depth + 1), self._nested(inside[cut:], depth + 1)))
        return (*specs[:first], part, *specs[last:])

    def _good(self, name: str) -> StageSpec:
        draw = self._random
        does = draw.choice(WELL_BEHAVED)
        inline = does in ("passes", "holds") and draw.random() < 0.5
        seconds = draw.choice((0.001, 0.005, 0.03, 0.06)) if does in ("slow", "deliberates") else 0.0
        mailbox = draw.choice((1, 3, 32, 32))
        return StageSpec(name, does, inline, seconds=seconds, mailbox=mailbox, may_take_s=self._may_take_s())

    def _may_take_s(self) -> float | None:
        return self._random.choice((None, None, None, 0.7, 3.0))

    def _bad(self, name: str) -> StageSpec:
        draw = self._random
        inline = draw.random() < 0.4
        does = draw.choice(AT_A_FRAME if draw.random() < 0.5 else IN_A_HOOK)
        if does in ("hangs", "stubborn", "fumbles"):
            inline = False
        what, seconds = "", 0.0
        if does in ("raises", "reports", "fumbles"):
            what = draw.choice(ERRORS)
        elif does == "asks":
            what = draw.choice(("EndFrame", "CancelFrame", "InterruptionFrame"))
        elif does == "raises in":
            what = draw.choice(HOOKS)
        elif does in IN_A_HOOK:
            what = draw.choice([hook for hook in AWAITED_HOOKS if not (inline and hook == "on_end")])
        if does.startswith("stubborn"):
            seconds = draw.choice((0.2, 0.7, 1e6))
        elif does == "freezes":
            seconds = draw.choice((0.05, 0.5, 2.5))
        elif does == "slow in":
            seconds = draw.choice((0.02, 0.3, 9.0 if what == "on_start" else 0.8))
        nth = draw.choice((0, 1, 2, 10, 40))
        other = random.Random(f"{self._seed} {name}").random()  # apart, so that no other seed changes
        for limit, word in ((0.08, BREAKS), (0.13, STRAYS), (0.18, FORGETS)):
            if other < limit:
                does, what, seconds = word, "", 0.0
                break
        mailbox = draw.choice((1, 3, 32))
        return StageSpec(name, does, inline, what, nth, seconds, mailbox, self._may_take_s())


def _with_manners(seed: int, runs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """Give the stages their manners, drawn apart, so that nothing else of a seed changes."""
    draw = random.Random(f"{seed} manners")
    if draw.random() < 0.5:
        return tuple(runs)
    stands = len(runs) == 1 and draw.random() < 0.25
    made = []
    for run in runs:
        shape, longer_s = _mannered(run.shape, seed), 0.0
        if stands and (standing := _standing(seed, run)):
            name, manners = standing
            shape = _replaced(shape, name, manners)
            longer_s = manners.stands_s + 3.0
        facts_s = tuple(
            sorted(round(draw.uniform(0, HORIZON_S + longer_s), 2) for _ in range(draw.choice((0, 1, 6))))
        )
        late = [replace(e, at_s=e.at_s + longer_s) if e.what in REQUESTS else e for e in run.events]
        events = tuple(sorted(late, key=lambda event: event.at_s))
        made.append(replace(run, shape=shape, facts_s=facts_s, longer_s=longer_s, events=events))
    return tuple(made)


def _with_cancellers(seed: int, runs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """Give some of the runs with both devices a canceller, and untold losses to a few of them."""
    made: list[RunSpec] = []
    for run in runs:
        talk = (made[-1].talk if run.again else talk_of(seed, run.name)) if run.devices == "both" else None
        if talk is None:
            made.append(run)
            continue
        draw = random.Random(f"{seed} {run.name} untold")
        untold = [_untold(draw) for _ in range(draw.choice((0, 0, 1, 4)))]
        events = tuple(sorted((*run.events, *untold), key=lambda event: event.at_s))
        made.append(replace(run, talk=talk, events=events))
    return tuple(made)


def _untold(draw: random.Random) -> Event:
    """Draw something that a device does not own up to."""
    what = draw.choice(UNTOLD)
    at_s = round(draw.uniform(0, HORIZON_S), 4)
    return Event(at_s, what, draw.choice(("mic", "speaker")), draw.choice((0.004, 0.02, 0.2)))


def _standing_still(seed: int, stills: Stills) -> Scenario:
    """Make the scenario of a live path that stands still."""
    draw = random.Random(f"{seed} live path")
    does = [draw.choice(LIVE) for _ in range(draw.choice((0, 0, 1, 2)))]
    shape = [
        StageSpec(f"run0.{letter}", word, draw.random() < 0.5 and word in ("passes", "holds"))
        for letter, word in zip("ab", does, strict=False)
    ]
    if stills.gathers_s:
        shape.append(StageSpec("run0.c", GATHERS, inline=True, seconds=stills.gathers_s))
    longer_s = max(0.0, stills.over_s - HORIZON_S)
    events = [*_events(stills), Event(stills.over_s, "end")]
    run = RunSpec(
        "run0",
        tuple(shape),
        "both",
        Feed(0, 0.0),
        begins_s=0.0,
        events=tuple(sorted(events, key=lambda event: event.at_s)),
        limits=Limits(),
        longer_s=longer_s,
        live=stills,
    )
    freezes = [
        Event(at_s, "freeze", seconds=seconds)
        for still in stills.stills
        if still.who in ("loop", "all")
        for at_s, seconds in still.spans
    ]
    return Scenario(seed, (run,), tuple(freezes))


def _events(stills: Stills) -> Iterator[Event]:
    """Yield what happens to the card, and what the program says."""
    for still in stills.stills:
        for at_s, seconds in still.spans:
            if still.who == "speech":
                yield Event(at_s, "speak", seconds=seconds)
            elif still.who == "stopped":
                yield Event(at_s, "stall", "speaker")
                yield Event(round(at_s + seconds, 4), "mend", "speaker")
            else:
                sides = ("mic", "speaker") if still.who == "all" else (still.who,)
                yield from (Event(at_s, "xrun", side, seconds) for side in sides if side != "loop")


def _standing(seed: int, run: RunSpec) -> tuple[str, Manners] | None:
    """Choose a well-behaved stage with a mailbox to stand, and how."""
    for spec in run.stages:
        if spec.does in WELL_BEHAVED and not spec.inline:
            return spec.name, standing_manners_of(seed, spec.name)
    return None


def _mannered(shape: Shape, seed: int) -> Shape:
    def change(spec: StageSpec) -> StageSpec:
        behaves = spec.does in WELL_BEHAVED  # who pushes now and then, is never stuck
        return replace(spec, manners=manners_of(seed, spec.name, inline=spec.inline, busy=behaves))

    return _mapped(shape, change)


def _replaced(shape: Shape, name: str, manners: Manners) -> Shape:
    def swap(spec: StageSpec) -> StageSpec:
        if spec.name != name:
            return spec
        return replace(spec, manners=manners, may_take_s=manners.stands_s + 2.0)

    return _mapped(shape, swap)


def _mapped(shape: Shape, change: Callable[[StageSpec], StageSpec]) -> Shape:
    """Change each stage of a shape."""
    made: list[StageSpec | Branches | Shape] = []
    for part in shape:
        if isinstance(part, StageSpec):
            made.append(change(part))
        elif isinstance(part, Branches):
            made.append(Branches(tuple(_mapped(branch, change) for branch in part.branches)))
        else:
            made.append(_mapped(part, change))
    return tuple(made)
