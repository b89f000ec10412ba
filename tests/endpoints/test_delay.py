"""The delay of live sound as a figure: it is what is heard, and a delay that has grown is told of once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import numpy as np
import pytest

from support.sound import RATE, noise, samples, virtual_loop
from voicepipe import (
    AudioFormat,
    DeviceStatistics,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    SpeakerOutput,
)
from voicepipe.devices.port import OutputStream, StreamInfo
from voicepipe.endpoints.delay import Delay, Growth, sounding_s
from voicepipe.endpoints.delay_warning import Standing, describe_growth
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.fake.handle import OpenSide


class Slow(FrameProcessor):
    """Takes so long for each block of the microphone, from a moment on."""

    def __init__(self, each_s: float, *, from_s: float = 0.0, mailbox_s: float | None = None) -> None:
        super().__init__(mailbox_s=mailbox_s)
        self._each_s, self._from_s = each_s, from_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame) and frame.position >= self._from_s * RATE:
            await asyncio.sleep(self._each_s)
        await self.push_frame(frame, direction)


class Live:
    """Live sound from a card's microphone to its speaker."""

    def __init__(
        self,
        *between: Processor,
        block_s: float = 0.02,
        mic_block_s: float = 0.02,
        card: SimulatedCard | None = None,
        mute: bool = False,
        **arguments: Any,
    ) -> None:
        self.card = card or SimulatedCard()
        self.said = noise(20.0)
        self.card.mic.hear(self.said)
        self.speaker = SpeakerOutput(self.card.backend(), block_s=block_s, **arguments)
        mic = MicrophoneInput(self.card.backend(), block_s=mic_block_s, mute=mute)
        self.task = PipelineTask(Pipeline([mic, *between, Loopback(), self.speaker]))
        self._running = asyncio.create_task(self.task.run())

    async def end(self) -> DeviceStatistics:
        self.task.end()
        return (await self._running).devices[1]

    @property
    def figure_s(self) -> float | None:
        device = self.speaker.device_statistics()
        return None if device is None else device.delay_s

    @property
    def true_s(self) -> float:
        """The delay of what was played last, by the card: a sample sounds the latency after its callback."""
        mic, speaker = self.card.mic._handle, self.card.speaker._handle
        assert isinstance(mic, OpenSide)
        assert isinstance(speaker, OpenSide)
        played = samples(self.card.speaker.played())
        at = int(np.flatnonzero(played)[-1]) - 200
        # Noise comes only once: these samples were said there.
        piece = played[at : at + 200].astype(float)
        near = self.said[max(0, at - 3 * RATE) : at + 1_000].astype(float)
        match = int(np.argmax(np.correlate(near, piece, "valid"))) + max(0, at - 3 * RATE)
        info = speaker.info
        began_s = speaker._began_s - mic._began_s
        return (at - match) / RATE + info.block / RATE + info.latency_s + began_s


@pytest.mark.heavy(after=6)
@pytest.mark.parametrize(
    ("mic_block_s", "block_s", "jitter_s"),
    [(0.02, 0.02, 0.0), (0.01, 0.01, 0.0), (0.01, 0.03, 0.0), (0.03, 0.01, 0.0), (0.02, 0.02, 0.004)],
)
@pytest.mark.parametrize("arguments", [{}, {"steady": True}, {"latency": 0.2}])
async def test_the_figure_is_what_is_heard(
    mic_block_s: float, block_s: float, jitter_s: float, arguments: dict[str, Any]
) -> None:
    card = SimulatedCard(jitter_s=jitter_s)
    live = Live(mic_block_s=mic_block_s, block_s=block_s, card=card, **arguments)
    for _ in range(3):
        await asyncio.sleep(1.013)
        assert live.figure_s == pytest.approx(live.true_s, abs=0.005)
    true_s = live.true_s
    device = await live.end()
    assert device.delay_s == pytest.approx(true_s, abs=0.005), "it stays in the report"
    assert device.delay_s is not None
    assert device.longest_delay_s is not None
    assert device.longest_delay_s >= device.delay_s
    assert f"delay {1e3 * device.delay_s:.0f} ms" in str(live.task.report)


