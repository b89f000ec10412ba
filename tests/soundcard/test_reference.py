"""The canceller's reference over real PortAudio: another clock, and a loss that nobody owns up to."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard

SECONDS = 9
LOSS_AT = 6


@pytest.mark.heavy
@pytest.mark.real_time
def test_it_follows_another_clock_and_is_back_behind_a_loss(card: PluggedCard) -> None:
    card.clock("speaker", 100)
    card.echo([(10.0, 1.0)])
    program = str(Path(__file__).parent / "aligning.py")
    with ProgramOnCard(card, program, "portaudio", str(SECONDS)) as running:
        running.says(f"second {LOSS_AT}:")
        card.loss("mic", 0.02)
        ended = running.end()
    assert ended.status == 0, ended
    lines = [[float(number) for number in line.split()[2:]] for line in ended.out.splitlines()]
    before, behind = lines[LOSS_AT - 1], lines[-1]
    assert before[1] - before[0] < 1.0
    assert abs(abs(before[3]) - 100) < 30
    assert behind[2] >= 1
    assert abs(behind[0] - before[0]) < 3.0  # a loss is 320 samples
