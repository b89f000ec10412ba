"""Where options come from: flags, variables, one file, defaults; and what is said of wrong ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from voicepipe.cli import main
from voicepipe.cli.arguments.options import SETTINGS
from voicepipe.cli.commands import doctor, latency, level, record, vad
from voicepipe.cli.commands import echo as echo_program
from voicepipe.cli.commands.echo import EchoOptions, read_options


class Settings:
    """A configuration file, and the environment."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.path = folder / "voicepipe" / "config.toml"
        self.path.parent.mkdir()
        self._environment = environment
        for name in [name for name in os.environ if name.startswith("VOICEPIPE_")]:
            environment.delenv(name)
        environment.setenv("XDG_CONFIG_HOME", str(folder))

    def file(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    def variable(self, name: str, value: str) -> None:
        self._environment.setenv(f"VOICEPIPE_{name}", value)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return Settings(tmp_path, monkeypatch)


def echo(*arguments: str) -> EchoOptions:
    return read_options(arguments, "echo")


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        echo(*arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_flags_go_before_variables_variables_before_the_file_the_file_before_defaults(
    settings: Settings,
) -> None:
    assert echo().mic == ""
    settings.file('mic = "of the file"\nrate = 48000\n')
    assert (echo().mic, echo().format.rate) == ("of the file", 48_000)
    settings.variable("MIC", "of a variable")
    assert (echo().mic, echo().format.rate) == ("of a variable", 48_000)
    assert echo("--mic", "of a flag", "--rate", "8000").mic == "of a flag"


def test_a_channel_of_the_microphone_is_a_setting_of_every_program_that_listens(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert echo().mic_channel is None
    settings.file("mic_channel = 2\n")
    assert (echo().mic_channel, level.read_options([], "level").mic_channel) == (2, 2)
    settings.variable("MIC_CHANNEL", "3")
    assert record.read_options(["x.wav"], "record").mic_channel == 3
    assert doctor.read_options([], "doctor").mic_channel == 3
    wrong = complaint(capsys, "--mic-channel", "left")
    assert "argument --mic-channel: 'left' is not a channel; give 1 to 32" in wrong


def test_a_gain_of_the_microphone_is_a_setting_of_every_program_that_listens(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert echo().gain_db == 0
    settings.file("gain_db = 20\n")
    assert (echo().gain_db, level.read_options([], "level").gain_db) == (20, 20)
    settings.variable("GAIN_DB", "-6.5")
    assert record.read_options(["x.wav"], "record").gain_db == -6.5
    assert doctor.read_options(["--gain-db", "-3"], "doctor").gain_db == -3
    for text in ("loud", "61", "-61", "nan", "inf"):
        wrong = complaint(capsys, f"--gain-db={text}")
        assert f"argument --gain-db: '{text}' is not a gain in decibels; give -60 to 60, such as 20" in wrong


def test_every_kind_of_value_can_stand_in_the_file(settings: Settings) -> None:
    settings.file('backend = "fake"\nlive = true\ncancel = false\nlatency = 0.05\nblock = 160\nseconds = 2\n')
    settings.variable("VAD", "webrtc")
    options = echo()
    assert (options.backend, options.live, options.latency) == ("fake", True, 0.05)
    assert options.protection == (False, False)
    assert options.voice is not None
    assert (options.block_s, options.seconds, options.voice.engine) == (0.01, 2.0, "webrtc")


def test_a_switch_that_is_on_in_the_file_can_be_switched_off(settings: Settings) -> None:
    settings.file("live = true\n")
    settings.variable("DEBUG", "yes")
    assert echo().live
    assert echo().debug
    assert not echo("--no-live").live
    settings.variable("LIVE", "off")
    assert not echo().live


def test_a_microphone_that_is_set_does_not_keep_a_file_from_being_heard(settings: Settings) -> None:
    settings.file('mic = "ReSpeaker"\n')
    assert echo("--backend", "wav:x.wav").mic == ""
    with pytest.raises(SystemExit):
        echo("--backend", "wav:x.wav", "--mic", "Yeti")


def test_an_empty_variable_says_nothing(settings: Settings) -> None:
    settings.file('mic = "of the file"\n')
    settings.variable("MIC", "")
    assert echo().mic == "of the file"


def test_one_file_is_for_all_programs(settings: Settings) -> None:
    settings.file('live = true\nstop = 0.5\nvad = "webrtc"\nrate = 8000\n')
    assert echo().live
    assert level.read_options([], "level").voice.stop_s == 0.5
    assert level.read_options([], "level").format.rate == 8_000
    assert vad.read_options(["x.wav"], "vad").voice.engine == "webrtc"


def test_the_file_may_be_named(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    settings.file('mic = "one"\n')
    settings.variable("CONFIG", str(other))
    assert "other.toml, which VOICEPIPE_CONFIG names, does not exist" in complaint(capsys)
    other.write_text('mic = "another"\n')
    assert echo().mic == "another"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('mick = "x"', "unknown setting 'mick'; did you mean 'mic'?"),
        ("zebra = 1", "unknown setting 'zebra'; choose backend"),
        ('rate = "48k"', "rate: '48k' is not a rate; give 8000 to 384000"),
        ("rate = true", "rate: True is not text or a number"),
        ("rate = nan", "rate: 'nan' is not a rate"),
        ("rate = -1", "rate: '-1' is not a rate"),
        ("mic = 3", "mic: 3 is not text"),
        ("mic = ['a']", "mic: ['a'] is not text"),
        ("live = 1", "live: 1 is not true or false"),
        ('preset = "ballanced"', "preset: unknown value 'ballanced'; did you mean 'balanced'?"),
        (
            'backend = "alsa"',
            "backend: unknown back end 'alsa'; choose portaudio, wav:IN.wav,OUT.wav or fake",
        ),
        ("[echo]\nlive = true", "unknown setting 'echo'"),
        ("live = ", "cannot be read: Invalid value"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(
    settings: Settings, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.file(text)
    error = complaint(capsys)
    assert said in error
    assert str(settings.path) in error


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RATE", "48k", "VOICEPIPE_RATE: '48k' is not a rate"),
        ("LIVE", "perhaps", "VOICEPIPE_LIVE: 'perhaps' is not true or false"),
        ("VAD", "sileroo", "VOICEPIPE_VAD: unknown value 'sileroo'; did you mean 'silero'?"),
    ],
)
def test_what_is_wrong_in_a_variable_is_named(
    settings: Settings, name: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.variable(name, value)
    assert said in complaint(capsys)


@pytest.mark.parametrize("text", ['mic = "Mikrófon"\n', 'mic = "Mikrófon"\r\nrate = 48000\r\n', ""])
def test_a_file_of_notepad_is_read(settings: Settings, text: str) -> None:
    settings.path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert echo().mic == ("Mikrófon" if text else "")
    assert main(["config", "set", "speaker", "usb"]) == 0
    assert echo().speaker == "usb"
    end = b"\r\n" if "\r" in text else b"\n"
    assert settings.path.read_bytes() == text.encode() + b'speaker = "usb"' + end
    assert main(["config", "set", "speaker", "hat"]) == 0
    assert settings.path.read_bytes() == text.encode() + b'speaker = "hat"' + end


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            'mic = "x"\n'.encode("utf-16"),
            'it is UTF-16 or UTF-32, as Notepad\'s "Unicode" is: save it as UTF-8',
        ),
        ('mic = "x"\n'.encode("utf-16-le"), "it is UTF-16"),
        ('mic = "x"\n'.encode("utf-16-be"), "it is UTF-16"),
        ('mic = "x"\n'.encode("utf-32"), "it is UTF-16 or UTF-32"),
        ('rate = 48000\nmic = "Mikrófon"\n'.encode("latin-1"), "line 2 is not UTF-8 (byte 0xF3): save it as"),
        (b'\xef\xbb\xbfrate = 48000\r\n\r\nmic = "\xe9"\r\n', "line 3 is not UTF-8 (byte 0xE9)"),
        (b'rate = 48000\nmic = "a\0b"\n', "line 2 has a NUL byte: remove it"),
        (b"rate = 48000\n" + bytes(500), "line 2 has a NUL byte"),
        (b'rate = 48000\nmic = "a\x07b"\n', "line 2"),
    ],
    ids=["UTF-16", "LE", "BE", "UTF-32", "Latin 1", "with a mark", "NUL", "a crash", "a bell"],
)
@pytest.mark.parametrize("command", [("echo",), ("config",), ("config", "set", "mic", "usb")])
def test_a_file_in_another_encoding_is_named_with_the_line(
    settings: Settings, raw: bytes, said: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    settings.path.write_bytes(raw)
    if command == ("echo",):
        error = complaint(capsys)
    else:
        assert main(list(command)) == 1
        error = capsys.readouterr().err
    assert f"{settings.path} cannot be read: " in error
    assert said in error
    assert error.count("\n") == 1
    assert settings.path.read_bytes() == raw


def test_a_user_without_a_home_has_no_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user whom nobody knows
    assert echo().mic == ""


def test_a_folder_in_place_of_the_file_and_a_file_that_is_no_text_are_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in complaint(capsys)
    settings.path.unlink()
    settings.path.mkdir()
    assert "cannot be read" in complaint(capsys)


def test_help_is_there_whatever_the_file_says(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.file("nonsense")
    with pytest.raises(SystemExit) as ended:
        echo("--help")
    assert ended.value.code == 0
    assert "--live" in capsys.readouterr().out


# -- voicepipe config --------------------------------------------------------------------


def test_config_shows_each_value_and_where_it_comes_from(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.file('mic = "ReSpeaker"\n')
    settings.variable("RATE", "48000")
    assert main(["config"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"file: {settings.path}"
    rows = {line.split()[0]: line for line in lines[::2]}
    assert rows["mic"] == 'mic = "ReSpeaker"  [file]'
    assert rows["rate"] == "rate = 48000  [VOICEPIPE_RATE]"
    assert rows["live"] == "live = false"
    assert rows["mute"] == "mute = (not set)"
    assert all(line.startswith("    ") and line.strip() for line in lines[1::2]), "the meaning of each"
    assert main(["config", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["mic"] == {
        "value": "ReSpeaker",
        "source": str(settings.path),
        "meaning": "name of the microphone, or a part of it; default: the default device",
    }
    assert set(shown) == set(rows)


def test_config_names_what_is_wrong_and_variables_that_are_nearly_right(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.variable("SPEEKER", "x")
    settings.variable("TIMES", "10")
    assert main(["config"]) == 0
    assert capsys.readouterr().err == (
        "voicepipe config: VOICEPIPE_SPEEKER is not a setting; did you mean VOICEPIPE_SPEAKER?\n"
    )
    settings.file("rate = 1\n")
    assert main(["config"]) == 1
    assert "rate: '1' is not a rate" in capsys.readouterr().err


def test_a_measurement_and_a_recording_take_the_devices_only(settings: Settings) -> None:
    settings.file('mic = "usb"\nspeaker = "hat"\nrate = 8000\nlatency = 0.5\nblock = 400\nseconds = 3\n')
    measured = latency.read_options([], "latency")
    assert (measured.mic, measured.speaker) == ("usb", "hat")
    assert (measured.format.rate, measured.latency, measured.block_s) == (48_000, "low", 0.01)
    recorded = record.read_options(["x.wav"], "record")
    assert (recorded.mic, recorded.format.rate, recorded.seconds) == ("usb", 48_000, None)
    assert latency.read_options(["--rate", "16000"], "latency").format.rate == 16_000


def test_every_option_of_the_programs_that_run_for_long_is_a_setting(settings: Settings) -> None:
    for program in (echo_program, level):
        options = program.command_line("it")._option_string_actions
        flags = {name for name in options if not name.startswith("--no-")} - {"-h", "--help"}
        assert flags <= {*SETTINGS, "--echo", "--tracks"}, "these two belong to one call"


# -- voicepipe config set, unset ---------------------------------------------------------

FILE = """\
# devices
mic = "ReSpeaker"   # the one on the desk

rate=48000
'preset' = 'patient'
"""


def test_a_setting_is_changed_and_every_other_line_stays(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.file(FILE)
    assert main(["config", "set", "mic", "usb # 1"]) == 0
    assert capsys.readouterr().out == f'mic = "usb # 1" in {settings.path}\n'
    assert settings.path.read_text() == FILE.replace('"ReSpeaker"', '"usb # 1"')
    assert main(["config", "set", "mic", "ReSpeaker"]) == 0
    assert main(["config", "set", "rate", "16000"]) == 0
    assert main(["config", "set", "preset", "balanced"]) == 0
    assert main(["config", "set", "mic-channel", "2"]) == 0
    changed = FILE.replace("48000", "16000").replace("'patient'", '"balanced"')
    assert settings.path.read_text() == f"{changed}mic_channel = 2\n"
    assert (echo().mic, echo().mic_channel) == ("ReSpeaker", 2)


def test_a_setting_is_deleted(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.file(FILE)
    assert main(["config", "unset", "rate"]) == 0
    assert settings.path.read_text() == FILE.replace("rate=48000\n", "")
    assert main(["config", "unset", "rate"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"rate is not set in {settings.path}"


def test_the_file_is_made_for_its_owner_alone(settings: Settings) -> None:
    settings.path.parent.rmdir()
    assert main(["config", "set", "live", "yes"]) == 0
    assert settings.path.read_text() == "live = true\n"
    assert settings.path.stat().st_mode & 0o777 == 0o600
    assert settings.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(settings.path.parent.iterdir()) == [settings.path]


@pytest.mark.parametrize("value", ['a "b" \\ c', "日本", "tab\there", "x\x7f", "'"])
def test_any_text_comes_back_as_it_was(settings: Settings, value: str) -> None:
    assert main(["config", "set", "mic", value]) == 0
    assert echo().mic == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "mick", "usb"], "unknown setting 'mick'; did you mean 'mic'?"),
        (["unset", "mick"], "unknown setting 'mick'; did you mean 'mic'?"),
        (["set", "rate", "48k"], "rate: '48k' is not a rate; give 8000 to 384000"),
        (["set", "live", "perhaps"], "live: 'perhaps' is not true or false"),
        (["set", "preset", "ballanced"], "preset: unknown value 'ballanced'; did you mean 'balanced'?"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(
    settings: Settings, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.file(FILE)
    assert main(["config", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert settings.path.read_text() == FILE


@pytest.mark.parametrize(
    "words", [["set"], ["set", "mic"], ["unset"], ["unset", "mic", "usb"], ["get", "mic"]]
)
def test_config_with_too_few_or_many_words_is_wrong_usage(settings: Settings, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["config", *words])
    assert ended.value.code == 2


def test_a_file_that_cannot_be_changed_stays_as_it_is(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("nonsense", 'mic = """\nusb"""\n'):
        settings.file(text)
        assert main(["config", "set", "mic", "x"]) == 1
        assert settings.path.read_text() == text
        assert capsys.readouterr().err.count("\n") == 1
    settings.variable("CONFIG", os.devnull)
    assert main(["config", "set", "mic", "x"]) == 1
    assert "is not a file" in capsys.readouterr().err


def test_a_wrong_value_in_the_file_can_be_mended(settings: Settings) -> None:
    settings.file('rate = "48k"\n')
    assert main(["config", "set", "rate", "48000"]) == 0
    assert echo().format.rate == 48_000


def test_a_variable_that_goes_before_the_file_is_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.variable("MIC", "other")
    assert main(["config", "set", "mic", "usb"]) == 0
    assert capsys.readouterr().err == "voicepipe config: VOICEPIPE_MIC is set, and goes before the file\n"
