"""The echo canceller over a microphone's frames: blocks, each as soon as its time and sound are known."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.asked_engine import AskedEngine
from voicepipe.canceller.block_maker import BlockMaker
from voicepipe.canceller.cancelled_block import CancelledBlock, Observer
from voicepipe.canceller.ear_noise import EarNoise
from voicepipe.canceller.ear_trust import EarTrust
from voicepipe.canceller.far_end import FarEnd
from voicepipe.canceller.frame_spans import FrameSpans
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.canceller.tap_reader import TapReader
from voicepipe.frames import InputAudioFrame
from voicepipe.speakers import Speakers

__all__ = ["Cancelling"]

LONGEST_DOUBT_S = 0.1
"""A block whose time is in doubt waits no longer. By then, five stamps of a usual device have decided."""


class Cancelling:
    """Takes the echo of the run's speakers out of a microphone's frames. It never waits.

    All samples that go in come out, `delay` samples later and at their own positions; the end gives
    out the rest. While something sounds, the frames have an ear. While nothing does, the engine rests:
    their data is that of the microphone, bit by bit.

    An engine that fails is not asked again. The audio then passes as it is.

    Args:
        engine: takes the echo out, block by block; None: nothing is taken out.
        far: the sound of the speakers.
        speakers: the run's, whose taps are read.
        noise: gives the ear the noise of the room.
        trust: tells what of the ear may be heard.
        audio: the format of the microphone, where there is no engine.
        observe: called with every block, as far as the microphone has captured it.
        on_failure: called once with the error of the engine.
    """

    def __init__(
        self,
        engine: EchoEngine | None,
        far: FarEnd,
        speakers: Speakers,
        *,
        noise: EarNoise | None = None,
        trust: EarTrust | None = None,
        audio: AudioFormat | None = None,
        observe: Observer | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        asked = AskedEngine(engine, audio or AudioFormat(), noise=noise, trust=trust, on_failure=on_failure)
        self._format, self._block, self._delay = asked.format, asked.block, asked.delay
        self._far = far
        self._taps = TapReader(speakers)
        self._observe = observe
        self._maker = BlockMaker(asked, far)
        self._frames = FrameSpans(asked.format, asked.delay)
        self._block_bytes = asked.block * asked.format.sample_bytes
        self._cut = 0
        """The samples that were cut into blocks."""
        self._uncut = b""
        """Samples behind the last whole block."""
        self._longest_doubt = LONGEST_DOUBT_S * asked.format.rate
        self._doubted: int | None = None
        """The first sample whose time is in doubt."""

    @property
    def format(self) -> AudioFormat:
        """The format of the frames."""
        return self._format

    @property
    def delay(self) -> int:
        """The samples by which it delays the audio, besides what waits for a whole block."""
        return self._delay

    @property
    def held(self) -> int:
        """The samples that are inside."""
        return self._frames.taken - self._frames.given

    @property
    def is_cancelling(self) -> bool:
        """True while the engine is at work; False while nothing sounds, or it has failed."""
        return self._maker.is_cancelling

    def put(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        """Take the next frame; return the audio that is done, in frames.

        A block waits for what sounds at its time, but no longer than until the next frame. Where its own
        time is in doubt, as behind a loss that nobody told, it waits for that, for up to 0.1 s.
        """
        self._read_taps()
        waiting = self._frames.taken
        self._frames.put(frame)
        self._uncut += frame.data
        if not self._is_in_doubt:
            self._cut_blocks(lambda: self._cut + self._block <= waiting)
        if frame.num_samples and frame.captured_s is not None:
            in_doubt = self._far.note(frame.position, frame.captured_s, frame.num_samples)
            self._doubted = None if not in_doubt else waiting if self._doubted is None else self._doubted
        if not self._is_in_doubt:
            self._cut_blocks(lambda: self._is_due(waiting))
        return self._frames.give(self._cut - self._delay)

    def end(self) -> list[InputAudioFrame]:
        """Return what is inside. Audio that comes later begins anew."""
        if self._frames.is_empty:
            return []
        self._read_taps()
        self._cut_blocks(lambda: True)
        missing = self._frames.taken - self._cut + self._delay
        spare = bytes(-(-missing // self._block) * self._block_bytes)
        self._uncut = (self._uncut + spare)[: len(spare)]
        self._cut_blocks(lambda: True)
        given = self._frames.give(self._frames.taken)
        self._begin_anew()
        return given

    def _begin_anew(self) -> None:
        self._frames.begin_anew()
        self._maker.begin_anew()
        self._uncut = b""
        self._cut = self._frames.taken
        self._doubted = None

    def _read_taps(self) -> None:
        for tap, block in self._taps.read():
            self._far.put(tap, block)

    @property
    def _is_in_doubt(self) -> bool:
        """True while blocks wait as their time is in doubt."""
        return self._doubted is not None and self._frames.taken - self._doubted <= self._longest_doubt

    def _is_due(self, waiting: int) -> bool:
        """Return True for a block that has waited once, or whose reference is complete."""
        if self._cut + self._block <= waiting:
            return True
        last = self._cut + self._block - 1
        end_s = self._frames.span_of(last).captured_s(last)
        return end_s is None or self._far.is_in(end_s)

    def _cut_blocks(self, is_due: Callable[[], bool]) -> None:
        while len(self._uncut) >= self._block_bytes and is_due():
            self._cut_block()

    def _cut_block(self) -> None:
        mic, self._uncut = self._uncut[: self._block_bytes], self._uncut[self._block_bytes :]
        at = self._cut
        self._cut += self._block
        span = self._frames.span_of(at)
        position, captured_s = span.position(at), span.captured_s(at)
        far = None if captured_s is None else self._far.read(position, self._block)
        words, ear = self._maker.make(mic, far)
        self._frames.keep(words, ear)
        captured = self._frames.taken - at  # less than a block at the end, where silence fills it up
        if self._observe is not None and captured > 0:
            block = CancelledBlock(position, captured_s, mic, far, ear, words)
            self._observe(block if captured >= self._block else block.first(captured, self._block))
