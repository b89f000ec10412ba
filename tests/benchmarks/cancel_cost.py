"""The processor time of the echo canceller, beside its two engines alone.

    python tests/benchmarks/cancel_cost.py              # 16 kHz, mono
    python tests/benchmarks/cancel_cost.py --rate 48000 --channels 2

A block is 10 ms. The engines alone get arrays that lie ready. The canceller finds out what sounded, by time;
it takes frames of 20 ms, and gives out frames. Ends with status 1 if reference and engines cost more than 1.8
times the engines alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.figures import Spread, ratio, undisturbed
from benchmarks.table import Table
from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.cancelling import Cancelling
from voicepipe.canceller.engines.registry import DEFAULT_EAR, DEFAULT_WORDS, default_engine, open_canceller
from voicepipe.canceller.reference.reference import Reference
from voicepipe.errors import VoicepipeError
from voicepipe.frames import InputAudioFrame
from voicepipe.speakers import Sounded, Speakers, Tapped

__all__ = ["MOST", "main", "measure"]

MOST = 1.8
_BLOCK_S = 0.01
_ROUNDS_S = 2.0

_Ints = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float32]


class _Scene:
    """A program that speaks, its echo at a microphone, and both as they come from the devices."""

    def __init__(self, audio: AudioFormat, seconds: float, *, is_silent: bool = False) -> None:
        rng = np.random.default_rng(0)
        size = int(seconds * audio.rate)
        sound = np.convolve(rng.standard_normal(size), 0.9 ** np.arange(60))[:size] * 0.03
        path = rng.standard_normal(audio.rate // 20) * 0.995 ** np.arange(audio.rate // 20) * 0.03
        echo = np.convolve(sound, path)[:size]
        self.audio = audio
        self.far: _Floats = (0 * sound if is_silent else sound).astype(np.float32)
        self.mic: _Ints = np.repeat((echo * 32_768).astype(np.int16)[:, None], audio.channels, axis=1)
        self.block = audio.samples(_BLOCK_S)

    def blocks(self) -> list[tuple[_Ints, _Floats]]:
        """Return what an engine gets."""
        spans = [slice(at, at + self.block) for at in range(0, len(self.mic), self.block)]
        return [(self.mic[span], self.far[span]) for span in spans]

    def tapped(self) -> list[Tapped]:
        """Return what a tap of the speaker tells, in blocks of 10 ms."""
        data = (self.far * 32_767).astype(np.int16).tobytes()
        size = 2 * self.block
        return [
            Tapped(
                number,
                0,
                self.audio.rate,
                1,
                Sounded(data[at : at + size], at // 2, at / 2 / self.audio.rate),
            )
            for number, at in enumerate(range(0, len(data), size))
        ]

    def frames(self) -> list[InputAudioFrame]:
        """Return what the microphone makes, of 20 ms."""
        rate, step = self.audio.rate, 2 * self.block
        return [
            InputAudioFrame(self.mic[at : at + step].tobytes(), rate, self.audio.channels, at, at / rate)
            for at in range(0, len(self.mic), step)
        ]


class _Tap:
    """The tap of a speaker, which is some blocks ahead of the microphone."""

    def __init__(self, blocks: Sequence[Tapped]) -> None:
        self._blocks = blocks
        self.until = 0

    def read(self, after: int) -> Sequence[Tapped]:
        self.until = min(len(self._blocks), self.until + 2)
        return self._blocks[after + 1 : self.until]


def _ear(scene: _Scene) -> Callable[[], object]:
    """Return AEC3's bare call, over all blocks, with all it needs at hand."""
    open_canceller(DEFAULT_EAR, scene.audio.rate)  # its errors say what to do
    from pywebrtc_audio import EchoCanceller

    engine = EchoCanceller(scene.audio.rate, 1)
    blocks = [
        (np.ascontiguousarray(mic[:, 0]), (far * 32_767).astype(np.int16)) for mic, far in scene.blocks()
    ]
    return lambda: [engine.process(mic, far) for mic, far in blocks]


def _words(scene: _Scene) -> Callable[[], object]:
    canceller = open_canceller(DEFAULT_WORDS, scene.audio.rate, scene.audio.channels)
    blocks = scene.blocks()
    return lambda: [canceller.cancel(mic, far) for mic, far in blocks]


def _reference_and_engines(scene: _Scene) -> Callable[[], object]:
    """Return what the canceller needs for all blocks, without frames: reference and engines."""
    engine = default_engine(scene.audio.rate, scene.audio.channels)
    heard, told, block, rate = scene.blocks(), scene.tapped(), scene.block, scene.audio.rate

    def run() -> None:
        far = Reference(rate)
        far.put("speaker", told[0])
        for n, (mic, _) in enumerate(heard):
            far.put("speaker", told[min(n + 1, len(told) - 1)])
            far.note(n * block, n * block / rate, block)
            sounded = far.read(n * block, block)
            if sounded is not None:
                engine.cancel(mic, sounded)

    return run


def _with_frames(scene: _Scene) -> Callable[[], object]:
    """Return the whole of it, from frames to frames."""
    engine = default_engine(scene.audio.rate, scene.audio.channels)
    frames, told = scene.frames(), scene.tapped()

    def run() -> None:
        tap = _Tap(told)
        speakers = Speakers()
        speakers.taps = (tap,)
        cancelling = Cancelling(engine, Reference(scene.audio.rate), speakers)
        for frame in frames:
            cancelling.put(frame)
        cancelling.end()

    return run


def measure(audio: AudioFormat, repeats: int, *, seconds: float = _ROUNDS_S) -> tuple[Table, float]:
    """Return the table, and the ratio that counts. A repeat is of so many seconds of sound."""
    scene, idle = _Scene(audio, seconds), _Scene(audio, seconds, is_silent=True)
    subjects = {
        DEFAULT_EAR: _ear(scene),
        DEFAULT_WORDS: _words(scene),
        "reference and both": _reference_and_engines(scene),
        "from frames to frames": _with_frames(scene),
        "the same, nothing sounds": _with_frames(idle),
    }
    costs: dict[str, list[float]] = {name: [] for name in subjects}
    with undisturbed():
        for turn in range(repeats + 1):
            for name, run in subjects.items():
                spent = _seconds_a_block(run, len(scene.blocks()))
                if turn:  # the first one warms up
                    costs[name].append(spent)
    floor = [ear + words for ear, words in zip(costs[DEFAULT_EAR], costs[DEFAULT_WORDS], strict=True)]
    rows = tuple(
        (name, Spread.of([each * 1e6 for each in cost]), ratio(cost, floor)) for name, cost in costs.items()
    )
    title = f"Echo canceller, {audio}: time for 10 ms, and the ratio to both engines alone"
    counted = ratio(costs["reference and both"], floor).median
    return Table("cancel_cost", title, ("", "µs", "ratio"), rows), counted


def _seconds_a_block(run: Callable[[], object], blocks: int) -> float:
    begin = perf_counter()
    run()
    return (perf_counter() - begin) / blocks


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the processor time of the echo canceller.")
    parser.add_argument("--rate", type=int, default=16_000, help="default: %(default)s")
    parser.add_argument("--channels", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=9, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        table, counted = measure(AudioFormat(options.rate, options.channels), options.repeats)
    except (VoicepipeError, ValueError) as error:
        print(f"cancel_cost.py: {error}", file=sys.stderr)
        return 2
    verdict = "met" if counted <= MOST else "MISSED"
    print(
        f"{table}\n\n  reference and both engines: {counted:.2f} times both alone, at most {MOST}: {verdict}"
    )
    return int(counted > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
