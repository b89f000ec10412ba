"""Stand-ins for what surrounds the core of the canceller: engines, and the sound of the speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voicepipe import InputAudioFrame
from voicepipe.audio.channels import set_channels
from voicepipe.speakers import Tapped

__all__ = ["RATE", "Far", "LateEngine", "cut_frames", "sound"]

RATE = 16_000
Ints = npt.NDArray[np.int16]


class LateEngine:
    """Takes nothing out: both outputs are the microphone, so many samples later. The ear is mono."""

    name = "late"

    def __init__(self, delay: int = 128, channels: int = 1, rate: int = RATE) -> None:
        self.rate, self.channels, self.delay = rate, channels, delay
        self.block = rate // 100
        self.calls = 0
        self.resets = 0
        self._held: Ints = np.zeros((delay, channels), np.int16)

    def cancel(self, mic: Ints, far: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        """Return the ear and the words."""
        assert mic.shape == (self.block, self.channels)
        assert far.shape == (self.block,)
        assert far.dtype == np.float32
        self.calls += 1
        both = np.concatenate([self._held, mic])
        words, self._held = both[: len(mic)], both[len(mic) :]
        ear = set_channels(words.tobytes(), self.channels, 1)
        return np.frombuffer(ear, np.int16), words

    def reset(self) -> None:
        """Forget all audio."""
        self.resets += 1
        self._held = np.zeros_like(self._held)


class Far:
    """Sounds between some positions, and is known up to some time."""

    def __init__(self, *sounding: tuple[int, int], known_s: float = float("inf")) -> None:
        self.sounding = sounding
        self.known_s = known_s
        self.asked: list[tuple[int, int]] = []
        self.noted: list[tuple[int, float, int]] = []
        self.doubtful: tuple[int, ...] = ()
        """The positions of frames whose time is in doubt."""
        self.lost = 0

    def put(self, speaker: object, block: Tapped) -> None:
        """Ignore it."""

    def is_in(self, until_s: float) -> bool:
        """Return True if all is here."""
        return until_s <= self.known_s

    def shift(self, by_s: float) -> None:
        """Ignore it."""

    def note(self, position: int, captured_s: float, samples: int) -> bool:
        """Keep it; return True if it is in doubt."""
        self.noted.append((position, captured_s, samples))
        return position in self.doubtful

    def read_before(self, samples: int) -> npt.NDArray[np.float32]:
        """Return another sound."""
        return np.full(samples, 0.5, np.float32)

    def read(self, position: int, samples: int) -> npt.NDArray[np.float32] | None:
        """Return a sound, or None."""
        self.asked.append((position, samples))
        if any(begin < position + samples and position < end for begin, end in self.sounding):
            return np.full(samples, 0.25, np.float32)
        return None


def sound(samples: int, channels: int = 1, seed: int = 1) -> Ints:
    """Return noise, shape (samples, channels)."""
    return np.random.default_rng(seed).integers(-9_000, 9_000, (samples, channels)).astype(np.int16)


def cut_frames(
    audio: Ints, sizes: Sequence[int], gaps: Sequence[tuple[int, int]] = (), rate: int = RATE
) -> list[InputAudioFrame]:
    """Return audio in frames of these sizes over and over, without the samples of the gaps."""
    frames: list[InputAudioFrame] = []
    at, turn = 0, 0
    while at < len(audio):
        inside = next((end for begin, end in gaps if begin <= at < end), None)
        if inside is not None:
            at = inside
            continue
        end = min(len(audio), at + sizes[turn % len(sizes)], *(b for b, _ in gaps if b > at))
        piece = audio[at:end]
        frames.append(
            InputAudioFrame(
                piece.tobytes(), rate, audio.shape[1], at, 50.0 + at / rate, live=True, origin="mic"
            )
        )
        at, turn = end, turn + 1
    return frames
