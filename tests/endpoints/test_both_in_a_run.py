"""Microphone to speaker, over a simulated card: what is accepted is heard or accounted for, come what may."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from support.sound import (
    BLOCK,
    BLOCK_S,
    LATENCY_S,
    RATE,
    THROUGH,
    WatchedCard,
    assert_accounted,
    heard,
    noise,
    samples,
    seam,
    sounds,
    talk,
    virtual_loop,
)
from support.stages import Does, Ends, Loopback, Recorder
from voicepipe import (
    AudioFormat,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Limits,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    SpeakerOutput,
    StartParams,
)
from voicepipe.devices.port import InputStream, StreamRequest
from voicepipe_devices.fake import FakeBackend, SimulatedCard

MIC, _, SPEAKER = THROUGH
FAULTS = ("unplug", "vanish", "stall")
both_devices = pytest.mark.parametrize("device", ["mic", "speaker"])


async def run_for(task: PipelineTask, seconds: float, request: Callable[[], None]) -> RunReport:
    """Run, and make the request after so long."""
    timer = asyncio.get_running_loop().call_later(seconds, request)
    try:
        return await task.run()
    finally:
        timer.cancel()


async def failure_of(task: PipelineTask) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        await task.run()
    assert_accounted(caught.value.report)
    return caught.value


async def assert_it_works(card: SimulatedCard) -> None:
    """The next run in the same loop, over the same card, is a run like any other."""
    card.speaker.forget()
    card.mic.hear(noise(0.3, seed=77))
    card.mic.run_out()
    report = assert_accounted(await talk(card).run(), *THROUGH)
    # Of a run before this one something may wait yet to be heard.
    assert np.array_equal(heard(card)[-round(0.3 * RATE) :], noise(0.3, seed=77))
    assert report.state is RunState.ENDED
    assert report.dropped == {}


class Pause(FrameProcessor):
    """Takes its time for every frame."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__(name="pause")
        self._seconds = seconds

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(self._seconds())
        await self.push_frame(frame, direction)


class OpensSlowly(FrameProcessor):
    """Takes a second to open."""

    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(1.0)


# -- everything captured before the End is heard -------------------------------------


@pytest.mark.parametrize("seed", range(40))
async def test_everything_captured_before_the_end_is_heard_bit_by_bit(seed: int) -> None:
    rng = random.Random(seed)
    card = SimulatedCard()
    said = noise(10.0, seed)
    card.mic.hear(said)
    card.mic.slow_open(rng.uniform(0.0, 0.3))  # the two clocks tick at different moments
    task = talk(card)
    captured = 0

    def end() -> None:
        nonlocal captured
        captured = card.mic.captured
        task.end()

    report = assert_accounted(await run_for(task, rng.uniform(0.0, 3.0), end), *THROUGH)
    assert np.array_equal(heard(card), said[:captured])
    assert seam(report, SPEAKER).given == captured
    assert report.dropped == {}
    assert report.state is RunState.ENDED


