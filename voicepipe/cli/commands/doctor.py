"""`voicepipe doctor`: check everything that sound needs, one thing after the other, and name the remedy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace

from voicepipe.audio.amplify import amplify
from voicepipe.audio.format import AudioFormat
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.commands.devices import describe_side
from voicepipe.cli.parts.chirp import Chirp, Trip, collect, open_microphone, open_speaker, round_trip
from voicepipe.cli.parts.doctor_echo import VOICE_S, air_findings, cancelling_findings
from voicepipe.cli.parts.doctor_finding import INDENT, Finding, Verdict
from voicepipe.cli.parts.doctor_level import level_finding
from voicepipe.cli.parts.doctor_system import permissions, servers, software
from voicepipe.cli.terminal.screen import Screen
from voicepipe.devices.backends import open_backend
from voicepipe.devices.names import find_named, fold
from voicepipe.devices.optional import stamps_of
from voicepipe.devices.port import (
    Backend,
    Block,
    DeviceInfo,
    InputStream,
    OutputStream,
    StreamInfo,
    StreamRequest,
)
from voicepipe.devices.trial import SideTrial
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.text import printable

__all__ = ["DoctorOptions", "examine", "command_line", "read_options", "run"]

LISTEN_S = 1.0
"""The seconds for which the microphone is heard."""
FIRST_S = 2.5
"""The longest wait for its first block: a virtual microphone may take two seconds."""
_LOOK_S = 0.01
CHIRPS = 3
ECHO_S = 0.6
"""The longest wait for a chirp, in seconds."""
SETTLE_S = 0.5
"""The time stamps of PulseAudio are 20 to 40 ms early in a stream's first 0.4 s."""
_STANDS_STILL = "it is suspended, or its sound server hangs: restart the sound server, or replug the device"


