"""`voicepipe doctor` over the simulated card: what is well, what is bad, and the cure of each."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.backends import inside, outside
from voicepipe import AudioFormat, BackendMissingError
from voicepipe.cli import main
from voicepipe.cli.commands.doctor import DoctorOptions, examine
from voicepipe.cli.parts.chirp import Chirp, Trip
from voicepipe.cli.parts.doctor_echo import air_findings, cancelling_findings, judge
from voicepipe.cli.parts.doctor_finding import Finding
from voicepipe.cli.parts.doctor_system import permissions, servers
from voicepipe.devices.port import DeviceInfo, LibraryInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.report import EchoState
from voicepipe.testing import room_impulse
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard

Verb = Callable[[SimulatedCard], object]
GAIN = 0.25


class Room(FakeBackend):
    """Its microphone hears its speaker, and some noise; a gate lets nothing through that is no louder."""

    def __init__(self, gate: int = 0) -> None:
        super().__init__()
        self._noise = np.random.default_rng(0)
        self._gate = gate

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        def rendered(samples: int, sounds_s: float | None = None) -> bytes:
            data = callback(samples, sounds_s)
            noise = self._noise.normal(0, 30, samples)
            heard = np.frombuffer(data, np.int16) * GAIN + noise
            heard *= np.abs(heard).max() >= self._gate
            self.card.mic.hear(np.rint(heard).astype(np.int16))
            return data

        return await super().open_render(request, rendered, finished)


async def findings(backend: FakeBackend, options: DoctorOptions | None = None) -> dict[str, Finding]:
    options = options or DoctorOptions("fake")
    found = {finding.check: finding async for finding in examine(backend, options)}
    if isinstance(backend, Room):  # which hears a block when it is asked for, and not when it sounds
        found.pop("air", None)
    return found


async def test_a_card_in_a_room_is_well() -> None:
    room = Room()
    room.card.mic.hear(np.random.default_rng(1).normal(0, 300, 16_000).astype(np.int16))
    found = await findings(room)
    assert {check: finding.verdict for check, finding in found.items()} == dict.fromkeys(
        (
            *("software", "devices", "hears at", "plays at"),
            *("microphone", "blocks", "level", "speaker", "plays", "round trip"),
        ),
        "good",
    )
    assert found["hears at"].text.startswith('"simulated microphone": ')
    assert found["plays at"].text.startswith('"simulated speaker": ')
    assert found["blocks"].text == "51 blocks of 20 ms, the longest wait 20 ms"
    assert found["level"].text.startswith("-41 dB, peak ")
    assert "(3 of 3 chirps heard), and the echo has -12 dB" in found["round trip"].text


@pytest.mark.parametrize("gate", [200, 500, 1_000, 2_000])
async def test_a_noise_gate_that_lets_the_chirps_through_is_no_fault(gate: int) -> None:
    found = await findings(Room(gate))
    assert {finding.verdict for finding in found.values()} == {"good"}
    assert "noise gate" in found["level"].text
    assert "chirps heard" in found["round trip"].text


@pytest.mark.parametrize("unplugged", [False, True])
async def test_zeros_without_a_chirp_that_was_heard_are_bad(unplugged: bool) -> None:
    room = Room(gate=32_000)
    if unplugged:
        room.card.speaker.unplug()
    found = await findings(room)
    assert found["level"].verdict == "bad"
    assert "muted in the mixer" in found["level"].text


async def test_a_microphone_that_does_not_hear_the_speaker_is_no_fault() -> None:
    found = await findings(FakeBackend())
    assert found["round trip"].verdict == "note"
    assert "right with headphones" in found["round trip"].text


@pytest.mark.parametrize("delay_ms", [1, 5, 40, 120])
async def test_the_way_through_the_air_is_known_apart_from_all_buffers(delay_ms: int) -> None:
    backend = FakeBackend()
    backend.card.room(room_impulse(delay_s=delay_ms / 1e3, level_db=-10, seed=delay_ms))
    found = await findings(backend)
    expected = f"{delay_ms} ms from the speaker to the microphone, by the times of both devices"
    assert found["air"] == Finding("air", "good", expected)
    assert float(found["round trip"].text.split()[0]) > delay_ms + 30


def early(card: SimulatedCard) -> None:
    card.mic.step_stamps(-0.05)


def jittery(card: SimulatedCard) -> None:
    card.mic.jitter_stamps(0.05)


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (early, "-45 ms from the .*: they are wrong; a canceller finds the delay by itself"),
        (jittery, ".* ms apart: they jitter; ask for more latency"),
    ],
)
async def test_times_that_cannot_be_right_are_told(verb: Verb, sentence: str) -> None:
    backend = FakeBackend()
    backend.card.room(room_impulse())
    verb(backend.card)
    found = (await findings(backend))["air"]
    assert (found.verdict, bool(re.fullmatch(sentence, found.text))) == ("note", True), found


async def test_without_an_echo_nothing_is_said_of_its_way() -> None:
    assert "air" not in await findings(FakeBackend())


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        ("", ""),
        ("good", ""),
        ("early", "are early: its callbacks are timed instead, as behind PipeWire"),
        ("missing", "are missing: its callbacks are timed instead"),
        ("unsteady", "are unsteady: the middle one of each second counts"),
    ],
)
def test_stamps_of_little_worth_are_told(worth: Stamps, said: str) -> None:
    trip = Trip(0.0, 0.1, 0.12, -6.0, 0.04)
    stamps: dict[str, Stamps] = {"microphone": worth}
    found = [each.text for each in air_findings([trip], stamps) if each.check == "stamps"]
    assert found == ([f"the time stamps of the microphone {said}"] if said else [])


@pytest.mark.parametrize(
    ("echo", "turns", "said"),
    [
        (None, 0, ["note nothing to cancel: this microphone does not hear this speaker"]),
        (
            EchoState("cancelling", "aec3"),
            0,
            ["note there is no echo: right with headphones (use --headphones); otherwise turn both up"],
        ),
        (
            EchoState("half-duplex", "no canceller takes 22050 Hz"),
            0,
            ["note no canceller, so it is half-duplex (no canceller takes 22050 Hz)"],
        ),
        (
            EchoState("cancelling", "aec3", 33.6, 28.1, 0.0404, -6.2),
            0,
            [
                "good reduced by 34 dB for voice detection, by 28 dB in the words, strength -6 dB, "
                "delay 40 ms",
                "good never taken for the user, in 12 s",
            ],
        ),
        (
            EchoState("cancelling", "aec3", 14.0),
            1,
            [
                "note reduced by 14 dB for voice detection: some echo is left; the speaker may be too loud",
                "note taken for the user once, if nobody spoke: turn the speaker down",
            ],
        ),
        (
            EchoState("half-duplex", "the echo is reduced by 4 dB only", 4.0),
            3,
            [
                "bad reduced by 4 dB for voice detection: turn the speaker down, move it away from the "
                "microphone, or use headphones",
                "note taken for the user 3 times, if nobody spoke: turn the speaker down",
            ],
        ),
    ],
)
def test_a_canceller_is_judged_by_what_it_takes_away(
    echo: EchoState | None, turns: int, said: list[str]
) -> None:
    assert [f"{finding.verdict} {finding.text}" for finding in judge(echo, turns)] == said


@pytest.mark.heavy
async def test_with_a_voice_it_measures_how_well_the_echo_is_cancelled() -> None:
    backend = FakeBackend()
    backend.card.room(room_impulse(delay_s=0.02, level_db=-6, seed=3))
    found = await findings(backend, DoctorOptions("fake", echo=True))
    assert (found["cancelling"].verdict, found["own voice"].check) == ("good", "own voice")
    reduced, words, strength, delay = map(int, re.findall(r"-?\d+", found["cancelling"].text))
    assert reduced > 20
    assert words > 10
    assert abs(strength + 6) <= 3
    assert abs(delay - 20) <= 2


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (False, "MicrophoneInput did not start: simulated microphone does not start: choose another device"),
        (True, "SpeakerOutput failed: DeviceLostError: simulated speaker was unplugged"),
    ],
)
async def test_a_device_that_fails_while_the_voice_plays_is_told(lost: bool, said: str) -> None:
    card = SimulatedCard()
    card.room(room_impulse())
    if lost:
        asyncio.get_running_loop().call_later(3.0, card.speaker.unplug)
    else:
        card.mic.fail_start()
    assert await cancelling_findings(card.backend(), AudioFormat(), "", "", None, 0.0) == [
        Finding("cancelling", "bad", said)
    ]


def loud(card: SimulatedCard) -> None:
    card.mic.hear(np.full(16_000, 32_767, np.int16))


def faint(card: SimulatedCard) -> None:
    card.mic.hear(np.tile(np.array([1, -1], np.int16), 8_000))


FAULTS: list[tuple[Verb, str, str]] = [
    (lambda card: card.mic.unplug(), "microphone", "is not plugged in: plug it in"),
    (lambda card: card.speaker.unplug(), "speaker", "is not plugged in: plug it in"),
    (lambda card: card.mic.busy(), "microphone", "is in use by another program or stream: close that first"),
    (
        lambda card: card.speaker.forbid(),
        "speaker",
        "may not be used: give the user, or this program, the right",
    ),
    (lambda card: card.mic.refuse(48_000), "microphone", "refuses 16000 Hz: it supports 48000 Hz"),
    (lambda card: card.mic.break_(), "microphone", "its sound server has stopped: start it"),
    (lambda card: card.mic.fail_start(), "microphone", "does not start: choose another device"),
    (
        lambda card: card.mic.stall(),
        "blocks",
        "gave nothing for 2.5 s: .*: restart the sound server, or replug",
    ),
    (
        lambda card: card.speaker.stall(),
        "plays",
        "took nothing for 1 s: .*: restart the sound server, or replug",
    ),
    (lambda card: card.mic.mute(), "level", "nothing but zeros: it is muted in the mixer .*: unmute it"),
    (loud, "level", "0 dB, peak 0 dB, 16000 samples at full scale: turn the microphone down"),
    (
        faint,
        "level",
        "hardly anything, and it did not move while the chirps played: turn the microphone up, or unmute it",
    ),
]


@pytest.mark.parametrize(("verb", "check", "sentence"), FAULTS)
async def test_what_is_bad_is_said_with_its_cure(verb: Verb, check: str, sentence: str) -> None:
    backend = FakeBackend()
    verb(backend.card)
    found = await findings(backend)
    assert found[check].verdict == "bad"
    assert re.search(sentence, found[check].text), found[check]


class Line(Room):
    """Its microphone has a gain, noise of its own, and a part of the speaker's sound."""

    def __init__(self, *, noise: float, hears: float, second_hears: float | None = None) -> None:
        super().__init__()
        self._steps, self._hears, self._second_hears = noise, hears, second_hears
        self.card.mic.hear(self._line(np.zeros(18_000)))

    def _line(self, sound: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
        gains = [self._hears] + ([] if self._second_hears is None else [self._second_hears])
        columns = [sound * gain + self._noise.normal(0, self._steps, len(sound)) for gain in gains]
        return np.rint(np.stack(columns, 1)).astype(np.int16).tobytes()

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        channels = 1 if self._second_hears is None else 2
        request = replace(request, format=AudioFormat(request.format.rate, channels))
        return await super().open_capture(request, callback, finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        def rendered(samples: int, sounds_s: float | None = None) -> bytes:
            data = callback(samples, sounds_s)
            if data.strip(b"\0"):
                self.card.mic.hear(self._line(np.frombuffer(data, np.int16).astype(np.float64)))
            else:
                self.card.mic.hear(self._line(np.zeros(samples)))
            return data

        return await FakeBackend.open_render(self, request, rendered, finished)


LEVELS: list[tuple[float, float, str, str]] = [
    (2.0, 0.004, "note", "quiet, but it is heard.*use --gain-db 36"),
    (4.0, 0.02, "note", "quiet, but it is heard.*use --gain-db 24"),
    (2.0, 0.2, "good", "-84 dB, peak"),
    (300.0, 0.2, "good", "-41 dB, peak"),
    (2.0, 0.0, "bad", "hardly anything, and it did not move while the chirps played"),
    (60.0, 0.0, "note", "a room's level, but it did not move while the chirps played"),
]


@pytest.mark.parametrize(("noise", "hears", "verdict", "words"), LEVELS)
async def test_a_level_is_judged_by_its_movement(
    noise: float, hears: float, verdict: str, words: str
) -> None:
    found = (await findings(Line(noise=noise, hears=hears)))["level"]
    assert found.verdict == verdict, found
    assert re.search(words, found.text), found


async def test_a_gain_of_the_microphone_counts() -> None:
    quiet = Line(noise=4.0, hears=0.02)
    found = (await findings(quiet, DoctorOptions("fake", gain_db=24.0)))["level"]
    assert (found.verdict, found.text[:7]) == ("good", "-54 dB,")


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (0.2, -0.2, "its channels cancel each other"),
        (0.2, -0.15, "its channels cancel each other .*; only channel 1 is heard"),
        (0.2, 0.0, "channel 2 hears nothing"),
        (0.2, 0.2, ""),
        (0.2, 0.15, ""),
    ],
)
async def test_channels_that_should_not_be_mixed_are_named(first: float, second: float, words: str) -> None:
    found = await findings(Line(noise=10.0, hears=first, second_hears=second))
    assert ("channels" in found) == bool(words)
    if words:
        assert found["channels"].verdict == "note"
        assert re.search(words, found["channels"].text)


