"""The latency that is suggested to PortAudio: PipeWire's "low" is no lower than it can hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicepipe_devices.portaudio.suggested_latency import PIPEWIRE_LOW_S, suggested


def test_pipewires_own_device_gets_more_than_low() -> None:
    assert suggested("low", "pipewire") == PIPEWIRE_LOW_S
    assert suggested("low", "PipeWire Sound Server") == PIPEWIRE_LOW_S


@pytest.mark.parametrize("latency", ["high", 0.01, 0.0, 0.06])
def test_what_is_asked_for_otherwise_is_suggested_as_it_is(latency: str | float) -> None:
    assert suggested(latency, "pipewire") == latency


@pytest.mark.parametrize("device", ["default", "pulse", "sysdefault"])
def test_the_servers_devices_are_pipewires_where_it_runs(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    assert suggested("low", device) == "low"
    (tmp_path / "pipewire-0").touch()
    assert suggested("low", device) == PIPEWIRE_LOW_S
    assert suggested("low", "USB Audio (hw:1,0)") == "low"
