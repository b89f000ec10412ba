"""The line about the protection, where an interrupter stands behind a microphone that cannot cancel."""

from __future__ import annotations

import asyncio
import logging

import pytest

from voicepipe import (
    AudioFormat,
    Interrupter,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    Processor,
    SpeakerOutput,
)
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual


def lines(caplog: pytest.LogCaptureFixture, rate: int, *stages: Processor) -> list[str]:
    async def run() -> None:
        audio = AudioFormat(rate)
        task = PipelineTask(Pipeline(list(stages)), input=audio, output=audio)
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        await asyncio.sleep(1.0)
        task.end()
        await running

    run_virtual(run())
    return [text for record in caplog.records if "half-duplex" in (text := record.getMessage())]


@pytest.mark.parametrize(
    ("cancel", "mute", "rate", "interrupts", "told"),
    [
        (None, None, 96_000, True, True),
        (True, None, 22_050, True, True),
        (None, None, 96_000, False, False),
        (None, None, 16_000, True, False),
        (None, True, 16_000, True, False),
        (False, None, 96_000, True, False),
        (False, False, 96_000, True, False),
    ],
)
def test_who_cannot_cancel_says_so_once_with_the_cure(
    caplog: pytest.LogCaptureFixture,
    cancel: bool | None,
    mute: bool | None,
    rate: int,
    interrupts: bool,
    told: bool,
) -> None:
    card = SimulatedCard()
    card.room(room_impulse())
    microphone = MicrophoneInput(card.backend(), cancel=cancel, mute=mute, name="desk")
    stages = [Interrupter()] if interrupts else []
    found = lines(caplog, rate, microphone, *stages, SpeakerOutput(card.backend()))
    assert len(found) == told
    for line in found:
        assert line.startswith("desk: half-duplex: it hears you only if you are louder than it (")
        assert line.endswith(
            f"{rate}); or use headphones, with cancel=False and mute=False for the microphone"
        )


def test_a_card_in_a_room_mutes_by_itself() -> None:
    assert MicrophoneInput("portaudio").cancels_echo
    assert MicrophoneInput("portaudio", cancel=False).mutes
    assert not MicrophoneInput("portaudio", cancel=False, mute=False).mutes
    assert not SpeakerOutput("portaudio").mutes


@pytest.mark.parametrize(
    ("cancel", "mute", "has_room", "said"),
    [
        (None, None, True, ["desk: echo cancelling: you can talk over it (aec3 and kalman)"]),
        (False, None, True, ["desk: half-duplex: it hears you only if you are louder than it"]),
        (None, True, False, ["desk: half-duplex: it hears you only if you are louder than it"]),
        (False, False, True, ["desk: headphones: without them it hears itself"]),
        (None, None, False, []),
    ],
)
def test_one_line_at_the_start_of_any_program_says_which_protection_is_active(
    caplog: pytest.LogCaptureFixture, cancel: bool | None, mute: bool | None, has_room: bool, said: list[str]
) -> None:
    card = SimulatedCard()
    if has_room:
        card.room(room_impulse())
    microphone = MicrophoneInput(card.backend(), cancel=cancel, mute=mute, name="desk")
    with caplog.at_level(logging.INFO, "voicepipe"):
        lines(caplog, 16_000, microphone, SpeakerOutput(card.backend()))
    words = ("cancelling", "half-duplex", "headphones")
    told = [each.getMessage() for each in caplog.records if any(word in each.getMessage() for word in words)]
    assert told == said