@pytest.mark.parametrize("seed", range(20))
async def test_everything_captured_before_the_end_is_heard_through_stages_that_stutter(seed: int) -> None:
    rng = random.Random(seed)
    card = SimulatedCard(jitter_s=rng.choice([0.0, 0.03]), drift_ppm=rng.choice([0, -80, 80]), seed=seed)
    said = noise(10.0, seed)
    card.mic.hear(said)

    def stutter() -> float:
        if rng.random() < 0.02:
            virtual_loop().freeze(rng.uniform(0.0, 0.9))
        return rng.choice([0.0, rng.uniform(0.0, 0.03)])

    task = talk(card, Pause(stutter))
    captured = 0

    def end() -> None:
        nonlocal captured
        captured = card.mic.captured
        task.end()

    report = assert_accounted(await run_for(task, rng.uniform(0.0, 5.0), end), MIC, "pause", *THROUGH[1:])
    sound, late = sounds(card), report.dropped.get("late", 0)
    taken = seam(report, SPEAKER).given + late  # a joint may hold a zero
    assert taken >= captured  # a microphone that waits for room captures until it sees the End
    assert late or np.array_equal(sound, said[:taken])
    assert np.array_equal(sound[-BLOCK:], said[taken - BLOCK : taken]), "to its last sample"
    assert seam(report, MIC).taken == taken
    assert not set(report.dropped) - {"late"}


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 12_345])
async def test_an_input_that_runs_out_is_heard_to_its_last_sample(count: int) -> None:
    card = SimulatedCard()
    said = noise(1.0)[:count]
    card.mic.hear(said)
    card.mic.run_out()
    report = assert_accounted(await talk(card).run(), *THROUGH)
    assert np.array_equal(heard(card), said)
    assert report.reason == "simulated microphone has run out"
    assert [seam(report, name).taken for name in THROUGH] == [count] * 3


@pytest.mark.parametrize("at", [1, 7, 50])
async def test_what_a_stage_passed_before_it_asked_for_the_end_is_heard(at: int) -> None:
    card = SimulatedCard()
    said = noise(5.0)
    card.mic.hear(said)
    count = 0

    async def ask(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        nonlocal count
        await stage.push_frame(frame, direction)
        if isinstance(frame, InputAudioFrame):
            count += 1
            if count == at:
                await stage.push_frame(EndFrame("enough"))

    task = talk(card, Does(ask))
    report = assert_accounted(await task.run(), MIC, "does", *THROUGH[1:])
    assert report.reason == "enough"
    assert np.array_equal(heard(card), said[: at * BLOCK])
    assert report.dropped == {}


async def test_the_end_passes_the_sink_after_the_last_sample_has_sounded() -> None:
    card = WatchedCard()
    card.mic.hear(noise(1.234))
    card.mic.run_out()
    task = talk(card)
    ended: list[float] = []
    loop = virtual_loop()
    task.subscribe(lambda frame, _: ended.append(loop.time()) if isinstance(frame, EndFrame) else None)
    await task.run()
    assert len(ended) == 1
    assert card.last_sound_s() + LATENCY_S <= ended[0] <= card.last_sound_s() + LATENCY_S + 2 * BLOCK_S


async def test_no_silence_enters_the_pipeline_while_it_drains() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(1.0))
    card.mic.run_out()
    recorder = Recorder()
    pipeline = [MicrophoneInput(card.backend()), Loopback(), SpeakerOutput(card.backend()), recorder]
    report = await PipelineTask(Pipeline(pipeline)).run()
    assert {type(frame) for frame in recorder.frames} == {BotStartedSpeakingFrame, BotStoppedSpeakingFrame}
    assert seam(report, SPEAKER).given == RATE


# -- overload ------------------------------------------------------------------------


@pytest.mark.parametrize(("max_queue_s", "most_s"), [(1.0, 1), (300.0, 3)])
async def test_live_audio_beyond_the_queue_of_a_held_speaker_is_dropped_there_and_nobody_waits(
    max_queue_s: float, most_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    card = SimulatedCard()
    said = noise(10.0)
    card.mic.hear(said)
    card.mic.run_out()
    speaker = SpeakerOutput(card.backend(), max_queue_s=max_queue_s)
    virtual_loop().call_later(2.0, speaker.hold)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Loopback(), speaker]))
    with caplog.at_level(logging.WARNING, "voicepipe"):
        report = assert_accounted(await task.run(), *THROUGH)
    assert set(report.dropped) == {"overflow"}
    lost = seam(report, SPEAKER).dropped["overflow"]
    assert lost / RATE == pytest.approx(8 - most_s, abs=0.1)
    assert [r.getMessage() for r in caplog.records if "of audio waits" in r.getMessage()] == [
        f"SpeakerOutput: more than {most_s} s of audio waits to be played: live audio does not wait, and is "
        "dropped as `overflow`; the speaker is too slow for it"
    ]


