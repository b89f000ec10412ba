"""The formats to try on a device, the best first, and the words for those that it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepipe.audio.format import MOST_CHANNELS, AudioFormat
from voicepipe.devices.port import StreamRequest
from voicepipe.errors import DeviceFormatError
from voicepipe.text import printable

__all__ = ["MOST_MIXED", "Refusal", "formats", "raise_if_missing", "reasons", "refusal_of_all"]

USUAL_RATES = (48_000, 44_100)
MOST_MIXED = 8
"""A microphone with more channels is no sound card but a sound server, which mixes by itself."""


class Refusal(NamedTuple):
    """One format that was tried."""

    format: AudioFormat
    reason: str


def formats(request: StreamRequest, most: int, default_rate: int, *, capture: bool) -> list[AudioFormat]:
    """List the wanted rate, the device's own, 48 and 44.1 kHz, each with the channels that suit best.

    A microphone is opened with all its channels, so that the one that is picked is among them, or a voice
    is heard whichever it is in: PortAudio would give the first ones, and leave the others out. A speaker
    is opened with as many as are written.

    Args:
        request: what was asked for.
        most: how many channels the device has.
        default_rate: its own.
        capture: it is a microphone.

    Raises:
        DeviceFormatError: it has not the channel that was asked for.
    """
    most = min(MOST_CHANNELS, max(1, most))
    rates = dict.fromkeys((request.format.rate, default_rate, *USUAL_RATES))
    channels = _channels(request, most, capture=capture)
    return [AudioFormat(rate, n) for rate in rates if 1_000 <= rate <= 384_000 for n in channels]


def _channels(request: StreamRequest, most: int, *, capture: bool) -> list[int]:
    wanted = request.format.channels
    if capture and request.channel is not None:
        return list(dict.fromkeys(n for n in (request.channel, 2, most) if request.channel <= n <= most))
    first = most if capture and wanted < most <= MOST_MIXED else wanted
    return list(dict.fromkeys(min(most, n) for n in (first, wanted, 2, most)))


def raise_if_missing(device: str, channels: int, channel: int) -> None:
    """Raise DeviceFormatError where a device with so many channels has not this one."""
    if channel > channels:
        has, choice = ("1 channel", "1") if channels == 1 else (f"{channels} channels", f"1 to {channels}")
        raise DeviceFormatError(f"{printable(device)} has {has}, and no channel {channel}; choose {choice}")


def reasons(refused: Sequence[Refusal]) -> str:
    """Describe what was refused, and why, in a few words: each reason once."""
    by_reason: dict[str, list[AudioFormat]] = {}
    for audio, reason in refused:
        by_reason.setdefault(reason, []).append(audio)
    return "; ".join(f"{_together(tried)} ({reason})" for reason, tried in by_reason.items())


def _together(tried: Sequence[AudioFormat]) -> str:
    """Describe formats as "16000, 48000 Hz, 1 or 2 channels"."""
    rates = dict.fromkeys(str(audio.rate) for audio in tried)
    channels = sorted({audio.channels for audio in tried})
    counts = " or ".join(str(count) for count in channels)
    return f"{', '.join(rates)} Hz, {counts} channel{'' if channels == [1] else 's'}"


def refusal_of_all(device: str, refused: Sequence[Refusal], opens: str) -> DeviceFormatError:
    """Return the error for a device that refused all formats; `opens` says at which it does open."""
    return DeviceFormatError(f"{printable(device)} refuses all that was tried: {reasons(refused)}; {opens}")
