"""The filter of libspeexdsp: found at run time, or named in the error."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import pytest

from canceller.engines.rooms import cancelled, impulse, program, reduced
from canceller.sounds import RATE, echo_of, int16
from voicepipe.canceller.engines.speex import Speex
from voicepipe.errors import EngineError


@pytest.fixture
def library() -> None:
    try:
        Speex(RATE)
    except EngineError:
        pytest.skip("allowed skip: this machine has no libspeexdsp")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_the_echo_goes(rate: int) -> None:
    far = program(4.0, rate=rate)
    mic = int16(echo_of(far, impulse(rate=rate)))
    assert reduced(mic, cancelled(Speex(rate), mic, far, block=rate // 100), 3.0, 4.0, rate) > 12


@pytest.mark.usefixtures("library")
def test_channels_have_paths_of_their_own() -> None:
    far = program(4.0)
    mic = np.stack([int16(echo_of(far, impulse(seed=seed))) for seed in (1, 2)], axis=1)
    words = cancelled(Speex(RATE, 2), mic, far)
    assert all(reduced(mic[:, n], words[:, n], 3.0, 4.0) > 12 for n in (0, 1))


@pytest.mark.usefixtures("library")
def test_words_are_the_microphone_bit_by_bit_while_no_echo_is_there() -> None:
    far = np.concatenate([np.zeros(RATE // 2), program(0.5), np.zeros(RATE)])
    mic = int16(program(2.0, seed=8))
    words = cancelled(Speex(RATE), mic, far)
    assert np.array_equal(words[: RATE // 2], mic[: RATE // 2])
    assert np.array_equal(words[RATE + RATE // 4 :], mic[RATE + RATE // 4 :])


@pytest.mark.usefixtures("library")
def test_a_reset_forgets_the_path() -> None:
    far = program(1.0)
    mic = int16(echo_of(far, impulse()))
    speex = Speex(RATE)
    first = cancelled(speex, mic, far)
    speex.reset()
    assert np.array_equal(cancelled(speex, mic, far), first)


def test_where_it_is_missing_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", fail)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(EngineError, match=r"needs the library libspeexdsp: .*apt install libspeexdsp1$"):
        Speex(RATE)
