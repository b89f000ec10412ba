"""Some seconds of the hour on the card (tests/long/endurance/hour.py): a device is lost, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

from long.endurance.hour import LOG, Loss, live
from soundcard.plugging import PluggedCard

SECONDS = 10.0


def test_a_short_hour_keeps_all_that_the_long_one_must(card: PluggedCard, tmp_path: Path) -> None:
    """But for what is flat, for which it is too short."""
    away = [Loss(3.0, 4.5, "mic", "unplug")]
    verdict = live(card, tmp_path, SECONDS, away, ppm=60)
    lines = (tmp_path / LOG).read_text(encoding="utf-8").splitlines()
    noted = [json.loads(line) for line in lines]
    assert [str(check) for check in verdict if not check.holds and not check.what.endswith("flat")] == []
    assert len(noted) == SECONDS
    assert any(second["lost"] == ["microphone"] for second in noted)
    assert sum(second["missing_ms"] for second in noted) > 1_000
