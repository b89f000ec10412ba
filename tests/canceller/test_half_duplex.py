"""Half-duplex over frames: first words are whole, turns too, and every sample is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from canceller.sounds import RATE, int16, noise, voice
from support.sound import assert_accounted, seam
from voicepipe import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.half_duplex.half_duplex import BRIDGE_S, LOOK_BACK_S, HalfDuplex, Muted
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.speakers import Speakers
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual

SAMPLES = 320


class Fed:
    """A half-duplex whose gate is told what to answer, with frames of 20 ms."""

    def __init__(self) -> None:
        self.speakers = Speakers()
        self.half_duplex = HalfDuplex(RATE, 1, self.speakers)
        self.half_duplex._gate = self  # type: ignore[assignment]  # a gate of the test's
        self.is_open = False
        self.number = 0
        self.passed: list[InputAudioFrame] = []

    def gate(self, mic: object, far: object) -> bool:
        return self.is_open

    def feed(self, frames: int, *, is_open: bool = False, is_known: bool = True) -> None:
        self.is_open = is_open
        far = np.ones(SAMPLES, np.float32) if is_known else None
        for _ in range(frames):
            at, data = self.number * SAMPLES, bytes([1, 0]) * SAMPLES
            self.number += 1
            self.half_duplex.hear(CancelledBlock(at, at / RATE, data, far, None, data))
            self.passed += self.half_duplex.let_out([InputAudioFrame(data, RATE, 1, at, at / RATE)])

    @property
    def shown(self) -> str:
        """A letter for each frame: x passed, 0 is silence, - was dropped; those that wait are left out."""
        by_place = {frame.position // SAMPLES: "x" if any(frame.data) else "0" for frame in self.passed}
        waiting = self.half_duplex.held // SAMPLES
        return "".join(by_place.get(place, "-") for place in range(self.number - waiting))


KEPT = round(LOOK_BACK_S * RATE / SAMPLES)
BRIDGED = round(BRIDGE_S * RATE / SAMPLES)


def sounding() -> Fed:
    fed = Fed()
    fed.speakers.begin("speaker", 0.0)
    return fed


def test_while_nothing_sounds_everything_passes_at_once() -> None:
    fed = Fed()
    fed.feed(5)
    assert fed.shown == "xxxxx"
    assert fed.half_duplex.take_muted() == Muted(0, 0)


def test_what_is_not_loud_is_dropped_and_counted() -> None:
    fed = sounding()
    fed.feed(30)
    assert fed.shown == "-" * (30 - KEPT)
    assert fed.half_duplex.held == KEPT * SAMPLES
    assert fed.half_duplex.take_muted() == Muted((30 - KEPT) * SAMPLES, 0)
    assert fed.half_duplex.take_muted() == Muted(0, 0)


def test_the_beginning_of_a_word_comes_with_it() -> None:
    fed = sounding()
    fed.feed(30)
    fed.feed(2, is_open=True)
    assert fed.shown == "-" * (30 - KEPT) + "x" * (KEPT + 2)


def test_silence_stands_between_words_for_a_second() -> None:
    fed = sounding()
    fed.feed(2, is_open=True)
    fed.feed(20)
    fed.feed(1, is_open=True)
    fed.feed(100)
    assert fed.shown.startswith("xx" + "0" * (20 - KEPT) + "x" * (KEPT + 1) + "0" * BRIDGED + "---")
    dropped, silenced = fed.half_duplex.take_muted()
    assert silenced == fed.shown.count("0") * SAMPLES
    assert dropped == fed.shown.count("-") * SAMPLES


def test_what_waits_when_the_sound_ends_is_not_let_out_late() -> None:
    fed = sounding()
    fed.feed(30)
    fed.speakers.end("speaker", 30 * SAMPLES / RATE)
    fed.feed(3)
    assert fed.shown == "-" * 30 + "xxx"


def test_without_knowledge_of_what_sounds_nothing_is_loud() -> None:
    fed = sounding()
    fed.feed(20, is_open=True, is_known=False)
    assert "x" not in fed.shown


def test_the_end_lets_go_of_what_waits() -> None:
    fed = sounding()
    fed.feed(5)
    assert fed.half_duplex.end() == []
    assert fed.half_duplex.take_muted() == Muted(5 * SAMPLES, 0)
    assert fed.half_duplex.held == 0


# -- in a room -----------------------------------------------------------------------


class Keeper(InlineProcessor):
    """Keeps the microphone's audio, and lets none of it go further."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[InputAudioFrame] = []

    def process(self, frame: Frame, direction: FrameDirection) -> Sequence[Frame]:
        if isinstance(frame, InputAudioFrame):
            self.frames.append(frame)
            return ()
        return (frame,)


async def talk_over(mute: bool | None, level_db: float) -> tuple[PipelineTask, Keeper]:
    """Let the program speak for 9 s, and a user over it from second 6 to 7."""
    card = SimulatedCard()
    card.room(room_impulse(level_db=level_db, seed=3))
    user = noise(11 * RATE)
    user[6 * RATE : 7 * RATE] += voice(1, 5)
    card.mic.hear(int16(user))
    keeper = Keeper()
    microphone = MicrophoneInput(card.backend(), cancel=None if mute else False, mute=mute)
    task = PipelineTask(Pipeline([microphone, keeper, SpeakerOutput(card.backend())]))
    program = int16(voice(9, 1))
    await task.queue_frame(OutputAudioFrame.from_array(program, rate=RATE))
    asyncio.get_running_loop().call_later(10.5, task.end)
    await task.run()
    return task, keeper


@pytest.mark.parametrize("mute", [True, None])
@pytest.mark.heavy(after=1)
def test_a_user_is_heard_over_the_program_and_the_program_is_not(mute: bool | None) -> None:
    task, keeper = run_virtual(talk_over(mute, -6))
    heard = np.zeros(12 * RATE, np.int16)
    for frame in keeper.frames:
        heard[frame.position : frame.position + frame.num_samples] = frame.array[:, 0]
    loud = np.abs(heard).reshape(-1, RATE // 10).max(axis=1) > 0
    assert not loud[2:57].any(), "the program's own voice"
    assert loud[60:70].mean() >= 0.8, "the user over it"
    assert not loud[75:88].any()
    ledger = seam(assert_accounted(task.report), "MicrophoneInput device")
    assert ledger.dropped["muted"] > 7 * RATE
