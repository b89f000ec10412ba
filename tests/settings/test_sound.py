"""A program of one's own takes its sound from the settings, where its code does not say otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from support.sound import virtual_loop
from voicepipe import (
    AudioFormat,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    SpeakerOutput,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
    open_backend,
)
from voicepipe.cli.arguments.options import SETTINGS
from voicepipe.sample import speech
from voicepipe.settings.sound import KNOWN, SoundSettings, read_sound_settings
from voicepipe.settings.sources import SettingsError
from voicepipe_devices.fake import FakeBackend, SimulatedCard


class Settings:
    """A configuration file, and the environment."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.path = folder / "config.toml"
        self._environment = environment
        for name in [name for name in os.environ if name.startswith("VOICEPIPE_")]:
            environment.delenv(name)
        environment.setenv("VOICEPIPE_CONFIG", str(self.path))
        self.file("")

    def file(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    def variable(self, name: str, value: str) -> None:
        self._environment.setenv(f"VOICEPIPE_{name.upper()}", value)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return Settings(tmp_path, monkeypatch)


FILE = """\
backend = "portaudio"
mic = "ReSpeaker"
mic-channel = 2
gain_db = 6
speaker = "headphones"
latency = 0.08
mute = false
vad = "webrtc-plain"
preset = "patient"
"""


def wish(stage: Any) -> tuple[str, str | float, int | None]:
    request = stage._wish
    return request.device, request.latency, request.channel


def test_without_settings_all_is_as_the_code_has_it(settings: Settings) -> None:
    sound = open_backend()
    assert sound.settings == SoundSettings()
    mic, speaker = MicrophoneInput(sound), SpeakerOutput(sound)
    assert (wish(mic), wish(speaker)) == (("", "low", None), ("", "low", None))
    assert (mic.gain_db, mic.mutes, mic.cancels_echo) == (0.0, False, True)


def test_a_program_takes_what_its_code_leaves_out_from_the_file(settings: Settings) -> None:
    settings.file(FILE)
    sound = open_backend()
    mic, speaker = MicrophoneInput(sound), SpeakerOutput(sound)
    assert (wish(mic), wish(speaker)) == (("ReSpeaker", 0.08, 2), ("headphones", 0.08, None))
    assert (mic.gain_db, mic.mutes, mic.device, speaker.device) == (6.0, False, "ReSpeaker", "headphones")


@pytest.mark.parametrize(
    ("name", "value", "arguments", "found"),
    [
        ("mic", "USB", {"device": "mine"}, ("mine", 0.08, 2)),
        ("mic", "USB", {}, ("USB", 0.08, 2)),
        ("latency", "high", {}, ("ReSpeaker", "high", 2)),
        ("latency", "0.2", {}, ("ReSpeaker", 0.2, 2)),
        ("latency", "high", {"latency": "low"}, ("ReSpeaker", "low", 2)),
        ("mic_channel", "3", {}, ("ReSpeaker", 0.08, 3)),
        ("mic_channel", "3", {"channel": 1}, ("ReSpeaker", 0.08, 1)),
        ("mic", "", {}, ("ReSpeaker", 0.08, 2)),
    ],
)
def test_code_goes_before_variables_and_those_before_the_file(
    settings: Settings, name: str, value: str, arguments: dict[str, Any], found: tuple[object, ...]
) -> None:
    settings.file(FILE)
    settings.variable(name, value)
    assert wish(MicrophoneInput(open_backend(), **arguments)) == found


@pytest.mark.parametrize(
    ("value", "arguments", "mutes"),
    [("on", {}, True), ("no", {}, False), ("on", {"mute": False}, False), ("0", {"mute": True}, True)],
)
def test_mute_is_a_switch(settings: Settings, value: str, arguments: dict[str, Any], mutes: bool) -> None:
    settings.variable("mute", value)
    assert MicrophoneInput(open_backend(), **arguments).mutes is mutes


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("cancel = false", (False, None)),
        ("cancel = true", (True, None)),
        ("headphones = true", (False, False)),
        ("headphones = true\nmute = false", (False, False)),
        ("headphones = false\nmute = true", (None, True)),
    ],
)
def test_headphones_mean_neither_a_canceller_nor_a_mute(
    settings: Settings, said: str, found: tuple[bool | None, bool | None]
) -> None:
    settings.file(said)
    asked = read_sound_settings()
    assert (asked.cancel, asked.mute) == found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mute", "the settings headphones and mute contradict each other: with headphones it listens"),
        ("cancel", "the settings headphones and cancel contradict each other: headphones leave no echo"),
    ],
)
def test_settings_that_contradict_each_other_are_one_line(settings: Settings, name: str, said: str) -> None:
    settings.file("headphones = true")
    settings.variable(name, "on")
    with pytest.raises(SettingsError, match=said):
        open_backend()