@pytest.mark.parametrize("seconds", [1.5, 2.0])
async def test_a_frozen_loop_loses_nothing_up_to_the_ring(seconds: float) -> None:
    card = SimulatedCard()
    said = noise(6.0)
    card.mic.hear(said)
    card.mic.run_out()
    task = talk(card)
    virtual_loop().call_later(1.001, virtual_loop().freeze, seconds)
    report = assert_accounted(await task.run(), *THROUGH)
    late = round(seconds * RATE)
    assert report.dropped == {"late": pytest.approx(late, abs=BLOCK)}, "and nothing else"
    assert len(sounds(card)) == len(said) - report.dropped["late"]


# -- interruption ----------------------------------------------------------------------


async def test_an_interruption_in_a_conversation_lets_the_rest_be_heard() -> None:
    card = SimulatedCard()
    said = noise(4.0)
    card.mic.hear(said)
    card.mic.run_out()
    task = talk(card)
    ends = Ends(task)
    loop = virtual_loop()
    loop.call_later(1.0, card.speaker.stall)  # half a second piles up
    loop.call_later(1.5, task.interrupt)
    loop.call_later(1.51, card.speaker.stall, False)
    report = assert_accounted(await task.run(), *THROUGH)
    sound, lost = sounds(card), report.dropped["interrupted"]
    assert 0.4 * RATE < lost < 0.6 * RATE
    assert report.dropped["late"] == RATE // 100, "the stalled card has another phase"
    left = len(said) - lost - report.dropped["late"]
    assert len(sound) == pytest.approx(left, abs=1)  # the fade may end in a zero
    assert np.array_equal(sound[-RATE:], said[-RATE:])
    stopped = [frame for frame in ends.down if isinstance(frame, BotStoppedSpeakingFrame)]
    assert [frame.interrupted for frame in stopped] == [True, False]
    assert stopped[-1].position == left


# -- cancel ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.heavy(after=8)
async def test_a_cancel_at_any_moment_closes_everything_and_accounts_for_every_sample(seed: int) -> None:
    rng = random.Random(seed)
    card = SimulatedCard(jitter_s=rng.choice([0.0, 0.02]), seed=seed)
    card.mic.hear(noise(10.0, seed))
    task = talk(card, Pause(lambda: rng.uniform(0.0, 0.03)))
    loop = virtual_loop()
    cancelled_at = rng.uniform(0.0, 4.0)
    loop.call_later(max(0.0, cancelled_at - rng.uniform(0.0, 1.0)), rng.choice([task.end, task.interrupt]))
    report = assert_accounted(await run_for(task, cancelled_at, task.cancel))
    assert loop.time() - cancelled_at <= 2.0
    assert report.state in (RunState.CANCELLED, RunState.ENDED)
    assert report.abandoned == ()
    assert set(report.dropped) <= {"cancelled", "interrupted", "late"}
    assert not card.mic.is_open
    assert not card.speaker.is_open
    await assert_it_works(card)


@both_devices
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_cancel_closes_within_two_seconds_whatever_has_become_of_the_device(
    device: str, fault: str
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(10.0))
    side = getattr(card, device)
    task = talk(card)
    loop = virtual_loop()
    loop.call_later(1.0, getattr(side, fault))
    report = assert_accounted(await run_for(task, 1.0, task.cancel))
    assert loop.time() - 1.0 <= 2.0
    assert report.abandoned == ()
    side.replug()
    side.stall(False)
    await assert_it_works(card)


