"""What are the time stamps of sound servers worth? Through real PortAudio, on a virtual card behind each.

    python tests/benchmarks/stamps.py                      # the bare card, PulseAudio, PipeWire and JACK
    python tests/benchmarks/stamps.py --server pulse --rate 16000 --starts 3

Noise is played and noise is said. The card's own record tells when a sample sounded, or was in the air, and
the streams tell when they say so. The differences are in milliseconds: their middle, and by how much nine
of ten blocks are off it. "Echo" is what an echo of no delay would seem to need: below 0 it would seem to
come before its sound. "Counted" is the fall-back, for hosts without time stamps.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (1, 2)]

import numpy as np
import numpy.typing as npt

from benchmarks.table import Cell, Table
from soundcard.card import Card
from soundcard.plugging import CannotRunError, PluggedCard, plugged
from voicepipe import AudioFormat
from voicepipe.audio.convert import Converter
from voicepipe.devices.port import Backend, InputStream, OutputStream, StreamRequest
from voicepipe_devices.sound_process.backend import OutsideBackend

__all__ = ["Heard", "errors_of", "main"]

SERVERS = ("none", "pulse", "pipewire", "jack")
DRIVERS = {"stamps": "voicepipe_devices.portaudio:driver", "counted": "benchmarks.blind_portaudio:driver"}
RATE = 48_000
PIECE_S, EVERY_S = 0.05, 0.1
"""Pieces of noise that are looked for, and between their beginnings."""
SETTLE_S = 1.5
_SAME = 0.7
"""The least correlation of a piece that was found."""
Sound = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream's audio, gapless, and what it says of the times of some of its samples."""

    sound: Sound
    rate: int
    places: tuple[int, ...]
    times_s: tuple[float, ...]

    def time_s(self, place: int) -> float:
        """Return the time of a sample."""
        at = max(0, int(np.searchsorted(self.places, place, side="right")) - 1)
        return self.times_s[at] + (place - self.places[at]) / self.rate

    def at_rate(self, rate: int) -> Sound:
        """Return the sound at another rate."""
        converter = Converter(AudioFormat(self.rate), AudioFormat(rate), quality="HQ")
        data = np.rint(self.sound).astype(np.int16).tobytes()
        return np.frombuffer(converter.convert(data) + converter.flush(), np.int16).astype(np.float64)


def errors_of(heard: Heard, truth: Sound, truth_rate: int, truth_began_s: float) -> list[float]:
    """Return by how much the stream's times are too late, for each piece that is found in the truth."""
    sound = heard.at_rate(truth_rate)
    piece, errors = round(PIECE_S * truth_rate), []
    for begin in range(0, len(sound) - piece, round(EVERY_S * truth_rate)):
        wanted = sound[begin : begin + piece]
        at = _find(truth, wanted) if np.abs(wanted).max() > 1_000 else None
        if at is not None:
            said_s = heard.time_s(round(begin * heard.rate / truth_rate))
            errors.append(said_s - truth_began_s - at / truth_rate)
    return errors


def _find(sound: Sound, piece: Sound) -> int | None:
    size = 1 << (len(sound) + len(piece)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size))
    at = int(np.argmax(np.fft.irfft(spectrum, size)[: len(sound)]))
    there = sound[at : at + len(piece)]
    likeness = there @ piece[: len(there)] / np.sqrt(there @ there * (piece @ piece) + 1)
    return at if likeness > _SAME else None


# -- one run ----------------------------------------------------------------------------


class Listener:
    """Collects what a microphone captures and what a speaker's device took."""

    def __init__(self, microphone: InputStream, speaker: OutputStream) -> None:
        self._microphone, self._speaker = microphone, speaker
        self.captured: list[tuple[bytes, int, float]] = []
        self.played: list[tuple[bytes, int, float]] = []

    def look(self) -> None:
        """Take what there is."""
        self.captured += iter(self._microphone.read, None)
        self.played += iter(self._speaker.heard, None)


def _heard(blocks: Sequence[tuple[bytes, int, float]], rate: int, after_s: float) -> Heard:
    """Return the blocks behind the last loss, without those before a time."""
    while blocks and blocks[0][2] < after_s:
        blocks = blocks[1:]
    for at in range(len(blocks) - 1, 0, -1):
        if blocks[at - 1][1] + len(blocks[at - 1][0]) // 2 != blocks[at][1]:
            blocks = blocks[at:]
            break
    sound = np.frombuffer(b"".join(block[0] for block in blocks), np.int16).astype(np.float64)
    places = tuple(block[1] - blocks[0][1] for block in blocks)
    return Heard(sound, rate, places, tuple(block[2] for block in blocks))


