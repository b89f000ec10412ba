"""Live sound gets its delay back: what a standstill has made late is left out, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from support.live import Live
from support.sound import RATE, Samples, noise, seam, virtual_loop
from voicepipe import (
    AudioFormat,
    AudioFrame,
    BackgroundAudioFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    OutputAudioFrame,
    SpokenFrame,
    SpokenStoppedFrame,
)
from voicepipe.devices.port import OutputStream, StreamRequest
from voicepipe.endpoints.chunks import Change, Chunk, leave_out
from voicepipe_devices.fake import FakeBackend, SimulatedCard

AT = 3.0
"""The time of the first standstill."""


async def back(standstills: Sequence[tuple[float, float]], **arguments: Any) -> Live:
    """Run it; two seconds after the end of the last standstill, the delay must be what it was."""
    end_s = max(at + seconds for at, seconds in standstills)
    live = await Live(standstills, end_s + 3.0, **arguments).run()
    before_s, after_s = live.delay_s(AT - 0.5), live.delay_s(end_s + 2.0)
    assert after_s - before_s == pytest.approx(0.0, abs=0.010)
    return live


# -- it is back ------------------------------------------------------------------------


@pytest.mark.parametrize("block_s", [0.01, 0.02, 0.0027, 0.04])
@pytest.mark.parametrize("seconds", [0.12, 1.5, 0.025, 0.5])
@pytest.mark.heavy(after=2)
async def test_the_delay_is_back_within_two_seconds(seconds: float, block_s: float) -> None:
    live = await back([(AT + 0.0137, seconds)], block_s=block_s)
    assert live.late_s == pytest.approx(seconds, abs=0.05)
    assert set(live.report.dropped) <= {"late"}


@pytest.mark.parametrize("block_s", [0.005, 0.03, 0.06])
@pytest.mark.heavy(after=1)
async def test_frames_of_any_length_come_back(block_s: float) -> None:
    await back([(AT + 0.0137, 0.25)], mic_block_s=block_s)


@pytest.mark.parametrize("gap_s", [0.3, 0.05, 0.9, 1.1])
@pytest.mark.heavy(after=1)
async def test_a_burst_of_standstills_comes_back(gap_s: float) -> None:
    """The second and third come while the first is being made good."""
    await back([(AT + n * (0.2 + gap_s), 0.2 - 0.06 * n) for n in range(3)])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.heavy
async def test_twenty_standstills_at_random_moments_come_back_each_time(seed: int) -> None:
    rng = random.Random(seed)
    standstills, now_s = [], AT
    for _ in range(20):
        standstills.append((now_s, float(np.exp(rng.uniform(np.log(0.01), np.log(1.5))))))
        now_s += standstills[-1][1] + rng.uniform(3.0, 5.0)
    block_s, mic_block_s = rng.choice([0.01, 0.02]), rng.choice([0.01, 0.02])
    live = await Live(standstills, now_s, block_s=block_s, mic_block_s=mic_block_s).run()
    before_s = live.delay_s(AT - 0.5)
    for at_s, seconds in standstills:
        assert live.delay_s(at_s + seconds + 2.0) == pytest.approx(before_s, abs=0.010)


def silence_of(live: Live) -> object:
    return live.task.queue_frame(BackgroundAudioFrame(bytes(2 * RATE * 9), sound="music"))


WAYS: dict[str, dict[str, Any]] = {
    "steady": {"speaking": {"steady": True}},
    "another format": {"output": AudioFormat(48_000)},
    "steady, another format": {"output": AudioFormat(48_000), "speaking": {"steady": True}},
    "a background sound": {"at": [(1.0, silence_of)]},
    "steady, a background sound": {"at": [(0.5, silence_of)], "speaking": {"steady": True}},
    "louder meanwhile": {"at": [(AT + 0.5, lambda live: live.speaker.set_volume(-1.0, ramp_s=2.0))]},
    "softer meanwhile": {"at": [(AT + 1.1, lambda live: live.speaker.duck(-2.0))]},
    "interrupted before": {"at": [(1.0, lambda live: live.task.interrupt())]},
    "interrupted meanwhile": {"at": [(AT + 0.6, lambda live: live.task.interrupt())]},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.heavy(after=4)
async def test_every_live_path_comes_back(way: str) -> None:
    live = await back([(AT + 0.0137, 0.5)], **WAYS[way])
    most = 0.0 if way == "interrupted meanwhile" else 0.5
    assert live.late_s == pytest.approx(most, abs=0.07), "a cushion of silence has already gone"


async def test_what_a_hold_has_kept_is_not_heard_late() -> None:
    live = await Live(
        seconds=7.0, at=[(2.0, lambda live: live.speaker.hold()), (3.0, lambda live: live.speaker.resume())]
    ).run()
    assert live.late_s == pytest.approx(1.0, abs=0.05)
    assert live.delay_s(5.0) == pytest.approx(live.delay_s(1.5), abs=0.010)


@pytest.mark.heavy
async def test_after_a_lost_speaker_came_back_a_standstill_is_made_good() -> None:
    live = await Live(
        [(6.0, 0.4)],
        10.0,
        at=[
            (2.0, lambda live: live.card.speaker.unplug()),
            (3.0, lambda live: live.card.speaker.replug()),
        ],
    ).run()
    assert set(live.report.dropped) == {"device_lost", "late"}
    assert live.late_s == pytest.approx(0.4, abs=0.05)
    before_s, after_s = live.delay_s(4.0), live.delay_s(7.0)  # the speaker was away for 1.5 s
    assert after_s == pytest.approx(before_s, abs=0.010)


class _NoRewrite(FakeBackend):
    """A back end whose streams cannot take back what they were given."""

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        stream = await super().open_output(request, wake)
        stream.rewrite = lambda position, data: False  # type: ignore[method-assign]  # as of a back end that has no rewrite
        return stream


@pytest.mark.parametrize("mic_block_s", [0.02, 0.003])
async def test_without_rewrite_it_is_left_out_of_what_comes(mic_block_s: float) -> None:
    live = await Live([(AT + 0.0137, 0.3)], 6.5, mic_block_s=mic_block_s, backend=_NoRewrite).run()
    assert live.late_s == pytest.approx(0.3, abs=0.03)
    assert live.delay_s(6.0) == pytest.approx(live.delay_s(AT - 0.5), abs=0.010)
    (change,) = live.speaker.changes
    assert change.samples == round(live.late_s * RATE)


class _Anonymous(FrameProcessor):
    """Makes frames that do not say when they were captured."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame):
            frame = InputAudioFrame(frame.data, frame.rate, live=True)
        await self.push_frame(frame, direction)


