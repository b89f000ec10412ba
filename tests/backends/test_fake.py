"""The simulated card: every verb of it, in virtual time. It must provoke what real cards do."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import numpy as np
import pytest

from support.sound import (
    BLOCK,
    BLOCK_S,
    RATE,
    THROUGH,
    assert_accounted,
    noise,
    samples,
    seam,
    talk,
    until,
    virtual_loop,
)
from support.stages import Loopback
from voicepipe import (
    AudioFormat,
    AudioFormatError,
    BackendMissingError,
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    MicrophoneInput,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.devices.port import Block, InputStream, OutputStream, StreamRequest
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.fake.sides import Side

TINY = 1e-9


async def listen(card: SimulatedCard, request: StreamRequest | None = None) -> InputStream:
    """An input stream that has begun."""
    stream = await card.backend().open_input(request or StreamRequest(), lambda: None)
    await stream.start()
    return stream


async def play(card: SimulatedCard, request: StreamRequest | None = None) -> OutputStream:
    """An output stream that has begun."""
    stream = await card.backend().open_output(request or StreamRequest(), lambda: None)
    await stream.start()
    return stream


def blocks_of(stream: InputStream) -> list[Block]:
    """Everything that waits."""
    return list(iter(stream.read, None))


def data_of(stream: InputStream) -> bytes:
    return b"".join(block.data for block in blocks_of(stream))


async def opened(card: SimulatedCard, side: Side, request: StreamRequest | None = None) -> Any:
    """One side's stream, open."""
    backend = card.backend()
    opening = backend.open_input if side is card.mic else backend.open_output
    return await opening(request or StreamRequest(), lambda: None)


def sides() -> list[Any]:
    """A test runs once for each side of a card."""
    return [
        pytest.param(lambda card: card.mic, id="mic"),
        pytest.param(lambda card: card.speaker, id="speaker"),
    ]


both_sides = pytest.mark.parametrize("side_of", sides())


# -- hear, run_out, played ---------------------------------------------------------


async def test_the_microphone_hears_silence_until_something_is_said() -> None:
    card = SimulatedCard()
    stream = await listen(card)
    await asyncio.sleep(0.1 + TINY)
    card.mic.hear(noise(BLOCK_S))
    await asyncio.sleep(BLOCK_S)
    blocks = blocks_of(stream)
    assert [block.data for block in blocks[:5]] == [bytes(2 * BLOCK)] * 5
    assert blocks[5].data == noise(BLOCK_S).tobytes()
    await stream.close()


async def test_what_is_said_is_heard_in_order_and_silence_follows() -> None:
    card = SimulatedCard()
    first, second = noise(0.03, seed=1), noise(0.04, seed=2)
    card.mic.hear(first)
    card.mic.hear(second.tobytes())
    stream = await listen(card)
    await asyncio.sleep(0.1 + TINY)
    assert data_of(stream) == first.tobytes() + second.tobytes() + bytes(2 * RATE * 3 // 100)
    assert card.mic.captured == RATE // 10
    await stream.close()


async def test_floats_and_several_channels_can_be_said() -> None:
    card = SimulatedCard()
    card.mic.hear(np.array([[0.5, -0.5], [1.0, np.nan]]))
    stream = await listen(card, StreamRequest(AudioFormat(8_000, 2), block_s=0.01))
    await asyncio.sleep(0.01 + TINY)
    assert samples(data_of(stream))[:6].tolist() == [16_384, -16_384, 32_767, 0, 0, 0]
    await stream.close()


@pytest.mark.parametrize("wrong", [b"\0", np.zeros(3, np.int32), np.zeros((1, 1, 1), np.int16)])
def test_what_is_no_audio_cannot_be_said(wrong: Any) -> None:
    with pytest.raises(AudioFormatError):
        SimulatedCard().mic.hear(wrong)


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK])
async def test_an_input_that_runs_out_ends_with_its_last_sample(count: int) -> None:
    card = SimulatedCard()
    said = noise(1.0)[:count]
    card.mic.hear(said)
    card.mic.run_out()
    stream = await listen(card)
    await asyncio.sleep(1.0)
    assert not stream.exhausted or count == 0
    assert data_of(stream) == said.tobytes()
    assert stream.exhausted
    assert stream.error is None
    await stream.close()


