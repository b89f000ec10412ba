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


def test_zeros_before_the_first_sound_are_told_and_none_after_it() -> None:
    blocks = [*[ZEROS] * 30, SOUND, *[ZEROS] * 30, SOUND, *[ZEROS] * 50]
    assert moments(DigitalSilence(10 * BLOCK_S - 1e-6), blocks) == [10]
    assert moments(DigitalSilence(10 * BLOCK_S - 1e-6), blocks[25:]) == []


@pytest.mark.parametrize("value", [1, -1, 3, -32_768])
def test_one_sample_that_is_not_zero_is_a_sound(value: int) -> None:
    almost = ZEROS[:-2] + value.to_bytes(2, "little", signed=True)
    silence = DigitalSilence(10 * BLOCK_S - 1e-6)
    assert moments(silence, [*[ZEROS] * 9, almost, *[ZEROS] * 20]) == []
    assert silence.heard


def reopenings(silence: DigitalSilence, *stretches: tuple[bytes, float]) -> list[int]:
    """At which seconds of audio the device is opened again."""
    at: list[int] = []
    seconds = 0.0
    for data, length in stretches:
        for _ in range(round(length / BLOCK_S)):
            silence.has_lasted(data, BLOCK_S)
            seconds += BLOCK_S
            if silence.reopening_is_due:
                silence.note_reopening()
                at.append(round(seconds))
    return at


def test_the_wait_between_reopenings_doubles_up_to_ten_minutes() -> None:
    at = reopenings(DigitalSilence(), (ZEROS, 3_500.0))
    assert at == [30, 90, 210, 450, 930, 1_530, 2_130, 2_730, 3_330]


def test_a_sound_begins_the_waits_anew() -> None:
    assert reopenings(DigitalSilence(), (ZEROS, 100.0), (SOUND, 1.0), (ZEROS, 100.0)) == [30, 90, 131, 191]


@pytest.mark.heavy
def test_zeros_that_often_end_by_themselves_are_taken_to_be_usual() -> None:
    turns = [(ZEROS, 40.0), (SOUND, 2.0)] * 2_000
    at = reopenings(DigitalSilence(), *turns)
    assert len(at) == 3  # of 2,000


def test_a_stream_that_a_reopening_revives_is_opened_again_as_soon_the_next_time() -> None:
    turns = [(ZEROS, 30.0), (ZEROS, 0.1), (SOUND, 5.0)] * 20
    at = reopenings(DigitalSilence(), *turns)
    assert len(at) == 20


def test_a_reopening_that_helps_makes_up_for_all_that_did_not() -> None:
    silence = DigitalSilence()
    reopenings(silence, *[(ZEROS, 700.0), (SOUND, 1.0)] * 10)
    assert reopenings(silence, (ZEROS, 600.1), (SOUND, 1.0), (ZEROS, 31.0)) == [600, 631]


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


async def test_a_noise_gate_between_turns_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    card = SimulatedCard()
    for nth in range(10):
        card.mic.hear(noise(2.0, nth))
        card.mic.hear(bytes(2 * 16_000 * 8))
    assert await warnings_after(card, 100.0, caplog) == []


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
