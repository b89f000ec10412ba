"""The figures of an echo are true, whoever talks over it, and are none where there is no echo."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.audio.format import pcm_bytes
from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.echo_delay import EchoDelay
from voicepipe.canceller.echo_meter import EchoMeter, EchoWindow
from voicepipe.canceller.protection import FallBack
from voicepipe.testing import speech

Floats = npt.NDArray[np.float64]
RATE, BLOCK, LAG = 16_000, 160, 128
FAR_DB, NOISE_DB, USER_DB = -26.0, -70.0, -30.0


@functools.lru_cache
def voice(seconds: float, db: float, seed: int) -> Floats:
    """Return noise with syllables and pauses."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    at = np.arange(0, count + 8_000, 2_400)
    loud = np.interp(np.arange(count), at, rng.choice([0.0, 0.3, 1.0, 0.7], len(at)))
    sound = loud * rng.standard_normal(count)
    level: Floats = sound * 10 ** (db / 20) / np.sqrt(np.mean(sound**2))
    return level


@functools.lru_cache
def noise(seconds: float, db: float, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 10 ** (db / 20)


@dataclass
class Room:
    """A program that speaks after a second of silence, its echo, and a canceller of a known strength."""

    seconds: float = 12.0
    strength_db: float = -6.0
    delay: int = 640
    ear_db: float = 25.0
    words_db: float = 18.0
    noise_db: float = NOISE_DB
    talks: tuple[tuple[float, float], ...] = ()
    """When the user talks, from and to, in seconds."""
    ear_keeps: float = 1.0
    """The part of the user's sound that the ear keeps."""
    lead: int = 0
    channels: int = 1
    is_steady: bool = False
    """The program makes noise without syllables."""

    def blocks(self) -> Iterator[CancelledBlock]:
        far = (noise if self.is_steady else voice)(self.seconds, FAR_DB, 1).copy()
        far[:RATE] = 0
        ways = [
            (self.delay, 1.0),
            (self.delay + 130, 0.3),
            (self.delay + 411, -0.25),
            (self.delay + 999, 0.1),
        ]
        echo = sum(share * np.concatenate([np.zeros(late), far])[: len(far)] for late, share in ways)
        echo = echo * 10 ** (self.strength_db / 20) / np.sqrt(sum(share**2 for _, share in ways))
        user = np.zeros_like(far)
        for begin_s, end_s in self.talks:
            begin, end = round(begin_s * RATE), round(end_s * RATE)
            user[begin:end] = voice(self.seconds, USER_DB, 2)[begin:end]
        quiet = noise(self.seconds, self.noise_db, 3)
        mic = echo + user + quiet
        ear = echo * 10 ** (-self.ear_db / 20) + self.ear_keeps * user + quiet
        words = echo * 10 ** (-self.words_db / 20) + user + quiet
        ear, words = (np.concatenate([np.zeros(LAG), each])[: len(far)] for each in (ear, words))
        early = np.concatenate([far[self.lead :], np.zeros(self.lead)]).astype(np.float32)
        for at in range(0, len(far), BLOCK):
            part = slice(at, at + BLOCK)
            sounds = at >= RATE
            yield CancelledBlock(
                at,
                at / RATE,
                self._pcm(mic[part]),
                early[part] if sounds else None,
                pcm_bytes(ear[part], 1) if sounds else None,
                self._pcm(words[part]),
            )

    def _pcm(self, audio: Floats) -> bytes:
        return pcm_bytes(np.repeat(audio[:, None], self.channels, axis=1), self.channels)


def windows(room: Room) -> list[EchoWindow]:
    meter = EchoMeter(RATE, room.channels, LAG, room.lead)
    found = (meter.add(block) for block in room.blocks())
    return [window for window in found if window is not None]


@pytest.mark.parametrize(
    "room",
    [
        Room(),
        Room(ear_db=3.0, words_db=0.0),
        Room(ear_db=9.0, words_db=30.0),
        Room(strength_db=-20.0),
        Room(strength_db=6.0, delay=0),
        Room(noise_db=-55.0),
        Room(delay=2_400, lead=32),
        Room(channels=2),
        Room(ear_db=3.0, is_steady=True),
    ],
    ids=str,
)
@pytest.mark.heavy(after=2)
def test_figures_are_true(room: Room) -> None:
    found = windows(room)
    assert 2 <= len(found) <= 3
    for window in found:
        best = FAR_DB + room.strength_db - room.noise_db
        if best > room.ear_db + 6:
            assert window.erle_db == pytest.approx(room.ear_db, abs=1.5)
        assert window.words_erle_db == pytest.approx(room.words_db, abs=1.5)
        assert window.strength_db == pytest.approx(room.strength_db, abs=1.5)
        assert window.delay_s == pytest.approx(room.delay / RATE, abs=1e-4)


@pytest.mark.parametrize("keeps", [1.0, 0.5])
@pytest.mark.parametrize(("ear_db", "low", "high"), [(25.0, 13.0, 30.0), (4.0, 0.0, 9.0)])
@pytest.mark.heavy(after=1)
def test_a_user_who_talks_over_the_program_now_and_then_changes_little(
    ear_db: float, low: float, high: float, keeps: float
) -> None:
    talks = tuple((at, at + 1.3) for at in np.arange(2.0, 18.0, 4.0))
    found = windows(Room(seconds=20.0, ear_db=ear_db, words_db=20.0, talks=talks, ear_keeps=keeps))
    assert len(found) >= 2
    assert all(low < window.erle_db < high for window in found)


@pytest.mark.parametrize("words_db", [0.0, 20.0])
@pytest.mark.heavy
def test_a_user_who_talks_all_the_time_is_not_taken_for_an_echo(words_db: float) -> None:
    found = windows(Room(seconds=20.0, talks=((1.0, 20.0),), words_db=words_db))
    fall_back = FallBack()
    assert not any(fall_back.judge(window.erle_db) for window in found)
    assert sum(window.erle_db < 10.0 for window in found) <= 1, "three in a row decide"


@pytest.mark.parametrize(
    "room",
    [
        Room(strength_db=-45.0),
        Room(strength_db=-36.0, noise_db=-60.0),
        Room(strength_db=-90.0, talks=((1.0, 12.0),)),
        Room(seconds=3.5),
    ],
    ids=["headphones", "a noisy room", "headphones, and a user", "too short"],
)
@pytest.mark.heavy(after=2)
def test_no_echo_has_no_figures(room: Room) -> None:
    assert windows(room) == []


def test_a_canceller_that_does_nothing_is_seen_within_four_seconds() -> None:
    found = windows(Room(seconds=6.0, ear_db=0.0, words_db=0.0))
    assert [round(window.erle_db) for window in found] == [0]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("delay_s", [0.0, 0.003, 0.12, 0.4])
def test_a_delay_is_found(rate: int, delay_s: float) -> None:
    far = np.random.default_rng(1).standard_normal(round(1.3 * rate))
    delay = round(delay_s * rate)
    mic = 0.3 * np.concatenate([np.zeros(delay), far])[: len(far)] + 0.1 * np.roll(far, 77)
    found = EchoDelay(rate)
    size = rate // 20
    for at in range(0, len(far), size):
        found.add(mic[at : at + size], far[at : at + size])
    assert found.find() == delay / rate


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_delay_is_found_of_a_voice_without_high_tones(rate: int) -> None:
    far = speech(rate=rate)[: round(1.9 * rate)].astype(float)
    mic = np.rint(0.1 * np.concatenate([np.zeros(220), far])[: len(far)])
    found = EchoDelay(rate)
    for at in range(0, len(far), 2_000):
        found.add(mic[at : at + 2_000] / 32_768, far[at : at + 2_000] / 32_768)
    assert found.find() == 220 / rate


def test_no_delay_is_found_where_nothing_stands_out_or_too_little_was_heard() -> None:
    found, rng = EchoDelay(RATE), np.random.default_rng(1)
    for _ in range(15):
        found.add(rng.standard_normal(800), rng.standard_normal(800))
    assert found.find() is None
    for _ in range(15):
        found.add(rng.standard_normal(800), rng.standard_normal(800))
    assert found.find() is None
    found.forget()
    assert found.find() is None
