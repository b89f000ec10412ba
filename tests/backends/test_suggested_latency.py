"""The latency that is suggested to PortAudio: PipeWire's "low" is no lower than it can hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicepipe_devices.portaudio.suggested_latency import PIPEWIRE_LOW_S, suggest_latency


def test_pipewires_own_device_gets_more_than_low() -> None:
    assert suggest_latency("low", "pipewire") == PIPEWIRE_LOW_S
    assert suggest_latency("low", "PipeWire Sound Server") == PIPEWIRE_LOW_S


@pytest.mark.parametrize("latency", ["high", 0.01, 0.0, 0.06])
def test_what_is_asked_for_otherwise_is_suggested_as_it_is(latency: str | float) -> None:
    assert suggest_latency(latency, "pipewire") == latency


@pytest.mark.parametrize("device", ["default", "pulse", "sysdefault"])
def test_the_servers_devices_are_pipewires_where_it_runs(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    assert suggest_latency("low", device) == "low"
    (tmp_path / "pipewire-0").touch()
    assert suggest_latency("low", device) == PIPEWIRE_LOW_S
    assert suggest_latency("low", "USB Audio (hw:1,0)") == "low"
