"""What the service manager is told, decided from the devices' signs of life."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable

import pytest

from voicepipe.report import DeviceState
from voicepipe.run.stall import Holder
from voicepipe.service.health import Health, Phase

WATCHDOG_S = 15.0
States = Callable[[float], Iterable[DeviceState]]


def look_for(
    health: Health, states: States, seconds: float, *, since: float = 0.0, phase: Phase = Phase.RUNNING
) -> list[tuple[float, dict[str, str]]]:
    """Look once a second; what is said, and when."""
    looks = [since + second for second in range(round(seconds))]
    said = [(when, health.look(when, phase, tuple(states(when)))) for when in looks]
    return [(when, message) for when, message in said if message]


def times(said: list[tuple[float, dict[str, str]]], key: str) -> list[float]:
    return [when for when, message in said if key in message]


def flowing(now: float) -> list[DeviceState]:
    calls = round(now * 50)
    return [DeviceState("microphone", "mic", calls, level_db=-42.4), DeviceState("speaker", "speaker", calls)]


def stalled(now: float) -> list[DeviceState]:
    return [DeviceState("microphone", "mic", 7, lost_s=now), flowing(now)[1]]


def absent(now: float) -> list[DeviceState]:
    looks = int(now // 3)
    mic = DeviceState("microphone", "mic", 7, lost_s=now, absent="mic is not plugged in", absences=looks)
    return [mic, flowing(now)[1]]


def test_ready_is_said_once_when_both_devices_have_given_a_sign() -> None:
    health = Health()
    only_mic = (DeviceState("microphone", "mic", 3), DeviceState("speaker", "speaker", 0))
    assert "READY" not in health.look(0.0, Phase.STARTING, ())
    assert "READY" not in health.look(0.1, Phase.RUNNING, only_mic)
    assert health.look(0.2, Phase.RUNNING, flowing(0.2))["READY"] == "1"
    assert times(look_for(health, flowing, 60), "READY") == []


def test_a_pipeline_without_devices_is_ready_when_it_runs() -> None:
    assert Health().look(0.0, Phase.RUNNING, ())["READY"] == "1"


def test_devices_whose_back_end_counts_nothing_are_ready_and_well() -> None:
    said = look_for(Health(WATCHDOG_S), lambda _: [DeviceState("microphone", "file")], 100)
    assert times(said, "READY") == [0.0]
    assert times(said, "WATCHDOG")[-1] >= 95


def test_while_sound_flows_pings_come_three_times_in_the_watchdog_s_limit() -> None:
    pings = times(look_for(Health(WATCHDOG_S), flowing, 100, since=1.0), "WATCHDOG")
    assert pings == [float(second) for second in range(1, 101, 5)]


def test_without_a_watchdog_there_are_no_pings() -> None:
    assert times(look_for(Health(), flowing, 100), "WATCHDOG") == []


def test_pings_stop_within_30_s_of_a_stall_and_resume_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = Health(WATCHDOG_S)
    look_for(health, flowing, 10, since=1.0)
    silent = times(look_for(health, stalled, 120, since=11.0), "WATCHDOG")
    assert 30 <= silent[-1] < 41
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1
    assert times(look_for(health, flowing, 10, since=131.0), "WATCHDOG")[0] == 131.0


def test_pings_go_on_while_a_device_is_waited_for_that_is_known_to_be_absent() -> None:
    pings = times(look_for(Health(WATCHDOG_S), absent, 3_600), "WATCHDOG")
    assert max(b - a for a, b in itertools.pairwise(pings)) == 5.0
    assert pings[-1] >= 3_594


def test_pings_stop_where_the_search_for_an_absent_device_hangs() -> None:
    health = Health(WATCHDOG_S)
    look_for(health, absent, 60)
    hung = times(look_for(health, lambda _: absent(59.0), 120, since=60.0), "WATCHDOG")
    assert hung[-1] < 91


def test_a_process_that_stood_still_itself_does_not_blame_a_device() -> None:
    health = Health(WATCHDOG_S)
    look_for(health, flowing, 10, since=1.0)
    late = health.look(300.0, Phase.RUNNING, flowing(10.0))
    assert late["WATCHDOG"] == "1"


def test_the_start_is_extended_while_a_device_is_waited_for_and_not_after_ready() -> None:
    health = Health(WATCHDOG_S)

    def never_ready(now: float) -> list[DeviceState]:
        return [absent(now)[0], DeviceState("speaker", "speaker")]

    def not_yet(now: float) -> list[DeviceState]:
        mic, speaker = never_ready(now)
        return [DeviceState(mic.kind, mic.device, 0, now, mic.absent, mic.absences), speaker]

    said = look_for(health, not_yet, 120)
    assert times(said, "READY") == []
    extensions = times(said, "EXTEND_TIMEOUT_USEC")
    assert max(b - a for a, b in itertools.pairwise(extensions)) == 5.0
    assert times(look_for(health, flowing, 60, since=120.0), "EXTEND_TIMEOUT_USEC") == []


def test_a_start_in_which_a_device_stalls_is_not_extended_for_ever() -> None:
    hung = look_for(Health(), lambda now: [DeviceState("microphone", "mic", 0, lost_s=now)], 120)
    assert times(hung, "EXTEND_TIMEOUT_USEC")[-1] <= 30


def test_stopping_is_said_once_and_the_end_takes_the_time_it_needs() -> None:
    health = Health(WATCHDOG_S)
    look_for(health, flowing, 10)
    said = look_for(health, stalled, 60, since=10.0, phase=Phase.STOPPING)
    assert times(said, "STOPPING") == [10.0]
    assert times(said, "EXTEND_TIMEOUT_USEC")[-1] >= 65
    assert times(said, "WATCHDOG")[-1] >= 65


def test_the_status_tells_level_speech_and_reconnections() -> None:
    message = Health().look(0.0, Phase.RUNNING, flowing(1.0), speech=True)
    assert message["STATUS"] == "sound flows: -42 dB, speech, 0 reconnections"


def test_the_status_tells_the_delay_of_live_sound() -> None:
    mic, speaker = flowing(1.0)
    message = Health().look(0.0, Phase.RUNNING, [mic, dataclasses.replace(speaker, delay_s=0.0314)])
    assert message["STATUS"] == "sound flows: -42 dB, delay 31 ms, 0 reconnections"


def test_the_status_says_at_once_what_is_waited_for_and_numbers_every_5_s() -> None:
    health = Health()
    look_for(health, flowing, 3)
    said = look_for(health, absent, 60, since=3.0)
    assert said[0][1]["STATUS"].startswith("waiting for the microphone mic, for 3 s: mic is not plugged")
    assert times(said, "STATUS") == [3.0 + 5 * n for n in range(12)]


# -- a pipeline that is stuck


def held_up(now: float) -> list[DeviceState]:
    """The microphone delivers, and nobody takes it."""
    mic, speaker = flowing(now)
    return [DeviceState(mic.kind, mic.device, mic.callbacks, taken=7), speaker]


STUCK = Holder("Assistant", 1, "own.py:7 in ask")


def pings_while(holding: Callable[[float], list[Holder]], devices: States = held_up) -> list[float]:
    """A hundred seconds; when there were pings."""
    health = Health(WATCHDOG_S)
    looks = [float(second) for second in range(100)]
    said = [health.look(now, Phase.RUNNING, tuple(devices(now)), holding(now)) for now in looks]
    return [now for now, message in zip(looks, said, strict=True) if "WATCHDOG" in message]


def test_pings_stop_when_a_stage_holds_the_microphone_up_for_30_s_and_say_who(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert 25.0 <= pings_while(lambda _: [STUCK])[-1] <= 31.0
    (said,) = [record.getMessage() for record in caplog.records]
    assert "held up by Assistant at own.py:7 in ask" in said


def test_pings_go_on_while_a_stage_that_is_stuck_holds_nobody_up() -> None:
    def taken(now: float) -> list[DeviceState]:
        return [DeviceState("microphone", "mic", round(now * 50), taken=round(now * 50))]

    assert pings_while(lambda _: [STUCK], taken)[-1] >= 95.0


def test_pings_go_on_while_whoever_holds_the_microphone_up_gets_on() -> None:
    assert pings_while(lambda now: [Holder("SpeakerOutput", now // 20, "here")])[-1] >= 95.0
    fresh = [Holder("A", 1, "here"), Holder("B", 1, "there")]
    assert pings_while(lambda now: [fresh[round(now // 25) % 2]])[-1] >= 95.0


@pytest.mark.parametrize(("may_take_s", "last_s"), [(0.0, 31.0), (10.0, 31.0), (60.0, 61.0), (500.0, 99.0)])
def test_a_stage_that_says_how_long_it_may_take_has_that_time(may_take_s: float, last_s: float) -> None:
    pings = pings_while(lambda _: [STUCK._replace(may_take_s=may_take_s)])
    assert last_s - 6.0 <= pings[-1] <= last_s


def test_another_stage_that_holds_the_microphone_up_is_not_excused() -> None:
    patient = Holder("Model", 1, "own.py:9 in ask", may_take_s=500.0)
    assert pings_while(lambda _: [patient, STUCK])[-1] <= 31.0


def test_pings_stop_where_everybody_waits_for_everybody() -> None:
    assert pings_while(lambda _: [])[-1] <= 31.0


def test_pings_resume_when_the_stage_gets_on() -> None:
    def holding(now: float) -> list[Holder]:
        return [STUCK if now < 60.0 else STUCK._replace(mark=now)]

    pings = pings_while(holding)
    assert 60.0 in pings
    assert not [ping for ping in pings if 31.0 < ping < 60.0]


def test_a_lost_microphone_is_not_held_up_by_anybody() -> None:
    def lost(now: float) -> list[DeviceState]:
        (mic, speaker) = absent(now)
        return [DeviceState(mic.kind, mic.device, round(now), now, "gone", mic.absences, taken=7), speaker]

    assert pings_while(lambda _: [STUCK], lost)[-1] >= 95.0


def test_the_status_says_who_holds_everybody_up_long_before_the_pings_stop() -> None:
    health = Health(WATCHDOG_S)
    for now in (0.0, 2.0, 4.0, 6.0):
        message = health.look(now, Phase.RUNNING, held_up(now), [STUCK])
    assert message["STATUS"] == "deaf: held up by Assistant at own.py:7 in ask"


def test_a_stage_that_gets_on_with_nothing_for_a_minute_is_named_though_it_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = Health(WATCHDOG_S)
    said: dict[float, str] = {}
    for now in range(200):
        holding = [] if now > 150 else [STUCK]
        message = health.look(float(now), Phase.RUNNING, flowing(float(now)), holding)
        if "STATUS" in message:
            said[now] = message["STATUS"]
    named = [now for now, line in said.items() if "nothing gets on in Assistant at own.py:7 in ask" in line]
    assert 60 <= min(named) <= 61
    assert said[151].startswith("sound flows: ")
    (line,) = [record.getMessage() for record in caplog.records]
    assert (
        line
        == "Assistant has got on with nothing for 60 s, at own.py:7 in ask: it waits for something, or hangs"
    )
