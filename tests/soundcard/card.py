#!/usr/bin/env python3
"""The far side of the virtual sound card: what a person's mouth, ear and hands would do to a real one.

Standard library only. A module:

    from soundcard.card import Card
    with Card() as card:                       # the one named by $VCARD
        start = card.say(samples)              # into the microphone
        heard = card.heard(card.at_speaker(start), len(samples))  # at the speaker, then

And a command:

    card.py create FILE [--rate 48000] [--mic 1] [--speaker 2]
    card.py play WAV [--after 0.2] [--gain 1.0] [--wait]
    card.py record WAV --seconds 5
    card.py echo [--delay-ms 40] [--gain 0.5] [--taps "40:0.5,55:0.2"] | --off
    card.py room IMPULSE [--gain 1.0] [--clip 4] | --off
    card.py loss mic|speaker|both [--ms 20] [--every-ms 3000] [--once] | --off
    card.py fault mic|speaker|both none|unplug|vanish|stall|break|xrun|busy
    card.py clock mic|speaker|both --ppm 150
    card.py wake mic|speaker|both --delay-ms 3
    card.py grain mic|speaker|both FRAMES
    card.py status
"""

from __future__ import annotations

import argparse
import array
import json
import math
import mmap
import os
import sys
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.shared import Direction, Head

__all__ = ["FAULTS", "Card", "load", "load_impulse", "save"]

RING_FRAMES = 1 << 19
FAULTS = {"none": 0, "unplug": 1, "stall": 2, "xrun": 3, "busy": 4, "vanish": 5, "break": 6}
WHICH = ("mic", "speaker", "both")


