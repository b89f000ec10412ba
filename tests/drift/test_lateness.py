"""Live sound that a standstill has made late is left out, and what is merely old is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from support.sound import assert_accounted, noise, samples, seam
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    FrameProcessor,
    Loopback,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.drift.lateness import JOIN_S, Lateness, join
from voicepipe_devices.fake import SimulatedCard

BLOCK_S = 0.02
RATE = 16_000


class Stream:
    """Pieces that come when they were captured, and a while after."""

    def __init__(self) -> None:
        self.lateness = Lateness()
        self.captured_s = 0.0

    def late(
        self, pieces: int, age_s: float = 0.05, *, at_s: float | None = None, excess_s: float = 0.0
    ) -> int:
        """How many of so many pieces are left out, each so long after it was captured, or all at once."""
        count = 0
        for _ in range(pieces):
            self.captured_s += BLOCK_S
            now_s = self.captured_s + age_s if at_s is None else at_s
            count += self.lateness.is_late(now_s, self.captured_s, BLOCK_S, excess_s)
        return count


def test_what_came_while_the_loop_stood_still_is_left_out_as_far_as_it_is_late() -> None:
    stream = Stream()
    assert stream.late(500) == 0
    assert stream.late(50, at_s=stream.captured_s + 1.05) == 49, "all but the last"
    assert stream.late(500) == 0


def test_a_short_standstill_loses_nothing() -> None:
    stream = Stream()
    stream.late(500)
    assert stream.late(10, at_s=stream.captured_s + 0.25) == 0


def test_a_queue_too_long_is_shortened_at_once() -> None:
    stream = Stream()
    stream.late(500)
    left_out = [stream.late(1, excess_s=0.6 - n * BLOCK_S) for n in range(40)]
    assert left_out == [1] * 30 + [0] * 10


def test_at_the_beginning_nothing_is_late() -> None:
    stream = Stream()
    assert stream.late(100) == 0
    assert stream.late(50, at_s=stream.captured_s + 1.05) == 0


def test_sound_that_is_said_again_is_not_late() -> None:
    stream = Stream()
    stream.late(500)
    now_s = stream.captured_s + 3.0
    again = [
        stream.lateness.is_late(now_s + n * BLOCK_S, 2.0 + n * BLOCK_S, BLOCK_S, 0.0) for n in range(100)
    ]
    assert not any(again)
    assert not stream.lateness.is_late(now_s, None, BLOCK_S, 9.0)
    assert not stream.lateness.is_late(now_s, now_s - 1.0, 2.0, 9.0), "a whole sentence"


def test_a_stage_that_takes_longer_from_now_on_costs_a_second() -> None:
    stream = Stream()
    stream.late(500)
    assert 0.9 < stream.late(200, age_s=0.4) * BLOCK_S < 1.2
    assert stream.late(500, age_s=0.4) == 0


def test_what_is_said_back_a_while_later_is_never_late() -> None:
    """Sentence by sentence, each in small pieces at the pace of sound, and each later than the last."""
    stream = Stream()
    assert [stream.late(400, age_s=2.0 + 0.7 * n) for n in range(5)] == [0] * 5


def test_leaving_out_ends_where_all_that_comes_is_old() -> None:
    stream = Stream()
    stream.late(500)
    stream.late(1_000, age_s=1.0, excess_s=0.5)
    assert stream.late(100, age_s=1.0, excess_s=0.5) == 0


def test_after_a_pause_it_begins_anew() -> None:
    stream = Stream()
    stream.late(500)
    stream.captured_s += 10.0
    assert stream.late(500, age_s=2.0) == 0


# -- joined


@pytest.mark.parametrize("channels", [1, 2])
def test_a_piece_is_joined_without_a_step_and_soon_as_it_was(channels: int) -> None:
    audio = AudioFormat(RATE, channels)
    data = noise(0.02 * channels)
    last = np.full(channels, 20_000, np.int16)
    found = np.frombuffer(join(last.tobytes(), data.tobytes(), audio), np.int16).reshape(-1, channels)
    count = audio.samples(JOIN_S)
    assert found[0].tolist() == last.tolist()
    np.testing.assert_array_equal(found[count:], data.reshape(-1, channels)[count:])


def test_what_is_joined_does_not_wrap() -> None:
    data = np.linspace(-32_768, 32_767, 40).astype(np.int16)
    found = np.frombuffer(join(b"\xff\x7f", data.tobytes(), AudioFormat(RATE)), np.int16)
    assert np.all(np.diff(found.astype(int)) >= -2_000)


# -- in a run


class _Gate(FrameProcessor):
    """Lets nothing pass while it is shut."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self._gate.wait()
        await self.push_frame(frame, direction)


def stretches(zeros: np.ndarray) -> Iterator[int]:
    """The lengths of the runs of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], zeros.astype(np.int8), [0]))))
    yield from (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize("stall_s", [0.4, 1.5])
async def test_after_a_standstill_sound_is_as_late_as_before_and_what_was_left_out_is_counted(
    stall_s: float,
) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(30.0))
    gate = asyncio.Event()
    gate.set()
    mic, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend(), steady=True)
    task = PipelineTask(Pipeline([mic, Loopback(), _Gate(gate), speaker]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(10.0)
    gate.clear()
    await asyncio.sleep(stall_s)
    gate.set()
    await asyncio.sleep(10.0)
    task.end()
    report = assert_accounted(await running)
    late = seam(report, "SpeakerOutput device").dropped["late"]
    assert late == pytest.approx(stall_s * RATE, abs=0.08 * RATE)
    played, said = samples(card.speaker.played()), noise(30.0)
    first, last = np.flatnonzero(played)[[0, -1]]
    before, after = played[first + RATE : first + 2 * RATE], played[last - 2 * RATE : last - RATE]
    assert _place(said, after) - _place(said, before) == pytest.approx(
        last - 3 * RATE - first, abs=0.03 * RATE
    )
    silent = max(stretches(played[first:last] == 0))
    assert silent == pytest.approx(stall_s * RATE, abs=0.08 * RATE)


def _place(said: np.ndarray, part: np.ndarray) -> int:
    """Where the part stands in what was said."""
    size = 1 << (len(said) + len(part)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(said, size) * np.fft.rfft(part, size).conj(), size)
    return int(np.argmax(alike[: len(said)]))
