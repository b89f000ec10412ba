"""A speaker whose clock is not the microphone's: live sound, held steady."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from support.sound import Samples, assert_accounted, noise, samples, seam
from voicepipe import (
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
)
from voicepipe_devices.fake import SimulatedCard

MINUTES = 4
RATE = 16_000


async def live(card: SimulatedCard, minutes: float, *, steady: bool = True) -> tuple[RunReport, list[float]]:
    """Sound straight through for so long; also returns how much was queued, looked at ten times a second."""
    card.mic.hear(noise(minutes * 60 + 1))
    mic, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend(), steady=steady)
    task = PipelineTask(Pipeline([mic, Loopback(), speaker]))
    running = asyncio.create_task(task.run())
    queued: list[float] = []
    for _ in range(round(minutes * 600)):
        await asyncio.sleep(0.1)
        playback = speaker._playback
        assert playback is not None
        queued.append(playback.queued / RATE)
    task.end()
    return assert_accounted(await running), queued


def gaps_after_a_minute(played: Samples) -> int:
    """Runs of zeros in what was played. One stretched sample may be 0 by chance; eight are a gap."""
    silent = np.convolve(played[60 * RATE : -RATE] == 0, np.ones(8, np.int32), "valid")
    return int(np.count_nonzero(silent == 8))


@pytest.mark.heavy
@pytest.mark.parametrize("ppm", [150, -150])
async def test_two_clocks_make_no_gap_after_a_minute_and_the_queue_does_not_creep(ppm: int) -> None:
    card = SimulatedCard(jitter_s=0.003)
    card.speaker.drift_ppm = float(ppm)
    report, queued = await live(card, MINUTES)
    assert gaps_after_a_minute(samples(card.speaker.played())) == 0
    assert max(queued[600:]) < 0.12
    assert "mic_overflow" not in report.dropped
    drift = seam(report, "SpeakerOutput device").dropped.get("drift", 0)
    assert drift != 0


@pytest.mark.heavy
async def test_without_it_the_slower_speaker_leaves_out_what_has_become_late() -> None:
    """By 1,000 ppm, 120 ms in two minutes: with it, they are corrected."""
    card = SimulatedCard()
    card.speaker.drift_ppm = -1_000.0
    report, queued = await live(card, 2, steady=False)
    assert max(queued) < 0.05
    assert report.dropped == {"late": pytest.approx(0.12 * RATE, abs=0.021 * RATE)}


async def test_clocks_that_agree_change_no_sample() -> None:
    card = SimulatedCard()
    report, _ = await live(card, 1)
    played = samples(card.speaker.played())
    heard = played[played != 0]
    np.testing.assert_array_equal(heard, noise(61)[: len(heard)])
    assert seam(report, "SpeakerOutput device").dropped["drift"] == -round(0.035 * RATE), "the cushion"


async def test_what_was_not_captured_just_now_is_played_as_it_is() -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([SpeakerOutput(card.backend(), steady=True)]))
    said = noise(3.0)
    await task.queue_frame(OutputAudioFrame(said.tobytes()))
    task.end()
    report = await task.run()
    played = samples(card.speaker.played())
    np.testing.assert_array_equal(played[played != 0], said)
    assert report.dropped == {}


@pytest.mark.heavy
async def test_an_interruption_and_a_cancel_balance_the_books() -> None:
    for stop in ("interrupt", "cancel"):
        card = SimulatedCard(jitter_s=0.005)
        card.speaker.drift_ppm = 400.0
        card.mic.hear(noise(100.0))
        stages = [MicrophoneInput(card.backend()), Loopback(), SpeakerOutput(card.backend(), steady=True)]
        task = PipelineTask(Pipeline(stages))
        running = asyncio.create_task(task.run())
        await asyncio.sleep(90.003)
        getattr(task, stop)()
        await asyncio.sleep(1.0)
        task.end()
        assert_accounted(await running)


@pytest.mark.parametrize("wrong", [0, None, "yes"])
def test_steady_is_a_truth(wrong: object) -> None:
    with pytest.raises(TypeError, match="steady must be True or False"):
        SpeakerOutput("fake", steady=wrong)  # type: ignore[arg-type]
