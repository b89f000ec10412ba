"""What holds in every scenario, whatever went wrong in it. Each rule says in one line what it saw."""

from __future__ import annotations

from properties.simulation import (
    echo_rules,
    fact_rules,
    late_rules,
    life_cycle_rules,
    limit_rules,
    live_rules,
    sound_rules,
    track_rules,
)
from properties.simulation.facts import Facts
from properties.simulation.play import Played, play
from properties.simulation.scenario import Scenario

__all__ = ["broken_rules", "check"]

RULES = (
    *life_cycle_rules.RULES,
    *limit_rules.RULES,
    *sound_rules.RULES,
    *fact_rules.RULES,
    *live_rules.RULES,
    *late_rules.RULES,
    *echo_rules.RULES,
    *track_rules.RULES,
)


def check(seed: int) -> list[str]:
    """Play the scenario of a seed; what it broke, a line each."""
    return broken_rules(play(Scenario.of(seed)))


def broken_rules(played: Played) -> list[str]:
    """What a scenario broke, a line each: what was seen while it was played, and what the rules say."""
    broken = list(dict.fromkeys(played.journal.outrages))
    if played.left:
        broken.append(f"left behind: {played.left}")
    for run in played.runs:
        if run.has_returned:
            facts = Facts(run, played)
            broken += [f"{run.spec.name}: {line}" for rule in RULES for line in rule(facts)]
    return broken
