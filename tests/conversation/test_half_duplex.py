"""The line about the protection, where an interrupter stands behind a microphone that cannot cancel."""

from __future__ import annotations

import asyncio

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
