"""Engines of the canceller by name, and what is said where one cannot be had."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from voicepipe.canceller.engines.part import check_canceller
from voicepipe.canceller.engines.registry import CANCELLERS, default_engine, open_canceller, open_echo_engine
from voicepipe.errors import EngineError, VoicepipeError


def test_the_default_is_aec3_for_the_ear_and_the_linear_filter_for_the_words() -> None:
    pytest.importorskip("pywebrtc_audio", reason="allowed skip: AEC3 has no wheel for this machine")
    engine = default_engine(16_000, 2)
    assert (engine.name, engine.rate, engine.channels) == ("aec3 and kalman", 16_000, 2)
    assert (engine.block, engine.delay) == (160, 128)
    ear, words = engine.cancel(np.zeros((160, 2), np.int16), np.zeros(160, np.float32))
    assert (ear.shape, words.shape) == ((160,), (160, 2))


def test_any_canceller_may_be_the_ear_or_keep_the_words() -> None:
    engine = open_echo_engine(16_000, ear="kalman", words="kalman")
    assert (engine.name, engine.delay) == ("kalman and kalman", 0)


@pytest.mark.parametrize(("ear", "words"), [("acme", "kalman"), ("kalman", "acme")])
def test_an_unknown_name_is_refused_with_those_there_are(ear: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^unknown echo canceller 'acme'; choose aec3, kalman or speex"):
        open_echo_engine(16_000, ear=ear, words=words)


def test_the_default_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    with pytest.raises(EngineError, match="pip install pywebrtc-audio"):
        default_engine(16_000, 1)


def test_the_default_for_a_rate_that_it_does_not_take_is_an_engine_error_of_one_line() -> None:
    with pytest.raises(EngineError, match=r"^aec3 takes the rates 8000, .* and 48000, not 12000$"):
        default_engine(12_000, 1)


@pytest.mark.parametrize("name", CANCELLERS)
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (0, 1), (16_000, 0)])
def test_a_format_that_no_canceller_takes_is_refused_in_one_line(name: str, rate: int, channels: int) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # each has words of its own
        open_canceller(name, rate, channels)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert not isinstance(refused.value, VoicepipeError)


@pytest.mark.parametrize("missing", ["cancel", "reset", "delay"])
def test_what_is_no_canceller_is_refused(missing: str) -> None:
    class Whole:
        name, delay = "whole", 0

        def cancel(self, mic: object, far: object) -> object:
            return mic

        def reset(self) -> None:
            """Forget nothing."""

    whole: Any = Whole()
    assert check_canceller(whole) is whole
    part: Any = type("Part", (), {name: each for name, each in vars(Whole).items() if name != missing})()
    with pytest.raises(TypeError, match=missing):
        check_canceller(part)
