"""The doctor's findings about the echo: its way through the air, and how well it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from voicepipe.audio.format import AudioFormat
from voicepipe.cli.parts.chirp import Trip
from voicepipe.cli.parts.doctor_finding import Finding
from voicepipe.cli.parts.voice_loop import VoiceLoop
from voicepipe.devices.port import Backend
from voicepipe.devices.values import Stamps
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.errors import VoicepipeError
from voicepipe.frames import Frame, FrameDirection, UserStartedSpeakingFrame
from voicepipe.log import logger_of
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.report import EchoState
from voicepipe.run.task import PipelineTask
from voicepipe.speech.vad import VADProcessor

__all__ = ["VOICE_S", "air_findings", "cancelling_findings", "judge"]

VOICE_S = 12.0
"""The time for which a voice is played: long enough for a canceller to learn the way, and to be measured."""
GOOD_DB = 20.0
"""From this reduction on, voice detection hardly ever takes the echo for the user."""
_MOST_SPREAD_S = 0.01
_EARLIEST_S = -0.002
"""An echo that is earlier than its sound, by more than a stamp may be off, has a wrong stamp."""


def air_findings(trips: Sequence[Trip], stamps: Mapping[str, Stamps]) -> Iterator[Finding]:
    """Yield the finding about the way through the air, if the speaker tells when its sound is heard.

    Args:
        trips: of the chirps that were heard.
        stamps: the worth of the time stamps of each device.
    """
    times = [trip.air_s for trip in trips if trip.air_s is not None]
    if not times:
        return
    text = f"{1e3 * median(times):.0f} ms from the speaker to the microphone, by the times of both devices"
    if max(times) - min(times) > _MOST_SPREAD_S:
        spread_ms = 1e3 * (max(times) - min(times))
        yield Finding("air", "note", f"{text}, {spread_ms:.0f} ms apart: they jitter; ask for more latency")
    elif median(times) < _EARLIEST_S:
        yield Finding("air", "note", f"{text}: they are wrong; a canceller finds the delay by itself")
    else:
        yield Finding("air", "good", text)
    for device, worth in stamps.items():
        if worth not in ("", "good"):
            yield Finding("stamps", "note", f"the time stamps of the {device} are {worth}: {_INSTEAD[worth]}")


_INSTEAD = {
    "missing": "its callbacks are timed instead",
    "absurd": "its callbacks are timed instead",
    "early": "its callbacks are timed instead, as behind PipeWire",
    "unsteady": "the middle one of each second counts",
}


async def cancelling_findings(
    backend: Backend, audio: AudioFormat, mic: str, speaker: str, channel: int | None, gain_db: float
) -> list[Finding]:
    """Play a voice for some seconds, and find out how well its echo is cancelled. The user is silent."""
    microphone = MicrophoneInput(
        backend, device=mic, channel=channel, gain_db=gain_db, latency="high", on_loss="fail"
    )
    mouth = SpeakerOutput(backend, device=speaker, latency="high", max_queue_s=1.0, on_loss="fail")
    task = PipelineTask(
        Pipeline([microphone, VADProcessor(), VoiceLoop(), mouth]), name="doctor", input=audio, output=audio
    )
    turns: list[Frame] = []
    log, quiet = logger_of("voicepipe"), logging.NullHandler()  # its warnings are findings here
    log.addHandler(quiet)

    def note(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            turns.append(frame)

    task.subscribe(note)
    running = asyncio.create_task(task.run(), name="doctor")
    try:
        with contextlib.suppress(VoicepipeError):  # the run itself raises it too
            await task.wait_until_started()
        await asyncio.wait([running], timeout=VOICE_S)
    finally:
        task.cancel()
        await asyncio.wait([running])
        log.removeHandler(quiet)
    if (error := running.exception()) is not None:  # a device did not open, or was lost
        return [Finding("cancelling", "bad", str(error))]
    device = microphone.device_statistics()
    return list(judge(None if device is None else device.echo, len(turns)))


def judge(echo: EchoState | None, turns: int) -> Iterator[Finding]:
    """Yield the findings about a canceller that has listened to a voice."""
    if echo is None:
        yield Finding("cancelling", "note", "nothing to cancel: this microphone does not hear this speaker")
    elif echo.erle_db is None and echo.protection == "cancelling":
        yield Finding(
            "cancelling",
            "note",
            "there is no echo: right with headphones (use --headphones); otherwise turn both up",
        )
    elif echo.erle_db is None:
        yield Finding("cancelling", "note", f"no canceller, so it is {echo.details}")
    else:
        text = echo.details.partition(", ")[2]
        if echo.is_low:
            yield Finding("cancelling", "bad", f"{text}: {echo.advice}")
        elif echo.erle_db < GOOD_DB:
            yield Finding("cancelling", "note", f"{text}: some echo is left; the speaker may be too loud")
        else:
            yield Finding("cancelling", "good", text)
        yield _own_voice(turns)


def _own_voice(turns: int) -> Finding:
    if not turns:
        return Finding("own voice", "good", f"never taken for the user, in {VOICE_S:.0f} s")
    times = "once" if turns == 1 else f"{turns} times"
    return Finding("own voice", "note", f"taken for the user {times}, if nobody spoke: turn the speaker down")