async def test_a_microphone_whose_first_block_comes_late_is_well() -> None:
    """As the monitor of an idle null sink of PulseAudio does."""
    backend = FakeBackend()
    backend.card.mic.hear(np.random.default_rng(1).normal(0, 300, 48_000).astype(np.int16))
    backend.card.mic.stall()
    loop = asyncio.get_running_loop()
    loop.call_later(2.2, backend.card.mic.stall, False)
    found = await findings(backend)
    assert loop.time() > 2.2
    assert found["blocks"].verdict == "good"


async def test_what_depends_on_what_is_bad_is_left_out() -> None:
    backend = FakeBackend()
    backend.card.mic.unplug()
    found = await findings(backend)
    assert {"blocks", "level", "round trip"}.isdisjoint(found)
    assert found["plays"].verdict == "good"


async def test_without_a_library_nothing_more_can_be_found() -> None:
    class Nothing(FakeBackend):
        async def devices(self) -> list[DeviceInfo]:
            raise BackendMissingError("the PortAudio library is not there; install it: so and so")

    found = await findings(Nothing())
    assert list(found) == ["software", "library"]
    assert str(found["library"]) == (
        "bad   library       the PortAudio library is not there; install it: so and so"
    )


async def test_without_a_device() -> None:
    backend = FakeBackend()
    backend.card.mic.unplug()
    backend.card.speaker.unplug()
    found = await findings(backend)
    assert found["devices"].text == "none usable (see microphone and speaker below)"


