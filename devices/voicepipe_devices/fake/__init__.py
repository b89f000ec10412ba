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
stamps        the times that a side gives its blocks, right or wrong
losses        losses that a side does not own up to
room          the way through the air from the speaker to the microphone
impulse       impulse responses of rooms that there are not
track         the speaker's sound, by time
convolution   an impulse response, applied to a sound as it comes
fractional    a sound read between its samples
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicepipe.devices.port import DeviceInfo, StreamRequest
from voicepipe.devices.trial import DeviceTrial
from voicepipe.text import quote
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake.losses import Losses
from voicepipe_devices.fake.sides import SimulatedMicrophone, SimulatedSpeaker
from voicepipe_devices.streams import DriverBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from voicepipe_devices.fake.room import Room

__all__ = [
    "FakeBackend",
    "Losses",
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
        self._room: Room | None = None

    @property
    def has_room(self) -> bool:
        """True while the microphone hears the speaker."""
        return self._room is not None

    def room(
        self,
        impulse: npt.NDArray[np.floating] | Sequence[float] | None,
        *,
        rate: int = 16_000,
        clip: float | None = None,
        loss: Losses | None = None,
    ) -> None:
        """Put the card into a room: its microphone hears its speaker, beside what `mic.hear` brings.

        What the speaker plays sounds when its stream's latency has passed. It goes through the loudspeaker's
        clipping, then through the air, and is heard at the time of the microphone's own clock. Call it again
        in mid-run to change the way. A program then treats the card as one in a real room: it cancels the
        echo, or mutes the microphone while it speaks.

        Args:
            impulse: the impulse response from the speaker to the microphone: floats, shape (taps,), up to
                4 s. 1.0 is as loud as it was played. `voicepipe.testing.room_impulse` makes one.
                None: no room.
            rate: samples per second of the impulse response. The streams may have others.
            clip: the drive of the loudspeaker's soft clipping, tanh(clip x) / clip: 4 is much, 8 is very
                much. Quiet sound passes unchanged. None: it does not clip.
            loss: losses that the card does not own up to; None: none.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        if loss is not None and not isinstance(loss, Losses):
            raise TypeError(f"loss must be Losses(...) or None, not {quote(loss)}")
        self._room = None if impulse is None else self._enter(impulse, rate, clip)
        for side, name in ((self.mic, "mic"), (self.speaker, "speaker")):
            side.enter(self._room, loss if loss is not None and loss.side in (name, "both") else None)

    def _enter(
        self, impulse: npt.NDArray[np.floating] | Sequence[float], rate: int, clip: float | None
    ) -> Room:
        """Return the room that it is in, with another way; or a new one."""
        from voicepipe_devices.fake.room import Room

        if self._room is None:
            return Room(impulse, rate, clip)
        self._room.change(impulse, rate, clip)
        return self._room

    def backend(self) -> FakeBackend:
        """Return a back end that opens this card."""
        return FakeBackend(self)


class FakeBackend(DriverBackend):
    """The back end "fake": streams over a simulated card. It is its own driver."""

    name = "fake"

    def __init__(self, card: SimulatedCard | None = None) -> None:
        self.card = card or SimulatedCard()
        """The card, to script and to listen to."""

    @property
    def shares_air(self) -> bool:  # type: ignore[override]  # a card may come into its room later
        """True while the card is in a room."""
        return self.card.has_room

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
    """Return a back end over a new simulated card.

    Args:
        argument: "voice": its microphone hears a bundled voice. "room": it hears the card's own speaker.

    Raises:
        ValueError: another argument.
    """
    if argument not in ("", "voice", "room"):
        raise ValueError(
            f"the back end 'fake' takes nothing but 'voice' or 'room' behind its name, not {quote(argument)}"
        )
    backend = VoiceBackend() if argument == "voice" else FakeBackend()
    if argument == "room":
        from voicepipe_devices.fake.impulse import room_impulse  # brings numpy

        backend.card.room(room_impulse())
    return backend
