"""The benchmark of the canceller's cost: it measures, and says in one line where it cannot."""

from __future__ import annotations

import sys

import pytest

from benchmarks import cancel_cost
from benchmarks.figures import Spread
from voicepipe.audio.format import AudioFormat


def test_each_subject_has_a_time_and_a_ratio_to_the_engines_alone() -> None:
    pytest.importorskip("pywebrtc_audio", reason="allowed skip: AEC3 has no wheel for this machine")
    table, counted = cancel_cost.measure(AudioFormat(16_000), 1, seconds=0.2)
    ratios = {str(name): ratio for name, _, ratio in table.rows}
    assert isinstance(ratios["aec3"], Spread)
    assert isinstance(ratios["kalman"], Spread)
    assert ratios["aec3"].median + ratios["kalman"].median == pytest.approx(1)
    assert counted > 0.5


def test_without_its_package_it_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    assert cancel_cost.main(["--repeats", "1"]) == 2
    assert capsys.readouterr().err == (
        "cancel_cost.py: the echo canceller aec3 needs a package: pip install pywebrtc-audio\n"
    )


def test_a_rate_that_is_not_taken_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pywebrtc_audio", reason="allowed skip: AEC3 has no wheel for this machine")
    assert cancel_cost.main(["--rate", "12000"]) == 2
    assert capsys.readouterr().err.startswith("cancel_cost.py: aec3 takes the rates ")
