"""Random scripts for two clocks, and the rules that the reference keeps under each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from canceller.scripted_clocks import (
    Device,
    Jitter,
    Jump,
    Looks,
    Room,
    card,
    errors,
    late,
    listen,
    no_jitter,
    noisy,
    quantised,
)

__all__ = ["broken_rules", "script"]

SETTLE_S = 12.0
SEEN_S = 0.3
"""A jump is over after so much time: five blocks of 20 ms, what was captured meanwhile, and some more."""
AWAY_S = 0.005
"""Further away the reference never is. Where stamps are late, it is where they say."""


def script(seed: int) -> Room:
    """Return what happens with that seed."""
    chance = random.Random(seed)
    jitter = _jitter(chance)
    mic_ppm = chance.uniform(-100, 100)
    apart_ppm = chance.choice((0.0, 0.0, chance.uniform(-12, 12), chance.uniform(-300, 300)))
    seconds = 40.0
    mic = Device(
        chance.choice((8_000, 16_000, 16_000, 48_000)),
        ppm=mic_ppm,
        jumps=_jumps(chance, seconds),
        jitter=jitter,
        block_s=chance.choice((0.01, 0.02)),
    )
    speaker = Device(
        chance.choice((mic.rate, mic.rate, 24_000, 48_000, 22_050)),
        ppm=mic_ppm + apart_ppm,
        jumps=_jumps(chance, seconds),
        jitter=jitter,
        block_s=chance.choice((0.005, 0.01, 0.02)),
        channels=chance.choice((1, 1, 2)),
    )
    warms_ppm = chance.choice((0.0, 0.0, 3.0))
    speakers: tuple[Device, ...] = (replace(speaker, warms_ppm=warms_ppm),)
    if chance.random() < 0.3:
        changes_s = chance.uniform(15.0, 25.0)
        other = replace(speaker, rate=48_000, begin_s=changes_s + chance.uniform(0.05, 2.0))
        other = replace(other, jumps=tuple(jump for jump in other.jumps if jump.at_s > other.begin_s + 1.0))
        speakers = (replace(speakers[0], end_s=changes_s), other)
    stands = (
        ((t := chance.uniform(5.0, 30.0), t + chance.uniform(0.05, 2.0)),) if chance.random() < 0.3 else ()
    )
    return Room(mic, speakers, seconds, seed, stands=stands)


def broken_rules(room: Room) -> Iterator[str]:
    """Yield every rule that is broken."""
    looks = listen(room)
    jumps = _all_jumps(room)
    most = len(jumps) + len(room.speakers)
    if looks[-1].realignments > most:
        yield f"{looks[-1].realignments} realignments for {most} jumps"
    calm = [look for look in looks if not _is_disturbed(look.at_s, jumps, room)]
    away = [look for look in calm if look.error is not None and abs(look.error) > AWAY_S * room.mic.rate]
    if away:
        yield f"{away[0].error:.1f} samples away at {away[0].at_s:.2f} s"
    lost = [look for look in calm if look.is_silent and not look.should_be_silent]
    if lost:
        yield f"nothing was read at {lost[0].at_s:.2f} s"
    yield from _moves(calm, room)


def _moves(calm: Sequence[Looks], room: Room) -> Iterator[str]:
    """Yield the first second that moves more than 40 ppm do, or the clocks while they count as one."""
    most = 40e-6 * room.mic.rate
    changes = [speaker.begin_s for speaker in room.speakers[1:]]
    for second in range(int(SETTLE_S), int(room.seconds)):
        if any(second - SETTLE_S < change < second + 1 for change in changes):
            continue
        beside = errors(calm, second, second + 1)
        whole = [look for look in calm if second <= look.at_s < second + 1]
        if len(whole) * room.mic.block_s > 0.99 and beside and max(beside) - min(beside) > most:
            yield f"moved by {max(beside) - min(beside):.2f} samples in second {second}"
            return


def _all_jumps(room: Room) -> list[Jump]:
    return [*room.mic.jumps, *(jump for speaker in room.speakers for jump in speaker.jumps)]


def _is_disturbed(at_s: float, jumps: Sequence[Jump], room: Room) -> bool:
    if at_s < 1.0 or any(-0.3 < at_s - jump.at_s - max(0.0, jump.by_s) < SEEN_S for jump in jumps):
        return True
    changes = [speaker.begin_s for speaker in room.speakers[1:]] + [
        speaker.end_s for speaker in room.speakers
    ]
    return any(-0.1 < at_s - change < 1.0 for change in changes)


def _jitter(chance: random.Random) -> Jitter:
    kinds: tuple[Jitter, ...] = (
        no_jitter,
        card,
        late(chance.uniform(0.00002, 0.0005)),
        quantised(chance.uniform(0.0001, 0.001)),
        noisy(chance.uniform(0.00002, 0.0003)),
    )
    return chance.choice(kinds)


def _jumps(chance: random.Random, seconds: float) -> tuple[Jump, ...]:
    count = chance.choice((0, 0, 2, 12))
    losses = [Jump(chance.uniform(2.0, seconds), chance.uniform(0.005, 0.06)) for _ in range(count)]
    if chance.random() < 0.3:
        losses.append(Jump(chance.uniform(5.0, seconds), chance.choice((-1, 1)) * chance.uniform(0.01, 0.2)))
    apart: list[Jump] = []
    for jump in sorted(losses, key=lambda one: one.at_s):
        if not apart or jump.at_s - apart[-1].at_s > 0.5:
            apart.append(jump)
    return tuple(apart)