@pytest.mark.parametrize("gain_db", [0, 0.0, -3])
def test_a_gain_in_the_code_goes_before_the_settings(settings: Settings, gain_db: float) -> None:
    settings.file(FILE)
    assert MicrophoneInput(open_backend(), gain_db=gain_db).gain_db == gain_db


@pytest.mark.parametrize(
    "opened", [lambda: SimulatedCard().backend(), lambda: open_backend("fake"), lambda: "portaudio"]
)
def test_a_back_end_that_the_code_names_has_no_settings(
    settings: Settings, opened: Callable[[], Any]
) -> None:
    """So a test is the same for every user."""
    settings.file(FILE)
    backend = opened()
    assert wish(MicrophoneInput(backend)) == ("", "low", None)
    assert wish(SpeakerOutput(backend)) == ("", "low", None)


@pytest.mark.parametrize("name", ["fake", "wav:,out.wav"])
def test_names_of_devices_are_for_hardware(settings: Settings, name: str) -> None:
    settings.file(FILE)
    settings.variable("backend", name)
    sound = open_backend()
    assert (wish(MicrophoneInput(sound))[0], wish(SpeakerOutput(sound))[0]) == ("", "")
    assert MicrophoneInput(sound).gain_db == 6.0


@pytest.mark.parametrize(("asked", "name"), [("auto", "portaudio"), ("portaudio:inside", "portaudio")])
def test_the_back_end_itself_is_a_setting(settings: Settings, asked: str, name: str) -> None:
    settings.file(f'backend = "{asked}"')
    assert open_backend().name == name


# -- voice detection -----------------------------------------------------------------------


def heard_with(*stages: Any) -> PipelineTask:
    sound = open_backend()
    task = PipelineTask(Pipeline([MicrophoneInput(sound), *stages]))
    task.end()  # right after the start
    return task


async def test_the_voice_detector_and_the_preset_come_with_the_back_end(settings: Settings) -> None:
    settings.file(FILE)
    settings.variable("backend", "fake")
    vad = VADProcessor()
    patient = VADProcessor("webrtc-plain", preset="patient")
    await heard_with(vad).run()
    assert type(vad.engine) is type(patient.engine) is not type(VADProcessor().engine)
    assert vad.settings == patient.settings != VADProcessor().settings


async def test_what_the_code_says_of_voice_detection_stays(settings: Settings) -> None:
    settings.file(FILE)
    settings.variable("backend", "fake")
    vad = VADProcessor("webrtc", preset="responsive", stop_s=0.4)
    engine, found = vad.engine, vad.settings
    await heard_with(vad).run()
    assert (vad.engine, vad.settings) == (engine, found)


async def test_numbers_of_the_code_stay_with_the_preset_of_the_settings(settings: Settings) -> None:
    settings.file(FILE)
    settings.variable("backend", "fake")
    vad = VADProcessor(stop_s=0.4)
    await heard_with(vad).run()
    assert vad.settings == VADProcessor(preset="patient", stop_s=0.4).settings


