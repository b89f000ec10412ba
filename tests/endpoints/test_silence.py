"""Zeros for five seconds are one warning with the likely cause."""

from __future__ import annotations

import asyncio
import logging

import pytest

from support.sound import BLOCK, BLOCK_S, RATE, noise, speech
from voicepipe import MicrophoneInput, Pipeline, PipelineTask, SpeakerOutput
from voicepipe.endpoints.silence import DigitalSilence
from voicepipe_devices.fake import SimulatedCard

ZEROS, SOUND = bytes(2 * BLOCK), noise(BLOCK_S).tobytes()


def moments(silence: DigitalSilence, blocks: list[bytes]) -> list[int]:
    """At which of the blocks it says so."""
    return [nth for nth, data in enumerate(blocks, 1) if silence.has_lasted(data, BLOCK_S)]


def test_zeros_are_told_once_when_they_have_lasted() -> None:
    (moment,) = moments(DigitalSilence(5.0), [ZEROS] * 1000)
    assert moment * BLOCK_S == pytest.approx(5.0, abs=2 * BLOCK_S)


def test_zeros_are_told_again_only_after_a_sound() -> None:
    blocks = [*[ZEROS] * 30, SOUND, *[ZEROS] * 30, SOUND, *[ZEROS] * 5]
    assert moments(DigitalSilence(10 * BLOCK_S - 1e-6), blocks) == [10, 41]


def test_one_sample_that_is_not_zero_begins_the_count_anew() -> None:
    almost = ZEROS[:-1] + b"\1"
    blocks = [*[ZEROS] * 9, almost] * 5
    assert moments(DigitalSilence(10 * BLOCK_S - 1e-6), blocks) == []


def test_blocks_may_be_of_any_length() -> None:
    silence = DigitalSilence(1.0)
    assert [silence.has_lasted(bytes(2 * n), n / 100) for n in (50, 49, 1, 0, 7)] == [False, False, True] + [
        False
    ] * 2


async def warnings_after(card: SimulatedCard, seconds: float, caplog: pytest.LogCaptureFixture) -> list[str]:
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend())]))
    asyncio.get_running_loop().call_later(seconds, task.end)
    with caplog.at_level(logging.WARNING, "voicepipe"):
        await task.run()
    return [record.getMessage() for record in caplog.records if record.name == "voicepipe"]


async def test_a_microphone_of_zeros_is_one_warning_that_names_it_and_the_likely_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (line,) = await warnings_after(SimulatedCard("mute"), 60.0, caplog)
    assert "mute microphone" in line
    assert "only zeros for 5 s" in line
    for cause in ("muted in the mixer", "switch", "virtual device", "another program", "macOS"):
        assert cause in line


async def test_a_microphone_that_sounds_now_and_then_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    card = SimulatedCard()
    for nth in range(10):
        card.mic.hear(noise(0.1, nth))
        card.mic.hear(bytes(2 * 16_000 * 4))
    assert await warnings_after(card, 40.0, caplog) == []


async def test_what_is_muted_while_the_speaker_sounds_does_not_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    card = SimulatedCard()
    stages = [MicrophoneInput(card.backend(), mute=True), SpeakerOutput(card.backend())]
    task = PipelineTask(Pipeline(stages))
    for nth in range(3):
        await task.queue_frame(speech(8.0, nth))
    asyncio.get_running_loop().call_later(20.0, task.cancel)
    with caplog.at_level(logging.WARNING, "voicepipe"):
        report = await task.run()
    assert report.dropped["muted"] > 19 * RATE
    assert caplog.records == []
