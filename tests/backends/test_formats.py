"""Which formats are tried on a device, in which order, and what is said of those that it refuses."""

from __future__ import annotations

import pytest

from voicepipe import AudioFormat, DeviceFormatError
from voicepipe.cli.commands.devices import describe_side
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.devices.trial import RATES, SideTrial
from voicepipe_devices.formats import MOST_MIXED, Refusal, formats, reasons, refusal_of_all
from voicepipe_devices.probing import try_side


def order(
    most: int, *, rate: int = 16_000, channels: int = 1, channel: int | None = None, capture: bool = True
) -> list[tuple[int, int]]:
    request = StreamRequest(AudioFormat(rate, channels), channel=channel)
    return [(audio.rate, audio.channels) for audio in formats(request, most, 44_100, capture=capture)]


def test_the_wanted_rate_goes_before_the_devices_own_and_that_before_the_usual_ones() -> None:
    assert order(1) == [(16_000, 1), (44_100, 1), (48_000, 1)]


def test_every_channel_of_a_microphone_is_taken_so_that_none_is_missed() -> None:
    assert order(2)[:3] == [(16_000, 2), (16_000, 1), (44_100, 2)]
    assert order(4)[:3] == [(16_000, 4), (16_000, 1), (16_000, 2)]


def test_a_sound_server_mixes_by_itself() -> None:
    assert order(MOST_MIXED)[0] == (16_000, MOST_MIXED)
    assert order(MOST_MIXED + 1)[0] == (16_000, 1)
    assert order(128)[:3] == [(16_000, 1), (16_000, 2), (16_000, 32)]


def test_a_speaker_is_opened_with_what_is_written() -> None:
    assert order(6, capture=False)[:3] == [(16_000, 1), (16_000, 2), (16_000, 6)]
    assert order(1, channels=2, capture=False)[0] == (16_000, 1)


def test_a_channel_that_is_picked_is_among_those_that_are_opened() -> None:
    assert order(4, channel=1)[:3] == [(16_000, 1), (16_000, 2), (16_000, 4)]
    assert order(4, channel=3)[:2] == [(16_000, 3), (16_000, 4)]
    assert order(128, channel=2)[:2] == [(16_000, 2), (16_000, 32)]


def test_a_rate_that_no_stream_can_have_is_not_tried() -> None:
    audio = formats(StreamRequest(), 1, 500, capture=True)
    assert [one.rate for one in audio] == [16_000, 48_000, 44_100]


def refusals() -> list[Refusal]:
    bad_rate = [
        Refusal(AudioFormat(rate, n), "Invalid sample rate") for rate in (16_000, 48_000) for n in (1, 2)
    ]
    return [*bad_rate, Refusal(AudioFormat(44_100, 1), "Invalid number of channels")]


def test_what_was_refused_is_said_once_for_every_reason() -> None:
    assert reasons(refusals()) == (
        "16000, 48000 Hz, 1 or 2 channels (Invalid sample rate); "
        "44100 Hz, 1 channel (Invalid number of channels)"
    )
    error = refusal_of_all("a\x1b[0m card", refusals()[:1], "it opens at 8000 Hz: ask for that")
    assert isinstance(error, DeviceFormatError)
    assert str(error) == (
        "a\\x1b[0m card refuses all that was tried: 16000 Hz, 1 channel (Invalid sample rate); "
        "it opens at 8000 Hz: ask for that"
    )


def test_a_stream_says_in_one_line_how_it_was_opened_and_why() -> None:
    plain = StreamInfo("card", AudioFormat(16_000), 320, 0.04)
    assert plain.how == '"card" opened at 16000 Hz, 1 channel; it reports 40 ms of latency'
    converted = StreamInfo("a\ncard", AudioFormat(16_000), 320, 0.06, 48_000, 2, reasons(refusals()[:1]))
    assert converted.how == (
        '"a\\ncard" opened at 48000 Hz, 2 channels, and converted to 16000 Hz, 1 channel; it reports 60 ms '
        "of latency; it refused 16000 Hz, 1 channel (Invalid sample rate)"
    )


class OnlyThese:
    """A device, as a check sees it."""

    def __init__(self, *rates: int, most: int = 2) -> None:
        self.asked: list[AudioFormat] = []
        self._rates, self._most = rates, most

    def __call__(self, audio: AudioFormat) -> None:
        self.asked.append(audio)
        if audio.rate not in self._rates or audio.channels > self._most:
            raise DeviceFormatError("no")


def test_a_device_is_tried_at_the_usual_rates_and_channels_and_its_own() -> None:
    device = OnlyThese(12_345, 44_100, 96_000, most=3)
    side = try_side(device, StreamRequest(), 3, 12_345, capture=True)
    assert side.rates == (12_345, 44_100, 96_000)
    assert side.channels == (1, 2, 3)
    assert (side.taken_rate, side.taken_channels, side.trouble) == (12_345, 3, "")
    assert len(device.asked) < 30


def test_rates_and_channels_are_shown_in_few_words() -> None:
    assert describe_side(SideTrial(RATES, (1, 2, 4, 6, 8, 32), 16_000, 1)) == (
        "8 to 192 kHz, 1 to 32 channels; 16 kHz mono as it is"
    )
    assert describe_side(SideTrial((44_100, 48_000, 96_000), (2,), 48_000, 2)) == (
        "44.1, 48 or 96 kHz, 2 channels; 16 kHz mono from 48 kHz, 2 channels"
    )
    assert describe_side(SideTrial((8_000,), (1,))) == "8 kHz, 1 channel; not usable for 16 kHz mono"
    assert describe_side(SideTrial(trouble="in use by zoom (pid 12)")) == "in use by zoom (pid 12)"


def test_where_nothing_would_be_taken_it_is_said_what_opens() -> None:
    side = try_side(OnlyThese(8_000), StreamRequest(), 2, 900, capture=False)
    assert (side.rates, side.channels, side.taken_rate) == ((8_000,), (1, 2), 0)


def test_a_device_that_opens_at_nothing_has_a_trouble() -> None:
    side = try_side(OnlyThese(900), StreamRequest(), 2, 900, capture=False)
    assert side.trouble == "it refuses every usual rate; its own is 900 Hz"
    assert (side.rates, side.channels) == ((), ())


@pytest.mark.parametrize("channel", [0, -1, 33, True, "left", 1.0])
def test_a_channel_is_a_number_from_1_to_32(channel: object) -> None:
    with pytest.raises((TypeError, ValueError), match="channel must be a whole number"):
        StreamRequest(channel=channel)  # type: ignore[arg-type]
