"""Speech is found at any level that 16 bits carry, and a room brought up to be heard starts no turn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from support.stages import DOWN
from voicepipe import (
    Frame,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
)
from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.sample import speech
from voicepipe.speech.leveller import MOST_DB, ROOM_DB, VOICE_DB, Leveller
from voicepipe.speech.segmenter import LOWEST_DB
from voicepipe.speech.vad import VADProcessor

RATE = 16_000
WINDOW = 480
UserSpeaking = UserStartedSpeakingFrame | UserStoppedSpeakingFrame
Floats = npt.NDArray[np.float64]

NORMALISED = ["silero", "webrtc"]


def voice(rate: int = RATE) -> Floats:
    """The bundled sentences with a peak of 1."""
    samples = np.frombuffer(speech(AudioFormat(rate)), np.int16).astype(np.float64)
    scaled: Floats = samples / np.abs(samples).max()
    return scaled


def noise(count: int, level_db: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0, 10 ** (level_db / 20), count)


def ints(audio: Floats) -> bytes:
    return np.rint(audio * 32_767).clip(-32_768, 32_767).astype(np.int16).tobytes()


def said(peak_db: float, *, snr_db: float = 40, rate: int = RATE) -> Floats:
    """The sentences at this peak, with noise so far below it."""
    samples = voice(rate)
    return samples * 10 ** (peak_db / 20) + noise(len(samples), peak_db - snr_db)


def facts(
    engine: str | VADProcessor,
    data: bytes,
    *,
    rate: int = RATE,
    channels: int = 1,
    block: int = 320,
) -> list[Frame]:
    """Everything but the audio that comes out."""
    stage = VADProcessor(engine) if isinstance(engine, str) else engine
    size, out = 2 * channels, list[Frame]()
    for at in range(0, len(data) // size, block):
        frame = InputAudioFrame(data[at * size : (at + block) * size], rate, channels, at)
        out += [each for each in stage.process(frame, DOWN) if each is not frame]
    return [*out, *stage.on_end()]


def starts(engine: str, audio: Floats, **how: int) -> list[float]:
    """The seconds at which turns begin."""
    rate = how.get("rate", RATE)
    found = facts(engine, ints(audio), **how)
    return [each.position / rate for each in found if isinstance(each, UserStartedSpeakingFrame)]


@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize("snr_db", [40, 25])
@pytest.mark.parametrize("peak_db", [-3, -32, -44, -56])
@pytest.mark.heavy(after=8)
def test_a_sentence_begins_where_it_does_at_a_normal_level(engine: str, peak_db: int, snr_db: int) -> None:
    normal = starts(engine, said(-20, snr_db=snr_db))
    assert len(normal) == 2
    assert starts(engine, said(peak_db, snr_db=snr_db)) == pytest.approx(normal, abs=0.1)


def test_the_plain_engine_stays_raw() -> None:
    assert len(starts("webrtc-plain", said(-20))) == 2
    assert starts("webrtc-plain", said(-44)) == []


@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_quiet_microphone_of_any_rate_is_heard(engine: str, rate: int) -> None:
    assert len(starts(engine, said(-44, rate=rate), rate=rate, block=rate // 50)) == 2


@pytest.mark.parametrize("engine", NORMALISED)
def test_a_quiet_pair_of_channels_is_heard(engine: str) -> None:
    pair = np.stack([said(-50), said(-50)], 1)
    assert len(starts(engine, pair, channels=2)) == 2


Change = Callable[[Floats], Floats]


def after(seconds: float, level_db: float = -math.inf) -> Change:
    """Put so much noise, or zeros, before it."""

    def change(audio: Floats) -> Floats:
        count = round(seconds * RATE)
        return np.concatenate([noise(count, level_db) if level_db > -200 else np.zeros(count), audio])

    return change


def with_offset(audio: Floats) -> Floats:
    return audio + 0.2


def with_settling_offset(audio: Floats) -> Floats:
    """As an I2S microphone begins."""
    return audio + 0.3 * np.exp(-np.arange(len(audio)) / RATE / 0.2)


def behind_a_click(audio: Floats) -> Floats:
    changed = audio.copy()
    changed[1_000:1_400] = np.sign(noise(400, 0.0)) * 0.9
    return changed


def behind_somebody_loud(audio: Floats) -> Floats:
    """A loud voice, a pause of 12 s, and the quiet one."""
    return np.concatenate([said(-6, snr_db=79), noise(12 * RATE, -85), audio])


def before_somebody_loud(audio: Floats) -> Floats:
    return np.concatenate([audio, noise(RATE, -85), said(-3, snr_db=82)])


@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize(
    ("change", "turns"),
    [
        (after(1.0), 2),
        (after(60.0), 2),
        (after(60.0, -85), 2),
        (after(5.0, -50), 2),
        (with_offset, 2),
        (with_settling_offset, 2),
        (behind_a_click, 2),
        (behind_somebody_loud, 4),
        (before_somebody_loud, 4),
    ],
    ids=[
        "zeros",
        "a minute of zeros",
        "a minute of a quiet room",
        "a fan that stops",
        "a constant",
        "a constant that settles",
        "a click",
        "a loud voice before",
        "a loud voice behind",
    ],
)
@pytest.mark.heavy(after=6)
def test_a_quiet_voice_is_heard_after_anything(engine: str, change: Change, turns: int) -> None:
    assert len(starts(engine, change(said(-44)))) == turns


@pytest.mark.parametrize("engine", NORMALISED)
def test_a_voice_that_walks_away_is_heard_to_the_end(engine: str) -> None:
    near = np.concatenate([voice()] * 3)
    away = near * 10 ** (np.linspace(-12, -50, len(near)) / 20) + noise(len(near), -90)
    assert len(starts(engine, away)) == 6


@pytest.mark.parametrize("engine", NORMALISED)
def test_a_clipping_microphone_is_heard(engine: str) -> None:
    assert len(starts(engine, (voice() * 8 + noise(len(voice()), -50)).clip(-1, 1))) == 2


def hum(level_db: float) -> Floats:
    """Mains hum of 20 s, with its harmonics."""
    turns = 2 * np.pi * 50 * np.arange(20 * RATE) / RATE
    wave = np.sin(turns) + 0.5 * np.sin(2 * turns) + 0.3 * np.sin(3 * turns)
    return wave * 10 ** (level_db / 20)


def rumble(level_db: float) -> Floats:
    """Noise that falls with frequency, as a room's does."""
    spectrum = np.fft.rfft(noise(20 * RATE, 0.0))
    hz = np.arange(len(spectrum)) / 20
    sound = np.fft.irfft(spectrum / np.maximum(hz, 20))
    scaled: Floats = sound / np.std(sound) * 10 ** (level_db / 20)
    return scaled


