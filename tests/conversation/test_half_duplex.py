"""The line about the protection, where an interrupter stands behind a microphone that is half-duplex."""

from __future__ import annotations

import asyncio

import pytest

from voicepipe import Interrupter, MicrophoneInput, Pipeline, PipelineTask, Processor, SpeakerOutput
from voicepipe.testing import SimulatedCard, run_virtual


def lines(caplog: pytest.LogCaptureFixture, *stages: Processor) -> list[str]:
    async def run() -> None:
        task = PipelineTask(Pipeline(list(stages)))
        running = asyncio.create_task(task.run())
        await task.wait_until_started()
        await asyncio.sleep(1.0)
        task.end()
        await running

    run_virtual(run())
    return [text for record in caplog.records if "half-duplex" in (text := record.getMessage())]


@pytest.mark.parametrize(
    ("mute", "interrupts", "told"),
    [
        (True, True, True),
        (False, True, False),
        (None, True, False),
        (True, False, False),
        (None, False, False),
    ],
)
def test_it_is_told_once_at_the_start(
    caplog: pytest.LogCaptureFixture, mute: bool | None, interrupts: bool, told: bool
) -> None:
    backend = SimulatedCard().backend()
    microphone = MicrophoneInput(backend, mute=mute, name="desk")
    assert microphone.mutes is bool(mute)
    stages = [Interrupter()] if interrupts else []
    found = lines(caplog, microphone, *stages, SpeakerOutput(backend))
    assert found == (
        [
            "desk: half-duplex: it may not hear you while it speaks; so Interrupter hears only who is "
            "louder than the echo; to talk over it, use headphones, with cancel=False and mute=False for the "
            "microphone"
        ]
        if told
        else []
    )


def test_a_card_in_a_room_mutes_by_itself() -> None:
    assert MicrophoneInput("portaudio").cancels_echo
    assert MicrophoneInput("portaudio", cancel=False).mutes
    assert not MicrophoneInput("portaudio", cancel=False, mute=False).mutes
    assert not SpeakerOutput("portaudio").mutes
