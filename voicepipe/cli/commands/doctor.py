"""`voicepipe doctor`: looks at all that sound needs, one thing after the other, and says what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import Level
from voicepipe.cli.commands.devices import shown
from voicepipe.cli.parts.chirp import Chirp, collect, open_microphone, open_speaker, round_trip
from voicepipe.cli.parts.doctor_finding import Finding, Verdict
from voicepipe.cli.parts.doctor_system import permissions, servers, software
from voicepipe.cli.parts.options import Parser
from voicepipe.cli.parts.screen import Screen
from voicepipe.devices.backends import open_backend
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
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.text import printable

__all__ = ["DoctorOptions", "examine", "command_line", "read_options", "run"]

LISTEN_S = 1.0
"""How long the microphone is listened to."""
FIRST_S = 2.5
"""How long its first block is waited for: a virtual one may take two seconds, as its stream knows."""
_LOOK_S = 0.01
CHIRPS = 3
ECHO_S = 0.6
"""The longest way of a chirp that is waited for."""
QUIET_DB = -75.0
"""A microphone that is on hears more than that in the quietest room."""
_STANDS_STILL = "it is suspended, or its sound server hangs: restart the sound server, or replug the device"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is to be examined."""

    backend: str = "portaudio"
    mic: str = ""
    mic_channel: int | None = None
    speaker: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    json: bool = False


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Looks at all that sound needs, and says of each thing whether it is good, and what to "
        "do where it is not. It listens for a second, and plays three short chirps.",
        "0 all is well, 1 something is bad, 2 wrong usage, 130 stopped by Ctrl-C",
    )
    parser.take("--backend", default="auto")
    parser.take("--mic", "--mic-channel", "--speaker", "--rate", "--json")
    return parser


def read_options(arguments: Sequence[str], program: str) -> DoctorOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    backend = parser.hardware(given, "there is nothing to examine in a file")
    audio = AudioFormat(given.rate)
    return DoctorOptions(backend, given.mic, given.mic_channel, given.speaker, audio, given.json)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    findings: list[Finding] = []
    screen = Screen()  # whose reader may go away

    async def look() -> None:
        async for finding in examine(open_backend(options.backend), options):
            findings.append(finding)
            if not options.json:
                screen.say(str(finding))

    asyncio.run(look())
    bad = sum(finding.verdict == "bad" for finding in findings)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        screen.say("all is well" if not bad else f"{bad} of {len(findings)} things are bad")
    return 1 if bad else 0