def swelling(level_db: float) -> Floats:
    """Noise that comes and goes, such as traffic."""
    swell = 1 + 0.6 * np.sin(2 * np.pi * 0.3 * np.arange(20 * RATE) / RATE)
    sound: Floats = rumble(level_db) * swell
    return sound


def knocks(level_db: float) -> Floats:
    """Short knocks, twice a second, 30 dB above a quiet room."""
    times = np.arange(20 * RATE) % (RATE // 2) / RATE
    sound: Floats = noise(20 * RATE, level_db) * (1 + 30 * np.exp(-times / 0.01))
    return sound


@pytest.mark.heavy
@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize("level_db", [-50, -60, -70, -80, -90, -99])
@pytest.mark.parametrize("room", [lambda db: noise(20 * RATE, db), hum, rumble, swelling, knocks])
def test_a_room_that_is_brought_up_starts_nothing(
    engine: str, room: Callable[[float], Floats], level_db: int
) -> None:
    assert starts(engine, room(level_db)) == []


@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize("seconds_of", [np.zeros, lambda count: np.sign(noise(count, 0)) / 32_767])
def test_silence_and_rounding_start_nothing(engine: str, seconds_of: Callable[[int], Floats]) -> None:
    assert starts(engine, seconds_of(20 * RATE)) == []


def places(engine: str, data: bytes, block: int) -> list[tuple[type[Frame], int]]:
    """The kinds and the positions of the facts."""
    found = facts(engine, data, block=block)
    return [(type(each), each.position) for each in found if isinstance(each, UserSpeaking)]


@pytest.mark.heavy
@pytest.mark.parametrize("engine", NORMALISED)
@pytest.mark.parametrize("block", [1, 77, 480, 16_000])
def test_the_cut_makes_no_difference_at_a_low_level(engine: str, block: int) -> None:
    data = ints(said(-44)[: 5 * RATE])
    assert places(engine, data, block) == places(engine, data, 320) != []


def test_nothing_handed_on_is_louder() -> None:
    data = ints(said(-44))
    stage, collector = VADProcessor("webrtc"), UtteranceCollector()
    utterances = list[UtteranceFrame]()
    for at in range(0, len(data), 640):
        for out in stage.process(InputAudioFrame(data[at : at + 640], RATE, 1, at // 2), DOWN):
            if isinstance(out, InputAudioFrame):
                assert out.data == data[at : at + 640]
            utterances += [u for u in collector.process(out, DOWN) if isinstance(u, UtteranceFrame)]
    assert utterances
    for utterance in utterances:
        assert utterance.data == data[2 * utterance.position :][: len(utterance.data)]


# -- the gain itself -------------------------------------------------------------------


def window(level_db: float, seed: int = 1) -> bytes:
    return ints(noise(WINDOW, level_db, seed))


def fed(leveller: Leveller, level_db: float, seconds: float, floor_db: float) -> None:
    for n in range(round(seconds * RATE / WINDOW)):
        leveller.take(window(level_db, n), floor_db)


def test_a_window_of_a_normal_level_is_judged_as_it_came() -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -20, 1, -62)
    heard = window(-60)
    assert leveller.take(heard, -62)[1] is heard


def test_the_gain_is_bounded_and_falls_at_once_before_a_voice() -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -90, 2, -90)
    assert leveller.gain_db == MOST_DB
    level_db, louder = leveller.take(window(-20), -90)
    assert level_db == pytest.approx(-20, abs=1.5)
    assert np.std(np.frombuffer(louder, np.int16)) == pytest.approx(
        np.std(np.frombuffer(window(-20), np.int16)), rel=0.01
    )


@pytest.mark.parametrize("step", [300, -300, 20_000, -20_000])
def test_what_is_made_too_loud_is_clipped(step: int) -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -90, 2, -90)
    before = leveller.gain_db
    heard = np.frombuffer(window(-90), np.int16) + step  # its constant part moves, which is no sound
    louder = np.frombuffer(leveller.take(heard.astype(np.int16).tobytes(), -90)[1], np.int16)
    assert leveller.gain_db == before == MOST_DB
    expected = (heard - (heard.mean() + math.exp(-0.3) * (0 - heard.mean()))) * 10 ** (MOST_DB / 20)
    assert louder == pytest.approx(expected.clip(-32_768, 32_767), abs=70)


