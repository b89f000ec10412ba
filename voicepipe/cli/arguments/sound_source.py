"""The source of a program's sound: the hardware there is, or else a simulated card.

Imports for the simulated card alone stand where they are used: they bring numpy, 12 MB.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import Backend, StreamRequest
from voicepipe.errors import BackendMissingError, DeviceError, DeviceNotFoundError

__all__ = ["CALM_LATENCY_S", "MICROPHONE", "SPEAKER", "TALK", "Sound", "choose_sound", "talk"]

MICROPHONE, SPEAKER = "the microphone", "the speaker"
"""Names of the stages, as an error calls them."""

CALM_LATENCY_S = 0.2
"""The latency of a device where nobody waits for an answer: its buffer outlasts a busy machine."""


TALK = ((0.3, 0.2, 2.0), (5.0, 2.75, 6.15), (10.6, 0.2, 2.0))
"""A user who talks over the echo program: the times at which parts of the bundled voice are said, and those
parts, in seconds. The program has repeated the first part by then, so its canceller knows the room."""
_TALK_S = 14.0


def talk(audio: AudioFormat) -> bytes:
    """Return a user who says three things, the last one while the program repeats the one before."""
    from voicepipe.sample import speech

    voice, said = speech(audio), bytearray(audio.samples(_TALK_S) * audio.sample_bytes)
    for at_s, from_s, to_s in TALK:
        at, begin, end = (audio.samples(each) * audio.sample_bytes for each in (at_s, from_s, to_s))
        said[at : at + end - begin] = voice[begin:end]
    return bytes(said)


class Sound:
    """A back end to run on, with its own beginning and end."""

    has_speaker = True
    can_be_talked_over = True
    """True if somebody may speak while the program does, who can hear it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def begin(self, audio: AudioFormat, seconds: float | None) -> None:
        """Prepare a run in that format."""

    def finish(self, say: Callable[[str], None]) -> None:
        """Finish after the run."""


class FileSound(Sound):
    """Files; the output may be missing."""

    can_be_talked_over = False

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        devices = asyncio.run(backend.devices())
        self.has_speaker = any(device.outputs for device in devices)


class SimulatedSound(Sound):
    """The simulated card: its microphone hears the bundled voice, and its speaker plays into a file."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.can_be_talked_over = backend.shares_air

    def begin(self, audio: AudioFormat, seconds: float | None) -> None:
        """Let the voice speak into the microphone; without a limit in seconds the input ends with it."""
        from voicepipe.sample import speech
        from voicepipe_devices.fake import FakeBackend, VoiceBackend

        assert isinstance(self.backend, FakeBackend)
        self._audio, self._card = audio, self.backend.card
        if isinstance(self.backend, VoiceBackend):
            return
        self._card.mic.hear(talk(audio) if self.can_be_talked_over else speech(audio))
        if seconds is None:
            self._card.mic.run_out()

    def finish(self, say: Callable[[str], None]) -> None:
        """Keep the played sound in a file. Raises: OSError."""
        from voicepipe.audio.files.wav_file import WavWriter

        played = self._card.speaker.played()
        number, path = tempfile.mkstemp(prefix="voicepipe-echo-", suffix=".wav")
        os.close(number)
        with WavWriter(path, self._audio) as file:
            file.write(played)
        say(f"the simulated speaker's sound is in {path}")


def choose_sound(name: str, say: Callable[[str], None], *, headphones: bool = False) -> Sound:
    """Choose the back end of that name.

    For "auto" that is PortAudio, or the simulated card where PortAudio has no devices. A service waits for
    its devices instead: there is nobody to show something to.

    Args:
        headphones: True if the microphone does not hear the speaker, so that no room is simulated.

    Raises:
        DeviceError: PortAudio does not answer.
    """
    if name == "auto":
        why = None if os.environ.get("NOTIFY_SOCKET") else _why_not_portaudio()
        if why is None:
            return Sound(open_backend("portaudio"))
        say(f"{why}; using a simulated card instead, whose microphone hears a bundled voice")
        name = "fake" if headphones else "fake:room"
    backend = open_backend(name)
    kind = {"fake": SimulatedSound, "wav": FileSound}.get(backend.name, Sound)
    return kind(backend)


def _why_not_portaudio() -> str | None:
    """Return one line about what is missing, or None."""
    backend = open_backend("portaudio")
    try:
        devices = asyncio.run(backend.devices())
    except BackendMissingError as error:
        return str(error)
    mic = any(device.default_input for device in devices)
    speaker = any(device.default_output for device in devices)
    if mic and speaker:
        return None
    why = asyncio.run(_refusal(backend, microphone=not mic))
    if why is not None:
        return why
    missing = "no speaker" if mic else "no microphone" if speaker else "no sound card"
    return f"{missing} found (plug one in, or start the sound server)"


async def _refusal(backend: Backend, *, microphone: bool) -> str | None:
    """Return why a default device that exists cannot be opened; None where there is none."""
    opened = backend.open_input if microphone else backend.open_output
    try:
        stream = await opened(StreamRequest(), lambda: None)
    except DeviceNotFoundError:
        return None
    except DeviceError as error:
        return str(error)
    await stream.close()  # it has come back meanwhile, too late for this
    return None
