"""A device is lost and comes back: the run goes on, the gap is counted, and nothing holds up its end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest

from support.sound import (
    BLOCK_S,
    RATE,
    THROUGH,
    WatchedCard,
    assert_accounted,
    heard,
    is_running,
    noise,
    samples,
    seam,
    speech,
    talk,
    virtual_loop,
)
from support.stages import UP, Ends, Recorder
from voicepipe import (
    BotStoppedSpeakingFrame,
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceTimeoutError,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Loopback,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
)
from voicepipe.devices.port import InputStream, OutputStream, StreamRequest
from voicepipe.endpoints.reminder import Reminder
from voicepipe.frames import DeviceLostFrame, DeviceRestoredFrame
from voicepipe_devices.fake import FakeBackend, SimulatedCard

MIC, _, SPEAKER = THROUGH
LOST_BY_S = 2.0
BACK_BY_S = 3.5
AT = 1.505
FAULTS: dict[str, tuple[Callable[[Any], None], Callable[[Any], None]]] = {
    "unplug": (lambda side: side.unplug(), lambda side: side.replug()),
    "vanish": (lambda side: side.vanish(), lambda side: side.replug()),
    "stall": (lambda side: side.stall(), lambda side: side.stall(False)),
    "break": (lambda side: side.break_(), lambda side: side.mend()),
    "hang": (lambda side: side.hang(), lambda side: side.mend()),
}
both_devices = pytest.mark.parametrize("device", ["mic", "speaker"])
every_fault = pytest.mark.parametrize("fault", FAULTS)
KIND = {"mic": "microphone", "speaker": "speaker"}
Fact = DeviceLostFrame | DeviceRestoredFrame


class Talk:
    """A live loop over one card, with what leaves it and when. What is made to happen has its time."""

    def __init__(self, card: SimulatedCard | None = None, **arguments: Any) -> None:
        self.card = card or WatchedCard()
        self.behind = Recorder()
        self.task = talk(self.card, self.behind, **arguments)
        self.ends = Ends(self.task)
        self.times: dict[int, float] = {}
        self.task.subscribe(self._note_time)

    def _note_time(self, frame: Frame, direction: FrameDirection) -> None:
        self.times.setdefault(id(frame), virtual_loop().time())

    def at(self, seconds: float, do: Callable[..., object], *arguments: Any) -> Self:
        virtual_loop().call_later(seconds, do, *arguments)
        return self

    def lose(self, device: str, fault: str, away: tuple[float, float]) -> Self:
        """One device goes at one time and comes at another."""
        side = getattr(self.card, device)
        go, come = FAULTS[fault]
        return self.at(away[0], go, side).at(away[1], come, side)

    async def run(self) -> RunReport:
        report = assert_accounted(await self.task.run(), MIC, "recorder", *THROUGH[1:])
        if self.facts():  # the card's own clock stands still in a stall that nobody notices
            assert_positions_are_times(self.frames)
        return report

    @property
    def frames(self) -> list[InputAudioFrame]:
        return [frame for frame in self.behind.frames if isinstance(frame, InputAudioFrame)]

    def facts(self) -> list[Fact]:
        """Both ways alike."""
        up, down = ([f for f in way if isinstance(f, Fact)] for way in (self.ends.up, self.ends.down))
        assert {id(fact) for fact in up} == {id(fact) for fact in down}
        return up

    def told(self) -> list[tuple[str, str]]:
        return [(type(fact).__name__.removesuffix("Frame"), fact.kind) for fact in self.facts()]

    def time_of(self, frame: Frame) -> float:
        return self.times[id(frame)]

    def sounds_after(self, seconds: float) -> float:
        """When something is heard again after that time."""
        assert isinstance(self.card, WatchedCard)
        return min(when for when, data in self.card.calls if when > seconds and data.strip(b"\0"))


def assert_positions_are_times(frames: list[InputAudioFrame]) -> None:
    """Positions go on by the clock, over every gap."""
    for first, second in itertools.pairwise(frames):
        assert second.position >= first.position + first.num_samples
    for frame in frames:
        assert frame.captured_s is not None
        assert frames[0].captured_s is not None
        since_s = frame.captured_s - frames[0].captured_s
        assert frame.position == pytest.approx(since_s * RATE, abs=3)


def gap_of(frames: list[InputAudioFrame]) -> int:
    return sum(b.position - a.position - a.num_samples for a, b in itertools.pairwise(frames))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "voicepipe" and r.levelno == logging.WARNING]


# -- lost and back -------------------------------------------------------------------


@both_devices
@every_fault
@pytest.mark.parametrize("back", [2.0, 3.3, 6.0, 11.7])
@pytest.mark.heavy(after=8)
async def test_a_device_that_comes_back_is_used_again(device: str, fault: str, back: float) -> None:
    run = Talk()
    run.card.mic.hear(noise(60.0))
    run.lose(device, fault, (AT, back)).at(20.0, run.task.end)
    report = await run.run()
    assert report.state is RunState.ENDED
    assert report.abandoned == ()
    if fault == "stall" and back == 2.0:  # nobody noticed
        assert run.told() == []
        return
    assert run.told() == [("DeviceLost", KIND[device]), ("DeviceRestored", KIND[device])]
    lost, restored = run.facts()
    assert run.time_of(lost) - AT <= LOST_BY_S
    assert lost.device == getattr(run.card, device).name
    assert isinstance(restored, DeviceRestoredFrame)
    assert restored.lost_s == pytest.approx(run.time_of(restored) - run.time_of(lost))
    assert run.sounds_after(back + 0.1) <= back + BACK_BY_S
    assert run.time_of(restored) <= back + BACK_BY_S
    if device == "mic":
        assert seam(report, MIC).dropped == {"device_lost": gap_of(run.frames)}
        assert gap_of(run.frames) / RATE == pytest.approx(run.time_of(restored) - AT, abs=2 * BLOCK_S)
    else:
        assert set(report.dropped) == {"device_lost"}
        assert gap_of(run.frames) == 0


@every_fault
async def test_both_devices_are_lost_and_come_back_in_a_live_loop(fault: str) -> None:
    run = Talk()
    run.card.mic.hear(noise(60.0))
    run.lose("mic", fault, (AT, 5.0)).lose("speaker", fault, (AT + 0.3, 7.0)).at(15.0, run.task.end)
    report = await run.run()
    assert sorted(run.told()) == sorted(
        (what, kind) for what in ("DeviceLost", "DeviceRestored") for kind in ("microphone", "speaker")
    )
    assert run.sounds_after(7.1) <= 7.0 + BACK_BY_S
    assert set(report.dropped) == {"device_lost"}
    assert report.state is RunState.ENDED


@both_devices
async def test_a_device_is_lost_twice_in_a_row(device: str) -> None:
    run = Talk()
    run.card.mic.hear(noise(90.0))
    run.lose(device, "unplug", (1.0, 2.0)).lose(device, "vanish", (6.0, 8.0))
    run.lose(device, "break", (14.0, 30.0)).at(40.0, run.task.end)
    report = await run.run()
    assert run.told() == [("DeviceLost", KIND[device]), ("DeviceRestored", KIND[device])] * 3
    if device == "mic":
        assert seam(report, MIC).dropped == {"device_lost": gap_of(run.frames)}


async def test_a_device_that_another_program_takes_meanwhile_is_waited_for() -> None:
    run = Talk()
    run.card.mic.hear(noise(60.0))
    run.lose("mic", "unplug", (1.0, 2.0)).at(1.0, run.card.mic.busy).at(10.0, run.card.mic.busy, False)
    run.at(20.0, run.task.end)
    await run.run()
    _, restored = run.facts()
    assert 10.0 <= run.time_of(restored) <= 10.0 + BACK_BY_S


async def test_a_close_that_never_returns_blocks_neither_the_return_nor_the_end() -> None:
    run = Talk()
    run.card.mic.hear(noise(60.0))
    run.card.mic.stuck_close(30.0)  # the close goes on for so long after the server is back
    run.lose("mic", "break", (AT, 4.0)).at(5.0, run.card.mic.stuck_close, 0.0).at(10.0, run.task.end)
    report = await run.run()
    assert [fact.kind for fact in run.facts()] == ["microphone"] * 2
    assert run.sounds_after(4.0) <= 4.0 + BACK_BY_S
    (abandoned,) = report.abandoned
    assert abandoned.name.endswith(":MicrophoneInput:close")
    assert virtual_loop().time() - 10.0 <= 3.5
    await asyncio.sleep(30.0)


async def test_a_device_that_opens_and_stays_dumb_is_not_back() -> None:
    run = Talk()
    run.card.mic.hear(noise(200.0))
    run.lose("speaker", "stall", (AT, 40.0)).lose("mic", "stall", (AT, 40.0)).at(50.0, run.task.end)
    await run.run()
    assert [what for what, _ in run.told()] == ["DeviceLost"] * 2 + ["DeviceRestored"] * 2


# -- the microphone --------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_lost_microphone_had_captured_is_pushed_before_what_comes_after(fault: str) -> None:
    class Slow(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            await asyncio.sleep(0.022)

    card, slow = SimulatedCard(), Slow()
    said = noise(30.0)
    card.mic.hear(said)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), slow]))
    go, come = FAULTS[fault]
    loop = virtual_loop()
    loop.call_later(3.001, go, card.mic)
    loop.call_later(5.0, come, card.mic)
    loop.call_later(12.0, task.end)
    report = assert_accounted(await task.run(), MIC, "recorder")
    frames = [frame for frame in slow.frames if isinstance(frame, InputAudioFrame)]
    data = samples(b"".join(frame.data for frame in frames))
    assert np.array_equal(data, said[: len(data)])  # the card keeps what nobody hears meanwhile
    assert_positions_are_times(frames)
    assert seam(report, MIC).dropped == {"device_lost": gap_of(frames)}
    facts = [frame for frame in slow.frames if isinstance(frame, Fact)]
    assert [type(fact) for fact in facts] == [DeviceLostFrame, DeviceRestoredFrame]


async def test_overflows_of_every_stream_and_the_gaps_add_up() -> None:
    class Stops(FrameProcessor):
        """Blocks the loop for a while, now and then."""

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, InputAudioFrame):
                frames.append(frame)
                if stops and virtual_loop().time() >= stops[0][0]:
                    virtual_loop().freeze(stops.pop(0)[1])

    frames: list[InputAudioFrame] = []
    stops = [(0.4, 4.0), (10.0, 5.0)]
    card = SimulatedCard()
    card.mic.hear(noise(60.0))
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Stops()]))
    loop = virtual_loop()
    loop.call_later(6.001, card.mic.unplug)
    loop.call_later(7.0, card.mic.replug)
    loop.call_later(30.0, task.end)
    report = assert_accounted(await task.run(), MIC, "Stops")
    dropped = seam(report, MIC).dropped
    assert set(dropped) == {"device_lost", "mic_overflow"}
    assert sum(dropped.values()) == gap_of(frames)
    assert dropped["mic_overflow"] > RATE
    assert_positions_are_times(frames)


# -- the speaker -------------------------------------------------------------------------


class Saying:
    """A run of a speaker alone."""

    def __init__(self, **arguments: Any) -> None:
        self.card = WatchedCard()
        self.task = PipelineTask(Pipeline([SpeakerOutput(self.card.backend(), **arguments)]))
        self.ends = Ends(self.task)

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.task.run())
        await is_running(self.task)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.running.done():
            self.task.cancel() if kind else self.task.end()
        await asyncio.wait([self.running])

    def stops(self) -> list[BotStoppedSpeakingFrame]:
        return [frame for frame in self.ends.down if isinstance(frame, BotStoppedSpeakingFrame)]

    def report(self) -> RunReport:
        return assert_accounted(self.running.result(), "SpeakerOutput", SPEAKER)


@every_fault
async def test_no_old_audio_is_heard_after_the_return_and_nobody_waits_meanwhile(fault: str) -> None:
    go, come = FAULTS[fault]
    async with Saying() as run:
        await run.task.queue_frame(speech(10.0))
        await asyncio.sleep(AT)
        go(run.card.speaker)
        await asyncio.sleep(LOST_BY_S)
        (stop,) = run.stops()
        assert stop.interrupted
        assert stop.position == len(heard(run.card))
        began = virtual_loop().time()
        for nth in range(200):
            assert await run.task.queue_frame(speech(1.0, nth))
        await asyncio.sleep(0.1)
        assert virtual_loop().time() - began == pytest.approx(0.1)
        come(run.card.speaker)
        await asyncio.sleep(BACK_BY_S)
        run.card.speaker.forget()
        await run.task.queue_frame(speech(0.5, 99))
        await asyncio.sleep(1.5)
    report = run.report()
    assert np.array_equal(heard(run.card), noise(0.5, 99))
    assert seam(report, SPEAKER).dropped == {"device_lost": 210 * RATE - stop.position}
    assert run.stops()[-1].position == stop.position + RATE // 2
    assert not run.stops()[-1].interrupted


async def test_a_lost_speaker_leaves_the_air_so_the_microphone_hears_again() -> None:
    card, behind = SimulatedCard(), Recorder()
    card.mic.hear(noise(60.0))
    stages = [MicrophoneInput(card.backend(), mute=True), behind, SpeakerOutput(card.backend())]
    task = PipelineTask(Pipeline(stages))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.5)
    await task.queue_frame(speech(10.0))
    await asyncio.sleep(1.0)
    card.speaker.unplug()
    lost_s = virtual_loop().time()
    await asyncio.sleep(1.0)
    task.end()
    assert_accounted(await running)
    later = [f.captured_s or 0.0 for f in behind.frames if isinstance(f, InputAudioFrame)]
    assert min(when for when in later if when > 0.6) <= lost_s + 0.4


@every_fault
async def test_a_speaker_lost_while_its_last_words_play_ends_the_run_without_them(fault: str) -> None:
    async with Saying() as run:
        await run.task.queue_frame(speech(5.0))
        await asyncio.sleep(0.5)
        run.task.end()
        await asyncio.sleep(0.505)
        FAULTS[fault][0](run.card.speaker)
        began = virtual_loop().time()
        await asyncio.wait([run.running])
    assert virtual_loop().time() - began <= 3.5
    report = run.report()
    FAULTS[fault][1](run.card.speaker)
    await asyncio.sleep(1.0)
    assert report.state is RunState.ENDED
    device = seam(report, SPEAKER)
    assert device.dropped == {"device_lost": 5 * RATE - device.given}
    last = [type(frame) for frame in run.ends.down[-3:]]
    assert set(last) == {DeviceLostFrame, BotStoppedSpeakingFrame, EndFrame}
    assert last[-1] is EndFrame


# -- End and Cancel at every moment ------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.parametrize("request_", ["end", "cancel"])
@pytest.mark.parametrize("devices", [("mic",), ("speaker",), ("mic", "speaker")])
@every_fault
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0, 1.2, 2.0, 4.0, 6.0, 6.5, 7.5])
async def test_the_run_ends_in_time_while_a_device_is_lost_and_while_it_returns(
    request_: str, devices: tuple[str, ...], fault: str, after: float
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(60.0))
    task = talk(card)
    loop = virtual_loop()
    go, come = FAULTS[fault]
    for device in devices:
        loop.call_later(AT, go, getattr(card, device))
        loop.call_later(AT + 6.0, come, getattr(card, device))
    asked = AT + after
    loop.call_later(asked, getattr(task, request_))
    report = assert_accounted(await task.run())
    assert loop.time() - asked <= (3.5 if request_ == "end" else 2.0)
    assert report.state is (RunState.ENDED if request_ == "end" else RunState.CANCELLED)
    for abandoned in report.abandoned:
        assert fault in ("break", "hang")
        assert abandoned.name.split(":")[1] in ("MicrophoneInput", "SpeakerOutput")
    await asyncio.sleep(10.0)
    assert not card.mic.is_open
    assert not card.speaker.is_open


@pytest.mark.parametrize("request_", ["end", "cancel"])
@both_devices
async def test_an_opening_in_progress_does_not_hold_up_the_end(request_: str, device: str) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(60.0))
    side = getattr(card, device)
    task = talk(card)
    loop = virtual_loop()
    loop.call_later(AT, side.unplug)
    loop.call_later(AT, side.slow_open, 9.0)
    loop.call_later(AT + 0.1, side.replug)
    loop.call_later(4.0, getattr(task, request_))
    report = assert_accounted(await task.run())
    assert loop.time() - 4.0 <= (3.5 if request_ == "end" else 2.0)
    (abandoned,) = report.abandoned
    assert abandoned.name.endswith(":search")
    await asyncio.sleep(9.0)
    assert not side.is_open


@pytest.mark.parametrize("lost_at", [1.0, 3.0])
async def test_nobody_looks_for_a_lost_speaker_while_the_rest_drains(lost_at: float) -> None:
    class Slow(FrameProcessor):
        may_take_s = 10.0

        async def on_end(self) -> None:
            await asyncio.sleep(8.0)

    card = SimulatedCard()
    task = PipelineTask(Pipeline([Slow(), SpeakerOutput(card.backend())]))
    ends, loop = Ends(task), virtual_loop()
    loop.call_later(lost_at, card.speaker.unplug)
    loop.call_later(2.0, task.end)
    loop.call_later(lost_at + 1.1, card.speaker.replug)
    assert_accounted(await task.run())
    assert [type(frame) for frame in ends.up] == [DeviceLostFrame]


@pytest.mark.parametrize("first", ["loss", "end"])
async def test_a_speaker_lost_at_the_very_moment_of_the_end_is_told_all_the_same(first: str) -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([SpeakerOutput(card.backend())]))
    ends, loop = Ends(task), virtual_loop()
    both = [card.speaker.unplug, task.end] if first == "loss" else [task.end, card.speaker.unplug]
    for do in both:
        loop.call_later(AT, do)
    report = assert_accounted(await task.run())
    assert report.state is RunState.ENDED
    assert [type(frame) for frame in ends.up] == [DeviceLostFrame]


@both_devices
@pytest.mark.parametrize("first", ["loss", "cancel"])
async def test_a_close_that_hangs_is_named_once_though_the_loss_and_the_cancel_come_together(
    device: str, first: str
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(60.0))
    side = getattr(card, device)
    side.stuck_close(30.0)
    task = talk(card)
    both = [side.unplug, task.cancel] if first == "loss" else [task.cancel, side.unplug]
    for do in both:
        virtual_loop().call_later(AT, do)
    report = assert_accounted(await task.run())
    assert virtual_loop().time() - AT <= 2.0 + 0.1
    (abandoned,) = report.abandoned
    assert abandoned.name.split(":")[1] == {"mic": "MicrophoneInput", "speaker": "SpeakerOutput"}[device]
    await asyncio.sleep(30.0)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_to_both_devices_the_books_balance_and_the_run_ends(seed: int) -> None:
    rng = random.Random(seed)
    run = Talk(SimulatedCard(jitter_s=rng.choice([0.0, 0.01]), seed=seed))
    run.card.mic.hear(noise(120.0))
    cancels = rng.random() < 0.5
    for device in ("mic", "speaker"):
        at = 0.5
        while at < 20:
            away_s, fault = rng.choice([0.2, 1.1, rng.uniform(0.0, 9.0)]), rng.choice(list(FAULTS))
            run.lose(device, fault, (at, at + away_s))
            run.at(at + away_s / 2, getattr(run.card, device).slow_open, rng.choice([0.0, 0.0, 0.4]))
            at += away_s + rng.choice([0.1, 3.0, rng.uniform(0.0, 9.0)])
    for _ in range(rng.randrange(3)):
        run.at(rng.uniform(0.5, 20.0), run.task.interrupt)
    asked = rng.uniform(0.5, 25.0)
    run.at(asked, run.task.cancel if cancels else run.task.end)
    report = assert_accounted(await run.task.run())
    assert virtual_loop().time() - asked <= (2.0 if cancels else 1.0 + 3.5)
    assert_positions_go_on(run.frames)
    assert report.state is (RunState.CANCELLED if cancels else RunState.ENDED)
    await asyncio.sleep(60.0)


def assert_positions_go_on(frames: list[InputAudioFrame]) -> None:
    for first, second in itertools.pairwise(frames):
        assert second.position >= first.position + first.num_samples
        assert (second.captured_s or 0.0) >= (first.captured_s or 0.0)


# -- long, and the log -------------------------------------------------------------------


@both_devices
async def test_a_device_that_is_away_for_an_hour_is_looked_for_all_the_time_with_few_words(
    device: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[float] = []

    class Counting(FakeBackend):
        async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
            attempts.append(virtual_loop().time())
            return await super().open_input(request, wake)

        async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
            attempts.append(virtual_loop().time())
            return await super().open_output(request, wake)

    card = SimulatedCard()
    backend = Counting(card)
    side = getattr(card, device)
    stage = MicrophoneInput(backend) if device == "mic" else SpeakerOutput(backend)
    task = PipelineTask(Pipeline([stage]))
    ends = Ends(task)
    loop = virtual_loop()
    loop.call_later(1.0, side.unplug)
    loop.call_later(3601.0, side.replug)
    loop.call_later(3604.6, task.end)
    with caplog.at_level(logging.INFO, "voicepipe"):
        assert_accounted(await task.run())
    waits = [b - a for a, b in itertools.pairwise([1.0, *attempts[1:]])]
    assert waits[:3] == pytest.approx([0.5, 1.0, 2.0])
    assert waits[3:] == pytest.approx([3.0] * len(waits[3:]))
    assert len(attempts) == pytest.approx(1200, abs=5)
    lines = [line for line in warnings_of(caplog) if "zeros" not in line]
    assert len(lines) == 1 + 1 + 11
    for part in (
        side.name,
        "was unplugged",
        "plug it in again, or start the sound server",
        "the run goes on",
    ):
        assert part in lines[0]
    assert "lost for 30 s" in lines[1]
    assert "is not plugged in" in lines[1]
    assert sum("is back after" in record.getMessage() for record in caplog.records) == 1
    assert [type(frame) for frame in ends.up if isinstance(frame, Fact)] == [
        DeviceLostFrame,
        DeviceRestoredFrame,
    ]


def test_a_reminder_comes_at_once_after_30_s_and_then_every_five_minutes() -> None:
    reminder = Reminder()
    assert [now for now in range(0, 1000, 3) if reminder.is_due(now)] == [0, 30, 330, 630, 930]


def test_what_works_for_a_moment_only_is_not_reminded_of_each_time() -> None:
    reminder = Reminder()
    said = [(now, reminder.is_due(now), reminder.note_recovery(now + 1)) for now in range(0, 100, 5)]
    assert [now for now, wrong, _ in said if wrong] == [0, 30]
    assert [now for now, _, well in said if well] == [0, 30]
    assert reminder.is_due(200)  # it had worked for long


# -- policies ----------------------------------------------------------------------------


@both_devices
@every_fault
async def test_a_loss_ends_the_run_where_that_is_asked_for_and_what_is_there_is_heard(
    device: str, fault: str
) -> None:
    run = Talk(on_loss="end")
    said = noise(60.0)
    run.card.mic.hear(said)
    run.lose(device, fault, (AT, 20.0))
    report = await run.run()
    assert report.state is RunState.ENDED
    assert report.reason == f"the {KIND[device]} {getattr(run.card, device).name} is lost"
    assert virtual_loop().time() <= AT + LOST_BY_S + 3.5
    assert run.told() == [("DeviceLost", KIND[device])]
    if device == "mic":
        assert np.array_equal(heard(run.card), said[: run.card.mic.captured])
    await asyncio.sleep(20.0)


@both_devices
async def test_a_loss_fails_the_run_where_that_is_asked_for(device: str) -> None:
    run = Talk(on_loss="fail")
    run.card.mic.hear(noise(60.0))
    run.lose(device, "vanish", (AT, 2.0))
    with pytest.raises(PipelineError, match="is lost") as failed:
        await run.task.run()
    assert isinstance(failed.value.__cause__, DeviceLostError)
    assert_accounted(failed.value.report)
    assert run.told() == []


@pytest.mark.parametrize("wrong", ["", "Wait", "retry", None, True, 3, ["wait"]])
@pytest.mark.parametrize("stage", [MicrophoneInput, SpeakerOutput])
def test_a_policy_that_there_is_not_is_refused_by_name(stage: Any, wrong: object) -> None:
    with pytest.raises(ValueError, match="on_loss must be 'wait', 'end' or 'fail', not "):
        stage("fake", on_loss=wrong)


class Failing(FakeBackend):
    """Every opening after the first few fails in its own way."""

    def __init__(self, card: SimulatedCard, *errors: Exception | None) -> None:
        super().__init__(card)
        self.errors = list(errors)

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return await super().open_input(request, wake)


async def test_any_error_of_a_device_is_a_reason_to_try_again() -> None:
    card, behind = SimulatedCard(), Recorder()
    errors = [DeviceTimeoutError("slow"), DeviceBusyError("busy"), DeviceError("odd")]
    task = PipelineTask(Pipeline([MicrophoneInput(Failing(card, None, *errors)), behind]))
    virtual_loop().call_later(1.0, card.mic.unplug)
    virtual_loop().call_later(1.1, card.mic.replug)
    virtual_loop().call_later(9.0, task.end)
    assert_accounted(await task.run(), MIC, "recorder")
    facts = [type(frame) for frame in behind.frames if isinstance(frame, Fact)]
    assert facts == [DeviceLostFrame, DeviceRestoredFrame]


async def test_any_other_error_is_one_of_the_stage() -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([MicrophoneInput(Failing(card, None, ZeroDivisionError("a bug")))]))
    virtual_loop().call_later(1.0, card.mic.unplug)
    with pytest.raises(PipelineError) as failed:
        await task.run()
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    assert failed.value.stage == "MicrophoneInput"
    assert_accounted(failed.value.report)


# -- side by side, and again -------------------------------------------------------------


async def test_the_loss_of_one_card_leaves_the_run_over_another_alone() -> None:
    one, two = Talk(WatchedCard("one")), Talk(WatchedCard("two"))
    for run in (one, two):
        run.card.mic.hear(noise(20.0))
        run.card.mic.run_out()
    one.lose("mic", "break", (AT, 5.0)).lose("speaker", "vanish", (AT, 5.0))
    reports = await asyncio.gather(one.run(), two.run())
    assert len(one.facts()) == 4
    assert two.facts() == []
    assert reports[1].dropped == {}
    assert np.array_equal(heard(two.card), noise(20.0))


async def test_the_same_processors_serve_again_after_a_loss() -> None:
    card = SimulatedCard()
    pipeline = Pipeline([MicrophoneInput(card.backend()), Loopback(), SpeakerOutput(card.backend())])
    card.mic.hear(noise(60.0))
    task = PipelineTask(pipeline)
    virtual_loop().call_later(1.0, card.mic.unplug)
    virtual_loop().call_later(1.0, card.speaker.break_, 8.0)
    virtual_loop().call_later(5.0, task.end)
    assert_accounted(await task.run())
    await asyncio.sleep(8.0)
    card.mic.replug()
    card.speaker.forget()
    card.mic.run_out()
    report = assert_accounted(await PipelineTask(pipeline).run(), *THROUGH)
    assert report.dropped == {}
    assert seam(report, MIC).taken == len(heard(card)) > 50 * RATE


async def test_the_facts_go_ahead_of_data_and_upstream_first() -> None:
    card, before, behind = SimulatedCard(), Recorder("before"), Recorder("behind")
    order: list[str] = []

    class Note(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, Fact):
                order.append("up" if direction is UP else "down")
            await self.push_frame(frame, direction)

    stages = [before, Note(), MicrophoneInput(card.backend()), Note(), behind]
    task = PipelineTask(Pipeline(stages))
    virtual_loop().call_later(1.0, card.mic.unplug)
    virtual_loop().call_later(2.0, card.mic.replug)
    virtual_loop().call_later(6.0, task.end)
    assert_accounted(await task.run())
    assert order == ["up", "down"] * 2