_COLOURS: dict[Verdict, str] = {"good": "green", "bad": "red", "note": "yellow"}


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The options of the examination."""

    backend: str = "portaudio"
    mic: str = ""
    mic_channel: int | None = None
    gain_db: float = 0.0
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    echo: bool = False
    """True: a voice is played, to measure how well its echo is cancelled."""
    json: bool = False


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Checks everything that sound needs, and names the remedy where a check fails. "
        "It listens for a second, and plays three short chirps. With --echo it also plays a voice for "
        f"{VOICE_S:.0f} s, and measures how well its echo is cancelled: be silent meanwhile.",
        "0 all checks passed, 1 a check failed, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    parser.take("--backend", default="auto")
    parser.take("--mic", "--mic-channel", "--gain-db", "--speaker", "--rate")
    parser.take("--echo", help="play a voice, and measure how well its echo is cancelled")
    parser.take("--json")
    return parser


def read_options(arguments: Sequence[str], program: str) -> DoctorOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    backend = parser.hardware(given, "there is nothing to examine in a file")
    return parser.options(DoctorOptions, given, backend=backend, format=AudioFormat(given.rate))


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    findings: list[Finding] = []
    screen = Screen()  # whose reader may go away

    if options.echo and not options.json:
        screen.say(f"it plays a voice for {VOICE_S:.0f} s at the end: be silent until it has finished")

    async def look() -> None:
        async for finding in examine(open_backend(options.backend), options):
            findings.append(finding)
            if not options.json:
                screen.say(_paint(screen, finding), INDENT)

    asyncio.run(look())
    bad = sum(finding.verdict == "bad" for finding in findings)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        checks = f"{len(findings)} checks"
        said = f"{bad} of {checks} failed" if bad else f"all {checks} passed"
        screen.say(screen.paint(said, "red" if bad else "green"))
    return 1 if bad else 0


def _paint(screen: Screen, finding: Finding) -> str:
    """Return the line of a finding, with its verdict in colour."""
    text = str(finding)
    return screen.paint(finding.verdict, _COLOURS[finding.verdict]) + text.removeprefix(finding.verdict)


async def examine(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    """Yield every finding, in the order in which sound depends on it. A failed check ends those behind it."""
    yield software()
    if backend.name == "portaudio":
        for finding in (*servers(), *permissions()):
            yield finding
    try:
        async for finding in _library(backend):
            yield finding
        devices = await backend.devices()
    except DeviceError as error:
        yield _bad("library", error)
        return
    yield _device_finding(devices)
    async for finding in _rates(backend, options):
        yield finding
    hears = False
    async for finding in _sound(backend, options):
        hears |= finding.check == "plays" and finding.verdict == "good"
        yield finding
    if options.echo and hears:
        audio, mic, speaker = options.format, options.mic, options.speaker
        for finding in await cancelling_findings(
            backend, audio, mic, speaker, options.mic_channel, options.gain_db
        ):
            yield finding


def _bad(check: str, why: object) -> Finding:
    return Finding(check, "bad", str(why))


# -- what is there ---------------------------------------------------------------------


async def _library(backend: Backend) -> AsyncIterator[Finding]:
    library = await backend.library()
    if library is None:
        return
    if library.version:
        yield Finding("library", "good", library.version)
    if library.priority != "ordinary":
        yield Finding("priority", "good", f"{library.priority}, for what moves the samples")
    else:
        yield Finding(
            "priority",
            "note",
            "ordinary: busy programs can make the sound stutter; "
            "rtprio in /etc/security/limits.d, or LimitRTPRIO=10 in a systemd unit, grants more",
        )


def _device_finding(devices: list[DeviceInfo]) -> Finding:
    microphones = [device.name for device in devices if device.inputs]
    speakers = [device.name for device in devices if device.outputs]
    if not devices:
        return _bad("devices", "none usable (see microphone and speaker below)")
    text = f"{len(microphones)} with a microphone, {len(speakers)} with a speaker (voicepipe devices)"
    return Finding("devices", "good" if microphones and speakers else "note", text)


async def _rates(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    """Yield the rates of the microphone and the speaker: the default devices, or those that are named."""
    try:
        trials = await backend.trials()
    except DeviceError as error:
        yield _bad("rates", error)
        return
    microphones = [trial.device for trial in trials if trial.device.inputs]
    speakers = [trial.device for trial in trials if trial.device.outputs]
    for trial in trials:
        device = trial.device
        if device in _find(microphones, options.mic) if options.mic else device.default_input:
            yield _trial_finding("hears at", device, trial.microphone)
        if device in _find(speakers, options.speaker) if options.speaker else device.default_output:
            yield _trial_finding("plays at", device, trial.speaker)


def _find(devices: list[DeviceInfo], name: str) -> list[DeviceInfo]:
    """Return the devices that a name means; it may be a steady one."""
    steady = [device for device in devices if fold(name) in (fold(device.card), fold(device.socket))]
    return steady or find_named(devices, name)


def _trial_finding(check: str, device: DeviceInfo, side: SideTrial | None) -> Finding:
    """Return the finding about one direction of a device."""
    verdict: Verdict = "note" if side is None or side.trouble else "good"
    return Finding(check, verdict, f'"{device.name}": {"nothing" if side is None else describe_side(side)}')


# -- what it does ----------------------------------------------------------------------


async def _sound(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as opened:
        microphone: InputStream | None = None
        speaker: OutputStream | None = None
        plays = False
        blocks: list[Block] = []
        wish = StreamRequest(options.format, latency="high")
        try:
            heard = replace(wish, channel=options.mic_channel)
            microphone, blocks = await _open_and_listen(backend, heard, options.mic, opened)
            yield _stream_finding("microphone", microphone.info)
            yield _blocks_finding(microphone, blocks)
        except DeviceError as error:
            yield _bad("microphone", error)
            microphone = None
        try:
            speaker = await opened.enter_async_context(open_speaker(backend, wish, options.speaker))
            yield _stream_finding("speaker", speaker.info)
            played = await _speaker_finding(speaker)
            yield played
            plays = played.verdict == "good"
        except DeviceError as error:
            yield _bad("speaker", error)
            speaker = None
        during: list[Block] | None = None
        trips: list[Trip] | None = None
        if microphone is not None and speaker is not None and microphone.counts.calls and plays:
            try:
                during = []
                trips = await _play_chirps(microphone, speaker, options.format, during)
                yield _echo_finding(trips)
                stamps: dict[str, Stamps] = {
                    "microphone": stamps_of(microphone),
                    "speaker": stamps_of(speaker),
                }
                for finding in air_findings(trips, stamps):
                    yield finding
            except DeviceError as error:
                yield _bad("round trip", error)
        if microphone is not None and blocks:
            for finding in _hearing_findings(microphone, blocks, during, trips, options):
                yield finding


def _hearing_findings(
    microphone: InputStream,
    before: list[Block],
    during: list[Block] | None,
    trips: list[Trip] | None,
    options: DoctorOptions,
) -> Iterator[Finding]:
    """Yield the findings about what was heard, before the chirps and while they played."""
    room, chirps = (
        amplify(b"".join(block.data for block in blocks), options.gain_db)
        for blocks in (before, during or [])
    )
    yield level_finding(room, chirps, options.format.rate, played=trips is not None, heard=bool(trips))
    if microphone.channel_fault:
        yield Finding("channels", "note", f"{microphone.channel_fault}: mend the wiring, or name a channel")


async def _open_and_listen(
    backend: Backend, wish: StreamRequest, name: str, opened: AsyncExitStack
) -> tuple[InputStream, list[Block]]:
    """Open a microphone; return it with the second after its first block. Raises: DeviceError."""
    microphone = await opened.enter_async_context(open_microphone(backend, wish, name))
    until_s = asyncio.get_running_loop().time() + FIRST_S
    blocks: list[Block] = []
    try:
        while not blocks and asyncio.get_running_loop().time() < until_s:
            blocks = await collect(microphone, _LOOK_S)
        if blocks:
            blocks += await collect(microphone, LISTEN_S)
    except DeviceLostError as error:
        if microphone.counts.calls or not error.silent_s:
            raise
    return microphone, blocks


def _stream_finding(kind: str, info: StreamInfo) -> Finding:
    return Finding(kind, "good", info.how)


def _blocks_finding(microphone: InputStream, blocks: list[Block]) -> Finding:
    """Return the finding about the blocks of one second of a microphone."""
    info, counts = microphone.info, microphone.counts
    if not blocks:
        return _bad("blocks", f'"{printable(info.device)}" gave nothing for {FIRST_S:g} s: {_STANDS_STILL}')
    block_ms = 1e3 * info.format.seconds(info.block)
    number = f"{counts.calls} block{'s' * (counts.calls != 1)}"
    text = f"{number} of {block_ms:.0f} ms, the longest wait {1e3 * counts.longest_wait_s:.0f} ms"
    if counts.late:
        return _bad(
            "blocks", f"{text}, {counts.late} of them late: end busy programs, or ask for more latency"
        )
    return Finding("blocks", "good", text)


async def _speaker_finding(speaker: OutputStream) -> Finding:
    """Return the finding about a speaker: does it ask for blocks?"""
    info = speaker.info
    speaker.write(bytes(info.format.samples(0.1) * info.format.sample_bytes))
    try:
        async with asyncio.timeout(LISTEN_S + info.latency_s):
            await speaker.drain()
    except (TimeoutError, DeviceLostError):
        how = "does not play on" if speaker.counts.calls else f"took nothing for {LISTEN_S:g} s"
        return _bad("plays", f'"{printable(info.device)}" {how}: {_STANDS_STILL}')
    return Finding("plays", "good", f"{speaker.counts.calls} blocks so far")


async def _play_chirps(
    microphone: InputStream, speaker: OutputStream, audio: AudioFormat, heard: list[Block]
) -> list[Trip]:
    """Return the trips of the chirps that were heard. Raises: DeviceError."""
    await asyncio.sleep(SETTLE_S)
    chirp = Chirp(audio)
    trips = [await round_trip(microphone, speaker, chirp, ECHO_S, heard) for _ in range(CHIRPS)]
    return [trip for trip in trips if trip is not None]


def _echo_finding(trips: list[Trip]) -> Finding:
    """Return the finding about the way of a chirp through the air, and its strength."""
    heard = sorted(trip.seconds for trip in trips)
    if not heard:
        return Finding(
            "round trip",
            "note",
            "the microphone does not hear the speaker: right with headphones; otherwise turn both up",
        )
    gain_db = max(trip.gain_db for trip in trips)
    return Finding(
        "round trip",
        "good",
        f"{1e3 * heard[len(heard) // 2]:.0f} ms ({len(heard)} of {CHIRPS} chirps heard), "
        f"and the echo has {gain_db:.0f} dB of the played sound",
    )