def noise(seconds: float, rate: int, seed: int) -> bytes:
    """Return noise below 6 kHz, so that it survives a change of the rate."""
    dice = np.random.default_rng(seed)
    spectrum = np.fft.rfft(dice.standard_normal(round(seconds * rate)))
    spectrum[round(6_000 * seconds) :] = 0
    sound = np.fft.irfft(spectrum, round(seconds * rate))
    return bytes(np.rint(sound / np.abs(sound).max() * 20_000).astype(np.int16).tobytes())


async def _run(backend: Backend, card: Card, request: StreamRequest, seconds: float) -> tuple[Listener, str]:
    news = asyncio.Event()
    microphone = await backend.open_input(request, news.set)
    speaker = await backend.open_output(request, news.set)
    listener = Listener(microphone, speaker)
    try:
        await microphone.start()
        await speaker.start()
        speaker.write(noise(seconds + SETTLE_S, request.format.rate, 1))
        said = array.array("h", noise(seconds + SETTLE_S, card.rate, 2))
        card.say(said[: 8 * card.rate], 0.2)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds + SETTLE_S
        while loop.time() < end_s:
            await asyncio.sleep(0.1)
            listener.look()
        return listener, f"{speaker.stamps}/{microphone.stamps}"
    finally:
        await speaker.close()
        await microphone.close()


def measure(card: PluggedCard, way: str, options: argparse.Namespace) -> tuple[list[Cell], bool]:
    """Run once; return the cells of a row, and whether anything was found."""
    os.environ.update(card.env)
    request = StreamRequest(
        AudioFormat(options.rate), options.device, options.block, options.latency, tap=True
    )
    backend = OutsideBackend(DRIVERS[way], "portaudio", shares_air=True)
    listener, stamps = asyncio.run(_run(backend, card, request, options.seconds))
    end = card.now()
    frames = round((options.seconds + 1.0) * card.rate)
    sounded = np.array(card.heard(end - frames, frames), np.float64)
    began_s = card.speaker.epoch_ns / 1e9 + (end - frames) / card.rate
    played = _heard(listener.played, options.rate, began_s + 0.2)
    captured = _heard(listener.captured, options.rate, began_s + 0.2)
    out = errors_of(played, sounded, card.rate, began_s)
    said = np.frombuffer(noise(options.seconds + SETTLE_S, card.rate, 2), np.int16).astype(np.float64)
    inside = errors_of(captured, said, card.rate, card.mic.epoch_ns / 1e9 + card.mic.lo / card.rate)
    echo = None if not out or not inside else 1e3 * (np.median(inside) - np.median(out))
    return [*_figures(out), *_figures(inside), echo if echo is None else float(echo), stamps], bool(
        out and inside
    )


def _figures(errors: list[float]) -> list[Cell]:
    if not errors:
        return [None, None]
    middle = float(np.median(errors))
    return [1e3 * middle, 1e3 * float(np.quantile(np.abs(np.array(errors) - middle), 0.9))]


COLUMNS = ("server", "speaker", "+-", "microphone", "+-", "echo", "worth")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table. Returns 1 where a stream gave nothing, 2 without a card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--way", nargs="+", choices=tuple(DRIVERS), default=tuple(DRIVERS))
    parser.add_argument("--rate", type=int, default=RATE, help="of the streams (default: the card's, 48000)")
    parser.add_argument(
        "--device", default="", help="such as vcard: the card itself, without ALSA's converter"
    )
    parser.add_argument("--block", type=float, default=0.02, metavar="SECONDS")
    parser.add_argument("--latency", type=lambda word: word if word.isalpha() else float(word), default="low")
    parser.add_argument("--seconds", type=float, default=5.0, help="of noise, at most 6")
    parser.add_argument("--starts", type=int, default=1, help="of each")
    options = parser.parse_args(arguments)
    rows, all_found = [], True
    for server in options.server:
        with TemporaryDirectory() as directory:
            try:
                with plugged(Path(directory) / "card", server=server) as card:
                    for way in options.way:
                        for _ in range(options.starts):
                            cells, found = measure(card, way, options)
                            all_found &= found
                            rows.append((f"{server}, {way}", *cells))
            except CannotRunError as error:
                print(error, file=sys.stderr)
                return 2
    streams = f"{options.rate} Hz, blocks of {options.block:g} s, latency {options.latency}"
    title = f"Times of the streams less the card's own, ms: {streams}"
    print(Table("stamps", title, COLUMNS, tuple(rows)))
    return not all_found


if __name__ == "__main__":
    sys.exit(main())
