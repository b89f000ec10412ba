"""A speaker's tap: what all its streams played, for whoever asks before the speaker opens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from endpoints.test_change_of_device import Cards
from support.sound import RATE, assert_accounted, is_running, noise, talk
from voicepipe import (
    AudioFormat,
    FrameProcessor,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.devices.port import StreamRequest
from voicepipe.endpoints.speaker_tap import StreamsTap
from voicepipe.params import StartParams
from voicepipe.speakers import KEPT_S, Sounded, Speakers, SpeakerTap, Tapped
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.wav import WavBackend

AUDIO = AudioFormat(RATE)
SPEECH = OutputAudioFrame.from_array(noise(0.5))


def do_nothing() -> None:
    pass


class Asking(FrameProcessor):
    """A stage behind the speakers, which opens before them: it asks for the taps, and reads them."""

    def __init__(self, *, asks: bool = True) -> None:
        super().__init__()
        self._asks = asks
        self.speakers = Speakers()

    async def on_start(self, params: StartParams) -> None:
        self.speakers = params.speakers
        self.speakers.are_tapped = self._asks

    def read(self, after: int = -1, speaker: int = 0) -> list[Tapped]:
        return list(self.speakers.taps[speaker].read(after))


def playing(*speakers: SpeakerOutput, asks: bool = True) -> tuple[PipelineTask, Asking]:
    asking = Asking(asks=asks)
    return PipelineTask(Pipeline([*speakers, asking]), output=AUDIO), asking


@asynccontextmanager
async def running(task: PipelineTask) -> AsyncIterator[None]:
    run = asyncio.create_task(task.run())
    await is_running(task)
    try:
        yield
    finally:
        task.end()
        await run


def data_of(blocks: list[Tapped]) -> bytes:
    return b"".join(block.sounded.data for block in blocks)


def samples_of(sound: Sounded) -> int:
    return len(sound.data) // 2


async def test_a_speaker_that_nobody_asks_has_no_tap() -> None:
    card = SimulatedCard()
    task, asking = playing(SpeakerOutput(card.backend()), asks=False)
    async with running(task):
        await asyncio.sleep(0.5)
        assert asking.speakers.taps == ()


async def test_the_tap_tells_all_that_the_speaker_played_once_to_each_reader() -> None:
    card = SimulatedCard()
    task, asking = playing(SpeakerOutput(card.backend()))
    async with running(task):
        await task.queue_frame(SPEECH)
        seen: list[Tapped] = []
        for _ in range(60):
            await asyncio.sleep(0.0173)
            seen += asking.read(seen[-1].number if seen else -1)
        assert data_of(seen) == card.speaker.played()
        assert seen == asking.read()  # another reader, from the beginning
        assert [block.number for block in seen] == list(range(len(seen)))
        assert {block[1:4] for block in seen} == {(0, RATE, 1)}
        assert asking.read(seen[-1].number) == []
    assert asking.speakers.taps == ()


async def test_who_reads_seldom_finds_the_last_four_seconds() -> None:
    card = SimulatedCard()
    task, asking = playing(SpeakerOutput(card.backend()))
    async with running(task):
        asking.read()
        await asyncio.sleep(3.0)
        asking.read()
        await asyncio.sleep(3.0)
        blocks = asking.read(after=3)
        assert len(data_of(blocks)) / 2 / RATE == pytest.approx(KEPT_S, abs=0.02)
        assert data_of(blocks) == card.speaker.played()[-len(data_of(blocks)) :]
        assert [block.number for block in blocks] == list(range(blocks[0].number, blocks[-1].number + 1))


def lose(card: SimulatedCard) -> None:
    card.speaker.unplug()
    card.speaker.replug()


def vanish(card: SimulatedCard) -> None:
    card.speaker.vanish()
    card.speaker.replug()


def stall(card: SimulatedCard) -> None:
    card.speaker.stall()
    asyncio.get_running_loop().call_later(2.0, card.speaker.stall, False)


LOSSES = [lose, vanish, stall, lambda card: card.speaker.crash(), lambda card: card.speaker.break_(0.5)]


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_stream_is_told_to_its_end_and_the_next_one_is_another(
    loss: Callable[[SimulatedCard], None],
) -> None:
    card = SimulatedCard()
    task, asking = playing(SpeakerOutput(card.backend()))
    async with running(task):
        await task.queue_frame(SPEECH)
        await asyncio.sleep(0.3)
        loss(card)
        before = card.speaker.played()
        await asyncio.sleep(3.0)  # the record must outlive the loss, although nobody reads meanwhile
        blocks = asking.read()
        first = [block for block in blocks if block.stream == 0]
        second = [block for block in blocks if block.stream > 0]
        assert data_of(first) == before
        assert second[0].sounded.position == 0
        assert second[0].sounded.sounds_s > first[-1].sounded.sounds_s + 0.05
        assert data_of(blocks) == card.speaker.played()


async def test_a_change_of_device_goes_on_with_the_other_one() -> None:
    first, second = SimulatedCard("first"), SimulatedCard("second")
    speaker = SpeakerOutput(Cards(first, second))
    task, asking = playing(speaker)
    async with running(task):
        await task.queue_frame(SPEECH)
        await asyncio.sleep(0.2)
        speaker.change_device("second")
        await asyncio.sleep(1.0)
        blocks = asking.read()
        told = [data_of([block for block in blocks if block.stream == number]) for number in (0, 1)]
        assert told == [first.speaker.played(), second.speaker.played()]


async def test_several_speakers_have_a_tap_each() -> None:
    cards = SimulatedCard("left"), SimulatedCard("right")
    task, asking = playing(*(SpeakerOutput(card.backend()) for card in cards))
    async with running(task):
        await task.queue_frame(SPEECH)
        await asyncio.sleep(0.3)
        told = [data_of(asking.read(speaker=number)) for number in range(2)]
        assert sorted(told) == sorted(card.speaker.played() for card in cards)
        assert any(told[0]) != any(told[1])


async def test_a_run_with_a_tap_accounts_for_every_sample_and_another_run_begins_anew() -> None:
    card = SimulatedCard()
    for _ in range(2):
        task = talk(card, Asking())
        card.mic.hear(noise(0.5))
        async with running(task):
            await asyncio.sleep(1.0)
        assert_accounted(task.report)


async def test_a_back_end_without_the_method_has_an_empty_tap() -> None:
    class Bare:
        info = None

    tap = StreamsTap()
    tap.follow(Bare())  # type: ignore[arg-type]  # a stream without heard()
    assert tap.read(-1) == ()
    tap.leave()
    tap.leave()


async def test_a_back_end_that_never_ends_its_record_holds_nobody_up() -> None:
    stream = await SimulatedCard().backend().open_output(StreamRequest(AUDIO), do_nothing)
    stream.heard = lambda: Sounded(bytes(2), 0, 0.0)  # type: ignore[method-assign]  # as of a back end that never returns None
    tap = StreamsTap()
    tap.follow(stream)
    assert 0 < len(tap.read(-1)) < 100_000
    await stream.close()


@pytest.mark.parametrize("paced", [True, False])
async def test_a_file_tells_what_went_into_it(paced: bool, tmp_path: object) -> None:
    path = f"{tmp_path}/out.wav"
    task, asking = playing(SpeakerOutput(WavBackend(None, path, paced=paced)))
    async with running(task):
        began_s = asyncio.get_running_loop().time()
        await task.queue_frame(SPEECH)
        await asyncio.sleep(1.0)
        await task.queue_frame(SPEECH)
        await asyncio.sleep(1.0)
        blocks = asking.read()
        sound = SPEECH.data + SPEECH.data
        assert data_of(blocks).strip(b"\0") == sound.strip(b"\0")
        for block in blocks:  # the file has a clock, and where it had nothing to write, the record has a gap
            begin_s = block.sounded.position / RATE
            assert block.sounded.sounds_s == pytest.approx(began_s + begin_s + 0.02 * paced)
        pairs = itertools.pairwise(block.sounded for block in blocks)
        gap = sum(later.position - sound.position - samples_of(sound) for sound, later in pairs)
        assert (gap > 0.4 * RATE) == paced


def test_a_tap_is_what_a_reader_expects() -> None:
    tap: SpeakerTap = StreamsTap()
    assert not tap.read(-1)
    assert np.size(tap.read(7)) == 0