async def test_after_a_standstill_it_is_still_what_is_heard() -> None:
    live = Live()
    await asyncio.sleep(2.0)
    before_s = live.true_s
    virtual_loop().freeze(0.5)
    await asyncio.sleep(0.8)
    assert live.figure_s == pytest.approx(live.true_s, abs=0.005)
    device = await live.end()
    assert device.longest_delay_s is not None
    assert device.longest_delay_s >= before_s + 0.4


async def test_there_is_none_without_live_audio() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([speaker]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(OutputAudioFrame(noise(1.0).tobytes(), captured_s=0.0))
    await asyncio.sleep(1.0)
    device = speaker.device_statistics()
    assert device is not None
    assert device.delay_s is device.longest_delay_s is None
    task.end()
    assert "delay" not in str(await running)


async def test_it_is_forgotten_when_no_live_audio_comes_any_more() -> None:
    live = Live()
    await asyncio.sleep(2.0)
    assert live.figure_s is not None
    live.card.mic.unplug()
    await asyncio.sleep(3.0)
    assert live.figure_s is None
    state = live.speaker.device_state()
    assert state is not None
    assert state.delay_s is None
    await live.end()


async def test_half_duplex_has_the_delay_of_what_gets_through() -> None:
    """The microphone hears nothing while the speaker sounds, and goes on when it is quiet."""
    live = Live(mute=True)
    await asyncio.sleep(3.0)
    assert live.figure_s == pytest.approx(live.true_s, abs=0.005)
    await live.end()


async def test_a_file_has_none(tmp_path: object) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(2.0))
    speaker = SpeakerOutput(f"wav:,{tmp_path}/out.wav")
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Loopback(), speaker]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.5)
    task.end()
    assert (await running).devices[1].delay_s is None


async def test_another_speaker_begins_anew() -> None:
    live = Live()
    await asyncio.sleep(2.0)
    live.card.speaker.crash()
    await asyncio.sleep(6.0)
    assert live.speaker.device_statistics() is not None
    assert live.figure_s is not None
    assert live.figure_s < 0.3
    await live.end()


# -- a delay that has grown ----------------------------------------------------------


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "live sound takes" in record.message]


async def test_a_slow_stage_is_named_with_its_line_and_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    live = Live(Slow(0.023, from_s=1.0))
    await asyncio.sleep(9.0)
    await live.end()
    (line,) = warnings_of(caplog)
    assert line.startswith("SpeakerOutput: live sound takes ")
    assert "Slow is too slow for it: " in line
    assert "test_delay.py:" in line
    assert "mailbox_s=0.2" in line


@pytest.mark.heavy
async def test_with_that_cure_the_delay_stays_short_and_the_loss_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    live = Live(Slow(0.0215, from_s=2.0, mailbox_s=0.2))
    await asyncio.sleep(18.0)
    device = await live.end()
    assert device.longest_delay_s is not None
    assert device.longest_delay_s < 0.4
    assert live.task.report is not None
    assert live.task.report.dropped["overflow"] > 0


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("each_s", [0.0195, 0.01])
async def test_a_stage_that_keeps_up_is_not_told_of(each_s: float, caplog: pytest.LogCaptureFixture) -> None:
    live = Live(Slow(each_s))
    await asyncio.sleep(8.0)
    await live.end()
    assert warnings_of(caplog) == []


class Clock:
    """Live frames with a delay that a test sets; clock and device are numbers."""

    def __init__(self) -> None:
        self.now_s = self.asked_s = 100.0
        self.info = StreamInfo("numbers", AudioFormat(RATE), 320, 0.04)
        self.told: list[Growth] = []
        self.delay = Delay()
        self.delay.tell = self.told.append

    def run(self, seconds: float, *, age_s: float = 0.01, ahead_s: float = 0.0, origin: str = "") -> None:
        for _ in range(max(1, round(seconds / 0.2))):
            self.now_s += 0.2
            self.asked_s = self.now_s
            frame = OutputAudioFrame(bytes(640), captured_s=self.now_s - age_s, live=True, origin=origin)
            self.delay.measure(frame, cast(OutputStream, self), ahead_s, self.now_s, 0.04)


