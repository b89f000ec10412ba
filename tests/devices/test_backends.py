"""The port: back ends by name, and what a stream may be asked to be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from voicepipe import AudioFormat, DeviceError, MicrophoneInput, SpeakerOutput
from voicepipe.devices import (
    Backend,
    DeviceInfo,
    DeviceTrial,
    InputStream,
    OutputStream,
    StreamRequest,
    backend_of,
    open_backend,
)
from voicepipe_devices.fake import FakeBackend, SimulatedCard

WITHOUT_THE_PACKAGE = """
import sys
sys.modules[{missing!r}] = None  # as if it were not there
from voicepipe import BackendMissingError, open_backend
try:
    open_backend("fake")
except {expected} as error:
    print(error)
"""


def import_error(missing: str, expected: str) -> str:
    program = WITHOUT_THE_PACKAGE.format(missing=missing, expected=expected)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fake_is_a_back_end_with_a_card_of_its_own() -> None:
    first, second = open_backend("fake"), open_backend("fake")
    assert first.name == "fake"
    assert isinstance(first, FakeBackend)
    assert isinstance(second, FakeBackend)
    assert first.card is not second.card


@pytest.mark.parametrize("name", ["", "Fake", "fakes", "fake ", "os", "../fake", "driver"])
def test_an_unknown_name_is_refused_and_the_known_ones_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"^unknown back end '.*'; choose portaudio, .* or fake$"):
        open_backend(name)


@pytest.mark.parametrize("name", [True, 3, b"fake", ["fake"]])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match=r"a back end's name must be text, not .*; choose portaudio, "):
        open_backend(name)


def test_an_unknown_name_is_printed_without_its_control_characters() -> None:
    with pytest.raises(ValueError, match="unknown back end") as refused:
        open_backend("\x1b[31m\u202e" + "x" * 1000)
    assert "\x1b" not in str(refused.value)
    assert "\u202e" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("missing", ["voicepipe_devices", "voicepipe_devices.fake"])
def test_without_the_package_the_error_says_what_to_run(missing: str) -> None:
    message = import_error(missing, "BackendMissingError")
    assert "voicepipe_devices is not installed" in message
    assert "pip install -e ." in message


def test_a_module_that_is_missing_inside_a_back_end_is_not_taken_for_the_back_end() -> None:
    assert "voicepipe.devices.hardware" in import_error("voicepipe.devices.hardware", "ModuleNotFoundError")


def test_a_back_end_is_taken_as_it_is_or_by_its_name() -> None:
    card = SimulatedCard()
    backend = card.backend()
    assert backend_of(backend) is backend
    assert backend_of("fake").name == "fake"


@pytest.mark.parametrize("wrong", [None, 3, SimulatedCard(), FakeBackend])
@pytest.mark.parametrize("take", [backend_of, MicrophoneInput, SpeakerOutput])
def test_what_is_no_back_end_is_refused_at_once(take: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"is no back end; choose portaudio, wav:IN.wav,OUT.wav or fake, or"):
        take(wrong)


def test_a_back_end_that_lacks_what_a_run_needs_is_refused_with_its_cure() -> None:
    class Halfway:
        name = "halfway"
        devices = open_input = open_output = None

    with pytest.raises(TypeError, match=r"has no shares_air and no lost_for_good: derive its class from "):
        MicrophoneInput(Halfway())  # type: ignore[arg-type]


async def test_a_back_end_that_derives_from_the_port_has_its_defaults() -> None:
    class Smallest(Backend):
        name = "smallest"

        async def devices(self) -> list[DeviceInfo]:
            return [DeviceInfo("ear", 1, 0, 16_000)]

        async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
            raise DeviceError("never")

        async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
            raise DeviceError("never")

    backend = backend_of(Smallest())
    assert not backend.shares_air
    assert not backend.lost_for_good
    assert await backend.trials() == [DeviceTrial(DeviceInfo("ear", 1, 0, 16_000))]
    assert await backend.library() is None


@pytest.mark.parametrize("stage", [MicrophoneInput, SpeakerOutput])
def test_a_device_stage_refuses_an_unknown_back_end_at_once(stage: Any) -> None:
    with pytest.raises(ValueError, match="unknown back end 'soundblaster'; choose"):
        stage("soundblaster")


@pytest.mark.parametrize(
    ("fields", "error", "names"),
    [
        ({"block_s": 0}, ValueError, "samples in a block"),
        ({"block_s": 0.00001}, ValueError, "samples in a block"),
        ({"block_s": -0.02}, ValueError, "block_s"),
        ({"block_s": 1.1}, ValueError, "block_s"),
        ({"block_s": float("nan")}, ValueError, "block_s"),
        ({"block_s": float("inf")}, ValueError, "block_s"),
        ({"block_s": 10**9}, ValueError, "block_s"),
        ({"block_s": "20ms"}, TypeError, "block_s"),
        ({"block_s": True}, TypeError, "block_s"),
        ({"block_s": None}, TypeError, "block_s"),
        ({"latency": "lowest"}, ValueError, "'low', 'high' or seconds"),
        ({"latency": ""}, ValueError, "'low', 'high' or seconds"),
        ({"latency": float("nan")}, ValueError, "latency"),
        ({"latency": 1e9}, ValueError, "latency"),
        ({"latency": -0.1}, ValueError, "latency"),
        ({"latency": True}, TypeError, "latency"),
        ({"latency": None}, TypeError, "latency"),
        ({"device": None}, TypeError, "device"),
        ({"device": 3}, TypeError, "device"),
        ({"device": b"USB"}, TypeError, "device"),
        ({"format": 16_000}, TypeError, "format"),
        ({"format": None}, TypeError, "format"),
    ],
)
def test_a_stream_request_names_the_field_that_is_wrong(
    fields: dict[str, Any], error: type[Exception], names: str
) -> None:
    with pytest.raises(error, match=names):
        StreamRequest(**fields)


@pytest.mark.parametrize("stage", [MicrophoneInput, SpeakerOutput])
@pytest.mark.parametrize("wrong", [{"block_s": -1}, {"latency": "lowest"}, {"device": 3}])
def test_a_device_stage_checks_its_arguments_before_any_device_is_touched(
    stage: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        stage("fake", **wrong)


@pytest.mark.parametrize(
    ("rate", "block_s", "block"), [(16_000, 0.02, 320), (44_100, 0.01, 441), (48_000, 1.0, 48_000)]
)
def test_a_block_is_as_many_samples_as_its_seconds_take(rate: int, block_s: float, block: int) -> None:
    assert StreamRequest(AudioFormat(rate, 2), block_s=block_s).block == block


@pytest.mark.parametrize("latency", ["low", "high", 0, 0.03, 10])
def test_a_latency_is_a_word_or_seconds(latency: str | float) -> None:
    assert StreamRequest(latency=latency).latency == latency
