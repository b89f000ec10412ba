"""A simulated sound card, at the level of PortAudio's callbacks. Everything above it is the real code.

    card = SimulatedCard()
    card.mic.hear(speech)                       # what the microphone hears next
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), ..., SpeakerOutput(card.backend())]))
    ...
    card.speaker.played()                       # what came out of the loudspeaker

In an event loop with a virtual clock the card ticks in virtual time; in any other it has a
thread, as a real one has. Faults are verbs: `card.mic.unplug()`, `card.speaker.stall()`.

sides         the microphone and the speaker, with their verbs
handle        an open stream, and the clock that ticks for it
sound_server  the sound server behind a side, which can stop
"""

from __future__ import annotations

from voicepipe.devices.port import DeviceInfo, StreamRequest
from voicepipe.devices.trial import DeviceTrial
from voicepipe.text import quote
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake.sides import SimulatedMicrophone, SimulatedSpeaker
from voicepipe_devices.streams import DriverBackend

__all__ = [
    "FakeBackend",
    "SimulatedCard",
    "SimulatedMicrophone",
    "SimulatedSpeaker",
    "VoiceBackend",
    "open_backend",
]


class SimulatedCard:
    """A card with one microphone and one speaker, each with a clock of its own.

    Args:
        name: what its devices are called.
        drift_ppm: how much faster than nominal both clocks run; set `card.mic.drift_ppm` for one.
        jitter_s: callbacks come up to so much late, at random.
        seed: makes the jitter the same every time.
        keep_s: how much of what was played is kept, in seconds.

    Raises:
        TypeError, ValueError: a number is out of its bounds.
    """

    def __init__(
        self,
        name: str = "simulated",
        *,
        drift_ppm: float = 0.0,
        jitter_s: float = 0.0,
        seed: int = 0,
        keep_s: float = 600.0,
    ) -> None:
        self.mic = SimulatedMicrophone(f"{name} microphone", drift_ppm, jitter_s, seed)
        self.speaker = SimulatedSpeaker(f"{name} speaker", drift_ppm, jitter_s, seed + 1, keep_s)

    def backend(self) -> FakeBackend:
        """Return a back end that opens this card."""
        return FakeBackend(self)


class FakeBackend(DriverBackend):
    """The back end "fake": streams over a simulated card. It is its own driver."""

    name = "fake"

    def __init__(self, card: SimulatedCard | None = None) -> None:
        self.card = card or SimulatedCard()
        """The card, to script and to listen to."""

    async def devices(self) -> list[DeviceInfo]:
        """List the card's two devices, where they are plugged in."""
        mic, speaker = self.card.mic, self.card.speaker
        there = [DeviceInfo(mic.name, mic.channels, 0, 16_000, default_input=True)] if mic.is_present else []
        if speaker.is_present:
            there.append(DeviceInfo(speaker.name, 0, 1, 16_000, default_output=True))
        return there

    async def trials(self) -> list[DeviceTrial]:
        """Try the card's two devices."""
        mic, speaker = self.card.mic, self.card.speaker
        return [
            DeviceTrial(device, mic.trial(16_000, capture=True), None)
            if device.inputs
            else DeviceTrial(device, None, speaker.trial(16_000, capture=False))
            for device in await self.devices()
        ]

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        """Open the microphone."""
        mic = self.card.mic
        return await mic.open(request, lambda handle, missed: mic.tick(handle, missed, callback), finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        """Open the speaker."""
        speaker = self.card.speaker
        return await speaker.open(
            request, lambda handle, missed: speaker.tick(handle, missed, callback), finished
        )


class VoiceBackend(FakeBackend):
    """The back end "fake:voice": its microphone hears the bundled voice once, and then has run out."""

    _has_spoken = False

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        """Open the microphone; the voice begins to speak."""
        handle = await super().open_capture(request, callback, finished)
        if not self._has_spoken:
            from voicepipe.sample import speech

            self._has_spoken = True
            self.card.mic.hear(speech(request.format))
            self.card.mic.run_out()
        return handle


def open_backend(argument: str = "") -> FakeBackend:
    """Return a back end over a new simulated card. Raises: ValueError: an argument other than "voice"."""
    if argument not in ("", "voice"):
        raise ValueError(
            f"the back end 'fake' takes nothing but 'voice' behind its name, not {quote(argument)}"
        )
    return VoiceBackend() if argument else FakeBackend()