@both_devices
async def test_a_close_that_is_stuck_for_ever_is_abandoned_and_the_rest_is_closed(device: str) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(10.0))
    side = getattr(card, device)
    side.stuck_close(30.0)
    task = talk(card)
    loop = virtual_loop()
    report = assert_accounted(await run_for(task, 1.0, task.cancel))
    assert loop.time() - 1.0 <= 2.0 + 0.1
    (abandoned,) = report.abandoned
    assert {"mic": "MicrophoneInput", "speaker": "SpeakerOutput"}[device] in abandoned.name
    assert [card.mic.is_open, card.speaker.is_open] == [device == "mic", device == "speaker"]
    await asyncio.sleep(30.0)  # the driver returns, long after
    side.stuck_close(0.0)
    await assert_it_works(card)


@both_devices
async def test_a_close_that_is_stuck_at_the_end_is_abandoned_when_all_was_heard(device: str) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(1.0))
    card.mic.run_out()
    getattr(card, device).stuck_close(30.0)
    report = assert_accounted(await talk(card).run(), *THROUGH)
    assert np.array_equal(heard(card), noise(1.0))
    assert len(report.abandoned) == 1
    assert report.state is RunState.ENDED
    assert virtual_loop().time() <= 1.0 + 1.5
    await asyncio.sleep(30.0)


async def test_a_late_close_of_an_earlier_run_leaves_the_next_run_alone() -> None:
    slow, well = SimulatedCard("slow"), SimulatedCard("well")
    cards = iter([slow, well])

    class NextCard(FakeBackend):
        """Opens another card each time."""

        async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
            return await next(cards).backend().open_input(request, wake)

    microphone, recorder = MicrophoneInput(NextCard()), Recorder()
    slow.mic.stuck_close(5.0)
    first = PipelineTask(Pipeline([microphone, recorder]))
    report = await run_for(first, 1.0, first.cancel)
    assert len(report.abandoned) == 1
    well.mic.hear(noise(10.0))
    well.mic.run_out()
    recorder.frames.clear()
    report = assert_accounted(await PipelineTask(Pipeline([microphone, recorder])).run(), MIC, "recorder")
    data = b"".join(frame.data for frame in recorder.frames if isinstance(frame, InputAudioFrame))
    assert np.array_equal(samples(data), noise(10.0))
    assert report.dropped == {}


# -- a device is lost --------------------------------------------------------------------


@both_devices
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_lost_device_fails_the_run_with_its_error_where_that_is_asked_for(
    device: str, fault: str
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(20.0))
    task = talk(card, on_loss="fail")
    ends = Ends(task)
    loop = virtual_loop()
    loop.call_later(1.505, getattr(getattr(card, device), fault))
    error = await failure_of(task)
    assert loop.time() - 1.505 <= 2.0
    assert isinstance(error.__cause__, DeviceLostError)
    assert error.stage == {"mic": "MicrophoneInput", "speaker": "SpeakerOutput"}[device]
    assert ends.ended.is_set()
    assert error.report is not None
    lost = seam(error.report, SPEAKER).dropped.get("device_lost", 0)
    if device == "mic":  # what it gave is heard
        assert np.array_equal(heard(card), noise(20.0)[: card.mic.captured])
    elif fault == "unplug":
        assert lost <= BLOCK
    else:
        # What came until the loss was noticed.
        assert 1.0 * RATE <= lost <= (loop.time() - 1.505) * RATE + 2 * BLOCK


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_end_while_the_speaker_is_lost_comes_in_time_and_fails_where_that_is_asked_for(
    fault: str,
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(20.0))
    task = talk(card, on_loss="fail")
    ends = Ends(task)
    loop = virtual_loop()
    loop.call_later(1.505, getattr(card.speaker, fault))
    loop.call_later(1.505, task.end)
    error = await failure_of(task)
    assert ends.ended.is_set()
    assert loop.time() - 1.505 <= 3.5
    assert isinstance(error.__cause__, DeviceLostError)
    assert error.report is not None
    speaker = seam(error.report, SPEAKER)
    assert speaker.dropped == {"device_lost": speaker.taken - speaker.given}


# -- opening -------------------------------------------------------------------------------