async def test_frames_that_do_not_say_when_they_were_captured_come_back() -> None:
    live = await back([(AT + 0.0137, 0.25)], between=[_Anonymous()])
    assert live.late_s == pytest.approx(0.25, abs=0.03)


# -- nothing else ----------------------------------------------------------------------


class _Bursts(FrameProcessor):
    """Gives so many frames at once, and then none for a while."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self._kept: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self._kept.append(frame)
        if len(self._kept) == self._count:
            kept, self._kept = self._kept, []
            for each in kept:
                await self.push_frame(each, direction)


@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("count", [25, 45])
async def test_a_stage_that_gives_live_audio_in_bursts_loses_none(count: int, steady: bool) -> None:
    live = await Live(seconds=12.0, between=[_Bursts(count)], speaking={"steady": steady}).run()
    assert live.late_s == 0.0


async def test_made_speech_is_never_cut() -> None:
    """Utterances of 2 s beside live audio: what is live goes, and what was said is heard."""
    speech = OutputAudioFrame(noise(2.0, seed=1).tobytes())
    live = await Live(
        seconds=9.0,
        at=[(2.0, lambda live: live.task.queue_frame(speech))],
    ).run()
    at = live.played.tobytes().find(speech.data[: 2 * RATE * 2 - 320])
    assert at > 0, "all of it, as it was made"
    assert live.delay_s(7.0) == pytest.approx(live.delay_s(1.5), abs=0.010)
    assert live.late_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("ppm", [1_000.0, -1_000.0])
@pytest.mark.heavy
async def test_two_clocks_are_kept_together_without_steady(ppm: float) -> None:
    """A thousand ppm are 30 ms in half a minute."""
    live = await Live(seconds=40.0, mic_ppm=ppm).run()
    by_clock_s = 30.0 * ppm * 1e-6  # positions of the microphone's clock
    assert live.delay_s(35.0) == pytest.approx(live.delay_s(5.0) - by_clock_s, abs=0.021)
    assert live.late_s == pytest.approx(0.04 if ppm > 0 else 0.0, abs=0.021)


class _Busy(FrameProcessor):
    """Passes frames on as a program whose processor is busy: later, and now and then much later."""

    def __init__(self, most_s: float, hiccup_s: float) -> None:
        super().__init__()
        self._random = random.Random(1)
        self._most_s = most_s
        self._hiccup_s = hiccup_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if self._random.random() < 0.02:
            virtual_loop().freeze(self._random.uniform(0.5, 1.0) * self._hiccup_s)
        await asyncio.sleep(self._random.uniform(0.0, self._most_s))
        await self.push_frame(frame, direction)


@pytest.mark.parametrize("hiccup_s", [0.03, 0.015])
@pytest.mark.heavy
async def test_hiccups_that_come_again_are_not_cut_for_ever(hiccup_s: float) -> None:
    live = await Live(seconds=40.0, between=[_Busy(0.005, hiccup_s)]).run()
    first = [change for change in live.speaker.changes if change.position < 20 * RATE]
    assert len(live.speaker.changes) - len(first) <= 2, "in twenty seconds"


# -- no click --------------------------------------------------------------------------


def steepest(audio: Samples) -> int:
    return int(np.abs(np.diff(audio.astype(np.int64))).max())


@pytest.mark.parametrize("hz", [440.0, 97.0])
@pytest.mark.parametrize("way", ["rewrite", "no rewrite"])
async def test_a_sine_has_no_step_where_something_was_left_out(hz: float, way: str) -> None:
    said = np.rint(12_000 * np.sin(2 * np.pi * hz * np.arange(8 * RATE) / RATE)).astype(np.int16)
    backend = SimulatedCard.backend if way == "rewrite" else _NoRewrite
    live = await Live([(AT + 0.0137, 0.123)], 6.5, said=said, backend=backend).run()
    (change,) = live.speaker.changes
    played = live.played[np.flatnonzero(live.played)[0] :]
    zeros = np.convolve(played == 0, np.ones(8), "valid")
    silent = int(np.argmax(zeros))  # the standstill itself was a gap
    assert change.position > 0
    # A fade of 5 ms may add as much as it moves from the one end to the other.
    most = steepest(said) + 2 * 12_000 // (RATE // 200) + 2
    assert steepest(played[silent + 3 * 2000 : -2000]) <= most


def test_it_is_left_out_where_it_is_quietest() -> None:
    audio = np.full(3_200, 9_000, np.int16)
    audio[800:960] = audio[1_600:1_760] = 5  # two quiet places, 800 samples apart
    queue = deque(
        [Chunk(memoryview(audio[at : at + 320].tobytes()), live=True) for at in range(0, 3_200, 320)]
    )
    kept, gone = leave_out(queue, 800, 80, 2)
    assert sum(gone.values()) == 800
    sizes = [len(chunk.data) // 2 for chunk in kept]
    (joint,) = [n for n, chunk in enumerate(kept) if chunk.change is not None]
    assert sum(sizes) == 2_400
    assert 800 <= sum(sizes[:joint]) < 960
    assert np.abs(np.frombuffer(kept[joint].data, np.int16)).max() == 5


# -- told ------------------------------------------------------------------------------


async def test_what_was_left_out_is_told_with_its_position() -> None:
    """The sound after each change is as many samples ahead of that before it as the change says."""
    live = await back([(AT, 0.3), (AT + 3.0, 0.12)])
    sound = live.played[live.played != 0]  # positions count the samples handed to the device
    changes = live.speaker.changes
    assert [change.reason for change in changes] == ["late", "late"]
    assert sum(change.samples for change in changes) == live.report.dropped["late"]
    gone = 0
    for change in changes:
        before, behind = change.position - 200, change.position + 100
        np.testing.assert_array_equal(sound[before : before + 200], live.said[before + gone :][:200])
        gone += change.samples
        np.testing.assert_array_equal(sound[behind : behind + 200], live.said[behind + gone :][:200])


def test_a_change_that_is_left_out_itself_is_told_with_what_takes_its_place() -> None:
    chunks = [Chunk(memoryview(noise(0.01).tobytes()), live=True) for _ in range(60)]
    chunks[30] = chunks[30]._replace(change=Change(7, "late"))
    kept, gone = leave_out(deque(chunks), 50 * 160, RATE // 200, 2)
    told = [chunk.change.samples for chunk in kept if chunk.change is not None]
    assert told == [sum(gone.values()) + 7]


async def test_what_drift_has_made_is_told_and_in_the_report() -> None:
    live = await Live(seconds=3.0, speaking={"steady": True}).run()
    cushion = -seam(live.report, "SpeakerOutput device").dropped["drift"]
    assert cushion > 0
    assert live.report.dropped == {"drift": -cushion}
    (change,) = live.speaker.changes
    assert (change.samples, change.reason) == (-cushion, "drift")


async def test_the_facts_of_a_sentence_stay_true() -> None:
    facts: list[Frame] = []
    live = Live(
        [(AT, 0.2)],
        6.0,
        at=[(1.0, lambda live: live.task.queue_frame(SpokenFrame("What they say.")))],
    )
    live.task.subscribe(lambda frame, direction: facts.append(frame))
    await live.run()
    (stopped,) = {f for f in facts if isinstance(f, SpokenStoppedFrame)}
    (bot,) = {f for f in facts if isinstance(f, BotStoppedSpeakingFrame)}
    position = seam(live.report, "SpeakerOutput device").given
    assert (stopped.position, bot.position) == (position, position)
    assert stopped.heard == "What they say."
    assert not stopped.interrupted


async def test_the_first_time_is_a_warning_and_the_others_are_for_those_who_look(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "voicepipe"):
        await back([(AT, 0.3), (AT + 3.0, 0.12)])
    lines = [r for r in caplog.records if "left out" in r.getMessage()]
    assert [r.levelname for r in lines] == ["WARNING", "DEBUG"]
    assert lines[0].getMessage().startswith("SpeakerOutput: 300 ms of live audio is left out")


@pytest.mark.parametrize("frame", [OutputAudioFrame, BackgroundAudioFrame])
async def test_steady_says_once_that_it_has_no_effect_on_made_speech(
    frame: type[AudioFrame], caplog: pytest.LogCaptureFixture
) -> None:
    live = Live(seconds=2.0, speaking={"steady": True})
    live.at = [(n / 5, lambda live: live.task.queue_frame(frame(bytes(640)))) for n in range(3)]
    await live.run()
    lines = [r for r in caplog.records if "steady=True has no effect" in r.getMessage()]
    assert len(lines) == (1 if frame is OutputAudioFrame else 0)


@pytest.mark.heavy
async def test_the_last_samples_of_a_steady_voice_come_as_soon_as_it_pauses() -> None:
    """While it corrects, the stretcher holds 16 samples."""
    held: list[int] = []

    class Silent(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if not isinstance(frame, AudioFrame) or frame.position < 120 * RATE:
                await self.push_frame(frame, direction)

    live = Live(
        seconds=124.0,
        mic_ppm=400.0,
        between=[Silent()],
        speaking={"steady": True},
        at=[
            (119.0, lambda live: held.append(live.speaker.seams()[0].held)),
            (122.0, lambda live: held.append(live.speaker.seams()[0].held)),
        ],
    )
    await live.run()
    assert any(
        change.reason == "drift" and change.samples > 0 for change in live.speaker.changes
    )  # it corrects
    assert held[0] > 0
    assert held[1] == 0
