"""AEC3: its delay, its rates, and what is said where it is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from canceller.engines.rooms import cancelled, impulse, program, reduced
from canceller.sounds import RATE, echo_of, int16
from voicepipe.errors import EngineError

pytest.importorskip("pywebrtc_audio", reason="allowed skip: AEC3 has no wheel for this machine")

from voicepipe.canceller.engines.aec3 import AEC3


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 32_000, 44_100, 48_000])
def test_its_output_lags_by_its_delay(rate: int) -> None:
    mic = int16(program(1.0, rate=rate))
    engine = AEC3(rate)
    ear = cancelled(engine, mic, np.zeros(len(mic)), block=rate // 100).astype(float)
    size = 2 * len(mic)
    across = np.fft.irfft(np.fft.rfft(ear, size) * np.fft.rfft(mic.astype(float), size).conj(), size)
    assert abs(int(np.argmax(across)) - engine.delay) <= 1


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_the_echo_goes(rate: int) -> None:
    far = program(2.5, rate=rate)
    mic = int16(echo_of(far, impulse(rate=rate)))
    assert reduced(mic, cancelled(AEC3(rate), mic, far, block=rate // 100), 1.5, 2.5, rate) > 24


def test_several_channels_are_kept_apart() -> None:
    far = program(2.0)
    echo = int16(echo_of(far, impulse()))
    mic = np.stack([echo, np.zeros_like(echo)], axis=1)
    ear = cancelled(AEC3(RATE, 2), mic, far)
    assert ear.shape == mic.shape
    assert reduced(echo, ear[:, 0], 1.0, 2.0) > 20
    assert np.abs(ear[:, 1]).max() < 100


def test_loud_sound_is_clipped_and_does_not_wrap() -> None:
    mic = np.zeros(1_600, np.int16)
    far = np.full(1_600, 7.9)
    assert np.array_equal(cancelled(AEC3(RATE), mic, far), cancelled(AEC3(RATE), mic, far / 7.9))


@pytest.mark.parametrize("rate", [11_025, 12_000, 22_050, 96_000])
def test_a_rate_that_it_does_not_take_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match=f"not {rate}"):
        AEC3(rate)


def test_where_it_is_missing_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    with pytest.raises(
        EngineError, match=r"^the echo canceller aec3 needs a package: pip install pywebrtc-audio$"
    ):
        AEC3(RATE)