async def examine(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    """Everything, in the order in which sound depends on it. What depends on what is bad is left out."""
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
    yield _listed(devices)
    async for finding in _rates(backend, options):
        yield finding
    async for finding in _sound(backend, options):
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


def _listed(devices: list[DeviceInfo]) -> Finding:
    microphones = [device.name for device in devices if device.inputs]
    speakers = [device.name for device in devices if device.outputs]
    if not devices:
        return _bad("devices", "none can be used; of the microphone and the speaker it is said why")
    text = f"{len(microphones)} with a microphone, {len(speakers)} with a speaker (voicepipe devices)"
    return Finding("devices", "good" if microphones and speakers else "note", text)


async def _rates(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    """At which rates the microphone and the speaker open: the default ones, or those that are named."""
    try:
        trials = await backend.trials()
    except DeviceError as error:
        yield _bad("rates", error)
        return
    for trial in trials:
        name, device = trial.device.name.casefold(), trial.device
        if options.mic.casefold() in name if options.mic else device.default_input:
            yield _tried("hears at", device, trial.microphone)
        if options.speaker.casefold() in name if options.speaker else device.default_output:
            yield _tried("plays at", device, trial.speaker)


def _tried(check: str, device: DeviceInfo, side: SideTrial | None) -> Finding:
    """What was found of one direction of a device."""
    verdict: Verdict = "note" if side is None or side.trouble else "good"
    return Finding(check, verdict, f"{device.name}: {'nothing' if side is None else shown(side)}")


# -- what it does ----------------------------------------------------------------------


async def _sound(backend: Backend, options: DoctorOptions) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as opened:
        microphone: InputStream | None = None
        speaker: OutputStream | None = None
        plays = False
        wish = StreamRequest(options.format, latency="high")
        try:
            heard = replace(wish, channel=options.mic_channel)
            microphone, blocks = await _listened(backend, heard, options.mic, opened)
            yield _opened("microphone", microphone.info)
            for finding in _heard(microphone, blocks):
                yield finding
        except DeviceError as error:
            yield _bad("microphone", error)
            microphone = None
        try:
            speaker = await opened.enter_async_context(open_speaker(backend, wish, options.speaker))
            yield _opened("speaker", speaker.info)
            played = await _played(speaker)
            yield played
            plays = played.verdict == "good"
        except DeviceError as error:
            yield _bad("speaker", error)
            speaker = None
        if microphone is not None and speaker is not None and microphone.counts.calls and plays:
            try:
                yield await _echo(microphone, speaker, options.format)
            except DeviceError as error:
                yield _bad("round trip", error)


async def _listened(
    backend: Backend, wish: StreamRequest, name: str, opened: AsyncExitStack
) -> tuple[InputStream, list[Block]]:
    """The stream of a microphone, and what came in the second after its first block. Raises: DeviceError."""
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


def _opened(kind: str, info: StreamInfo) -> Finding:
    return Finding(kind, "good", info.how)


def _heard(microphone: InputStream, blocks: list[Block]) -> Iterator[Finding]:
    """What came in a second."""
    info, counts = microphone.info, microphone.counts
    if not blocks:
        yield _bad(
            "blocks",
            f"{printable(info.device)} gave nothing for {FIRST_S:g} s: {_STANDS_STILL}",
        )
        return
    block_ms = 1e3 * info.format.seconds(info.block)
    number = f"{counts.calls} block{'s' * (counts.calls != 1)}"
    text = f"{number} of {block_ms:.0f} ms, the longest wait {1e3 * counts.longest_wait_s:.0f} ms"
    if counts.late:
        yield _bad(
            "blocks", f"{text}, {counts.late} of them late: end busy programs, or ask for more latency"
        )
    else:
        yield Finding("blocks", "good", text)
    data = b"".join(block.data for block in blocks)
    level = Level.of(data)
    text = f"{round(level.rms_db)} dB, peak {round(level.peak_db)} dB"
    if not data.strip(b"\0"):
        yield _bad(
            "level",
            "nothing but zeros: it is muted in the mixer or by a switch, or nobody feeds it: unmute it, or "
            "choose another with --mic; on macOS, allow this program to use the microphone",
        )
    elif level.clipped:
        yield _bad("level", f"{text}, {level.clipped} samples at full scale: turn the microphone down")
    elif level.peak_db < QUIET_DB:
        yield _bad("level", f"{text}: hardly anything: turn the microphone up, or unmute it")
    else:
        yield Finding("level", "good", text)


async def _played(speaker: OutputStream) -> Finding:
    """Whether it asks for blocks."""
    info = speaker.info
    speaker.write(bytes(info.format.samples(0.1) * info.format.sample_bytes))
    try:
        async with asyncio.timeout(LISTEN_S + info.latency_s):
            await speaker.drain()
    except (TimeoutError, DeviceLostError):
        how = "does not play on" if speaker.counts.calls else f"took nothing for {LISTEN_S:g} s"
        return _bad("plays", f"{printable(info.device)} {how}: {_STANDS_STILL}")
    return Finding("plays", "good", f"{speaker.counts.calls} blocks so far")


async def _echo(microphone: InputStream, speaker: OutputStream, audio: AudioFormat) -> Finding:
    """How long a chirp takes through the air, and how strong it comes back."""
    chirp = Chirp(audio)
    trips = [await round_trip(microphone, speaker, chirp, ECHO_S) for _ in range(CHIRPS)]
    heard = sorted(trip.seconds for trip in trips if trip is not None)
    if not heard:
        return Finding(
            "round trip",
            "note",
            "the microphone does not hear the speaker: with headphones that is right; else turn both up",
        )
    gain_db = max(trip.gain_db for trip in trips if trip is not None)
    return Finding(
        "round trip",
        "good",
        f"{1e3 * heard[len(heard) // 2]:.0f} ms ({len(heard)} of {CHIRPS} chirps heard), "
        f"and the echo has {gain_db:.0f} dB of what is played",
    )