@pytest.mark.parametrize(
    ("asked_s", "ahead_s", "now_s", "expected_s"),
    [
        (10.0, 0.0, 10.0, 10.02),  # it asks again after a block
        (10.0, 0.1, 10.0, 10.12),
        (10.0, 0.1, 10.05, 10.12),  # the news is old, and all that waited then is still known
        (10.0, 0.0, 10.05, 10.06),  # it has run dry, and asks at 10.06
        (10.0, 0.03, 10.15, 10.16),
        (None, 0.1, 10.0, None),
    ],
)
def test_a_sample_sounds_when_the_device_comes_to_it(
    asked_s: float | None, ahead_s: float, now_s: float, expected_s: float | None
) -> None:
    clock = Clock()
    clock.asked_s = asked_s  # type: ignore[assignment]  # as of a device without a clock
    sounds_s = sounding_s(cast(OutputStream, clock), ahead_s, now_s, 0.5)
    assert sounds_s == (None if expected_s is None else pytest.approx(expected_s + 0.5))


GROWTHS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "it stays": ([{"seconds": 20.0}], False),
    "it has grown, and stays so": ([{"seconds": 3.0}, {"seconds": 6.0, "age_s": 0.2}], True),
    "in the queue": ([{"seconds": 3.0}, {"seconds": 6.0, "ahead_s": 0.2}], True),
    "a little": ([{"seconds": 3.0}, {"seconds": 20.0, "age_s": 0.1}], False),
    "for a short time": (
        [{"seconds": 3.0}, {"seconds": 4.0, "age_s": 0.5}, {"seconds": 3.0}, {"seconds": 4.0, "age_s": 0.5}],
        False,
    ),
    "it was long from the start": ([{"seconds": 20.0, "age_s": 1.0}], False),
    "one microphone is later than another": (
        [
            each
            for _ in range(100)
            for each in ({"seconds": 0.1}, {"seconds": 0.1, "age_s": 0.5, "origin": "b"})
        ],
        False,
    ),
}


@pytest.mark.parametrize("name", GROWTHS)
def test_a_growth_is_told_where_it_lasts(name: str) -> None:
    steps, is_told = GROWTHS[name]
    clock = Clock()
    for step in steps:
        clock.run(**step)
    assert bool(clock.told) == is_told


def test_it_is_told_once() -> None:
    clock = Clock()
    for age_s in (0.01, 0.5, 0.01, 1.0):
        clock.run(10.0, age_s=age_s)
    (growth,) = clock.told
    assert growth.now_s - growth.least_s == pytest.approx(0.49)
    assert growth.before_s == pytest.approx(0.49)


def test_of_two_microphones_the_longer_delay_is_shown() -> None:
    clock = Clock()
    for _ in range(10):
        clock.run(0.1)
        clock.run(0.1, age_s=0.5, origin="b")
    assert clock.delay.now_s(clock.now_s) == pytest.approx(0.5 + 0.02 + 0.04)
    clock.run(3.0)
    assert clock.delay.now_s(clock.now_s) == pytest.approx(0.01 + 0.02 + 0.04), "the other one has ended"


@pytest.mark.parametrize(
    ("before_s", "standing", "words"),
    [
        (
            0.4,
            Standing("Slow", 0.4, "bot.py:7 in process_frame", 2.0),
            "Slow is too slow for it: 400 ms wait",
        ),
        (0.4, Standing("Slow", 0.4, "bot.py:7 in process_frame", 2.0), "with mailbox_s=0.2"),
        (0.4, None, "a stage keeps sound back, or another microphone has a longer latency"),
        (0.0, None, "It waits behind sound that is never left out"),
    ],
)
def test_the_warning_is_one_line_with_a_cure(before_s: float, standing: Standing | None, words: str) -> None:
    line = describe_growth("SpeakerOutput", Growth(0.03, 0.43, before_s), standing)
    assert line.startswith(
        "SpeakerOutput: live sound takes 430 ms from the microphone to the speaker, and took 30"
    )
    assert words in line
    assert "\n" not in line


def test_a_stage_with_a_small_mailbox_is_not_advised_to_make_it_small() -> None:
    standing = Standing("Slow", 0.2, "bot.py:7 in process_frame", 0.2)
    assert "mailbox_s" not in describe_growth("SpeakerOutput", Growth(0.03, 0.23, 0.2), standing)
