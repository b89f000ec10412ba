"""The microphone in a run: what it captures is pushed, in order, to the last sample; losses are here only."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest

from support.sound import (
    BLOCK,
    BLOCK_S,
    RATE,
    THROUGH,
    Samples,
    assert_accounted,
    noise,
    samples,
    seam,
    talk,
    virtual_loop,
)
from support.stages import DOWN, UP, Does, Ends, Recorder
from voicepipe import (
    AudioFormat,
    DeviceLostError,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Limits,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartParams,
    TextFrame,
)
from voicepipe.endpoints.kept_device import OnLoss
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard

MIC = "MicrophoneInput device"
TINY = 1e-9
RING = 2 * RATE


def listening(
    card: SimulatedCard, *behind: Processor, limits: Limits | None = None, on_loss: OnLoss = "wait"
) -> PipelineTask:
    """A task that captures."""
    return PipelineTask(Pipeline([MicrophoneInput(card.backend(), on_loss=on_loss), *behind]), limits=limits)


def audio_of(frames: list[Frame]) -> list[InputAudioFrame]:
    return [frame for frame in frames if isinstance(frame, InputAudioFrame)]


def sound_of(frames: list[InputAudioFrame]) -> Samples:
    return samples(b"".join(frame.data for frame in frames))


def jumps(frames: list[InputAudioFrame]) -> list[tuple[int, int]]:
    """Where positions jump: (the position expected, how many samples are missing)."""
    ends = [frame.position + frame.num_samples for frame in frames]
    pairs = zip(ends, frames[1:], strict=False)
    return [(end, frame.position - end) for end, frame in pairs if frame.position != end]


def assert_only_lost(frames: list[InputAudioFrame], said: Samples, report: RunReport) -> int:
    """What arrived is what was said at its positions, and what is missing is counted: returns how much."""
    for frame in frames:
        assert frame.data == said[frame.position : frame.position + frame.num_samples].tobytes()
    lost = frames[0].position + sum(missing for _, missing in jumps(frames))
    assert all(missing > 0 for _, missing in jumps(frames))
    assert set(report.dropped) <= {"mic_overflow", "overflow"}
    assert sum(report.dropped.values()) == lost
    return lost


def assert_heard_until(frames: list[Frame], said: Samples, captured: int) -> None:
    """What arrived begins with all that had been captured, and goes on without a gap.

    A microphone that waits for a slow stage sees the End when it has room again, at most
    half a mailbox of frames later; until then it captures.
    """
    sound = sound_of(audio_of(frames))
    assert len(sound) >= captured
    assert np.array_equal(sound, said[: len(sound)])


class Slow(FrameProcessor):
    """Takes its time for each frame, from one of a given number on."""

    def __init__(self, seconds: float, *, after: int = 0) -> None:
        super().__init__()
        self.seconds = seconds
        self.frames: list[Frame] = []
        self._after = after

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.frames.append(frame)
        if len(self.frames) > self._after:
            await asyncio.sleep(self.seconds)
        await self.push_frame(frame, direction)


class Freezes(Slow):
    """Blocks the loop once, at a given frame."""

    def __init__(self, seconds: float, *, at: int) -> None:
        super().__init__(0.0)
        self._freeze_s, self._at = seconds, at

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if len(self.frames) == self._at:
            virtual_loop().freeze(self._freeze_s)


class SlowToOpen(Recorder):
    async def on_start(self, params: StartParams) -> None:
        await super().on_start(params)
        await asyncio.sleep(0.7)


# -- what it pushes ----------------------------------------------------------------


async def test_all_that_was_said_is_pushed_in_blocks_and_then_the_end() -> None:
    card = SimulatedCard()
    said = noise(1.01)
    card.mic.hear(said)
    card.mic.run_out()
    behind = Recorder()
    task = listening(card, behind)
    report = assert_accounted(await task.run(), MIC, "recorder")
    frames = audio_of(behind.frames)
    assert [frame.num_samples for frame in frames] == [BLOCK] * 50 + [BLOCK // 2]
    assert np.array_equal(sound_of(frames), said)
    assert jumps(frames) == []
    assert report.state is RunState.ENDED
    assert report.reason == "simulated microphone has run out"
    assert report.dropped == {}


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)])
async def test_frames_have_the_input_format_of_the_run(rate: int, channels: int) -> None:
    card = SimulatedCard()
    said = noise(0.5 * channels, rate=rate)
    card.mic.hear(said.tobytes())
    card.mic.run_out()
    behind = Recorder()
    pipeline = Pipeline([MicrophoneInput(card.backend()), behind])
    report = await PipelineTask(pipeline, input=AudioFormat(rate, channels), output=AudioFormat(8_000)).run()
    frames = audio_of(behind.frames)
    assert {(frame.rate, frame.channels) for frame in frames} == {(rate, channels)}
    assert np.array_equal(sound_of(frames), said)
    assert seam(report, MIC).taken == rate // 2
    assert_accounted(report, MIC, "recorder")


@pytest.mark.parametrize("jitter_s", [0.0, 0.015])
async def test_positions_are_continuous_and_times_are_the_start_plus_position_over_rate(
    jitter_s: float,
) -> None:
    card = SimulatedCard(jitter_s=jitter_s)
    card.mic.hear(noise(2.0))
    card.mic.run_out()
    behind = SlowToOpen()
    task = listening(card, behind)
    ends = Ends(task)
    await asyncio.sleep(3.0)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    began = virtual_loop().time()
    assert began == pytest.approx(3.7)
    await running
    frames = audio_of(behind.frames)
    assert frames[0].position == 0
    assert jumps(frames) == []
    for frame in frames:
        assert frame.captured_s == pytest.approx(began + frame.position / RATE)


async def test_capture_begins_when_start_has_reached_the_sink() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(0.2))
    card.mic.run_out()
    task = listening(card, SlowToOpen(), Recorder())
    captured: list[tuple[int, float]] = []

    def note(frame: Frame, direction: FrameDirection) -> None:
        captured.append((card.mic.captured, virtual_loop().time()))

    task.subscribe(note)
    await task.run()
    before, started_s = captured[0]
    assert before == 0
    assert captured[1][0] == BLOCK
    assert captured[1][1] - started_s == pytest.approx(BLOCK_S)


async def test_other_frames_pass_the_microphone_both_ways() -> None:
    card = SimulatedCard()

    async def answer(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame) and direction is DOWN:
            await stage.push_frame(TextFrame("up"), UP)

    task = listening(card, Does(answer))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await task.queue_frame(TextFrame("down"))
    await asyncio.sleep(0.1)
    task.end()
    await running
    assert [frame.text for frame in ends.up if isinstance(frame, TextFrame)] == ["up"]


# -- overload ----------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.021, 0.03, 0.1])
async def test_slow_stage_loses_live_audio_only_in_its_own_mailbox_and_the_oldest_first(
    seconds: float,
) -> None:
    card = SimulatedCard()
    said = noise(20.0)
    card.mic.hear(said)
    card.mic.run_out()
    slow = Slow(seconds)
    report = assert_accounted(await listening(card, slow).run(), MIC, "Slow")
    frames = audio_of(slow.frames)
    lost = assert_only_lost(frames, said, report)
    assert seam(report, MIC).dropped == {}
    assert (lost == 0) == (seconds == 0.021)  # 1 s behind in 20 s: the mailbox has room for that
    assert lost == seam(report, "Slow").dropped.get("overflow", 0)
    # What came last was never lost: the mailbox held it.
    kept = frames[-(RING // BLOCK - 4) :]
    assert jumps(kept) == []
    assert np.array_equal(sound_of(kept), said[-RING + 4 * BLOCK :])


@pytest.mark.parametrize("seconds", [1.5, 2.0, 3.0, 10.0])
async def test_a_frozen_loop_loses_nothing_up_to_the_two_seconds_of_the_ring(seconds: float) -> None:
    card = SimulatedCard()
    said = noise(15.0)
    card.mic.hear(said)
    card.mic.run_out()
    freezes = Freezes(seconds, at=50)
    report = assert_accounted(await listening(card, freezes).run(), MIC, "Freezes")
    frames = audio_of(freezes.frames)
    lost = assert_only_lost(frames, said, report)
    assert seam(report, MIC).dropped == report.dropped
    assert lost == pytest.approx(max(0.0, seconds - 2.0) * RATE, abs=BLOCK)
    if lost:
        ((where, _),) = jumps(frames)
        assert where == 50 * BLOCK  # the oldest of what came while the loop was frozen


async def test_a_slow_stage_with_the_end_behind_it_still_gets_all_that_was_captured() -> None:
    card = SimulatedCard()
    said = noise(10.0)
    card.mic.hear(said)
    slow = Slow(0.03)
    task = listening(card, slow)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(5.0)
    task.end()
    captured = card.mic.captured
    report = assert_accounted(await running, MIC, "Slow")
    assert report.dropped == {}
    assert_heard_until(slow.frames, said, captured)


async def test_an_overrun_of_the_device_is_counted_as_a_loss_and_shows_as_a_jump() -> None:
    card = SimulatedCard()
    said = noise(3.0)
    card.mic.hear(said)
    card.mic.run_out()
    behind = Recorder()
    asyncio.get_running_loop().call_later(1.0, card.mic.xrun, 777)
    report = assert_accounted(await listening(card, behind).run(), MIC, "recorder")
    assert assert_only_lost(audio_of(behind.frames), said, report) == 777


# -- the end -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
async def test_what_was_captured_before_the_end_is_pushed_and_no_more_is_captured(seed: int) -> None:
    card = SimulatedCard()
    said = noise(5.0, seed)
    card.mic.hear(said)
    behind = Recorder()
    task = listening(card, behind)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(np.random.default_rng(seed).uniform(0, 1.5))
    task.end()
    captured = card.mic.captured
    report = assert_accounted(await running, MIC, "recorder")
    assert np.array_equal(sound_of(audio_of(behind.frames)), said[:captured])
    assert report.dropped == {}


async def test_the_end_comes_once_where_the_input_runs_out_while_it_is_asked_for() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(0.1))
    card.mic.run_out()
    behind = Recorder()
    task = listening(card, behind)
    ends = Ends(task)
    asyncio.get_running_loop().call_later(0.1, task.end)
    assert_accounted(await task.run(), MIC, "recorder")
    assert behind.events.count("end") == 1
    assert sum(isinstance(frame, EndFrame) for frame in ends.down) == 1
    assert np.array_equal(sound_of(audio_of(behind.frames)), noise(0.1))


async def test_a_cancel_closes_the_intake_and_counts_what_waited_as_cancelled() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(10.0))
    stuck = Slow(100.0, after=3)
    task = listening(card, stuck)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(2.0 + TINY)
    task.cancel()
    captured = card.mic.captured
    report = assert_accounted(await running)
    mic = seam(report, MIC)
    assert mic.taken == mic.given == captured
    assert mic.given == seam(report, "Slow").taken
    assert seam(report, "Slow").dropped["cancelled"] > RATE
    assert report.state is RunState.CANCELLED


async def test_nothing_more_is_captured_once_a_cancel_was_asked_for() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(10.0))
    task = talk(card)  # whose speaker takes a block more, to fade
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.001)
    task.cancel()
    captured = card.mic.captured
    report = assert_accounted(await running, *THROUGH)
    assert card.mic.captured > captured
    assert seam(report, MIC).taken == captured
    assert seam(report, MIC).dropped == {}


async def test_what_waits_is_accounted_for_although_the_close_is_stuck() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(10.0))
    card.mic.stuck_close(30.0)
    task = listening(card, Slow(0.1))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(2.0 + TINY)
    task.cancel()
    report = assert_accounted(await running, MIC, "Slow")
    assert seam(report, "Slow").dropped["cancelled"] > RATE
    assert len(report.abandoned) == 1
    await asyncio.sleep(30.0)


# -- the device is lost ------------------------------------------------------------


@pytest.mark.parametrize("fault", ["unplug", "vanish", "stall"])
async def test_a_lost_microphone_fails_the_run_where_that_is_asked_for_when_all_it_gave_has_been_pushed(
    fault: str,
) -> None:
    card = SimulatedCard()
    said = noise(30.0)
    card.mic.hear(said)
    slow = Slow(0.05)  # when the device is lost, 0.5 s wait in the ring
    task = listening(card, slow, on_loss="fail")
    loop = virtual_loop()
    loop.call_later(2.0 + TINY, getattr(card.mic, fault))
    with pytest.raises(PipelineError, match="simulated microphone") as failed:
        await task.run()
    assert isinstance(failed.value.__cause__, DeviceLostError)
    assert failed.value.stage == "MicrophoneInput"
    assert loop.time() <= 5.0 + 0.1  # the stage's arrears; the loss was noticed long before
    report = assert_accounted(failed.value.report, MIC, "Slow")
    assert np.array_equal(sound_of(audio_of(slow.frames)), said[: 2 * RATE])
    assert report.dropped == {}
    assert report.state is RunState.FAILED


async def test_a_microphone_that_is_lost_while_the_run_drains_does_not_hold_the_end_up() -> None:
    card = SimulatedCard()
    said = noise(30.0)
    card.mic.hear(said)
    slow = Slow(0.03)
    task = listening(card, slow)
    loop = virtual_loop()
    loop.call_later(3.0 + TINY, task.end)
    loop.call_later(3.1, card.mic.unplug)
    report = assert_accounted(await task.run(), MIC, "Slow")
    assert report.state is RunState.ENDED
    assert report.dropped == {}
    assert_heard_until(slow.frames, said, 3 * RATE)


# -- again -------------------------------------------------------------------------


async def test_a_microphone_can_be_used_for_a_second_run_with_fresh_books() -> None:
    card = SimulatedCard()
    microphone, behind = MicrophoneInput(card.backend(), name="ear"), Recorder()
    for nth in range(3):
        card.mic.hear(noise(0.5, seed=nth))
        card.mic.run_out()
        behind.frames.clear()
        report = await PipelineTask(Pipeline([microphone, behind])).run()
        assert_accounted(report, "ear device", "recorder")
        frames = audio_of(behind.frames)
        assert np.array_equal(sound_of(frames), noise(0.5, seed=nth))
        assert frames[0].position == 0
        assert seam(report, "ear device").taken == RATE // 2


async def test_a_second_run_after_a_cancel_owes_nothing_to_the_first() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(3.0))
    microphone = MicrophoneInput(card.backend())
    first = PipelineTask(Pipeline([microphone, Slow(0.1)]))
    virtual_loop().call_later(2.0 + TINY, first.cancel)
    report = assert_accounted(await first.run(), MIC, "Slow")
    assert seam(report, "Slow").dropped["cancelled"] > RATE
    card.mic.run_out()
    report = assert_accounted(await PipelineTask(Pipeline([microphone])).run())
    assert report.dropped == {}
    assert seam(report, MIC).taken == RATE
    card.mic.busy()
    with pytest.raises(PipelineError) as failed:
        await PipelineTask(Pipeline([microphone])).run()
    assert failed.value.report is not None
    assert [each.name for each in failed.value.report.seams] == [
        "MicrophoneInput"
    ]  # no device, no seam of it


async def test_two_microphones_feed_one_pipeline() -> None:
    cards = [SimulatedCard("left"), SimulatedCard("right")]
    for nth, card in enumerate(cards):
        card.mic.hear(noise(0.5, seed=nth))
    cards[1].mic.run_out()
    ears = [MicrophoneInput(card.backend(), name=name) for card, name in zip(cards, "lr", strict=True)]
    behind = Recorder()
    report = assert_accounted(await PipelineTask(Pipeline([*ears, behind])).run(), "l device", "r")
    frames = audio_of(behind.frames)
    assert seam(report, "r").given + seam(report, "r device").given == seam(report, "recorder").taken
    assert seam(report, "r device").given == RATE // 2
    left = [f for f in frames if np.array_equal(samples(f.data), noise(0.5)[f.position : f.position + BLOCK])]
    assert np.array_equal(sound_of(left), noise(0.5))
    assert all(a.position < b.position for a, b in itertools.pairwise(left))


async def test_the_intake_closes_when_the_end_is_asked_for_and_what_was_captured_before_is_kept() -> None:
    class Slow(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(0.5)

    card = SimulatedCard()
    card.mic.hear(b"\1\0" * 16_000 * 60)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Slow()]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(2.6)  # a mailbox is full, and much of the ring
    captured = card.mic.captured
    task.end()
    report = await running
    device = next(seam for seam in report.seams if seam.name == "MicrophoneInput device")
    assert (device.taken, device.given, device.dropped) == (captured, captured, {})


EVERY_VALUE = np.arange(-32_768, 32_768, dtype=np.int16)


def heard_with(gain_db: float, audio: Samples) -> tuple[Samples, PipelineTask]:
    card, recorder = SimulatedCard(), Recorder()
    card.mic.hear(audio)
    card.mic.run_out()
    microphone = MicrophoneInput(card.backend(), gain_db=gain_db)
    task = PipelineTask(Pipeline([microphone, recorder]))
    run_virtual(task.run())
    data = b"".join(frame.data for frame in audio_of(recorder.frames))
    return np.frombuffer(data, np.int16), task


@pytest.mark.parametrize("gain_db", [-60, -6, -0.1, 0.1, 20, 36, 60])
def test_a_gain_is_in_what_is_heard_and_clips_without_wrapping(gain_db: float) -> None:
    heard, task = heard_with(gain_db, EVERY_VALUE)
    wanted = np.rint(EVERY_VALUE * 10 ** (gain_db / 20)).clip(-32_768, 32_767)
    assert np.abs(heard - wanted).max() <= 1
    assert task.report is not None
    assert_accounted(task.report)


def test_no_gain_leaves_every_byte() -> None:
    heard, _ = heard_with(0, EVERY_VALUE)
    assert heard.tobytes() == EVERY_VALUE.tobytes()


@pytest.mark.parametrize("gain_db", [60.1, -61, float("nan"), float("inf"), "20", True])
def test_a_gain_that_is_none_is_refused_in_one_line(gain_db: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"gain_db must be a (finite )?number") as refused:
        MicrophoneInput("fake", gain_db=gain_db)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