async def test_in_the_next_run_over_a_back_end_without_settings_there_are_none(settings: Settings) -> None:
    settings.file(FILE)
    settings.variable("backend", "fake")
    vad = VADProcessor()
    await heard_with(vad).run()
    task = PipelineTask(Pipeline([MicrophoneInput(SimulatedCard().backend()), vad]))
    virtual_loop().call_later(0.1, task.end)
    await task.run()
    assert type(vad.engine) is type(VADProcessor().engine)
    assert vad.settings == VADProcessor().settings


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('vad = "webrct"', "vad: unknown speech engine 'webrct'"),
        ('preset = "slow"', "preset: "),
    ],
)
async def test_a_wrong_choice_keeps_the_run_from_starting_and_names_its_place(
    settings: Settings, line: str, said: str
) -> None:
    settings.file(line)
    settings.variable("backend", "fake")
    with pytest.raises(PipelineStartError) as caught:
        await heard_with(VADProcessor()).run()
    assert f"{settings.path}: {said}" in str(caught.value)


# -- wrong settings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('spaeker = "USB"', "unknown setting 'spaeker'; did you mean 'speaker'?"),
        ("mic = 3", "mic: 3 is not text; give a name"),
        ('mic = "3"', "mic: device must be a name, not the number '3'"),
        ('speaker = " "', "speaker: device must be a name, not ' ', which is blank"),
        ('latency = "middling"', "latency: latency must be 'low', 'high' or seconds"),
        ("latency = true", "latency: True is not a latency"),
        ("latency = 11", "latency: latency must be"),
        ("gain_db = 90", "gain_db: gain_db must be"),
        ('gain_db = "loud"', "gain_db: 'loud' is not a gain in decibels"),
        ("mic_channel = 0", "mic_channel: channel must be"),
        ("mic_channel = 1.5", "mic_channel: 1.5 is not a channel"),
        ("mute = 1", "mute: 1 is not true or false"),
        ('backend = "alsa"', "backend: unknown back end 'alsa'"),
        ("mic = ", "cannot be read: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_place(settings: Settings, text: str, said: str) -> None:
    settings.file(text)
    with pytest.raises(SettingsError) as caught:
        open_backend()
    assert f"{settings.path}: {said}" in str(caught.value) or f"{settings.path} {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("mute", "perhaps"), ("gain_db", "x"), ("latency", "nan"), ("backend", "x:y")]
)
def test_what_is_wrong_in_a_variable_is_named(settings: Settings, name: str, value: str) -> None:
    settings.variable(name, value)
    with pytest.raises(SettingsError, match=f"^VOICEPIPE_{name.upper()}: {name}: "):
        open_backend()


def test_settings_of_the_commands_are_known_and_left_to_them(settings: Settings) -> None:
    settings.file('live = true\nblock = 480\nlog-format = "json"\nmetrics = 9464\nrate = 48000')
    assert read_sound_settings() == SoundSettings()
    assert set(KNOWN) == {flag.lstrip("-").replace("-", "_") for flag in SETTINGS}
    assert {each.name for each in fields(SoundSettings)} - {"sources"} <= set(KNOWN)


# -- the simulated card that speaks -----------------------------------------------------------


@pytest.mark.parametrize("rate", [16_000, 48_000])
async def test_the_simulated_card_of_the_settings_hears_the_bundled_voice_once(
    settings: Settings, rate: int
) -> None:
    settings.variable("backend", "fake")
    task = PipelineTask(
        Pipeline([MicrophoneInput(open_backend()), VADProcessor(), UtteranceCollector()]),
        input=AudioFormat(rate),
    )
    found: list[Any] = []
    task.subscribe(lambda frame, _: found.append(frame))
    report = await task.run()
    assert report.reason == "simulated microphone has run out"
    assert len([frame for frame in found if isinstance(frame, UtteranceFrame)]) == 2
    heard = b"".join(frame.data for frame in found if isinstance(frame, InputAudioFrame))
    assert speech(AudioFormat(rate)) in heard if heard else True


def test_a_simulated_card_that_the_code_opens_hears_nothing_by_itself() -> None:
    assert type(open_backend("fake")) is FakeBackend
    with pytest.raises(ValueError, match="takes nothing but 'voice' or 'room' behind its name, not 'music'"):
        open_backend("fake:music")