@pytest.mark.real_time
async def test_a_library_tells_its_version_and_its_process_the_priority_it_got() -> None:
    found = await outside("well").library()
    assert found.version == ""
    assert found.priority in ("real-time", "raised", "ordinary")
    assert await inside("well").library() == LibraryInfo("", "ordinary")


def test_sound_hardware_that_this_user_may_not_use(tmp_path: Path) -> None:
    assert list(permissions(tmp_path / "none")) == []
    (tmp_path / "pcmC0D0c").touch()
    assert [finding.verdict for finding in permissions(tmp_path)] == ["good"]
    (tmp_path / "pcmC0D0p").symlink_to("/no/such/device")  # which nobody may use, root included
    (finding,) = permissions(tmp_path)
    assert finding.verdict == "bad"
    assert finding.text.startswith("no right to pcmC0D0p in ")
    assert finding.text.endswith("sudo usermod -aG audio $USER, and log in again")


def test_a_sound_server_that_left_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIPEWIRE_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # nobody to ask it by
    assert [finding.verdict for finding in servers()] == ["note"]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "pipewire-0"))
        server.listen()
        assert [str(finding) for finding in servers()] == ["good  server        PipeWire takes connections"]
    (finding,) = servers()
    assert finding.verdict == "bad"
    assert finding.text.endswith("systemctl --user restart pipewire")