class Card:
    """One virtual sound card. `mic` and `speaker` are its live counters.

    Args:
        path: its file; by default the one that the environment variable VCARD names.

    Raises:
        ValueError: the file is no virtual sound card.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path or os.environ["VCARD"]
        fd = os.open(self.path, os.O_RDWR)
        try:
            self._memory = mmap.mmap(fd, 0)
        finally:
            os.close(fd)
        head = self._head = Head(self._memory)
        if head.magic != Head.MAGIC:
            self.close()
            raise ValueError(f"{self.path} is no virtual sound card: make one with `card.py create`")
        self.mic, self.speaker, self.rate = head.mic, head.speaker, head.rate
        self._mic_ring = Head.BYTES
        self._speaker_ring = Head.BYTES + head.ring * 2 * self.mic.channels
        self._impulse = self._speaker_ring + head.ring * 2 * self.speaker.channels

    @classmethod
    def create(cls, path: str, rate: int = 48000, mic: int = 1, speaker: int = 2) -> Self:
        """Make the file of a new card with so many channels. Who has the old one open keeps it."""
        size = Head.BYTES + RING_FRAMES * 2 * (mic + speaker) + 4 * Head.IMPULSE
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w+b") as file:
            file.truncate(size)
            with mmap.mmap(file.fileno(), size) as memory:
                head = Head(memory)
                head.magic, head.rate, head.ring, head.exclusive = Head.MAGIC, rate, RING_FRAMES, 1
                head.mic.epoch_ns = head.speaker.epoch_ns = _now_ns()
                head.mic.channels, head.speaker.channels = mic, speaker
        os.replace(temporary, path)
        return cls(path)

    def close(self) -> None:
        """Let go of the card's memory: it can be used no more. A second time does nothing."""
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- clocks

    def now(self, direction: Direction | None = None) -> int:
        """The card's frame number now, by the clock of one direction; by default the speaker's."""
        direction = direction or self.speaker
        return int((_now_ns() - direction.epoch_ns) * self._hz(direction) / 1e9)

    def _hz(self, direction: Direction) -> float:
        return self.rate * (1 + direction.ppm * 1e-6)

    def at_speaker(self, frame: int) -> int:
        """The speaker's frame at the moment of a microphone's frame.

        The same number, unless their clocks have been set apart.
        """
        mic, speaker = self.mic, self.speaker
        if (mic.ppm, mic.epoch_ns) == (speaker.ppm, speaker.epoch_ns):
            return frame
        hz = self._hz(speaker)
        return round((mic.epoch_ns - speaker.epoch_ns) * hz / 1e9 + frame * hz / self._hz(mic))

    def clock(self, which: str, ppm: int) -> None:
        """Give the clock of `mic`, `speaker` or `both` an error, from now on.

        Once both errors are 0 the two are brought together again: a jump, best with no stream open.
        """
        for direction in self.directions(which):
            frame, now = self.now(direction), _now_ns()
            direction.ppm = ppm
            direction.epoch_ns = now - int(frame * 1e9 / self._hz(direction))
        if not self.mic.ppm and not self.speaker.ppm:
            self.mic.epoch_ns = self.speaker.epoch_ns

    # -- microphone

    def put(self, frame: int, samples: array.array[int], channel: int = 0) -> None:
        """Put samples (mono) into the microphone's ring from `frame` on.

        They are copied to every channel, or go to one, counted from 1, and the others are silent.

        What lies between the last put and this one is silence. At most about 9 s ahead of now.
        """
        mic, ring = self.mic, self._head.ring
        if mic.hi < self.now(mic) - 256 or mic.hi < frame - ring // 2:
            mic.lo = mic.hi = frame  # a gap: nothing older is wanted
        elif frame > mic.hi:
            self._fill(mic.hi, array.array("h", bytes(2 * (frame - mic.hi))))
        self._fill(frame, samples, channel)
        mic.hi = max(mic.hi, frame + len(samples))

    def _fill(self, frame: int, samples: array.array[int], channel: int = 0) -> None:
        channels = self.mic.channels
        wide = samples
        if channel and channels > 1:
            wide = array.array("h", bytes(2 * channels * len(samples)))
            wide[channel - 1 :: channels] = samples
        elif channels > 1:
            wide = array.array("h", (sample for sample in samples for _ in range(channels)))
        data = memoryview(wide).cast("B")
        for place, begin, end in self._places(self._mic_ring, channels, frame, len(samples)):
            self._memory[place : place + end - begin] = data[begin:end]

    def _places(self, base: int, channels: int, frame: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Where frames lie in a ring: (place in the memory, begin and end in the frames), in bytes."""
        ring, width, done = self._head.ring, 2 * channels, 0
        while done < count:
            at = (frame + done) % ring
            some = min(count - done, ring - at)
            yield base + at * width, done * width, (done + some) * width
            done += some

    def say(self, samples: array.array[int], after: float = 0.2, channel: int = 0) -> int:
        """Play samples of any length into the microphone, from `after` seconds from now on.

        Into every channel of it, or into one, counted from 1. Returns the frame of the first. Blocks
        while the rest does not fit into the ring. What is said while nothing listens is lost.
        """
        start = self.now(self.mic) + int(after * self.rate)
        for done in range(0, len(samples), self.rate):
            while start + done - self.now(self.mic) > 4 * self.rate:
                time.sleep(0.1)
            self.put(start + done, samples[done : done + self.rate], channel)
        return start

    # -- speaker

    def heard(self, frame: int, count: int, channel: int = 0) -> array.array[int]:
        """What the speaker played in the `count` frames from `frame` on: silence where nothing was.

        Waits until it has been played. The ring holds about 10 s.
        """
        while (left := frame + count - self.now(self.speaker)) > 0:
            time.sleep(left / self.rate + 0.001)
        channels, written = self.speaker.channels, self.speaker.hi
        begin = min(count, max(0, written - self._head.ring - frame))
        end = max(begin, min(count, written - frame))
        heard = array.array("h", bytes(2 * begin))
        places = self._places(self._speaker_ring, channels, frame + begin, end - begin)
        for place, first, last in places:
            heard.extend(array.array("h", self._memory[place : place + last - first])[channel::channels])
        heard.extend(array.array("h", bytes(2 * (count - end))))
        return heard

    # -- the world

    def echo(self, taps: Sequence[tuple[float, float]]) -> None:
        """Join speaker to microphone through the air: delay in ms and gain of each way. None: apart."""
        if len(taps) > Head.TAPS:
            raise ValueError(f"{len(taps)} taps: at most {Head.TAPS}")
        self._head.echo = [(int(ms * self.rate / 1000), gain) for ms, gain in taps]

    def room(self, impulse: Sequence[float], clip: float = 0.0) -> None:
        """Let the microphone hear the speaker through an impulse response at the card's rate; empty: not.

        1.0 is as loud as it was played. In mid-run the way changes at once. `clip` is the drive of the
        loudspeaker's soft clipping, tanh(clip x) / clip; 0: it does not clip.

        Raises:
            ValueError: too many taps, one that is no finite number, or a clip below 0 or above 100.
        """
        taps = array.array("f", impulse)
        if len(taps) > Head.IMPULSE:
            raise ValueError(f"{len(taps)} taps: at most {Head.IMPULSE}, {Head.IMPULSE / self.rate:.1f} s")
        if not all(map(math.isfinite, taps)):
            raise ValueError("a tap of the impulse response is no finite number")
        if not 0 <= clip <= 100:
            raise ValueError(f"clip must be from 0 to 100, not {clip}")
        self._head.changes += 1  # odd: the plugin waits
        self._memory[self._impulse : self._impulse + 4 * len(taps)] = taps.tobytes()
        self._head.impulse, self._head.drive = len(taps), round(1000 * clip)
        self._head.changes += 1

    def loss(self, which: str, seconds: float, every_s: float = 0.0) -> None:
        """Lose so much of `mic`, `speaker` or `both`, without an overrun: every so often, or once, now.

        Time passes, the position stands still, and goes on. A microphone misses what is to be heard
        meanwhile; a speaker is silent. Without `seconds` the losses end.
        """
        frames, every = round(seconds * self.rate), round(every_s * self.rate)
        for direction in self.directions(which):
            if frames and not every:
                direction.lose = frames
            else:
                direction.loss_every, direction.loss = every, frames

    def directions(self, which: str) -> list[Direction]:
        """Those that `mic`, `speaker` or `both` names."""
        return {"mic": [self.mic], "speaker": [self.speaker], "both": [self.mic, self.speaker]}[which]

    def fault(self, which: str, kind: str) -> None:
        """Let one of FAULTS happen to `mic`, `speaker` or `both`; `none` ends it."""
        for direction in self.directions(which):
            direction.fault = FAULTS[kind]

    def status(self) -> dict[str, Any]:
        """Everything there is to know."""
        return {
            "file": self.path,
            "rate": self.rate,
            "now": self.now(),
            "echo": [(delay * 1000 / self.rate, round(gain, 4)) for delay, gain in self._head.echo],
            "impulse": self._head.impulse,
            "clip": self._head.drive / 1000,
            "mic": self.mic.as_dict(),
            "speaker": self.speaker.as_dict(),
        }


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def load(path: str, rate: int, gain: float = 1.0) -> array.array[int]:
    """A 16-bit WAV's first channel, brought to `rate` by linear interpolation.

    Good enough for speech; convert beforehand where quality matters.
    """
    with wave.open(path, "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path} has {8 * file.getsampwidth()} bits: 16 are wanted")
        samples = array.array("h", file.readframes(file.getnframes()))[:: file.getnchannels()]
        step = file.getframerate() / rate
    if step == gain == 1.0:
        return samples
    return array.array("h", _interpolated(samples, step, gain))


def _interpolated(samples: array.array[int], step: float, gain: float) -> Iterator[int]:
    for i in range(int((len(samples) - 1) / step)):
        j = int(i * step)
        x = samples[j] + (samples[j + 1] - samples[j]) * (i * step - j)
        yield max(-32768, min(32767, int(x * gain)))


def load_impulse(path: str, rate: int, gain: float = 1.0) -> array.array[float]:
    """Return an impulse response: a 16-bit WAV's first channel, or a text file of numbers.

    Raises:
        ValueError: the WAV has another rate, or a word of the text is no number.
    """
    if not path.lower().endswith(".wav"):
        with open(path, encoding="utf-8") as file:
            words = [word for line in file for word in line.split("#")[0].replace(",", " ").split()]
        return array.array("f", (float(word) * gain for word in words))
    with wave.open(path, "rb") as wav:
        if wav.getframerate() != rate:
            raise ValueError(f"{path} has {wav.getframerate()} Hz, the card {rate}: convert it, as with sox")
    return array.array("f", (sample / 32768 * gain for sample in load(path, rate)))


def save(path: str, samples: array.array[int], rate: int) -> None:
    """Write a mono 16-bit WAV."""
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


# -- the command


def _create(options: argparse.Namespace) -> None:
    Card.create(options.file, options.rate, options.mic, options.speaker).close()


def _play(card: Card, options: argparse.Namespace) -> None:
    samples = load(options.wav, card.rate, options.gain)
    start = card.say(samples, options.after)
    print(f"frame {start}, {len(samples) / card.rate:.2f} s", flush=True)
    # The ring outlives this process; only --wait needs it to stay.
    while options.wait and card.now(card.mic) < start + len(samples):
        time.sleep(0.05)


def _record(card: Card, options: argparse.Namespace) -> None:
    start, step, heard = card.now(), card.rate // 10, array.array("h")
    print(f"from frame {start}, {options.seconds:.2f} s", flush=True)
    for done in range(0, int(options.seconds * card.rate), step):
        heard.extend(card.heard(start + done, step))
    save(options.wav, heard, card.rate)


def _echo(card: Card, options: argparse.Namespace) -> None:
    card.echo([] if options.off else options.taps or [(options.delay_ms, options.gain)])


def _room(card: Card, options: argparse.Namespace) -> None:
    if options.off:
        card.room([])
    elif options.impulse is None:
        raise ValueError("name the file of an impulse response, or --off")
    else:
        card.room(load_impulse(options.impulse, card.rate, options.gain), options.clip)


def _loss(card: Card, options: argparse.Namespace) -> None:
    every_s = 0.0 if options.once or options.off else options.every_ms / 1000
    card.loss(options.which, 0.0 if options.off else options.ms / 1000, every_s)


def _fault(card: Card, options: argparse.Namespace) -> None:
    card.fault(options.which, options.kind)


def _clock(card: Card, options: argparse.Namespace) -> None:
    card.clock(options.which, int(options.ppm))


def _wake(card: Card, options: argparse.Namespace) -> None:
    for direction in card.directions(options.which):
        direction.wake_delay_us = int(options.delay_ms * 1000)


def _grain(card: Card, options: argparse.Namespace) -> None:
    for direction in card.directions(options.which):
        direction.grain = options.frames


def _status(card: Card, _: argparse.Namespace) -> None:
    print(json.dumps(card.status(), indent=1))


def _taps(text: str) -> list[tuple[float, float]]:
    pairs = (tap.split(":") for tap in text.split(","))
    return [(float(ms), float(gain)) for ms, gain in pairs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="the far side of the virtual sound card")
    parser.add_argument("--card", help="the card's file (default: $VCARD)")
    commands = parser.add_subparsers(dest="do", required=True)

    def command(name: str, what: Callable[[Card, argparse.Namespace], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name)
        made.set_defaults(what=what)
        if what in (_fault, _loss, _clock, _wake, _grain):
            made.add_argument("which", choices=WHICH)
        return made

    _add_create(commands.add_parser("create"))
    play = command("play", _play)
    play.add_argument("wav")
    play.add_argument("--after", type=float, default=0.2, metavar="SECONDS")
    play.add_argument("--gain", type=float, default=1.0)
    play.add_argument("--wait", action="store_true", help="return when it has been said")
    record = command("record", _record)
    record.add_argument("wav")
    record.add_argument("--seconds", type=float, required=True)
    echo = command("echo", _echo)
    echo.add_argument("--delay-ms", type=float, default=40)
    echo.add_argument("--gain", type=float, default=0.5)
    echo.add_argument("--taps", type=_taps, help='"ms:gain,ms:gain,..."')
    echo.add_argument("--off", action="store_true")
    room = command("room", _room)
    room.add_argument("impulse", nargs="?", help="16-bit WAV at the card's rate, or a text file of numbers")
    room.add_argument("--gain", type=float, default=1.0)
    room.add_argument("--clip", type=float, default=0.0, metavar="DRIVE")
    room.add_argument("--off", action="store_true")
    loss = command("loss", _loss)
    loss.add_argument("--ms", type=float, default=20)
    loss.add_argument("--every-ms", type=float, default=3000)
    loss.add_argument("--once", action="store_true")
    loss.add_argument("--off", action="store_true")
    command("fault", _fault).add_argument("kind", choices=FAULTS)
    command("clock", _clock).add_argument("--ppm", type=float, required=True)
    command("wake", _wake).add_argument("--delay-ms", type=float, required=True)
    command("grain", _grain).add_argument("frames", type=int)
    command("status", _status)
    return parser


def _add_create(create: argparse.ArgumentParser) -> None:
    create.add_argument("file")
    create.add_argument("--rate", type=int, default=48000)
    create.add_argument("--mic", type=int, default=1, metavar="CHANNELS")
    create.add_argument("--speaker", type=int, default=2, metavar="CHANNELS")


def main() -> None:
    """Do what the command line says."""
    parser = _parser()
    options = parser.parse_args()
    if options.do == "create":
        _create(options)
        return
    if not (options.card or os.environ.get("VCARD")):
        parser.error("no card: source what `up` prints, or name its file with --card")
    try:
        with Card(options.card) as card:
            options.what(card, options)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
