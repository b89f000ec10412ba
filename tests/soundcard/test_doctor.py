"""`voicepipe doctor` on real PortAudio: what is well, and each fault in a sentence of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from process.running import ROOT
from soundcard.plugging import NewCard, PluggedCard
from soundcard.rooms import ProgramOnCard
from soundcard.servers import Server

ECHO_MS = 40
ROOM = [(ECHO_MS, 0.5)]
LIMIT_S = 60.0
HERE = [str(ROOT), str(ROOT / "devices")]


def doctor(
    card: PluggedCard, *options: str, device: str = "vcard", before: Sequence[str] = (), **environment: str
) -> dict[str, str]:
    """What it says of each thing; a thing that is not good with its verdict before.

    Args:
        before: a command that runs it.
    """
    devices = ["--mic", device, "--speaker", device]
    program = [sys.executable, "-W", "error", "-m", "voicepipe", "doctor", "--json"]
    ended = subprocess.run(
        [*before, *program, *devices, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(HERE), **card.env, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.stderr == "", ended
    findings = json.loads(ended.stdout)
    said = {
        f["check"]: f["text"] if f["verdict"] == "good" else f"{f['verdict']}: {f['text']}" for f in findings
    }
    assert ended.returncode == int(any(text.startswith("bad: ") for text in said.values()))
    return said


def without_privileges() -> tuple[str, ...]:
    """For root, to whom no file is closed: the command by which it is closed to it too."""
    dropped = "--bounding-set=-dac_override,-dac_read_search"
    return ("setpriv", dropped) if os.geteuid() == 0 else ()


def test_a_card_in_a_room_is_well(card: PluggedCard) -> None:
    card.echo(ROOM)
    said = doctor(card, "--rate", "48000")
    assert said["hears at"] == '"vcard": 48 kHz, 1 channel; 16 kHz mono from 48 kHz, 1 channel'
    assert said["plays at"] == '"vcard": 48 kHz, 1 or 2 channels; 16 kHz mono from 48 kHz, 1 channel'
    assert said["library"].startswith("PortAudio V19")
    assert said["devices"].startswith("2 with a microphone, 2 with a speaker")
    assert said["microphone"].startswith('"vcard" opened at 48000 Hz, 1 channel; it reports')
    assert said["speaker"].startswith('"vcard" opened at 48000 Hz, 1 channel; it reports')
    assert said["round trip"].endswith("(3 of 3 chirps heard), and the echo has -6 dB of the played sound")
    air = re.fullmatch(
        r"(\d+) ms from the speaker to the microphone, by the times of both devices", said["air"]
    )
    assert air is not None, said["air"]
    assert abs(int(air[1]) - ECHO_MS) <= 2
    assert said["server"].startswith("note: no PipeWire and no PulseAudio")


def test_with_a_voice_it_says_how_well_the_echo_is_cancelled(card: PluggedCard) -> None:
    card.echo(ROOM)
    said = doctor(card, "--echo")
    reduced, _, strength, delay = map(int, re.findall(r"-?\d+", said["cancelling"]))
    assert reduced > 20, said
    assert abs(strength + 6) <= 3, said
    assert abs(delay - ECHO_MS) <= 5, said


@pytest.mark.parametrize(
    ("rate", "microphones", "speakers"), [(48_000, 2, 2), (16_000, 1, 1), (44_100, 1, 2)]
)
def test_what_the_device_has_is_taken_and_converted(
    new_card: NewCard, rate: int, microphones: int, speakers: int
) -> None:
    said = doctor(new_card(rate=rate, mic=microphones, speaker=speakers))
    channels = "1 channel" if microphones == 1 else f"{microphones} channels"
    taken = "" if rate == 16_000 else f"{rate} Hz, {channels}, and converted to "
    assert said["microphone"].startswith(f'"vcard" opened at {taken}16000 Hz, 1 channel; it reports')


@pytest.mark.parametrize(
    ("which", "kind", "check", "sentence"),
    [
        (
            "mic",
            "stall",
            "blocks",
            'bad: "vcard" gave nothing for 2.5 s: it is suspended, or its sound server hangs',
        ),
        ("mic", "vanish", "microphone", "bad: there is no microphone at all: plug one in"),
        (
            "speaker",
            "stall",
            "plays",
            'bad: "vcard" took nothing for 1 s: it is suspended, or its sound server hangs',
        ),
        ("both", "unplug", "devices", "bad: none usable (see microphone and speaker below)"),
        ("both", "unplug", "microphone", "bad: there is no microphone"),
        ("both", "unplug", "speaker", "bad: there is no speaker"),
        ("mic", "busy", "microphone", "bad: the microphone 'vcard' is in use by another program: end it, or"),
        ("speaker", "busy", "speaker", "bad: the speaker 'vcard' is in use by another program: end it, or"),
        ("mic", "none", "level", "bad: nothing but zeros: it is muted in the mixer"),
    ],
)
def test_a_fault_has_a_sentence_of_its_own(
    card: PluggedCard, which: str, kind: str, check: str, sentence: str
) -> None:
    card.fault(which, kind)
    assert doctor(card)[check].startswith(sentence)


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("nope", "bad: there is no microphone 'nope': there is 'default', 'vcard'"),
        ("a", "bad: 'a' could be any microphone of 'vcard', 'default': give more of its name"),
    ],
)
def test_a_name_that_means_no_device_or_several(card: PluggedCard, device: str, sentence: str) -> None:
    assert doctor(card, device=device)["microphone"] == sentence


def test_another_program_holds_the_card(card: PluggedCard) -> None:
    with ProgramOnCard(card, "-m", "voicepipe", "level", "--mic", "vcard", flags=()) as holder:
        holder.has_opened(speaker=False)
        said = doctor(card)
    assert said["microphone"].startswith("bad: the microphone 'vcard' is in use by another program: end it")
    assert "sound server (PipeWire, PulseAudio), which shares devices" in said["microphone"]
    assert said["speaker"].startswith('"vcard" opened at')


def test_a_card_that_this_user_may_not_use(card: PluggedCard) -> None:
    Path(card.env["VCARD"]).chmod(0)
    try:
        said = doctor(card, device="", before=without_privileges())
    finally:
        Path(card.env["VCARD"]).chmod(0o600)
    assert said["devices"].startswith("bad: none usable")
    cure = "sudo usermod -aG audio $USER, and log in again"
    assert said["microphone"] == f"bad: no right to the microphone: {cure}"
    assert said["speaker"] == f"bad: no right to the speaker: {cure}"


def test_an_alsa_configuration_without_a_default(card: PluggedCard, tmp_path: Path) -> None:
    """PortAudio then ends its process."""
    config = Path(card.env["ALSA_CONFIG_PATH"]).read_text().replace("pcm.default", "pcm.other")
    (tmp_path / "asound.conf").write_text(config)
    said = doctor(card, ALSA_CONFIG_PATH=str(tmp_path / "asound.conf"))
    assert said["library"].startswith("bad: the sound process has ended (status -6): PortAudio does so when")
    assert "name pcm.default in ~/.asoundrc" in said["library"]


def test_an_alsa_configuration_that_cannot_be_read(card: PluggedCard, tmp_path: Path) -> None:
    (tmp_path / "asound.conf").write_text("pcm.default {")
    said = doctor(card, ALSA_CONFIG_PATH=str(tmp_path / "asound.conf"))
    assert said["library"].startswith("bad: PortAudio does not start: ALSA's configuration cannot be read (")


def test_a_library_that_cannot_be_loaded(card: PluggedCard, tmp_path: Path) -> None:
    (tmp_path / "libportaudio.so.2").write_text("half a file")
    said = doctor(card, LD_LIBRARY_PATH=str(tmp_path))
    assert said["library"].startswith("bad: the PortAudio library is not there (")
    assert "file too short" in said["library"]
    assert "; install it: " in said["library"]


HIDE = """
mount --bind /dev/null /etc/ld.so.cache
for library in /usr/lib*/libportaudio.so* /usr/lib/*/libportaudio.so*; do
    [ ! -e "$library" ] || mount --bind /dev/null "$library"
done
exec "$@"
"""


def test_a_library_that_was_removed(card: PluggedCard) -> None:
    """In a view of the file system of its own, where it is not."""
    hidden = ["unshare", "--mount", "bash", "-c", HIDE, "bash"]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("allowed skip: this user may make no view of the file system")
    assert doctor(card, before=hidden)["library"].startswith(
        "bad: the PortAudio library is not there (PortAudio library not found); install it: "
    )


def test_a_sound_server_that_was_killed_is_to_be_started_again(new_card: NewCard) -> None:
    server = Server(new_card(server="pulse"))
    assert doctor(server.card, device="default")["server"] == "PulseAudio (or its replacement) answers"
    server.kill()
    said = doctor(server.card, device="default")
    assert said["server"].startswith("bad: PulseAudio (or its replacement) does not answer")
    assert said["server"].endswith("systemctl --user restart pulseaudio pipewire-pulse")


def test_a_sound_server_that_hangs_is_to_be_started_again(new_card: NewCard) -> None:
    """It still takes connections, for the kernel does."""
    server = Server(new_card(server="pulse"))
    server.hang()
    said = doctor(server.card, device="default")
    assert said["server"].startswith("bad: PulseAudio (or its replacement) hangs: it takes connections")
    unanswered = [text for text in said.values() if "no answer within" in text]
    assert unanswered, said
    assert all(text.startswith("bad: ") for text in unanswered)
    assert all("restart the sound server" in text for text in unanswered)


def pactl(card: PluggedCard, *arguments: str) -> None:
    environment = {**os.environ, **card.env}
    subprocess.run(["pactl", *arguments], env=environment, check=True, capture_output=True, timeout=10)


def test_what_pulseaudio_takes_by_default(new_card: NewCard) -> None:
    card = new_card(server="pulse")
    said = doctor(card, device="")
    assert said["source"].startswith("PulseAudio's microphone is ")
    assert said["sink"].startswith("PulseAudio's speaker is ")

    pactl(card, "set-source-mute", "mic", "1")
    pactl(card, "set-sink-mute", "speaker", "1")
    said = doctor(card, device="")
    assert said["source"] == (
        "bad: PulseAudio has muted the microphone mic: pactl set-source-mute @DEFAULT_SOURCE@ 0"
    )
    assert said["sink"] == (
        "bad: PulseAudio has muted the speaker speaker: pactl set-sink-mute @DEFAULT_SINK@ 0"
    )
    assert said["level"].startswith("bad: nothing but zeros: it is muted in the mixer")


def test_a_silent_virtual_source(new_card: NewCard) -> None:
    card = new_card(server="pulse")
    pactl(card, "load-module", "module-null-sink", "sink_name=quiet")
    pactl(card, "set-default-source", "quiet.monitor")
    said = doctor(card, device="")
    assert said["source"] == (
        "note: PulseAudio's microphone quiet.monitor hears only the played sound: "
        "pactl set-default-source mic"
    )
    assert re.match(r"\d+ blocks? of 20 ms", said["blocks"]), said
    assert said["level"].startswith("bad: nothing but zeros: ")
    assert "nothing feeds it" in said["level"]


def test_a_sound_server_without_devices(new_card: NewCard) -> None:
    card = new_card(server="pulse")
    pactl(card, "unload-module", "module-alsa-source")
    pactl(card, "unload-module", "module-alsa-sink")
    said = doctor(card, device="")
    for check, what in (("source", "microphone"), ("sink", "speaker")):
        assert said[check] == f"bad: PulseAudio has no {what}: plug one in, or restart the sound server"
        assert said[what].startswith("bad: default does not open, or not any more")
        assert said[what].endswith("plug it in, or restart the sound server")


def test_a_speaker_that_stands_still_behind_its_server(new_card: NewCard) -> None:
    server = Server(new_card(server="pulse"))
    server.suspend_sink()
    said = doctor(server.card, device="")
    assert said["plays"].startswith('bad: "default" ')
    assert "it is suspended, or its sound server hangs: restart the sound server" in said["plays"]
    assert "round trip" not in said


def test_a_pipewire_that_dies(new_card: NewCard) -> None:
    server = Server(new_card(server="pipewire"))
    assert doctor(server.card, device="")["microphone"].startswith('"default" opened at')
    server.kill()
    said = doctor(server.card, device="")
    assert said["server"].startswith("bad: PipeWire does not answer")
    assert said["server"].endswith(": systemctl --user restart pipewire")
    assert said["microphone"].startswith("bad: there is no microphone: plug one in, start the sound server")


@pytest.mark.parametrize("kind", ["pipewire", "jack"])
def test_other_servers_that_hang(new_card: NewCard, kind: str) -> None:
    server = Server(new_card(server=kind))
    server.hang()
    said = doctor(server.card, device="")
    if kind == "pipewire":
        assert said["server"].startswith("bad: PipeWire hangs: it takes connections")
        if "blocks" in said:
            silent = 'bad: "default" gave nothing for 2.5 s: it is suspended, or its sound server hangs: '
            assert said["blocks"].startswith(silent)
        else:  # PipeWire 1.4's plugin for ALSA does not open then
            late = "bad: opening the microphone: no answer within 4.5 s; restart the sound server"
            assert said["microphone"].startswith(late)
    else:
        assert said["library"].endswith(
            "no answer within 5 s; restart the sound server, or replug the device"
        )


def test_echo_says_why_it_runs_on_a_simulated_card(card: PluggedCard) -> None:
    card.fault("mic", "busy")
    with ProgramOnCard(card, "-m", "voicepipe", "echo", "--seconds", "0.3") as program:
        ended = program.end()
    assert ended.out.startswith(
        "the microphone is in use by another program: end it, or start a sound server"
    )
    assert "; using a simulated card instead" in ended.out


def test_every_rate_at_which_the_default_devices_open(card: PluggedCard) -> None:
    """The default device converts: it opens at every usual rate."""
    said = doctor(card, device="")
    every = '"default": 8 to 192 kHz, 1 to 8 channels; 16 kHz mono as it is'
    assert (said["hears at"], said["plays at"]) == (every, every)
