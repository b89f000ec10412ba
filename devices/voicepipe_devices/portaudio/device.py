"""A microphone or a speaker in PortAudio's list: found by its name, tried, opened in a format that it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.errors import DeviceBusyError, DeviceFormatError, DeviceNotFoundError
from voicepipe.text import printable
from voicepipe_devices.formats import Refusal, formats, raise_if_missing, reasons, refusal_of_all
from voicepipe_devices.portaudio import alsa
from voicepipe_devices.portaudio.cards import known_cards, steady_names_of
from voicepipe_devices.portaudio.choosing import Candidate, choose, describe_namesakes
from voicepipe_devices.portaudio.handle import PortAudioHandle
from voicepipe_devices.portaudio.library import load, translate_errors
from voicepipe_devices.portaudio.suggested_latency import is_pipewires, suggest_latency

if TYPE_CHECKING:
    from voicepipe.devices.trial import SideTrial

__all__ = ["INPUT", "OUTPUT", "Device", "Direction", "find", "find_in"]


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction, with sounddevice's names for it."""

    kind: str
    channels: str
    default: int
    stream: str
    check: str
    is_input: bool


INPUT = Direction("microphone", "max_input_channels", 0, "RawInputStream", "check_input_settings", True)
OUTPUT = Direction("speaker", "max_output_channels", 1, "RawOutputStream", "check_output_settings", False)


class Device:
    """A microphone, or a speaker.

    Args:
        direction: which of the two.
        index: its place in PortAudio's list.
        fields: what PortAudio says of it.
        note: what the user should know of its name.
    """

    def __init__(self, direction: Direction, index: int, fields: dict[str, Any], note: str = "") -> None:
        self.name = printable(fields["name"])
        self.channels: int = fields[direction.channels]
        self._raw_name: str = fields["name"]
        self._default_rate = round(fields["default_samplerate"])
        self._direction = direction
        self._index = index
        self._note = note

    def open(self, request: StreamRequest, make: Callable[[StreamInfo], PortAudioHandle]) -> PortAudioHandle:
        """Open it in the first format that it takes. Raises: DeviceError."""
        if self._direction.is_input and request.channel is not None:
            raise_if_missing(self.name, self.channels, request.channel)
        refused: list[Refusal] = []
        for audio in self._formats(request):
            why = printable(reasons(refused))
            block = audio.samples(request.block_s)
            handle = make(StreamInfo(self.name, audio, block, 0.0, why=why, note=self._note))
            try:
                self._open(handle, suggest_latency(request.latency, self._raw_name))
            except DeviceFormatError as error:
                refused.append(Refusal(audio, str(error).removeprefix(f"{self.name}: ")))
            else:
                return handle
        raise refusal_of_all(self.name, refused, self._what_opens())

    @property
    def is_behind_pipewire(self) -> bool:
        """True of a device of PipeWire's."""
        return is_pipewires(self._raw_name)

    def trial(self) -> SideTrial | None:
        """Try it, without opening it; None: it has no channels."""
        # Seldom wanted, and a sound process must start soon.
        from voicepipe.devices.trial import SideTrial
        from voicepipe_devices.probing import try_side

        capture = self._direction.is_input
        if self.channels:
            return try_side(self._check, StreamRequest(), self.channels, self._default_rate, capture=capture)
        why = alsa.explain(DeviceNotFoundError(), self._raw_name, capture=capture)
        if isinstance(why, DeviceNotFoundError):
            return None
        named = f"the {self._direction.kind} {self._raw_name!r} is "
        return SideTrial(trouble=printable(str(why).removeprefix(named)))

    def _open(self, handle: PortAudioHandle, latency: str | float) -> None:
        kind = getattr(load(), self._direction.stream)
        try:
            with translate_errors(self.name), _one_at_a_time():
                handle.open(kind, self._index, latency)
        except DeviceBusyError as error:
            raise alsa.explain_busy(error, self._raw_name, capture=self._direction.is_input) from None

    def _check(self, audio: AudioFormat) -> None:
        """Raise DeviceError where it would not open."""
        check = getattr(load(), self._direction.check)
        try:
            with translate_errors(self.name):
                check(self._index, audio.channels, "int16", samplerate=audio.rate)
        except DeviceBusyError as error:
            raise alsa.explain_busy(error, self._raw_name, capture=self._direction.is_input) from None

    def _formats(self, request: StreamRequest) -> list[AudioFormat]:
        return formats(request, self.channels, self._default_rate, capture=self._direction.is_input)

    def _what_opens(self) -> str:
        """Describe what opens, for the error of a device that refuses what was tried."""
        trial = self.trial()
        if trial is not None and trial.rates:
            rates, most = ", ".join(str(rate) for rate in trial.rates), max(trial.channels, default=1)
            return f"it opens at {rates} Hz with up to {most} channels: ask for one of these"
        return (
            f"it says that it has {self._default_rate} Hz and at most {self.channels} channels: "
            "choose another device"
        )


def find(direction: Direction, name: str) -> Device:
    """Find the device that a name means; empty: the default one. Raises: DeviceError."""
    sd = load()
    try:
        with translate_errors(f"the {direction.kind}"):
            return find_in(sd, direction, name) if name else _find_default(sd, direction)
    except DeviceNotFoundError as error:
        raise alsa.explain(error, name, capture=direction.is_input) from None


def _find_default(sd: Any, direction: Direction) -> Device:
    devices: list[dict[str, Any]] = list(sd.query_devices())
    index: int = sd.default.device[direction.default]
    if not 0 <= index < len(devices):
        raise DeviceNotFoundError(
            f"there is no {direction.kind}: plug one in, start the sound server, or end what uses it"
        )
    return Device(direction, index, devices[index])


def find_in(sd: Any, direction: Direction, name: str) -> Device:
    """Find the device that a name means in the lists of sounddevice. Raises: DeviceNotFoundError."""
    devices: list[dict[str, Any]] = list(sd.query_devices())
    hosts = sd.query_hostapis()
    known = known_cards()
    candidates = [
        Candidate(
            device["name"],
            index,
            hosts[device["hostapi"]]["name"],
            steady_names_of(device["name"], known),
        )
        for index, device in enumerate(devices)
        if device[direction.channels] > 0
    ]
    unlisted = alsa.find_unlisted([c.name for c in candidates], capture=direction.is_input)
    chosen = choose(candidates, name, direction.kind, unlisted=unlisted, cards=known)
    note = describe_namesakes(candidates, chosen, name, direction.kind)
    return Device(direction, chosen.index, devices[chosen.index], note)


_opening = threading.Lock()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Open one stream at a time, for PortAudio's list of them has no lock. A call that hangs is past it."""
    got = _opening.acquire(timeout=1.0)
    try:
        yield
    finally:
        if got:
            _opening.release()
