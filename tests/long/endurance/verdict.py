"""What a long run must have kept, judged from what was noted every second."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import Any, Protocol

from long.endurance.check import Check
from long.endurance.service import WATCHDOG_S
from long.endurance.through import REPEATS_S
from process.running import Ended

__all__ = ["checks"]

RATE = 16_000
"""Of the run, which counts in such samples."""
CARD_RATE = 48_000
BEFORE_S, BEHIND_S = 3, 4
"""A gap is heard so long after, and before, the counters tell of it: sound is on its way for up to a second,
and is looked at later; and a loss is noticed after up to 2 s."""
BACK_S = 8
"""Within which a whole second was heard again when a device is there: 5 s, the second itself, and its way."""
MEMORY_MB = 1.0
"""What the memory may have moved between the second and the last quarter."""
LATENCY_MS = 20.0
"""The same: two blocks, for each time that streams are opened they stand to each other in another way."""
FILL_MS = 70.0
"""The same. It is the fill of the moment, of which the device takes 60 ms at once, at its latency; and the
moments of the looks move against it as the clocks do."""
POSITION_S = 0.05
"""By how much the time that passed at a microphone may be mistaken with each loss."""
SILENCE = 40
"""Samples; a block has 160."""
NOTICED_S = 1.0
"""Within which a loss is noticed, usually."""
DRY_S = 0.1
"""What a device that was late or ran dry may have lost."""
TROUBLES = (
    *(("mic", name) for name in ("overflow", "late", "reconnections")),
    *(("speaker", name) for name in ("underflow", "late", "reconnections")),
)
Second = dict[str, Any]


class _Loss(Protocol):
    @property
    def begin_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def which(self) -> str: ...
    @property
    def kind(self) -> str: ...


def checks(
    noted: Sequence[Second], away: Sequence[_Loss], ended: Ended, left: dict[int, str], seconds: float
) -> list[Check]:
    """Judge what was noted, and how the program ended."""
    whole = Check("it ran to the end", len(noted) == round(seconds), f"{len(noted)} of {round(seconds)} s")
    if len(noted) < 8:
        return [whole]
    return [
        whole,
        _gaps(noted),
        _amount(noted, away),
        _books(noted),
        _positions(noted, away),
        _losses(noted, away),
        _speech(ended, away, seconds),
        _flat(noted, "memory of the program", "program_private_mb", MEMORY_MB, "MB"),
        _flat(noted, "memory of all its processes", "private_mb", MEMORY_MB, "MB"),
        _flat(noted, "latency", "latency_ms", LATENCY_MS, "ms"),
        _flat(noted, "the speaker's fill", "speaker_fill_ms", FILL_MS, "ms"),
        _open(noted),
        _pings(noted),
        _end(ended, left),
    ]


def _gaps(noted: Sequence[Second]) -> Check:
    """A second in which something was missing is near one in which a counter of the program moved."""
    silence = _silence(noted)
    told = [
        _told(before, now) or silence[place + 1] - silence[place] > SILENCE
        for place, (before, now) in enumerate(itertools.pairwise(noted))
    ]
    bad = [
        second["t_s"]
        for place, second in enumerate(noted)
        if second["t_s"] > BEFORE_S
        and second["missing_ms"]
        and not any(told[max(0, place - BEFORE_S) : place + BEHIND_S])
    ]
    missing = [second for second in noted if second["missing_ms"]]
    figures = f"{len(missing)} s with something missing, {len(bad)} of them unexplained {bad[:10] or ''}"
    return Check("every gap is explained by a counter", not bad, figures.strip())


def _told(before: Second, now: Second) -> bool:
    """Whether the program told of something between these two."""
    return (
        bool(now["lost"])
        or any(now[part] != before[part] for part in ("dropped", "errors"))
        or any(now[device][name] != before[device][name] for device, name in TROUBLES)
    )


def _silence(noted: Sequence[Second]) -> list[int]:
    """The samples of silence that the speaker was given. A block is counted a little before its samples are,
    so that the least of the next few is the truth."""
    counts = [second["silence"] for second in noted]
    return [min(counts[place : place + 5]) for place in range(len(counts))]


def _amount(noted: Sequence[Second], away: Sequence[_Loss]) -> Check:
    """As much was missing as the speaker was given silence, had dropped, ran dry for, or was away with the
    microphone; a device is away for a while before that is noticed."""
    missing_s = sum(second["missing_ms"] for second in noted) / 1e3
    first, last = noted[0], noted[-1]
    silent_s, dropped_s = ((last[name] - first[name]) / RATE for name in ("silence", "not_played"))
    dry = sum(last["speaker"][name] - first["speaker"][name] for name in ("underflow", "late"))
    both = sum(len(second["lost"]) == 2 for second in noted)
    spare_s = 0.2 + NOTICED_S * len(away) + DRY_S * dry
    holds = missing_s <= silent_s + dropped_s + both + spare_s
    figures = (
        f"{missing_s:.2f} s were not heard; the speaker was given {silent_s:.2f} s of silence, "
        f"{dropped_s:.2f} s were dropped before it, for {both} s both were away, and {dry} times it was late "
        "or ran dry"
    )
    return Check("as much was counted", holds, figures)


def _books(noted: Sequence[Second]) -> Check:
    bad = {name for second in noted for name in second["unbalanced"]}
    return Check("in = out + held + dropped", not bad, f"in every second, at every seam {bad or ''}".strip())


def _positions(noted: Sequence[Second], away: Sequence[_Loss]) -> Check:
    """The samples that the microphone counted, gaps and all, are those that passed by on the card."""
    here = [second for second in noted if "microphone" not in second["lost"]]
    first, last = here[0], here[-1]
    counted_s = (last["taken"] - first["taken"]) / RATE
    passed_s = (last["card"]["frame"] - first["card"]["frame"]) / CARD_RATE
    # What waits before a program that is not run is not counted yet, nor what comes until it answers.
    waits_s = sum(
        second["mic_fill_ms"] / 1e3 + (second["card"]["frame"] - second["card"]["asked"]) / CARD_RATE
        for second in (first, last)
    )
    spare_s = 0.1 + POSITION_S * len(away) + waits_s
    figures = f"{counted_s:.3f} s by the microphone's positions, {passed_s:.3f} s on the card"
    return Check("positions are true", abs(counted_s - passed_s) <= spare_s, figures)


def _losses(noted: Sequence[Second], away: Sequence[_Loss]) -> Check:
    """Every loss was told, and sound is back soon after the device."""
    want = {which: sum(loss.which in (which, "both") for loss in away) for which in ("mic", "speaker")}
    got = {which: noted[-1][which]["reconnections"] for which in want}
    waits = [_back_after(noted, loss) for loss in away]
    longest = max(waits, default=0.0)
    figures = f"{len(away)} losses, reconnections {got}, sound back after at most {longest:.0f} s"
    return Check("lost devices came back", got == want and longest <= BACK_S, figures)


def _back_after(noted: Sequence[Second], loss: _Loss) -> float:
    """For how many seconds behind its end something was missing."""
    behind = [second for second in noted if second["t_s"] > loss.end_s]
    return next((s["t_s"] - loss.end_s for s in behind if s["missing_ms"] == 0), float("inf"))


def _speech(ended: Ended, away: Sequence[_Loss], seconds: float) -> Check:
    """It was never deaf: what was said every 20 s was found, but for what a loss may have cut."""
    said, found = int(seconds / REPEATS_S), ended.out.count(" of speech at ")
    return Check("speech was heard", found >= said - len(away) - 1, f"{found} utterances, {said} were said")


def _flat(noted: Sequence[Second], what: str, name: str, most: float, unit: str) -> Check:
    """The last quarter is as the second one; seconds with a gap apart."""
    calm = [s for s in noted if not s["missing_ms"] and s[name] is not None]
    quarter = len(noted) / 4
    then = [s[name] for s in calm if quarter < s["t_s"] <= 2 * quarter]
    lately = [s[name] for s in calm if s["t_s"] > 3 * quarter]
    if not then or not lately:
        return Check(f"{what} is flat", False, "nothing to compare")
    before, after = statistics.median(then), statistics.median(lately)
    low, high = min(s[name] for s in calm), max(s[name] for s in calm)
    slope = _slope([(s["t_s"] / 3600, s[name]) for s in calm if s["t_s"] > quarter])
    figures = (
        f"median {before:.2f} {unit} in the second quarter, {after:.2f} in the last; "
        f"{low:.2f} to {high:.2f}; {slope:+.2f} {unit} an hour"
    )
    return Check(f"{what} is flat", abs(after - before) <= most, figures)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line with the least squares."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def _open(noted: Sequence[Second]) -> Check:
    """In calm, as much is open at the end as was at the beginning."""
    kinds = ("tasks", "threads", "streams", "children", "descriptors")
    calm = [s for s in noted if not s["lost"] and not s["missing_ms"]]
    quarter = max(1, len(calm) // 4)
    now = {kind: (_fewest(calm[:quarter], kind), _fewest(calm[-quarter:], kind)) for kind in kinds}
    figures = ", ".join(f"{kind} {a} and {b}" for kind, (a, b) in now.items())
    return Check("nothing piles up", all(a == b for a, b in now.values()), figures)


def _fewest(noted: Sequence[Second], kind: str) -> int:
    return min((second["open"][kind] for second in noted), default=0)


def _pings(noted: Sequence[Second]) -> Check:
    longest = max(second["unpinged_s"] for second in noted)
    holds = longest < WATCHDOG_S and noted[-1]["ready"]
    return Check("the service manager had no reason to act", holds, f"{longest:.1f} s without a ping at most")


def _end(ended: Ended, left: dict[int, str]) -> Check:
    good = ended.status == 0 and not left and "nothing is left running" in ended.out
    figures = f"status {ended.status} after {ended.seconds:.2f} s, processes left: {len(left)}"
    return Check("Ctrl-C ends it, and nothing is left", good, figures)
