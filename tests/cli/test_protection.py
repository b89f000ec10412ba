"""The protection from the program's own sound: its flags, and its figures on every screen."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voicepipe import DeviceStatistics, RunReport, RunState
from voicepipe.cli.arguments.protection import Protection
from voicepipe.cli.arguments.sound_source import Sound
from voicepipe.cli.commands.echo import read_options
from voicepipe.cli.commands.level import LevelDisplay, _task
from voicepipe.cli.commands.level import read_options as read_level
from voicepipe.cli.commands.status import _echoes, _lines
from voicepipe.cli.terminal.screen import Screen
from voicepipe.cli.terminal.status_lines import echo_line
from voicepipe.report import DeviceState, EchoState
from voicepipe.runner.closing_report import echoes
from voicepipe.service.health import Health, Phase
from voicepipe.service.metrics import metrics_of
from voicepipe.testing import SimulatedCard, room_impulse, run_virtual

GOOD = EchoState("cancelling", "", 34.2, 27.6, 0.0421, -12.3)
LOW = EchoState("half-duplex", "the echo was reduced by only 6 dB", 6.0, 3.0, 0.042, 4.0)
NEW = EchoState("cancelling")
STATES = [
    GOOD,
    LOW,
    NEW,
    EchoState("half-duplex", "no canceller for 44100 Hz"),
    EchoState("headphones"),
]
CURE = "turn the speaker down, move it away from the microphone, or use headphones"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEPIPE_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")


# -- flags and settings


@pytest.mark.parametrize(
    ("flags", "variables", "asked"),
    [
        ("", {}, (None, None)),
        ("--no-cancel", {}, (False, None)),
        ("--headphones", {}, (False, False)),
        ("--mute", {}, (False, True)),
        ("--no-mute", {}, (None, False)),
        ("--cancel", {}, (True, None)),
        ("--no-cancel --no-mute", {}, (False, False)),
        ("--live", {}, (False, False)),
        ("--live --mute", {}, (False, True)),
        ("--live --headphones", {}, (False, False)),
        ("", {"cancel": "no"}, (False, None)),
        ("", {"cancel": "no", "mute": "no"}, (False, False)),
        ("--live", {"cancel": "on"}, (False, False)),
        # A flag goes before all settings.
        ("--headphones", {"mute": "on", "cancel": "on"}, (False, False)),
        ("--cancel", {"mute": "on"}, (True, None)),
        ("--mute", {"cancel": "on"}, (False, True)),
        ("--no-cancel", {"mute": "no", "headphones": "on"}, (False, None)),
        ("", {"headphones": "on"}, (False, False)),
        ("--cancel", {"headphones": "on"}, (True, None)),
        ("--no-mute", {"cancel": "no", "mute": "on"}, (False, False)),
    ],
)
def test_a_flag_goes_before_all_settings(
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
    variables: dict[str, str],
    asked: tuple[bool | None, bool | None],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"VOICEPIPE_{name.upper()}", value)
    assert read_options(["--backend", "fake", *flags.split()], "echo").protection == asked
    if "--live" not in flags:
        assert read_level(["--echo", *flags.split()], "level").protection == Protection(*asked)


@pytest.mark.parametrize("flag", ["--cancel", "--no-cancel", "--headphones", "--mute", "--no-mute"])
def test_a_level_without_a_voice_needs_no_protection(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_level(["--backend", "fake", flag], "level")
    assert "needs --echo: without it, nothing is played" in capsys.readouterr().err


def test_a_setting_is_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEPIPE_CANCEL", "no")
    assert not read_level(["--backend", "fake"], "level").echo


def test_the_status_of_a_newer_program_is_read() -> None:
    newer = {**dataclasses.asdict(GOOD), "colour": "blue"}
    task = {"statistics": [{"device": "USB", "echo": newer}]}
    assert list(_echoes(task)) == [f'  echo at "USB": {GOOD.details}']


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--mute --headphones", "--headphones and --mute contradict each other: with headphones it listens"),
        (
            "--headphones --cancel",
            "--headphones and --cancel contradict each other: headphones leave no echo",
        ),
        ("--mute --cancel", "--cancel and --mute contradict each other: a canceller listens"),
        ("--live --cancel", "--live and --cancel contradict each other: it would cancel your own voice"),
        ("--no-mute", "headphones and cancel contradict each other: headphones leave no echo to cancel"),
    ],
)
def test_wishes_that_contradict_each_other_are_one_line(
    monkeypatch: pytest.MonkeyPatch, flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if flags == "--no-mute":
        monkeypatch.setenv("VOICEPIPE_CANCEL", "1")
        monkeypatch.setenv("VOICEPIPE_HEADPHONES", "1")
    with pytest.raises(SystemExit) as ended:
        read_options(flags.split(), "echo")
    assert ended.value.code == 2
    assert " ".join(capsys.readouterr().err.split()).startswith(f"echo: {said}")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "echo cancelling: you can talk over it (aec3 and kalman)"),
        ("--no-cancel", "half-duplex: it hears you only if you are louder than it"),
        ("--headphones", "headphones: without them it hears itself"),
    ],
)
def test_level_says_at_the_start_which_protection_is_active_and_then_its_figures(
    flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    card = SimulatedCard()
    card.room(room_impulse(level_db=-10.0))
    options = read_level(["--echo", "--backend", "fake", "--seconds", "7", *flags.split()], "level")
    display = LevelDisplay(Screen())
    task = _task(options, Sound(card.backend()), display)
    display.watch(task)
    report = run_virtual(task.run())
    assert said in capsys.readouterr().out.splitlines()
    ended = list(echoes(report))
    assert len(ended) == (not flags)
    assert all(re.match(r"echo reduced by [2-6]\d dB, \d ms late", line) for line in ended)


# -- words


@pytest.mark.parametrize(
    ("state", "announced", "figures", "details"),
    [
        (
            GOOD,
            "echo cancelling: you can talk over it",
            "echo reduced by 34 dB, 42 ms late",
            "cancelling, reduced by 34 dB for voice detection, by 28 dB in the words, strength -12 dB, "
            "delay 42 ms",
        ),
        (
            LOW,
            "half-duplex: it hears you only if you are louder than it (the echo was reduced by only 6 dB)",
            "half-duplex, echo reduced by 6 dB, 42 ms late",
            "half-duplex (the echo was reduced by only 6 dB), reduced by 6 dB for voice detection, by 3 dB "
            "in the words, strength 4 dB, delay 42 ms",
        ),
        (NEW, "echo cancelling: you can talk over it", "echo cancelling", "cancelling"),
        (
            STATES[3],
            "half-duplex: it hears you only if you are louder than it (no canceller for 44100 Hz)",
            "half-duplex",
            "half-duplex (no canceller for 44100 Hz)",
        ),
        (STATES[4], "headphones: without them it hears itself", "headphones", "headphones"),
    ],
)
def test_a_protection_in_words(state: EchoState, announced: str, figures: str, details: str) -> None:
    assert (state.announcement, state.figures, state.details) == (announced, figures, details)


@pytest.mark.parametrize(("erle_db", "is_low"), [(None, False), (9.9, True), (10.0, False), (-3.0, True)])
def test_a_reduction_below_ten_decibels_has_a_cure(erle_db: float | None, is_low: bool) -> None:
    state = EchoState("cancelling", erle_db=erle_db)
    assert (state.is_low, state.advice) == (is_low, CURE if is_low else "")


# -- screens


def microphone(echo: EchoState | None) -> DeviceStatistics:
    device = DeviceStatistics(
        *("the microphone", "microphone", "USB", False, 16_000, 1, 9, 9, 0, 0, 0, 0.0, 0, 0.0, 0.04)
    )
    return dataclasses.replace(device, echo=echo)


def status(echo: EchoState | None) -> dict[str, Any]:
    device = dataclasses.asdict(DeviceState("microphone", "USB", 9, level_db=-40.0, echo=echo))
    task = {
        "name": "talk",
        "state": "running",
        "statistics": [dataclasses.asdict(microphone(echo))],
        "devices": [device],
    }
    return {"version": "1", "pid": 1, "tasks": [task], "census": {}}


@pytest.mark.parametrize("state", STATES)
def test_every_screen_shows_the_echo(state: EchoState) -> None:
    screen = Screen(io.StringIO())
    assert " ".join(echo_line(screen, [microphone(state)]).split()).startswith(state.figures)
    assert (CURE in " ".join(echo_line(screen, [microphone(state)]).split())) is state.is_low
    lines = list(_lines(json.loads(json.dumps(status(state)))))
    assert f'  echo at "USB": {state.details}' in lines
    assert any(CURE in line for line in lines) is state.is_low
    health = Health().look(0.0, Phase.RUNNING, [DeviceState("microphone", "USB", 9, echo=state)])
    assert state.figures in health["STATUS"]
    report = RunReport("r", RunState.ENDED, "", 1.0, devices=(microphone(state),))
    ended = list(echoes(report))
    assert len(ended) == (state.erle_db is not None)
    assert all(line.startswith(state.figures) and (CURE in line) is state.is_low for line in ended)


def test_without_an_echo_no_screen_speaks_of_it() -> None:
    said = [
        echo_line(Screen(io.StringIO()), [microphone(None)]),
        *_lines(status(None)),
        metrics_of(status(None))[0],
    ]
    assert not any("half-duplex" in line or "reduced" in line or "echo_protection{" in line for line in said)


@pytest.mark.parametrize("state", STATES)
def test_metrics_have_the_protection_and_the_figures_that_are_known(state: EchoState) -> None:
    text, _ = metrics_of(status(state))
    found = {
        sample.name.removeprefix("voicepipe_echo_") + sample.labels.get("protection", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("voicepipe_echo_")
    }
    wanted = {
        f"protection{each}": float(each == state.protection)
        for each in ("cancelling", "half-duplex", "headphones")
    }
    figures = {
        "return_loss_enhancement_decibels": state.erle_db,
        "words_return_loss_enhancement_decibels": state.words_erle_db,
        "delay_seconds": state.delay_s,
        "strength_decibels": state.strength_db,
    }
    assert found == wanted | {name: value for name, value in figures.items() if value is not None}