def test_a_chirp_is_found_in_noise_to_the_sample() -> None:
    chirp = Chirp(AudioFormat(48_000, 2))
    played = np.frombuffer(chirp.data, np.int16).reshape(-1, 2)[:, 0] / 32768
    sound = np.random.default_rng(2).normal(0, 0.01, 40_000)
    sound[12_345 : 12_345 + len(played)] += 0.1 * played
    found = chirp.find(sound)
    assert found is not None
    assert found[0] == 12_345
    assert found[1] == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("sound", [np.zeros(20_000), np.zeros(10)])
def test_no_chirp_is_found_where_there_is_none(sound: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert Chirp(AudioFormat(16_000)).find(sound) is None
    noise = np.random.default_rng(3).normal(0, 0.1, 20_000)
    assert Chirp(AudioFormat(16_000)).find(noise) is None


@pytest.mark.heavy
def test_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--backend", "fake", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [finding["check"] for finding in found][:3] == ["software", "devices", "hears at"]
    assert all(set(finding) == {"check", "verdict", "text"} for finding in found)


@pytest.mark.heavy
def test_on_a_terminal_a_verdict_has_a_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["doctor", "--backend", "fake"]) == 1
    out = capsys.readouterr().out
    assert "\x1b[32mgood\x1b[m  software" in out
    assert "\x1b[31mbad\x1b[m   level" in out
    assert "\x1b[31m1 of 10 checks failed\x1b[m" in out


@pytest.mark.heavy
def test_no_color_is_obeyed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["doctor", "--backend", "fake"]) == 1
    assert "\x1b[3" not in capsys.readouterr().out


def test_a_file_has_nothing_to_examine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--backend", "wav:a.wav"])
    assert ended.value.code == 2
    assert "nothing to examine in a file" in capsys.readouterr().err