@both_devices
@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (lambda side: side.busy(), DeviceBusyError, "is in use"),
        (lambda side: side.unplug(), DeviceNotFoundError, "is not plugged in"),
        (lambda side: side.vanish(), DeviceNotFoundError, "is not plugged in"),
        (lambda side: side.refuse(48_000), DeviceFormatError, "refuses 16000 Hz: it supports 48000 Hz"),
    ],
)
async def test_a_device_that_does_not_open_fails_the_start_by_name_and_the_others_are_closed(
    device: str, fault: Callable[[Any], None], kind: type[DeviceError], says: str
) -> None:
    card = SimulatedCard()
    side = getattr(card, device)
    fault(side)
    error = await failure_of(talk(card))
    assert isinstance(error, PipelineStartError)
    assert isinstance(error.__cause__, kind)
    assert error.stage == {"mic": "MicrophoneInput", "speaker": "SpeakerOutput"}[device]
    assert f"{side.name} {says}" in str(error)
    assert not card.mic.is_open
    assert not card.speaker.is_open
    side.busy(False)
    side.replug()
    side.refuse()
    await assert_it_works(card)


async def test_a_device_of_an_unknown_name_fails_the_start_and_the_one_there_is_is_named() -> None:
    card = SimulatedCard()
    error = await failure_of(PipelineTask(Pipeline([MicrophoneInput(card.backend(), device="USB")])))
    assert isinstance(error.__cause__, DeviceNotFoundError)
    assert "there is no device 'USB': there is 'simulated microphone'" in str(error)


@both_devices
async def test_an_open_that_hangs_fails_at_the_start_limit_and_what_had_opened_is_closed(device: str) -> None:
    card = SimulatedCard()
    getattr(card, device).slow_open(9.0)
    loop = virtual_loop()
    error = await failure_of(talk(card))
    assert isinstance(error, PipelineStartError)
    assert error.stage == {"mic": "MicrophoneInput", "speaker": "SpeakerOutput"}[device]
    assert "longer than the start limit of 5 s" in str(error)
    assert 5.0 <= loop.time() <= 5.0 + 1.0 + 1.1
    assert not card.mic.is_open
    assert not card.speaker.is_open
    assert error.report is not None
    assert [abandoned.name.endswith(":on_start") for abandoned in error.report.abandoned] == [True]
    await asyncio.sleep(9.0)  # the handle that arrives late is closed
    assert not card.mic.is_open
    assert not card.speaker.is_open
    getattr(card, device).slow_open(0.0)
    await assert_it_works(card)


@both_devices
async def test_an_open_within_the_start_limit_is_waited_for(device: str) -> None:
    card = SimulatedCard()
    getattr(card, device).slow_open(4.9)
    await assert_it_works(card)
    assert virtual_loop().time() >= 4.9


@both_devices
async def test_a_cancel_while_a_device_opens_rolls_back_at_once(device: str) -> None:
    card = SimulatedCard()
    getattr(card, device).slow_open(4.0)
    task = talk(card, limits=Limits(start_s=10.0))
    loop = virtual_loop()
    report = assert_accounted(await run_for(task, 1.0, task.cancel))
    assert report.state is RunState.CANCELLED
    assert loop.time() - 1.0 <= 2.0
    assert not card.mic.is_open
    assert not card.speaker.is_open
    await asyncio.sleep(4.0)
    assert not card.mic.is_open
    getattr(card, device).slow_open(0.0)
    await assert_it_works(card)


@both_devices
async def test_a_device_lost_between_its_opening_and_its_start_fails_the_run(device: str) -> None:
    card = SimulatedCard()
    side = getattr(card, device)
    if device == "speaker":
        card.mic.slow_open(1.0)
        stages: list[Processor] = [MicrophoneInput(card.backend()), SpeakerOutput(card.backend())]
    else:
        stages = [OpensSlowly(), MicrophoneInput(card.backend())]
    virtual_loop().call_later(0.5, side.unplug)
    error = await failure_of(PipelineTask(Pipeline(stages)))
    assert isinstance(error.__cause__, DeviceLostError)
    side.replug()
    card.mic.slow_open(0.0)
    await assert_it_works(card)


