"""The speaker in a run: what it plays, when it says so, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

from endpoints.speaking import DEVICE, MAILBOX, Fact, Speaking
from support.sound import (
    BLOCK,
    BLOCK_S,
    LATENCY_S,
    RATE,
    WatchedCard,
    assert_accounted,
    heard,
    noise,
    samples,
    seam,
    sounds,
    speech,
    until,
    virtual_loop,
)
from support.stages import UP, Does, Ends
from voicepipe import (
    AudioFormat,
    BotStartedSpeakingFrame,
    DeviceLostError,
    Frame,
    FrameDirection,
    FrameProcessor,
    InterruptionFrame,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunState,
    SpeakerOutput,
    StartParams,
    TextFrame,
)
from voicepipe_devices.fake import SimulatedCard

RAMP = 80
"""5 ms."""
PAUSE_S = 0.3
"""Silence for so long ends a stretch of speech."""


def faded(audio: np.ndarray[Any, np.dtype[np.int16]]) -> list[int]:
    """5 ms of it, fading to nothing."""
    gain = np.linspace(1.0, 0.0, RAMP, endpoint=False)
    return [int(value) for value in audio[:RAMP] * gain]


# -- playing -----------------------------------------------------------------------


async def test_what_is_sent_is_heard_whole_and_without_a_gap() -> None:
    async with Speaking() as run:
        said = [noise(seconds, seed) for seed, seconds in enumerate((0.5, 0.001, 0.02, 0.333, 2.5))]
        for part in said:
            await run.say(OutputAudioFrame(part.tobytes()))
    report = await run.done()
    assert np.array_equal(heard(run.card), np.concatenate(said))
    assert report.dropped == {}
    assert seam(report, DEVICE).given == sum(map(len, said))


@pytest.mark.parametrize(("max_queue_s", "block_s"), [(0.05, 0.02), (0.1, 0.05), (1.0, 0.02), (5.0, 1.0)])
async def test_the_queue_takes_no_more_than_its_limit_and_never_runs_dry(
    max_queue_s: float, block_s: float
) -> None:
    async with Speaking(max_queue_s=max_queue_s, block_s=block_s) as run:
        for nth in range(3):
            await run.say(speech(10.0, nth))
    report = await run.done()
    with_device_s = min(max_queue_s, max(1.0, 2 * block_s))  # the rest waits before the device
    assert max(run.card.queued) == pytest.approx(with_device_s * RATE, abs=1)
    assert np.array_equal(heard(run.card), np.concatenate([noise(10.0, nth) for nth in range(3)]))
    assert report.dropped == {}


async def test_a_pusher_waits_when_the_queue_and_the_mailbox_are_full() -> None:
    async with Speaking(max_queue_s=1) as run:
        sent = 0

        async def talk_on() -> None:
            nonlocal sent
            for nth in range(100):
                await run.say(speech(1.0, nth))
                sent += 1

        talking = asyncio.create_task(talk_on())
        await asyncio.sleep(5.0)
        # 5 were heard; 1 waits in the queue, 1 is in hand, and 33 wait in the mailbox.
        assert 5 + 1 + 1 + 16 <= sent <= 5 + 1 + 1 + 33
        await talking
    await run.done()
    assert len(heard(run.card)) == 100 * RATE


async def test_other_frames_pass_in_their_place_and_upstream_audio_is_not_played() -> None:
    card = SimulatedCard()

    async def reflect(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            await stage.push_frame(speech(0.1), UP)
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([SpeakerOutput(card.backend()), Does(reflect)]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await task.queue_frame(speech(0.2, 1))
    await task.queue_frame(TextFrame("hello"))
    await asyncio.sleep(1.0)
    task.end()
    report = assert_accounted(await running)
    assert [type(frame) for frame in ends.up if not isinstance(frame, Fact)] == [OutputAudioFrame]
    assert [frame.text for frame in ends.down if isinstance(frame, TextFrame)] == ["hello"]
    assert np.array_equal(heard(card), noise(0.2, 1))
    assert seam(report, DEVICE).taken == round(0.2 * RATE)


async def test_what_was_sent_before_the_start_is_heard_after_it() -> None:
    card = SimulatedCard()

    class Greets(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            await self.push_frame(speech(0.2, 1))

    task = PipelineTask(Pipeline([Greets(), SpeakerOutput(card.backend())]))
    assert await task.queue_frame(speech(0.3, 2))
    task.end()
    assert_accounted(await task.run(), MAILBOX, DEVICE)
    assert np.array_equal(heard(card), np.concatenate([noise(0.2, 1), noise(0.3, 2)]))


async def test_audio_after_the_end_is_refused() -> None:
    async with Speaking() as run:
        await run.say(speech(0.1))
        run.task.end()
        assert not await run.task.queue_frame(speech(0.1, 1))
    await run.done()
    assert np.array_equal(heard(run.card), noise(0.1))


@pytest.mark.parametrize(
    "frame",
    [
        OutputAudioFrame(bytes(200), 24_000),
        OutputAudioFrame(bytes(400), 16_000, 2),
        OutputAudioFrame(b"", 8_000),
    ],
)
async def test_audio_of_another_format_is_no_error(frame: OutputAudioFrame) -> None:
    async with Speaking() as run:
        await run.say(speech(0.1))
        await run.say(frame)
    report = await run.done_of_other_formats()
    assert report.state is RunState.ENDED
    due = round(0.1 * RATE) + (frame.num_samples * RATE + frame.rate // 2) // frame.rate
    assert seam(report, DEVICE).given == due


async def test_the_speaker_plays_the_output_format_of_the_run() -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([SpeakerOutput(card.backend())]), output=AudioFormat(48_000, 2))
    said = noise(1.0)
    await task.queue_frame(OutputAudioFrame(said.tobytes(), 48_000, 2))
    task.end()
    report = assert_accounted(await task.run(), MAILBOX, DEVICE)
    assert np.array_equal(heard(card), said)
    assert seam(report, DEVICE).given == len(said) // 2


@pytest.mark.parametrize("wrong", [0.049, 3601, float("nan"), float("inf"), -1, True, "1s", None])
def test_a_queue_of_a_bad_length_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_queue_s"):
        SpeakerOutput("fake", max_queue_s=wrong)


def test_a_queue_shorter_than_two_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_queue_s must be at least 0\.2"):
        SpeakerOutput("fake", block_s=0.1, max_queue_s=0.19)


# -- the end -----------------------------------------------------------------------


@pytest.mark.parametrize("latency", ["low", 0.0, 0.5])
@pytest.mark.parametrize("block_s", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("seconds", [0.0005, 0.1, 3.21])
async def test_the_end_passes_the_sink_when_the_last_sample_has_sounded(
    latency: str | float, block_s: float, seconds: float
) -> None:
    async with Speaking(latency=latency, block_s=block_s) as run:
        await asyncio.sleep(0.0107)
        await run.say(speech(seconds))
        run.task.end()
        await run.ends.ended.wait()
        ended = virtual_loop().time()
    latency_s = 2 * block_s if isinstance(latency, str) else latency
    assert np.array_equal(heard(run.card), noise(seconds))
    sounded = run.card.last_sound_s() + latency_s
    period_s = max(block_s, latency_s / 3)  # of the device, which what it reports may be short by
    assert sounded <= ended <= sounded + block_s + period_s + 0.001
    await run.done()


async def test_a_farewell_longer_than_the_stall_limit_is_heard_to_its_end() -> None:
    async with Speaking(limits=Limits(stall_s=0.5)) as run:
        for nth in range(6):
            await run.say(speech(10.0, nth))
        run.task.end()
    report = await run.done()
    assert len(heard(run.card)) == 60 * RATE
    assert report.slow == ()


async def test_an_end_with_nothing_to_say_comes_at_once() -> None:
    async with Speaking() as run:
        await asyncio.sleep(1.0)
        run.task.end()
        await run.ends.ended.wait()
        assert virtual_loop().time() <= 1.0 + LATENCY_S + BLOCK_S
    assert run.told() == []


# -- facts -------------------------------------------------------------------------


async def test_speech_is_told_once_at_its_begin_and_once_at_its_end_both_ways() -> None:
    async with Speaking() as run:
        await run.say(speech(0.5, 0))
        await asyncio.sleep(2.0)
        for nth in range(10):
            await run.say(speech(0.1, nth))
        await asyncio.sleep(3.0)
        assert run.told() == [("started", 0), ("stopped", 8_000), ("started", 8_000), ("stopped", 24_000)]
        stopped = run.facts()[1]
        quiet_s = run.time_of(stopped) - 0.5
        assert quiet_s == pytest.approx(PAUSE_S + LATENCY_S, abs=2 * BLOCK_S)
    await run.done()
    assert len(run.told()) == 4


@pytest.mark.parametrize("seed", range(10))
async def test_a_live_stream_with_gaps_between_its_frames_is_one_stretch_of_speech(seed: int) -> None:
    rng = random.Random(seed)
    async with Speaking() as run:
        for nth in range(100):
            await run.say(speech(BLOCK_S, nth))
            await asyncio.sleep(rng.choice([0.0, BLOCK_S, rng.uniform(0.0, PAUSE_S)]))
    await run.done()
    assert run.told() == [("started", 0), ("stopped", 100 * BLOCK)]


async def test_each_pause_that_is_long_enough_ends_a_stretch() -> None:
    async with Speaking() as run:
        for nth in range(20):
            await run.say(speech(0.1, nth))
            await asyncio.sleep(0.1 + PAUSE_S + LATENCY_S + 2 * BLOCK_S)
    await run.done()
    assert run.told() == [
        fact for nth in range(20) for fact in (("started", nth * 1600), ("stopped", (nth + 1) * 1600))
    ]


async def test_a_long_latency_does_not_end_speech_before_it_was_heard() -> None:
    async with Speaking(latency=2.0) as run:
        await run.say(speech(0.5))
        await asyncio.sleep(5.0)
        stopped = run.facts()[1]
        assert run.time_of(stopped) >= run.card.last_sound_s() + 2.0
    await run.done()


async def test_speech_that_the_end_follows_is_over_before_the_end_passes() -> None:
    async with Speaking() as run:
        await run.say(speech(0.5))
    await run.done()
    assert run.told() == [("started", 0), ("stopped", 8_000)]
    kinds = [type(frame).__name__ for frame in run.ends.down]
    assert kinds == ["StartFrame", "BotStartedSpeakingFrame", "BotStoppedSpeakingFrame", "EndFrame"]


async def test_empty_frames_are_legal_and_neither_begin_nor_prolong_speech() -> None:
    async with Speaking() as run:
        await run.say(OutputAudioFrame(b""))
        await asyncio.sleep(0.5)
        assert run.told() == []
        await run.say(speech(0.1))
        for _ in range(40):
            await run.say(OutputAudioFrame(b""))
            await asyncio.sleep(0.05)
        assert run.told() == [("started", 0), ("stopped", 1600)]
    report = await run.done()
    assert seam(report, DEVICE).taken == 1600


async def test_other_frames_pass_by_although_the_queue_is_full() -> None:
    async with Speaking(max_queue_s=1) as run:
        for nth in range(3):
            await run.say(speech(5.0, nth))
        await asyncio.sleep(0.1)
        before = virtual_loop().time()
        await run.say(TextFrame("hello"))
        await asyncio.sleep(0)
        assert any(isinstance(frame, TextFrame) for frame in run.ends.down)
        assert virtual_loop().time() == before
    await run.done()


async def test_facts_go_upstream_at_once_although_nobody_takes_them_downstream() -> None:
    async def hold(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(1.0)

    task = PipelineTask(Pipeline([SpeakerOutput(SimulatedCard().backend()), Does(hold)]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    for _ in range(33):
        await task.queue_frame(TextFrame("one is held, 32 fill the mailbox"))
        await asyncio.sleep(0.001)
    await task.queue_frame(speech(0.1))
    await asyncio.sleep(0.001)
    assert [type(frame) for frame in ends.up] == [BotStartedSpeakingFrame]
    task.cancel()
    assert_accounted(await running)


# -- interruption ------------------------------------------------------------------


async def test_an_interruption_fades_within_5_ms_of_the_next_block_and_forgets_the_rest() -> None:
    said = noise(5.0)
    async with Speaking() as run:
        await run.say(OutputAudioFrame(said.tobytes()))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        assert run.card.stream.position == before
        await asyncio.sleep(BLOCK_S)
        assert run.told() == [("started", 0), ("cut", before + RAMP)]
        await asyncio.sleep(1.0)
    report = await run.done()
    played = samples(run.card.speaker.played())
    assert played[:before].tolist() == said[:before].tolist()
    assert played[before : before + RAMP].tolist() == faded(said[before:])
    assert not played[before + RAMP :].any()
    assert seam(report, DEVICE).dropped == {"interrupted": len(said) - before - RAMP}
    assert len(run.told()) == 2


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_sent_after_an_interruption_is_heard_whole(at_once: bool) -> None:
    after = noise(0.5, seed=9)
    async with Speaking() as run:
        await run.say(speech(5.0))
        await run.say(speech(5.0, 1))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        if not at_once:
            await asyncio.sleep(1.0)
        await run.say(OutputAudioFrame(after.tobytes()))
    report = await run.done()
    cut = before + RAMP
    assert run.told() == [("started", 0), ("cut", cut), ("started", cut), ("stopped", cut + len(after))]
    assert np.array_equal(sounds(run.card)[-len(after) :], after)
    assert np.flatnonzero(samples(run.card.speaker.played()))[-1] >= cut + len(after) - 1
    assert report.dropped == {"interrupted": 10 * RATE - cut}


async def test_the_position_of_a_cut_is_what_was_handed_to_the_device_however_late_the_loop_looks() -> None:
    async with Speaking() as run:
        await run.say(speech(5.0))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        await run.say(speech(1.0, 1))
        virtual_loop().freeze(0.5)
    await run.done()
    cut = before + RAMP
    assert run.told() == [("started", 0), ("cut", cut), ("started", cut), ("stopped", cut + RATE)]
    assert np.array_equal(sounds(run.card)[-RATE:], noise(1.0, 1))


async def test_several_interruptions_in_a_row_are_each_survived() -> None:
    async with Speaking() as run:
        for nth in range(10):
            await run.say(speech(1.0, nth))
            await asyncio.sleep(0.0707)
            await run.interrupt()
            await run.interrupt()
        await run.say(speech(0.3, 99))
    report = await run.done()
    kinds = [what for what, _ in run.told()]
    assert kinds == ["started", "cut"] * 10 + ["started", "stopped"]
    assert seam(report, DEVICE).given == run.told()[-1][1]
    assert np.array_equal(sounds(run.card)[-4800:], noise(0.3, 99))


async def test_what_is_cut_before_it_begins_was_never_begun() -> None:
    async with Speaking() as run:
        await run.say(speech(0.9))
        await asyncio.sleep(0.505)
        cut = run.card.stream.position + RAMP
        await run.interrupt()
        await run.say(speech(1.0, 1))
        await asyncio.sleep(0.001)  # it is in hand, and waits until the device has let go of what was before
        await run.interrupt()
        await asyncio.sleep(1.0)
        assert run.told() == [("started", 0), ("cut", cut)]
    report = await run.done()
    assert report.dropped == {"interrupted": round(1.9 * RATE) - cut}


async def test_an_interruption_while_nothing_is_said_changes_nothing() -> None:
    async with Speaking() as run:
        await run.interrupt()
        await run.say(speech(0.2))
        await asyncio.sleep(0.22)
        assert run.card.stream.queued == 0
        await run.interrupt()  # everything is with the device already
        await asyncio.sleep(1.0)
        await run.interrupt()
    report = await run.done()
    assert report.dropped == {}
    assert run.told() == [("started", 0), ("stopped", 3200)]
    assert np.array_equal(heard(run.card), noise(0.2))


async def test_an_interruption_drops_what_waits_for_room_too() -> None:
    async with Speaking(max_queue_s=0.1) as run:
        await run.say(speech(10.0))  # most of it waits before the queue
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        await run.say(speech(0.1, 1))
    report = await run.done()
    assert np.array_equal(sounds(run.card)[-1600:], noise(0.1, 1))
    assert seam(report, DEVICE).dropped == {"interrupted": 10 * RATE - before - RAMP}


async def test_an_interruption_with_the_end_queued_drops_audio_and_the_end_survives() -> None:
    async with Speaking() as run:
        for nth in range(10):
            await run.say(speech(10.0, nth))
        await asyncio.sleep(0.505)
        run.task.end()
        await asyncio.sleep(0.5)
        began = virtual_loop().time()
        await run.interrupt()
        await run.ends.ended.wait()
        assert virtual_loop().time() - began <= LATENCY_S + 2 * BLOCK_S
    report = await run.done()
    assert report.state is RunState.ENDED
    assert report.dropped["interrupted"] == 100 * RATE - run.told()[-1][1]
    assert [what for what, _ in run.told()] == ["started", "cut"]
    kinds = [type(f).__name__ for f in run.ends.down]
    assert kinds.index("BotStoppedSpeakingFrame") < kinds.index("EndFrame") == len(kinds) - 1


async def test_an_end_behind_an_interruption_waits_for_the_fade_and_says_it_was_cut() -> None:
    async with Speaking() as run:
        await run.say(speech(5.0))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        run.task.interrupt()
        run.task.end()
    report = await run.done()
    assert run.told() == [("started", 0), ("cut", before + RAMP)]
    assert report.dropped == {"interrupted": 5 * RATE - before - RAMP}


async def test_a_stage_that_asks_for_an_interruption_gets_one() -> None:
    card = WatchedCard()

    async def cut_in(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            await stage.push_frame(InterruptionFrame())
        else:
            await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(cut_in), SpeakerOutput(card.backend())]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(speech(5.0))
    await asyncio.sleep(1.0)
    await task.queue_frame(TextFrame("stop"))
    await asyncio.sleep(0.1)
    task.end()
    report = assert_accounted(await running, "does", MAILBOX)
    assert 1.0 * RATE <= seam(report, DEVICE).given <= 1.05 * RATE
    assert virtual_loop().time() < 1.3


# -- cancel ------------------------------------------------------------------------


async def test_a_cancel_fades_within_5_ms_of_the_next_block_and_then_there_is_silence() -> None:
    said = noise(10.0)
    async with Speaking() as run:
        await run.say(OutputAudioFrame(said.tobytes()))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        began = virtual_loop().time()
        run.task.cancel()
        report = await run.done()
    heard_s = 3 * BLOCK_S  # the fade, at the end of the simulated card's latency and a block
    assert heard_s <= virtual_loop().time() - began <= 2 * BLOCK_S + heard_s
    played = samples(run.card.speaker.played())
    assert played[:before].tolist() == said[:before].tolist()
    assert played[before : before + RAMP].tolist() == faded(said[before:])
    assert not played[before + RAMP :].any()
    assert len(played) >= before + BLOCK
    assert report.state is RunState.CANCELLED
    assert report.dropped == {"cancelled": len(said) - before - RAMP}
    assert report.abandoned == ()
    assert run.told() == [("started", 0)]


async def test_a_cancel_overtakes_an_end_that_waits_for_a_long_farewell() -> None:
    async with Speaking() as run:
        for nth in range(6):
            await run.say(speech(10.0, nth))
        run.task.end()
        await asyncio.sleep(1.005)
        run.task.cancel()
        report = await run.done()
    assert virtual_loop().time() < 1.1
    assert report.state is RunState.CANCELLED
    assert report.dropped == {"cancelled": 60 * RATE - seam(report, DEVICE).given}


async def test_an_interruption_before_a_cancel_keeps_its_own_count() -> None:
    async with Speaking() as run:
        await run.say(speech(5.0))
        await asyncio.sleep(0.505)
        await run.interrupt()
        await asyncio.sleep(0.1)
        cut = run.card.stream.position
        await run.say(speech(5.0, 1))
        await asyncio.sleep(0.5)
        run.task.cancel()
        report = await run.done()
    assert seam(report, DEVICE).dropped == {
        "interrupted": 5 * RATE - cut,
        "cancelled": 5 * RATE - (seam(report, DEVICE).given - cut),
    }


@pytest.mark.parametrize("fault", ["stall", "vanish", "unplug"])
@pytest.mark.parametrize("block_s", [0.02, 1.0])
async def test_a_cancel_does_not_wait_for_a_device_that_is_dead(fault: str, block_s: float) -> None:
    async with Speaking(block_s=block_s, max_queue_s=2.0) as run:
        await run.say(speech(10.0))
        await asyncio.sleep(1.505)
        getattr(run.card.speaker, fault)()
        run.task.cancel()
        began = virtual_loop().time()
        report = await run.done()
    # Two blocks and a tenth of a second, or half of what a cancel has to stop the stages.
    assert virtual_loop().time() - began <= min(2 * block_s + 0.1, 0.5) + 0.01
    assert report.state is RunState.CANCELLED
    assert report.abandoned == ()
    (lost,) = report.dropped.values()
    assert lost == 10 * RATE - seam(report, DEVICE).given


async def test_a_close_that_is_stuck_is_abandoned_by_name_and_its_books_are_closed() -> None:
    async with Speaking() as run:
        await run.say(speech(10.0))
        await asyncio.sleep(0.505)
        run.card.speaker.stuck_close(30.0)
        run.task.cancel()
        began = virtual_loop().time()
        report = await run.done()
    # Its second cancellation has a tenth of a second to work.
    assert virtual_loop().time() - began <= 2.0 + 0.1
    (abandoned,) = report.abandoned
    assert abandoned.name == f"{run.task.name}:SpeakerOutput:cleanup"
    assert "sound_server.py" in abandoned.where
    assert report.dropped == {"cancelled": 10 * RATE - seam(report, DEVICE).given}
    await asyncio.sleep(30.0)  # it comes back in the end
    assert not run.card.speaker.is_open


# -- the device is lost --------------------------------------------------------------


@pytest.mark.parametrize("speaking", [True, False])
@pytest.mark.parametrize("fault", ["unplug", "vanish", "stall"])
async def test_a_lost_speaker_fails_the_run_within_two_seconds_where_that_is_asked_for(
    fault: str, speaking: bool
) -> None:
    async with Speaking(on_loss="fail") as run:
        await run.say(speech(10.0 if speaking else 0.1))
        await asyncio.sleep(1.505)
        getattr(run.card.speaker, fault)()
        began = virtual_loop().time()
        error = await run.failed()
    assert virtual_loop().time() - began <= 2.0
    assert isinstance(error.__cause__, DeviceLostError)
    assert error.stage == "SpeakerOutput"
    assert "watched speaker" in str(error)
    assert error.report is not None
    device = seam(error.report, DEVICE)
    assert device.dropped == ({"device_lost": 10 * RATE - device.given} if speaking else {})


@pytest.mark.parametrize("fault", ["unplug", "vanish", "stall"])
async def test_an_end_while_the_speaker_is_lost_comes_within_its_limit_and_counts_it(fault: str) -> None:
    async with Speaking(on_loss="fail") as run:
        for nth in range(10):
            await run.say(speech(10.0, nth))
        await asyncio.sleep(1.505)
        getattr(run.card.speaker, fault)()
        run.task.end()
        began = virtual_loop().time()
        error = await run.failed()
    assert run.ends.ended.is_set()
    assert virtual_loop().time() - began <= 3.5
    assert isinstance(error.__cause__, DeviceLostError)
    assert error.report is not None
    device = seam(error.report, DEVICE)
    assert device.dropped == {"device_lost": 100 * RATE - device.given}


@pytest.mark.parametrize("fault", ["unplug", "vanish", "stall"])
async def test_a_speaker_lost_while_its_last_words_play_counts_them_as_lost(fault: str) -> None:
    async with Speaking(on_loss="fail") as run:
        await run.say(speech(0.9))
        run.task.end()
        await asyncio.sleep(0.505)
        getattr(run.card.speaker, fault)()
        began = virtual_loop().time()
        error = await run.failed()
    assert virtual_loop().time() - began <= 2.0
    assert run.ends.ended.is_set()
    assert error.report is not None
    device = seam(error.report, DEVICE)
    assert device.dropped == {"device_lost": round(0.9 * RATE) - device.given}
    assert device.given == pytest.approx(0.5 * RATE, abs=BLOCK)


async def test_a_stall_that_passes_loses_nothing() -> None:
    async with Speaking() as run:
        await run.say(speech(3.0))
        await asyncio.sleep(1.0)
        run.card.speaker.stall()
        await asyncio.sleep(0.7)
        run.card.speaker.stall(False)
    report = await run.done()
    assert np.array_equal(heard(run.card), noise(3.0))
    assert report.dropped == {}


async def test_an_interruption_of_a_dead_speaker_does_not_hide_its_loss() -> None:
    async with Speaking(on_loss="fail") as run:
        await run.say(speech(5.0))
        await asyncio.sleep(0.505)
        run.card.speaker.vanish()
        await run.interrupt()
        await run.say(speech(1.0, 1))
        began = virtual_loop().time()
        error = await run.failed()
    assert virtual_loop().time() - began <= 2.0
    assert isinstance(error.__cause__, DeviceLostError)
    assert error.report is not None
    device = seam(error.report, DEVICE)
    assert device.taken == 6 * RATE
    # What waited before the queue was dropped at once; the queue, and what came later, with the device.
    assert device.dropped == {"interrupted": 4 * RATE - device.given, "device_lost": 2 * RATE}


# -- again -------------------------------------------------------------------------


async def test_a_speaker_can_be_used_for_a_second_run_with_fresh_books() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    for nth in range(3):
        card.speaker.forget()
        task = PipelineTask(Pipeline([speaker]))
        ends = Ends(task)
        await task.queue_frame(speech(0.5, nth))
        task.end()
        report = assert_accounted(await task.run(), MAILBOX, DEVICE)
        assert np.array_equal(heard(card), noise(0.5, nth))
        assert seam(report, DEVICE).taken == 8_000
        positions = [frame.position for frame in ends.up if isinstance(frame, Fact)]
        assert positions == [0, 8_000]


async def test_a_second_run_after_a_cancel_owes_nothing_to_the_first() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    for interrupted in (False, True, False):
        task = PipelineTask(Pipeline([speaker]))
        ends = Ends(task)
        running = asyncio.create_task(task.run())
        await task.queue_frame(speech(5.0))
        await asyncio.sleep(0.505)
        if interrupted:
            task.interrupt()
        await asyncio.sleep(0.001)
        task.cancel()
        report = assert_accounted(await running, MAILBOX, DEVICE)
        assert seam(report, DEVICE).taken == 5 * RATE
        assert [type(frame) for frame in ends.up] == [BotStartedSpeakingFrame]


async def test_the_books_balance_at_every_moment_of_a_run() -> None:
    async with Speaking(max_queue_s=0.2) as run:
        loop = virtual_loop()
        looks = 0

        def look() -> None:
            nonlocal looks
            report = run.task.report
            assert report is not None
            for each in report.seams:
                assert each.balanced, str(each)
            looks += 1

        for nth in range(200):
            loop.call_later(nth * 0.0101, look)
        for nth in range(5):
            await run.say(speech(1.0, nth))
        await asyncio.sleep(0.7)
        await run.interrupt()
        await run.say(speech(1.0, 7))
        await until(lambda: looks == 200)
    await run.done()
