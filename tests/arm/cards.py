"""The sound card of the booted system, and the far side of it: that of the kernel, or a virtual one."""

from __future__ import annotations

import abc
import array
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arm.hearing import RATE, SOUNDS
from arm.looking import PATIENCE, run, say, until

__all__ = ["CARDS", "Cards"]

HOME = Path("/home/pi")
PAUSE_S = 3


class Cards(abc.ABC):
    """Speaks to the service, hears what it says, and takes its devices away."""

    listed: ClassVar[str]
    """A part of the name of one, as `voicepipe devices` lists it."""

    @abc.abstractmethod
    def settings(self, *, speaker_that_goes: bool = False) -> list[str]:
        """Lines of the settings that choose the devices."""

    @abc.abstractmethod
    def speak(self, sound: bytes) -> Callable[[], object]:
        """Into the service's microphone: half a second of silence, the sound, and silence.

        Returns what waits for its end.
        """

    @abc.abstractmethod
    def recording(self, path: Path) -> AbstractContextManager[None]:
        """What the service's speaker plays meanwhile, into the file."""

    @abc.abstractmethod
    def speaker(self, *, there: bool) -> bool:
        """Take the speaker out, or put it in; whether that is done."""

    @abc.abstractmethod
    def microphone(self, *, there: bool) -> None:
        """The same of the microphone."""


def _spoken(sound: bytes) -> bytes:
    return bytes(RATE) + sound + bytes(2 * RATE * PAUSE_S)


class KernelCards(Cards):
    """snd-aloop: what is played on one side comes to the microphone of the other. And a USB speaker.

    boot.py unplugs and plugs that, where it is asked to.
    """

    listed = "Loopback"
    _LOOPBACK = Path("/proc/asound/Loopback")
    _USB = Path("/proc/asound/card2")
    _DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
    _SIDE = "Loopback: PCM (hw:0,1)"
    """The service's end, where it is not `default`."""
    _FORM = ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE))

    def settings(self, *, speaker_that_goes: bool = False) -> list[str]:
        """Where a processor is emulated, `default` with ALSA's own conversion is too much."""
        lines = ['vad = "webrtc-plain"', f'mic = "{self._SIDE}"'] if PATIENCE > 1 else []
        speaker = "USB" if speaker_that_goes else self._SIDE if PATIENCE > 1 else ""
        return [*lines, *([f'speaker = "{speaker}"'] if speaker else [])]

    def speak(self, sound: bytes) -> Callable[[], object]:
        path = SOUNDS / "said.raw"
        path.write_bytes(_spoken(sound))
        command = ["aplay", "-D", self._side("c"), *self._FORM, str(path)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL).wait

    @contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        command = ["arecord", "-D", self._side("p"), *self._FORM, str(path)]
        recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()

    def speaker(self, *, there: bool) -> bool:
        say(f"PLEASE {'plug' if there else 'unplug'}")
        return until(lambda: self._USB.exists() == there, 30)

    def microphone(self, *, there: bool) -> None:
        action = self._DRIVER / ("bind" if there else "unbind")
        run("sudo", "sh", "-c", f"echo snd_aloop.0 >{action}")

    def _side(self, direction: str) -> str:
        """The end that the service has not: what is played there it hears, and the reverse."""
        status = {end: (self._LOOPBACK / f"pcm{end}{direction}/sub0/status").read_text() for end in (0, 1)}
        held = [end for end in status if "closed" not in status[end]]
        theirs = held[0] if held else int(PATIENCE > 1)  # as the settings have it
        return f"plughw:Loopback,{1 - theirs}"


class VirtualCard(Cards):
    """That of tests/soundcard, at 16 kHz, where the kernel has none."""

    listed = "vcard"

    def __init__(self) -> None:
        sys.path.insert(0, str(HOME / "voicepipe" / "tests"))
        from soundcard.card import Card

        self._card = Card()

    def settings(self, *, speaker_that_goes: bool = False) -> list[str]:
        return []

    def speak(self, sound: bytes) -> Callable[[], object]:
        said = threading.Thread(target=self._say, args=(array.array("h", _spoken(sound)),))
        said.start()
        return said.join

    def _say(self, samples: array.array[int]) -> None:
        start = self._card.say(samples, after=0.0)
        self._card.heard(self._card.at_speaker(start), len(samples))  # waits for its end

    @contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        ended = threading.Event()
        recorder = threading.Thread(target=self._record, args=(path, ended))
        recorder.start()
        try:
            yield
        finally:
            ended.set()
            recorder.join()

    def _record(self, path: Path, ended: threading.Event) -> None:
        frame = self._card.now()
        with path.open("wb") as file:
            while not ended.is_set():
                file.write(self._card.heard(frame, RATE).tobytes())
                frame += RATE

    def speaker(self, *, there: bool) -> bool:
        self._card.fault("speaker", "none" if there else "unplug")
        return True

    def microphone(self, *, there: bool) -> None:
        self._card.fault("mic", "none" if there else "unplug")


CARDS = VirtualCard() if "VCARD" in os.environ else KernelCards()