async def test_after_an_input_has_run_out_a_later_stream_hears_silence() -> None:
    card = SimulatedCard()
    card.mic.run_out()
    await (first := await listen(card)).close()
    stream = await listen(card)
    await asyncio.sleep(0.1)
    assert not first.exhausted
    assert stream.exhausted
    await stream.close()
    stream = await listen(card)
    await asyncio.sleep(0.1)
    assert not stream.exhausted
    assert not any(data_of(stream))
    await stream.close()


async def test_the_speaker_plays_zeros_where_nothing_is_written() -> None:
    card = SimulatedCard()
    stream = await play(card)
    await asyncio.sleep(0.1 + TINY)
    stream.write(noise(0.03).tobytes())
    await asyncio.sleep(0.1)
    silence = bytes(2 * RATE // 10)
    assert card.speaker.played() == silence + noise(0.03).tobytes() + bytes(2 * RATE * 7 // 100)
    card.speaker.forget()
    assert card.speaker.played() == b""
    await asyncio.sleep(BLOCK_S)
    assert card.speaker.played() == bytes(2 * BLOCK)
    await stream.close()


@pytest.mark.parametrize("keep_s", [0.0, 0.01, 1.0])
async def test_of_what_was_played_only_the_last_seconds_are_kept(keep_s: float) -> None:
    card = SimulatedCard(keep_s=keep_s)
    stream = await play(card)
    said = noise(10.0).tobytes()
    stream.write(said)
    await asyncio.sleep(10.0 + TINY)
    kept = round(keep_s * RATE) * 2
    assert card.speaker.played() == said[len(said) - kept :]
    await stream.close()


# -- unplug, replug, vanish, stall -------------------------------------------------


@both_sides
async def test_a_stream_is_told_that_its_device_was_unplugged(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    stream = await opened(card, side)
    await stream.start()
    await asyncio.sleep(0.05)
    side.unplug()
    assert isinstance(stream.error, DeviceLostError)
    assert str(stream.error) == f"{side.name} was unplugged"
    await stream.close()


@both_sides
async def test_an_unplugged_device_cannot_be_opened_until_it_is_back(side_of: Any) -> None:
    card = SimulatedCard("USB")
    side = side_of(card)
    assert len(await card.backend().devices()) == 2
    side.unplug()
    assert side.name not in [info.name for info in await card.backend().devices()]
    with pytest.raises(DeviceNotFoundError, match=f"{side.name} is not plugged in"):
        await opened(card, side)
    side.replug()
    assert side.name in [info.name for info in await card.backend().devices()]
    stream = await opened(card, side)
    await stream.start()
    await stream.close()


async def test_a_stream_that_was_open_stays_dead_when_the_device_is_back() -> None:
    card = SimulatedCard()
    stream = await listen(card)
    card.mic.unplug()
    card.mic.replug()
    captured = card.mic.captured
    await asyncio.sleep(5.0)
    assert isinstance(stream.error, DeviceLostError)
    assert not stream.exhausted  # a loss is no input that ran out
    assert card.mic.captured == captured
    await stream.close()


@both_sides
@pytest.mark.parametrize("fault", ["vanish", "stall"])
async def test_a_device_that_is_silent_is_noticed_by_our_own_clock_within_two_seconds(
    side_of: Any, fault: str
) -> None:
    card = SimulatedCard()
    side = side_of(card)
    stream = await opened(card, side)
    await stream.start()
    await asyncio.sleep(10.0)
    getattr(side, fault)()
    began = virtual_loop().time()
    await asyncio.sleep(0.9)
    assert stream.error is None  # nobody was told
    await until(lambda: stream.error is not None)
    assert virtual_loop().time() - began <= 2.0
    assert isinstance(stream.error, DeviceLostError)
    assert side.name in str(stream.error)
    await stream.close()


@both_sides
async def test_a_device_that_never_begins_is_noticed_too(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).stall()
    stream = await opened(card, side_of(card))
    await asyncio.sleep(5.0)
    assert stream.error is None  # it has not been started
    await stream.start()
    await asyncio.sleep(3.0)
    assert isinstance(stream.error, DeviceLostError)
    await stream.close()


async def test_a_microphone_has_two_seconds_for_its_first_block_and_one_for_the_next() -> None:
    card = SimulatedCard()
    card.mic.stall()
    stream = await opened(card, card.mic)
    await stream.start()
    await asyncio.sleep(2.2)
    card.mic.stall(False)
    await asyncio.sleep(1.0)
    assert stream.error is None
    assert stream.callbacks > 0
    card.mic.stall()
    await asyncio.sleep(2.0)
    assert isinstance(stream.error, DeviceLostError)
    await stream.close()


async def test_a_short_stall_loses_nothing() -> None:
    card = SimulatedCard()
    said = noise(1.0)
    card.mic.hear(said)
    card.mic.run_out()
    stream = await listen(card)
    await asyncio.sleep(0.31)
    card.mic.stall()
    await asyncio.sleep(0.5)
    card.mic.stall(False)
    await asyncio.sleep(1.0)
    blocks = blocks_of(stream)
    assert b"".join(block.data for block in blocks) == said.tobytes()
    pauses = [b.captured_s - a.captured_s - BLOCK_S for a, b in itertools.pairwise(blocks)]
    assert sum(pause > TINY for pause in pauses) == 1
    assert stream.error is None
    await stream.close()


async def test_a_stall_that_ends_before_the_start_does_not_start() -> None:
    card = SimulatedCard()
    stream = await card.backend().open_input(StreamRequest(), lambda: None)
    card.mic.stall()
    card.mic.stall(False)
    await asyncio.sleep(1.0)
    assert card.mic.captured == 0
    await stream.start()
    await asyncio.sleep(1.0 + TINY)
    assert card.mic.captured == RATE
    await stream.close()


async def test_time_in_which_this_process_itself_stood_still_is_not_held_against_the_device() -> None:
    card = SimulatedCard()
    stream = await listen(card)
    loop = virtual_loop()
    await asyncio.sleep(1.0)
    for _ in range(3):  # as SIGSTOP does: no callback comes either
        card.mic.stall()
        await asyncio.sleep(0.3)
        loop.set_time(loop.time() + 30.0)
        card.mic.stall(False)
        await asyncio.sleep(1.0)
    assert stream.error is None
    card.mic.stall()
    for _ in range(10):  # but a device that is silent is noticed in the end, however slow the loop is
        loop.freeze(5.0)
        await asyncio.sleep(0.001)
    assert isinstance(stream.error, DeviceLostError)
    await stream.close()


@pytest.mark.parametrize("block_s", [0.002, 0.1, 0.5, 1.0])
async def test_a_device_with_long_blocks_does_not_count_as_silent(block_s: float) -> None:
    card = SimulatedCard(jitter_s=block_s / 2)
    ear = await listen(card, StreamRequest(block_s=block_s))
    mouth = await play(card, StreamRequest(block_s=block_s))
    await asyncio.sleep(20.0)
    assert (ear.error, mouth.error) == (None, None)
    await ear.close()
    await mouth.close()


# -- break_, hang, mend ----------------------------------------------------------------


@both_sides
@pytest.mark.parametrize("mended_by", ["mend", "time"])
async def test_a_broken_server_takes_the_stream_with_it_and_its_close_returns_when_it_is_back(
    side_of: Any, mended_by: str
) -> None:
    card = SimulatedCard()
    side = side_of(card)
    stream = await opened(card, side)
    await stream.start()
    await asyncio.sleep(1.0)
    if mended_by == "time":
        side.break_(5.0)
    else:
        side.break_()
        virtual_loop().call_later(5.0, side.mend)
    assert stream.error is None  # nobody is told
    await asyncio.sleep(1.5)
    assert isinstance(stream.error, DeviceLostError)
    with pytest.raises(BackendMissingError, match=f"{side.name} cannot be reached: its sound server"):
        await opened(card, side)
    closing = asyncio.create_task(stream.close())
    await asyncio.sleep(1.0)
    closing.cancel()  # a call into C does not listen
    await asyncio.sleep(1.0)
    assert not closing.done()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert virtual_loop().time() == pytest.approx(6.0)
    again = await opened(card, side)
    await again.start()
    await asyncio.sleep(2.0)
    assert again.error is None
    await again.close()


@both_sides
async def test_a_new_stream_does_not_wait_for_the_close_of_one_that_broke(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    old = await opened(card, side)
    side.stuck_close(30.0)
    side.break_()
    closing = asyncio.create_task(old.close())
    await asyncio.sleep(1.0)
    side.mend()
    new = await opened(card, side)
    assert side.is_open
    await closing
    assert virtual_loop().time() == pytest.approx(31.0)
    assert side.is_open  # the old stream's close is not the new one's
    side.stuck_close(0.0)
    await new.close()
    assert not side.is_open


@both_sides
async def test_a_server_that_hangs_lets_no_opening_return(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    side.hang()
    opening = asyncio.create_task(opened(card, side))
    await asyncio.sleep(60.0)
    assert not opening.done()
    side.mend()
    await (await opening).close()
    assert virtual_loop().time() == pytest.approx(60.0)


@both_sides
async def test_after_a_replug_a_new_stream_works(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    for _ in range(3):
        stream = await opened(card, side)
        await stream.start()
        await asyncio.sleep(2.0)
        assert stream.error is None
        side.unplug()
        side.replug()
        await asyncio.sleep(0.1)
        assert stream.error is not None
        await stream.close()


# -- crash, mute, fail_start, forbid -------------------------------------------------


@both_sides
async def test_a_stream_that_dies_is_told_and_another_opens_at_once(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    side.crash()  # of nothing
    stream = await opened(card, side)
    await stream.start()
    await asyncio.sleep(0.05)
    side.crash()
    assert isinstance(stream.error, DeviceLostError)
    assert str(stream.error) == f"{side.name} is lost: its process has ended"
    await stream.close()
    again = await opened(card, side)
    await again.start()
    await asyncio.sleep(2.0)
    assert again.error is None
    await again.close()


async def test_a_run_goes_on_over_a_crash_of_both_sides() -> None:
    card = SimulatedCard()
    task = talk(card)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    card.mic.crash()
    card.speaker.crash()
    await asyncio.sleep(2.0)
    said = noise(0.5)
    card.mic.hear(said)
    await asyncio.sleep(1.0)
    task.end()
    assert_accounted(await running)
    assert said.tobytes() in card.speaker.played()


async def test_a_muted_microphone_brings_zeros_and_what_was_said_is_lost() -> None:
    card = SimulatedCard()
    lost, said = noise(0.1, seed=1), noise(0.1, seed=2)
    stream = await listen(card)
    card.mic.mute()
    card.mic.hear(lost)
    await asyncio.sleep(0.1 + TINY)
    card.mic.mute(False)
    card.mic.hear(said)
    await asyncio.sleep(0.1 + TINY)
    assert data_of(stream) == bytes(len(lost.tobytes())) + said.tobytes()
    assert stream.error is None
    await stream.close()


async def test_a_muted_speaker_is_silent_and_takes_what_is_written() -> None:
    card = SimulatedCard()
    stream = await play(card)
    card.speaker.mute()
    stream.write(noise(0.1).tobytes())
    await stream.drain()
    assert stream.position == RATE // 10
    assert not card.speaker.played().strip(b"\0")
    card.speaker.mute(False)
    stream.write(noise(0.1).tobytes())
    await stream.drain()
    assert noise(0.1).tobytes() in card.speaker.played()
    await stream.close()


@both_sides
async def test_a_device_that_does_not_start_says_so_and_closes_like_any_other(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).fail_start()
    stream = await opened(card, side_of(card))
    with pytest.raises(DeviceError, match=f"{side_of(card).name} does not start"):
        await stream.start()
    await stream.close()
    side_of(card).fail_start(False)
    stream = await opened(card, side_of(card))
    await stream.start()
    await stream.close()


@both_sides
async def test_a_run_in_which_a_device_does_not_start_fails_and_the_next_one_works(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).fail_start()
    with pytest.raises(PipelineStartError, match="does not start"):
        await talk(card).run()
    assert not card.mic.is_open
    assert not card.speaker.is_open
    side_of(card).fail_start(False)
    card.mic.hear(noise(0.2))
    card.mic.run_out()
    assert_accounted(await talk(card).run(), *THROUGH)


@both_sides
async def test_a_device_that_the_user_has_no_right_to_says_so(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).forbid()
    with pytest.raises(DevicePermissionError, match=f"{side_of(card).name} may not be used"):
        await opened(card, side_of(card))
    side_of(card).forbid(False)
    await (await opened(card, side_of(card))).close()


# -- busy, refuse, slow_open, stuck_close --------------------------------------------


@both_sides
async def test_a_device_that_another_program_holds_is_busy(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).busy()
    with pytest.raises(DeviceBusyError, match=f"{side_of(card).name} is in use"):
        await opened(card, side_of(card))
    side_of(card).busy(False)
    await (await opened(card, side_of(card))).close()


@both_sides
async def test_one_stream_has_a_device_at_a_time(side_of: Any) -> None:
    card = SimulatedCard()
    side = side_of(card)
    stream = await opened(card, side)
    with pytest.raises(DeviceBusyError):
        await opened(card, side)
    assert side.is_open
    await stream.close()
    assert not side.is_open
    await (await opened(card, side)).close()


@both_sides
async def test_a_refused_rate_is_named_with_what_is_supported(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).refuse(48_000, 44_100)
    with pytest.raises(DeviceFormatError, match="refuses 16000 Hz: it supports 44100 Hz, 48000 Hz"):
        await opened(card, side_of(card))
    await (await opened(card, side_of(card), StreamRequest(AudioFormat(48_000)))).close()
    side_of(card).refuse()
    await (await opened(card, side_of(card))).close()


@both_sides
async def test_more_channels_than_it_has_are_refused(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).refuse(channels=1)
    with pytest.raises(DeviceFormatError, match="refuses 2 channels: it has 1"):
        await opened(card, side_of(card), StreamRequest(AudioFormat(16_000, 2)))
    await (await opened(card, side_of(card))).close()
    side_of(card).refuse()
    await (await opened(card, side_of(card), StreamRequest(AudioFormat(16_000, 2)))).close()


async def test_a_device_is_found_by_a_part_of_its_name() -> None:
    card = SimulatedCard("USB PnP")
    for device in ("", "USB", "PnP mic", "USB PnP microphone"):
        stream = await card.backend().open_input(StreamRequest(device=device), lambda: None)
        assert stream.info.device == "USB PnP microphone"
        await stream.close()
    with pytest.raises(DeviceNotFoundError, match="there is no device 'HDMI': there is 'USB PnP microphone'"):
        await card.backend().open_input(StreamRequest(device="HDMI"), lambda: None)
    with pytest.raises(DeviceNotFoundError) as refused:
        await card.backend().open_input(StreamRequest(device="\x1b[2J"), lambda: None)
    assert "\x1b" not in str(refused.value)


@both_sides
async def test_a_slow_open_cannot_be_cancelled_and_leaves_nothing_open(side_of: Any) -> None:
    card = SimulatedCard()
    side_of(card).slow_open(9.0)
    opening = asyncio.create_task(opened(card, side_of(card)))
    await asyncio.sleep(1.0)
    opening.cancel()
    await asyncio.wait([opening], timeout=7.9)
    assert not opening.done()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert virtual_loop().time() == pytest.approx(9.0)
    assert not side_of(card).is_open
    side_of(card).slow_open(0.5)
    await (await opened(card, side_of(card))).close()
    assert virtual_loop().time() == pytest.approx(9.5)


@both_sides
@pytest.mark.parametrize("cancelled", [False, True])
async def test_after_a_stuck_close_the_device_is_free_whether_it_was_cancelled_or_not(
    side_of: Any, cancelled: bool
) -> None:
    card = SimulatedCard()
    side_of(card).stuck_close(3.0)
    stream = await opened(card, side_of(card))
    await stream.start()
    closing = asyncio.create_task(stream.close())
    await asyncio.sleep(1.0)
    if cancelled:
        closing.cancel()
    await asyncio.wait([closing], timeout=1.9)
    assert not closing.done()
    assert side_of(card).is_open
    await asyncio.wait([closing])
    assert closing.cancelled() == cancelled
    assert virtual_loop().time() == pytest.approx(3.0)
    assert not side_of(card).is_open


# -- xrun, drift_ppm, jitter_s -------------------------------------------------------


async def test_an_overrun_loses_what_was_said_meanwhile_and_shows_as_a_jump_of_position() -> None:
    card = SimulatedCard()
    said = noise(1.0)
    card.mic.hear(said)
    stream = await listen(card)
    await asyncio.sleep(0.1 + TINY)
    card.mic.xrun(1000)
    await asyncio.sleep(0.4)
    blocks = blocks_of(stream)
    ends = [block.position + len(block.data) // 2 for block in blocks]
    jumps = [after.position - end for end, after in zip(ends, blocks[1:], strict=False)]
    assert sorted(jumps)[-2:] == [0, 1000]
    for block in blocks:
        assert block.data == said[block.position : block.position + BLOCK].tobytes()
        assert block.captured_s == pytest.approx(block.position / RATE)
    ledger = stream.seam("mic", {})
    assert ledger.balanced
    assert ledger.dropped == {"mic_overflow": 1000}
    await stream.close()


async def test_an_overrun_at_the_very_end_is_counted_too() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(0.03))
    card.mic.run_out()
    stream = await listen(card)
    await asyncio.sleep(0.02 + TINY)
    card.mic.xrun(1000)
    await asyncio.sleep(1.0)
    assert data_of(stream) == noise(0.03)[:BLOCK].tobytes()
    assert stream.exhausted
    assert stream.seam("mic", {}).dropped == {"mic_overflow": 1000}
    await stream.close()


async def test_an_underrun_is_heard_as_silence_and_drops_nothing() -> None:
    card = SimulatedCard()
    stream = await play(card)
    said = noise(0.1)
    stream.write(said.tobytes())
    await asyncio.sleep(0.05)
    card.speaker.xrun(500)
    await asyncio.sleep(0.2)
    played = samples(card.speaker.played())
    assert played[played != 0].tolist() == said.tolist()
    gap = np.flatnonzero(played)[2 * BLOCK] - np.flatnonzero(played)[2 * BLOCK - 1] - 1
    assert gap == 500
    assert len(played) <= virtual_loop().time() * RATE
    await stream.close()


@pytest.mark.parametrize("drift_ppm", [-50.0, 0.0, 50.0, 1000.0])
async def test_a_clock_that_drifts_captures_more_or_less_than_its_rate(drift_ppm: float) -> None:
    card = SimulatedCard(drift_ppm=drift_ppm)
    request = StreamRequest(block_s=0.1)
    stream = await listen(card, request)
    await asyncio.sleep(1000.0)
    assert card.mic.captured == pytest.approx(1000 * RATE * (1 + drift_ppm * 1e-6), abs=request.block)
    *_, last = blocks_of(stream)
    assert last.captured_s == pytest.approx(last.position / RATE / (1 + drift_ppm * 1e-6))
    await stream.close()


@pytest.mark.heavy
async def test_the_two_sides_of_a_card_may_drift_apart() -> None:
    card = SimulatedCard()
    card.mic.drift_ppm = 100.0
    ear, mouth = await listen(card), await play(card)
    await asyncio.sleep(360.0)
    behind = card.mic.captured - len(card.speaker.played()) // 2
    assert behind / RATE == pytest.approx(0.036, abs=BLOCK_S)  # 360 ms an hour
    await ear.close()
    await mouth.close()


class _Wakes:
    """When the loop was woken."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self) -> None:
        self.at.append(asyncio.get_running_loop().time())


async def lateness(jitter_s: float, seed: int) -> list[float]:
    """How late each callback of a second came."""
    wakes = _Wakes()
    stream = await SimulatedCard(jitter_s=jitter_s, seed=seed).backend().open_input(StreamRequest(), wakes)
    began = virtual_loop().time()
    await stream.start()
    await asyncio.sleep(1.0)
    await stream.close()
    return [when - began - nth * BLOCK_S for nth, when in enumerate(wakes.at, start=1)]


async def test_jitter_makes_callbacks_late_and_never_early_nor_ever_later() -> None:
    late = await lateness(0.015, seed=1)
    assert len(late) >= 49
    assert all(-TINY <= each <= 0.015 + TINY for each in late)
    assert max(late) - min(late) > 0.01
    assert max(await lateness(0.0, seed=1)) < TINY


async def test_the_seed_makes_the_jitter() -> None:
    once, again, other = [await lateness(0.015, seed) for seed in (1, 1, 2)]
    assert again == pytest.approx(once, abs=TINY)
    assert other != pytest.approx(once, abs=TINY)


def test_the_same_seed_gives_the_same_bytes() -> None:
    async def run(seed: int) -> bytes:
        card = SimulatedCard(jitter_s=0.03, drift_ppm=80.0, seed=seed)
        card.mic.hear(noise(3.0))
        card.mic.run_out()
        await talk(card).run()
        return card.speaker.played()

    first, again, other = run_virtual(run(7)), run_virtual(run(7)), run_virtual(run(8))
    assert first == again
    assert first != other  # the gaps that jitter leaves stand elsewhere


@pytest.mark.parametrize(
    "fields",
    [{"drift_ppm": float("nan")}, {"jitter_s": -1}, {"jitter_s": 2}, {"keep_s": True}, {"keep_s": "1"}],
)
def test_a_card_refuses_bad_numbers_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(fields))):
        SimulatedCard(**fields)


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [
        ("xrun", -1),
        ("xrun", 0.5),
        ("slow_open", float("inf")),
        ("stuck_close", -1),
        ("break_", -1),
        ("hang", "1"),
        ("refuse", "48k"),
    ],
)
@both_sides
def test_a_verb_refuses_bad_numbers(side_of: Any, verb: str, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="must be"):
        getattr(side_of(SimulatedCard()), verb)(wrong)


# -- speed -----------------------------------------------------------------------------


@pytest.mark.heavy
async def test_an_hour_from_microphone_to_speaker_takes_seconds() -> None:
    card = SimulatedCard(keep_s=1.0)
    said = noise(60.0)
    ear, mouth = (stage(card.backend(), block_s=0.2) for stage in (MicrophoneInput, SpeakerOutput))
    task = PipelineTask(Pipeline([ear, Loopback(), mouth]))
    began_s = time.monotonic()
    running = asyncio.create_task(task.run())
    for _ in range(60):
        card.mic.hear(said)
        await asyncio.sleep(60.0)
    card.mic.run_out()
    report = assert_accounted(await running, *THROUGH)
    assert seam(report, "SpeakerOutput device").given == pytest.approx(3600 * RATE, abs=RATE // 5)
    assert report.dropped == {}
    assert time.monotonic() - began_s < 30.0
