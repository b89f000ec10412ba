"""The tap of a speaker's stream: the record of what its device took, and of when that sounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voicepipe.audio.format import AudioFormat
from voicepipe.speakers import KEPT_S, Sounded

__all__ = ["CallbackLine", "RecentLeast", "SoundedRecord", "Tap"]

_WINDOW_S = 1.0
"""The callbacks of so long a time make the line. It follows a standstill of the device that soon."""


class RecentLeast:
    """The least of some values that came within the last so many seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._values: deque[tuple[float, float]] = deque()
        """Times and values; each is greater than the one before it: the others will never be the least."""

    def add(self, at_s: float, value: float) -> float:
        """Add a value, and return the least."""
        values = self._values
        while values and values[-1][1] >= value:
            values.pop()
        values.append((at_s, value))
        while values[0][0] < at_s - self._window_s:
            values.popleft()
        return values[0][1]


class CallbackLine:
    """A straight line through the times of callbacks, for a device whose time stamps are of no use.

    A callback comes late by chance, and never early. So the earliest of the last second tells the time of
    all of them.
    """

    def __init__(self) -> None:
        self._least = RecentLeast(_WINDOW_S)

    def time_s(self, now_s: float, played_s: float) -> float:
        """Return the time at which a callback was due that came now.

        Args:
            now_s: this moment, by our clock.
            played_s: the length of all blocks before this one, by the device's clock.
        """
        return played_s + self._least.add(played_s, now_s - played_s)


class SoundedRecord:
    """The last 4 s that a device took, in this process. The callback adds, and the loop takes."""

    def __init__(self, format: AudioFormat) -> None:  # noqa: A002  # the field's own word, as in ring.py
        self._size = format.sample_bytes
        self._most = format.samples(KEPT_S)
        self._blocks: deque[Sounded] = deque()

    def add(self, data: bytes, position: int, sounds_s: float) -> None:
        """Add a block, in place of the oldest ones where 4 s are there. For the callback."""
        blocks = self._blocks
        blocks.append(Sounded(data, position, sounds_s))
        oldest = position + len(data) // self._size - self._most
        try:
            while blocks[0].position + len(blocks[0].data) // self._size <= oldest:
                blocks.popleft()
        except IndexError:
            pass  # the loop took them just now

    def take(self) -> Sounded | None:
        """Take the oldest block, or None. For the loop."""
        try:
            return self._blocks.popleft()
        except IndexError:
            return None


class Tap:
    """Notes what goes from a queue to a device. For the device's callback.

    It is behind the queue, and before the change of the rate. So its audio is in the stream's own format,
    and a sample that the filter still holds back has its true time all the same: sample `n` of the queue is
    heard as sample `n * device_rate / rate` of the device.

    Args:
        pull: takes samples from the queue.
        written: the format of the queue.
        note: takes what was pulled for a block: data, position, and the time at which it sounds.
        clock: our clock.
    """

    def __init__(
        self,
        pull: Callable[[int], bytes],
        written: AudioFormat,
        note: Callable[[bytes, int, float], None],
        clock: Callable[[], float],
    ) -> None:
        self._pull = pull
        self._written = written
        self._note = note
        self._clock = clock
        self._device_rate = written.rate
        self._latency_s = 0.0
        self._line = CallbackLine()
        self._parts: list[bytes] = []
        self._position = self._played = 0
        """Samples that were pulled, and samples that the device took, at its own rate."""

    def expect(self, device_rate: int, latency_s: float) -> None:
        """Expect callbacks of a device that has this rate, and reports this latency."""
        self._device_rate, self._latency_s = device_rate, latency_s

    def pull(self, samples: int) -> bytes:
        """Pull from the queue."""
        data = self._pull(samples)
        self._parts.append(data)
        return data

    def render(self, render: Callable[[int], bytes], samples: int, sounds_s: float | None) -> bytes:
        """Let a block be made by `render`, which calls `pull`, and note what it took."""
        played_s = self._played / self._device_rate
        if sounds_s is None:
            sounds_s = self._line.time_s(self._clock(), played_s) + self._latency_s
        data = render(samples)
        self._played += samples
        if self._parts:
            pulled = self._parts.pop() if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self._note(pulled, self._position, sounds_s + self._position / self._written.rate - played_s)
            self._position += len(pulled) // self._written.sample_bytes
        return data
