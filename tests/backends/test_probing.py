"""What devices open at, found out by trying: on the simulated card, and through processes that may hang."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.backends import inside, outside
from voicepipe.census.census import take_census
from voicepipe.devices import DeviceInfo
from voicepipe.devices.trial import RATES, DeviceTrial, SideTrial
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.in_process import InsideBackend
from voicepipe_devices.sound_process.backend import OutsideBackend
from voicepipe_devices.wav import WavBackend

either = pytest.mark.parametrize("backend", [outside, inside])
Make = Callable[[str], OutsideBackend | InsideBackend]


def sides(trials: list[DeviceTrial]) -> list[tuple[SideTrial | None, SideTrial | None]]:
    return [(trial.microphone, trial.speaker) for trial in trials]


async def test_the_simulated_card_opens_at_everything() -> None:
    (microphone, no_speaker), (no_microphone, speaker) = sides(await SimulatedCard().backend().trials())
    assert microphone == speaker == SideTrial(RATES, (1,), 16_000, 1)
    assert no_speaker is no_microphone is None


async def test_what_a_card_refuses_is_not_there_and_what_is_wrong_is_said() -> None:
    card = SimulatedCard()
    card.mic.refuse(8_000, 48_000, channels=2)
    card.speaker.busy()
    (microphone, _), (_, speaker) = sides(await card.backend().trials())
    assert microphone == SideTrial((8_000, 48_000), (1, 2), 48_000, 2)
    assert speaker is not None
    assert speaker.trouble.endswith("is in use by another program or stream: close that first")
    card.mic.unplug()
    assert [trial.device.outputs for trial in await card.backend().trials()] == [1]


@pytest.mark.real_time
@either
async def test_a_library_is_tried_wherever_it_is(backend: Make) -> None:
    trials = await backend("card_that_refuses").trials()
    assert sides(trials) == [
        (SideTrial((48_000,), (1, 2), 48_000, 2), None),
        (None, SideTrial((8_000, 44_100), (1,), 44_100, 1)),
    ]
    assert [trial.device.name for trial in trials] == ["simulated microphone", "simulated speaker"]


@pytest.mark.real_time
@either
async def test_what_is_wrong_with_a_device_is_said_beside_it(backend: Make) -> None:
    for microphone, speaker in sides(await backend("card_that_is_busy").trials()):
        side = microphone or speaker
        assert side is not None
        assert side.trouble.endswith("is in use by another program or stream: close that first")


@pytest.mark.real_time
@either
async def test_a_library_that_cannot_try_says_so(backend: Make) -> None:
    first, second = sides(await backend("well").trials())
    untried = SideTrial(trouble="this library cannot try a device without opening it")
    assert first == (untried, untried)
    assert second == (None, None), "it has no channels"


@pytest.mark.real_time
@pytest.mark.heavy
async def test_a_device_that_hangs_does_not_hold_up_the_others() -> None:
    trials = await outside("hangs_when_tried").trials()
    first, second = sides(trials)
    assert first[0] is not None
    assert first[0].trouble.startswith("trying library: no answer within 2 s")
    assert second == (None, SideTrial((48_000,), (1,), 48_000, 1))
    assert not take_census().children


@pytest.mark.heavy
@pytest.mark.real_time
async def test_what_a_slow_computer_takes_to_load_the_library_is_not_a_device_s() -> None:
    found = SideTrial((48_000,), (1,), 48_000, 1)
    assert sides(await outside("loads_slowly").trials()) == [(None, found), (None, found)]


async def test_a_back_end_of_files_lists_them_untried_and_has_no_library() -> None:
    backend = WavBackend(None, "out.wav")
    assert await backend.trials() == [DeviceTrial(DeviceInfo("out.wav", 0, 32, 16_000))]
    assert await backend.library() is None
