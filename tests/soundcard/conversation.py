"""A conversation with the echo program on a device that is lost and comes back, with a watch in the hand."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import IO

import numpy as np

from process.running import Ended
from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard, Samples, load_wav
from soundcard.servers import processes_with

__all__ = ["MIDDLE", "PHRASE", "RATE", "Conversation"]

RATE = 48_000
SPEECH = load_wav(Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav", RATE)
PHRASE = SPEECH[: round(1.6 * RATE)]
MIDDLE = PHRASE[round(0.5 * RATE) : round(1.5 * RATE)]
"""Of the phrase: without the silence before it, and the blocks that an utterance may miss at its ends."""
WORDS = PHRASE[round(0.2 * RATE) : round(1.2 * RATE)]
"""Said where it only matters that there is an answer."""
LOUD = 1_000
"""Louder than what a converter makes of silence; 0 to 32767."""
ANSWER_S = 2.5
"""Within which an answer begins: the pause after which an utterance is over, and time to spare."""
LOST_S = 2.0
"""Within which the loss of a device is told."""
BACK_S = 5.0
"""Within which a device that is there again is used again."""
END_S = 3.5
"""Within which Ctrl-C ends the program, whatever the device does."""
HELPERS_S = 2.0
"""Within which what a program had started ends when the program was killed."""
PAUSE_S = 0.6
"""Longer than any within the words."""
READING_S = 1.0
"""For this process to read what was said, on a machine with other things to do."""
MOST = 20_000
"""Characters on one of its outputs after which what it says is a flood; no good program says so much."""


class Conversation(ProgramOnCard):
    """The echo program on one device for both directions, from its start to its end.

    Times are in seconds. What fails shows all that the program said.
    """

    def __init__(self, card: PluggedCard, device: str, rate: int = RATE) -> None:
        super().__init__(
            card,
            *("-m", "voicepipe.echo", "--report", "--mic", device, "--speaker", device),
            *("--rate", str(rate), "--latency", "0.2"),
        )

    @property
    def told(self) -> str:
        """What it has said so far, on both outputs; of a flood the beginning."""
        return "\n".join(f"{key}: {text[:MOST]}" for key, text in self._said.items())

    def tells(self, text: str, *, within_s: float) -> float:
        """Wait until it has said so, on either output; returns how long that took.

        Raises:
            AssertionError: not within that time, and what reading it takes; or it has ended.
        """
        began = time.monotonic()
        deadline = began + within_s + READING_S
        with self._news:
            while not self._has_told(text) and self._process.poll() is None and time.monotonic() < deadline:
                self._news.wait(0.1)
        took = time.monotonic() - began
        status = self._process.poll()
        there = f"after {took:.2f} s it has" if status is None else f"it ended with status {status}, and had"
        assert self._has_told(text), f"{there} not said {text!r}:\n{self.told}"
        return took

    def _has_told(self, text: str) -> bool:
        return any(text in said for said in self._said.values())

    def is_listening(self) -> Conversation:
        """Wait until it hears and could speak."""
        self.says("listening")
        return self

    def is_playing(self) -> Conversation:
        """Say some words, and wait until it is in the midst of saying them back."""
        start = self.say(WORDS, after_s=0.1)
        heard = self._sound(start + len(WORDS) + RATE // 10, ANSWER_S)
        assert heard is not None, f"nothing was answered:\n{self.told}\n{self.card.status()}"
        time.sleep(0.2)
        return self

    def answer_to(self, said: Samples) -> Samples:
        """Say it; return the whole answer when that is over. Raises: AssertionError: there is none."""
        return self.answer(self.say(said) + len(said), above=LOUD, pause_s=PAUSE_S)

    def is_quiet(self) -> None:
        """Wait until its answer is over."""
        while self._sound(self.card.now(), PAUSE_S) is not None:
            pass

    def is_answered(self, within_s: float = BACK_S) -> float:
        """Say some words, again and again, until an answer is heard; returns how long that took.

        They are said from now until a device that came back now must be in use again. The first may
        be lost. When this returns it has begun to answer.

        Raises:
            AssertionError: none was answered.
        """
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            start = self.say(WORDS, after_s=0.1)
            if self._sound(start + len(WORDS) + RATE // 10, ANSWER_S) is not None:
                return time.monotonic() - began
        raise AssertionError(f"{within_s} s long nothing was answered:\n{self.told}\n{self.card.status()}")

    def ctrl_c(self, *, statuses: tuple[int, ...] = (0,)) -> None:
        """Send SIGINT; it ends in time, with one of these statuses, and leaves nothing behind.

        Raises:
            AssertionError: it does not.
        """
        self.send(signal.SIGINT)
        ended = self._end_within(END_S)
        assert ended.status in statuses, f"status {ended.status}:\n{self.told}"
        assert "nothing is left running" in ended.out, self.told
        assert len(ended.err) <= MOST, f"a flood:\n{self.told}"
        self.leaves_nothing(within_s=0.5)

    def _end_within(self, limit_s: float) -> Ended:
        ended = self.end()
        assert ended.seconds <= limit_s, f"it took {ended.seconds:.2f} s to end:\n{self.told}"
        return ended

    def is_killed_with_all_its_helpers(self) -> None:
        """Kill the program with SIGKILL: what it had started ends by itself.

        Raises:
            AssertionError: it had started nothing, so that there is nothing to see; or that does not end.
        """
        assert len(self.processes) > 1, f"it has no helper: {self.processes}"
        self.send(signal.SIGKILL)
        self.leaves_nothing(within_s=HELPERS_S)

    @property
    def processes(self) -> dict[int, str]:
        """Every process that sees the card through the program's environment."""
        return processes_with("VCARD", self.card.path)

    def leaves_nothing(self, *, within_s: float) -> None:
        """Wait until no process of it is left.

        Raises:
            AssertionError: one is, after that time.
        """
        deadline = time.monotonic() + within_s
        while left := self.processes:
            assert time.monotonic() < deadline, f"{left} is left after {within_s} s:\n{self.told}"
            time.sleep(0.02)

    def _sound(self, frame: int, within_s: float) -> int | None:
        """The frame of the speaker's first loud sample in that time, or None."""
        step = RATE // 20
        for begin in range(frame, frame + round(within_s * RATE), step):
            loud = np.flatnonzero(np.abs(self.heard(begin, step).astype(np.int32)) > LOUD)
            if len(loud):
                return begin + int(loud[0])
        return None

    def _read(self, key: str, stream: IO[bytes]) -> None:
        with stream:
            while block := os.read(stream.fileno(), 65536):
                with self._news:
                    if len(self._said[key]) <= MOST:  # the rest of a flood is read, and forgotten
                        self._said[key] += block.decode(errors="replace")
                    self._news.notify_all()