# -- again, and side by side ---------------------------------------------------------------


async def test_the_same_processors_serve_run_after_run() -> None:
    card = SimulatedCard()
    pipeline = Pipeline([MicrophoneInput(card.backend()), Loopback(), SpeakerOutput(card.backend())])
    for nth in range(5):
        card.speaker.forget()
        card.mic.hear(noise(0.5, nth))
        card.mic.run_out()
        report = assert_accounted(await PipelineTask(pipeline).run(), *THROUGH)
        assert np.array_equal(heard(card), noise(0.5, nth))
        assert seam(report, MIC).taken == RATE // 2


async def test_the_same_processors_serve_again_after_a_run_that_failed() -> None:
    card = SimulatedCard()
    ear = MicrophoneInput(card.backend(), on_loss="fail")
    pipeline = Pipeline([ear, Loopback(), SpeakerOutput(card.backend(), on_loss="fail")])
    for side in (card.mic, card.speaker):
        virtual_loop().call_later(0.5, side.unplug)
        with pytest.raises(PipelineError):
            await PipelineTask(pipeline).run()
        side.replug()
    card.speaker.forget()
    card.mic.hear(noise(0.5))
    card.mic.run_out()
    assert_accounted(await PipelineTask(pipeline).run(), *THROUGH)
    assert np.array_equal(heard(card), noise(0.5))


async def test_two_runs_at_once_over_two_cards_do_not_know_of_each_other() -> None:
    cards = [SimulatedCard("one"), SimulatedCard("two")]
    tasks = []
    for nth, card in enumerate(cards):
        card.mic.hear(noise(2.0 + nth, nth))
        card.mic.run_out()
        audio = AudioFormat(16_000 * (nth + 1))
        tasks.append(talk(card, input=audio, output=audio))
    for nth, report in enumerate(await asyncio.gather(*(task.run() for task in tasks))):
        assert_accounted(report, *THROUGH)
        assert np.array_equal(heard(cards[nth]), noise(2.0 + nth, nth))
        assert report.reason == f"{['one', 'two'][nth]} microphone has run out"


async def test_the_loss_of_one_card_leaves_the_run_over_another_alone() -> None:
    cards = [SimulatedCard("one"), SimulatedCard("two")]
    for nth, card in enumerate(cards):
        card.mic.hear(noise(3.0, nth))
        card.mic.run_out()
    virtual_loop().call_later(1.0, cards[0].speaker.unplug)
    tasks = [talk(card, on_loss="fail") for card in cards]
    results = await asyncio.gather(*(task.run() for task in tasks), return_exceptions=True)
    assert isinstance(results[0], PipelineError)
    assert isinstance(results[1], RunReport)
    assert np.array_equal(heard(cards[1]), noise(3.0, 1))


async def test_a_second_run_over_a_card_in_use_is_told_so_and_the_first_goes_on() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(2.0))
    card.mic.run_out()
    first = asyncio.create_task(talk(card).run())
    await asyncio.sleep(0.5)
    error = await failure_of(talk(card))
    assert isinstance(error.__cause__, DeviceBusyError)
    assert_accounted(await first, *THROUGH)
    assert np.array_equal(heard(card), noise(2.0))


@pytest.mark.real_time
async def test_a_run_over_a_card_with_a_thread_is_heard_whole_in_real_time() -> None:
    card = SimulatedCard()
    said = noise(0.2)
    card.mic.hear(said)
    card.mic.run_out()
    report = assert_accounted(await talk(card).run(), *THROUGH)
    assert np.array_equal(sounds(card), said)
    assert report.dropped == {}
