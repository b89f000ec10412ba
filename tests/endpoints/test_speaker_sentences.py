"""Sentences of a speaker: when each began and ended to sound, and how much of it was heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from endpoints.speaking import DEVICE, Speaking
from support.sound import BLOCK_S, LATENCY_S, RATE, heard, noise, seam, speech, until, virtual_loop
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    OutputAudioFrame,
    SpokenFrame,
    SpokenStartedFrame,
    SpokenStoppedFrame,
)
from voicepipe.endpoints.sentences import heard_part

FACTS = (BotStartedSpeakingFrame, BotStoppedSpeakingFrame, SpokenStartedFrame, SpokenStoppedFrame)
RAMP = 80


async def say(run: Speaking, text: str, seconds: float, seed: int = 0, piece_s: float = 1.0) -> None:
    await run.say(SpokenFrame(text))
    audio = noise(seconds, seed)
    for at in range(0, len(audio), round(piece_s * RATE)):
        await run.say(OutputAudioFrame(audio[at : at + round(piece_s * RATE)].tobytes()))


def facts(run: Speaking) -> list[Frame]:
    down: list[Frame] = [frame for frame in run.ends.down if isinstance(frame, FACTS)]
    assert down == [frame for frame in run.ends.up if isinstance(frame, FACTS)]
    return down


def told(run: Speaking) -> list[tuple[object, ...]]:
    """The facts in short."""
    out: list[tuple[object, ...]] = []
    for fact in facts(run):
        if isinstance(fact, BotStartedSpeakingFrame):
            out.append(("speech", fact.position))
        elif isinstance(fact, BotStoppedSpeakingFrame):
            out.append(("over", fact.began, fact.position, fact.text, fact.interrupted))
        elif isinstance(fact, SpokenStartedFrame):
            out.append(("start", fact.text, fact.position))
        elif isinstance(fact, SpokenStoppedFrame):
            out.append(("stop", fact.text, fact.began, fact.position, fact.heard, fact.interrupted))
    return out


async def test_each_sentence_tells_its_positions_and_the_period_its_text() -> None:
    async with Speaking() as run:
        await say(run, "One.", 0.5, 1)
        await say(run, "Two and three.", 1.5, 2)
    await run.done()
    assert told(run) == [
        ("speech", 0),
        ("start", "One.", 0),
        ("stop", "One.", 0, 8_000, "One.", False),
        ("start", "Two and three.", 8_000),
        ("stop", "Two and three.", 8_000, 32_000, "Two and three.", False),
        ("over", 0, 32_000, "One. Two and three.", False),
    ]
    texts = [frame.text for frame in run.ends.down if isinstance(frame, SpokenFrame)]
    assert texts == ["One.", "Two and three."]


@pytest.mark.parametrize("piece_s", [0.02, 0.3, 5.0])
async def test_a_sentence_is_told_when_the_device_has_taken_it_and_not_when_it_is_queued(
    piece_s: float,
) -> None:
    async with Speaking() as run:
        for nth in range(4):
            await say(run, f"Sentence {nth}.", 5.0, nth, piece_s)
        await asyncio.sleep(21.0)
        begin_s = next(when for when, data in run.card.calls if data.strip(b"\0"))
    await run.done()
    starts = [fact for fact in facts(run) if isinstance(fact, SpokenStartedFrame)]
    assert [fact.position for fact in starts] == [nth * 5 * RATE for nth in range(4)]
    for nth, fact in enumerate(starts):
        assert run.time_of(fact) == pytest.approx(begin_s + 5.0 * nth, abs=BLOCK_S + 0.001)


async def test_a_pause_ends_the_last_sentence() -> None:
    async with Speaking() as run:
        await say(run, "Hello.", 0.5)
        await asyncio.sleep(2.0)
        assert told(run)[-2:] == [
            ("stop", "Hello.", 0, 8_000, "Hello.", False),
            ("over", 0, 8_000, "Hello.", False),
        ]
        await run.say(speech(0.5, 1))  # no sentence any more
    await run.done()
    assert told(run)[-2:] == [("speech", 8_000), ("over", 8_000, 16_000, "", False)]


async def test_an_interruption_tells_the_words_that_were_heard_and_forgets_the_rest() -> None:
    async with Speaking() as run:
        await say(run, "First.", 1.0, 0)
        await say(run, "alpha beta gamma delta epsilon", 5.0, 1)
        await say(run, "Never.", 1.0, 2)
        await asyncio.sleep(3.0)
        await run.interrupt()
        await asyncio.sleep(BLOCK_S)
        cut = run.card.stream.position
        part = "alpha beta"
        assert told(run)[-2:] == [
            ("stop", "alpha beta gamma delta epsilon", RATE, cut, part, True),
            ("over", 0, cut, f"First. {part}", True),
        ]
        await say(run, "After.", 0.5, 3)
    report = await run.done()
    assert told(run)[-1] == ("over", cut, cut + 8_000, "After.", False)
    assert report.dropped == {"interrupted": 7 * RATE - cut}


async def test_a_sentence_cut_before_it_began_is_not_told() -> None:
    async with Speaking() as run:
        await say(run, "First.", 0.5)
        await say(run, "Never.", 1.0)
        await asyncio.sleep(0.3)
        await run.interrupt()
        await asyncio.sleep(1.0)
        await say(run, "Heard.", 0.5, 1)
    await run.done()
    assert [row[1] for row in told(run) if row[0] == "start"] == ["First.", "Heard."]


@pytest.mark.parametrize("late_s", [0.05, 0.25])
async def test_a_late_start_and_gaps_do_not_move_the_map(late_s: float) -> None:
    async with Speaking() as run:
        await run.say(SpokenFrame("slow voice"))
        for nth in range(5):
            await asyncio.sleep(late_s)
            await run.say(speech(0.1, nth))
        await say(run, "next", 0.2, 9)
    await run.done()
    assert told(run)[1:4] == [
        ("start", "slow voice", 0),
        ("stop", "slow voice", 0, 8_000, "slow voice", False),
        ("start", "next", 8_000),
    ]


@pytest.mark.parametrize("fault", ["unplug", "vanish"])
async def test_a_lost_device_cuts_the_sentence_and_the_map_goes_on_with_the_next_device(fault: str) -> None:
    async with Speaking() as run:
        await say(run, "alpha beta gamma delta", 4.0)
        await asyncio.sleep(2.1)
        getattr(run.card.speaker, fault)()
        await asyncio.sleep(2.0)
        run.card.speaker.replug()
        await asyncio.sleep(3.0)
        row = next(row for row in told(run) if row[0] == "stop")
        assert row[4] == "alpha beta"
        assert row[5] is True
        await say(run, "again", 0.5, 1)
        await asyncio.sleep(1.0)
    await run.done()
    position = row[3]
    assert isinstance(position, int)
    assert ("start", "again", position) in told(run)
    assert ("stop", "again", position, position + 8_000, "again", False) in told(run)


async def test_sentences_of_other_rates_begin_at_the_speakers_own_positions() -> None:
    async with Speaking() as run:
        for nth, rate in enumerate((22_050, 24_000, 22_050)):
            await run.say(SpokenFrame(f"{rate}"))
            await run.say(OutputAudioFrame(noise(1.0, nth, rate).tobytes(), rate))
    await run.done_of_other_formats()
    assert [row[2] for row in told(run) if row[0] == "start"] == [0, RATE, 2 * RATE]


async def test_a_mark_without_audio_is_not_told() -> None:
    async with Speaking() as run:
        await run.say(SpokenFrame("nothing"))
        await say(run, "something", 0.2)
        await run.say(SpokenFrame("nothing either"))
    await run.done()
    assert [row[1] for row in told(run) if row[0] in ("start", "stop")] == ["something", "something"]


async def test_the_whole_sentence_behind_is_heard_where_the_rest_is_cut_after_it() -> None:
    async with Speaking() as run:
        await say(run, "This one ends.", 1.0, 1)
        await say(run, "This one is dropped.", 2.0, 2)
        await asyncio.sleep(0.505)
        run.speaker.cut(after_sentence=True)
        await say(run, "This one too.", 1.0, 3)
        await asyncio.sleep(2.0)
        assert told(run) == [
            ("speech", 0),
            ("start", "This one ends.", 0),
            ("stop", "This one ends.", 0, RATE, "This one ends.", False),
            ("over", 0, RATE, "This one ends.", True),
        ]
        await say(run, "Again.", 0.5, 4)
    report = await run.done()
    assert np.array_equal(heard(run.card)[:RATE], noise(1.0, 1))
    assert told(run)[-1] == ("over", RATE, RATE + 8_000, "Again.", False)
    assert report.dropped == {"interrupted": 3 * RATE}


async def test_a_cut_after_the_sentence_with_nothing_behind_it_is_no_interruption_of_the_sentence() -> None:
    async with Speaking() as run:
        await say(run, "The last one.", 1.0, 1)
        await asyncio.sleep(0.505)
        run.speaker.cut(after_sentence=True)
        await asyncio.sleep(2.0)
        assert told(run)[-2] == ("stop", "The last one.", 0, RATE, "The last one.", False)
    report = await run.done()
    assert report.dropped == {}


@pytest.mark.parametrize(
    ("text", "share", "part"),
    [
        ("one two three four", 0.0, ""),
        ("one two three four", 0.16, ""),
        ("one two three four", 0.17, "one"),
        ("one two three four", 0.5, "one two"),
        ("one two three four", 0.99, "one two three"),
        ("one two three four", 1.0, "one two three four"),
        ("  padded   text ", 0.5, "padded"),
        ("", 0.5, ""),
        ("word", 0.9, ""),
        ("ein, zwei; drei.", 0.63, "ein, zwei;"),
    ],
)
def test_words_count_when_their_share_of_the_time_has_sounded(text: str, share: float, part: str) -> None:
    assert heard_part(text, share) == part


async def test_sixty_seconds_of_speech_are_taken_at_once_and_an_interruption_is_in_the_next_block() -> None:
    async with Speaking() as run:
        began = virtual_loop().time()
        for nth in range(12):
            await say(run, f"Sentence number {nth}.", 5.0, nth)
        assert virtual_loop().time() - began < 0.01
        await asyncio.sleep(7.005)
        before = run.card.stream.position
        await run.interrupt()
        await asyncio.sleep(BLOCK_S)
        assert run.card.stream.position == before + RAMP
    report = await run.done()
    assert seam(report, DEVICE).dropped == {"interrupted": 60 * RATE - before - RAMP}
    assert virtual_loop().time() <= 7.005 + 2 * BLOCK_S + 2 * LATENCY_S


async def test_more_than_the_queue_holds_its_pusher_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Speaking(max_queue_s=20) as run:
        for nth in range(40):
            await run.say(speech(1.0, nth))
        await until(lambda: run.card.stream.position >= 25 * RATE, 60)
        warnings = [
            record.getMessage() for record in caplog.records if "waits to be played" in record.getMessage()
        ]
        assert len(warnings) == 1
        assert "more than 20 s" in warnings[0]
    report = await run.done()
    assert report.dropped == {}
    assert len(heard(run.card)) == 40 * RATE