@pytest.mark.parametrize("level_db", [-20, -45, -70, -90])
def test_samples_and_bytes_are_the_same(level_db: float) -> None:
    one, other = Leveller(WINDOW, RATE), Leveller(WINDOW, RATE)
    for n in range(100):
        heard = window(level_db, n)
        (level, data), (same, samples) = one.take(heard, level_db), other.take_samples(heard, level_db)
        assert level == same
        assert samples.astype(np.int16).tobytes() == data


def test_the_noise_comes_to_the_level_of_a_room() -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -70, 2, -70)
    _, louder = leveller.take(window(-70), -70)
    level = np.std(np.frombuffer(louder, np.int16)) / 32_768
    assert 20 * math.log10(level) == pytest.approx(ROOM_DB, abs=1.5)


def test_one_loud_window_lowers_no_gain_and_a_lasting_sound_does() -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -90, 2, -90)
    fed(leveller, -10, 0.06, -90)
    assert leveller.gain_db == MOST_DB
    fed(leveller, -46, 0.12, -90)
    assert leveller.gain_db == pytest.approx(VOICE_DB + 46, abs=1)


def test_the_gain_rises_slowly_after_a_voice() -> None:
    leveller = Leveller(WINDOW, RATE)
    fed(leveller, -20, 1, -90)
    fed(leveller, -90, 1.9, -90)
    assert leveller.gain_db == 0
    fed(leveller, -90, 2, -90)
    assert 8 < leveller.gain_db < 14


def test_an_engine_that_does_not_ask_hears_what_came() -> None:
    leveller = Leveller(WINDOW, RATE, most_db=0.0)
    heard = ints(noise(WINDOW, -80) + 0.1)
    level_db, judged = leveller.take(heard, LOWEST_DB)
    assert judged is heard
    assert level_db == pytest.approx(-80, abs=1.5)


def test_the_beginning_is_at_once_where_the_noise_is() -> None:
    leveller = Leveller(WINDOW, RATE)
    leveller.take(window(-70), LOWEST_DB)
    assert leveller.gain_db == pytest.approx(ROOM_DB + 70, abs=1.5)


def test_conversion_of_quiet_audio_keeps_it_quiet() -> None:
    """The judge's own gain, not the converter, makes it louder."""
    converter = Converter(AudioFormat(48_000), AudioFormat(RATE), quality="HQ")
    level = np.std(np.frombuffer(converter.convert(ints(noise(48_000, -70))), np.int16)) / 32_768
    assert 20 * math.log10(level) < -70
