"""The echo canceller over a microphone's frames: blocks for the engine, and frames again behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from voicepipe.audio.channels import set_channels
from voicepipe.audio.format import SAMPLE_BYTES, AudioFormat
from voicepipe.canceller.ear_noise import EarNoise
from voicepipe.canceller.ear_trust import EarTrust
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.errors import EngineError
from voicepipe.frames import InputAudioFrame
from voicepipe.speakers import SpeakerTap, Tapped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["CancelledBlock", "Cancelling", "FarEnd", "Observer"]

LONGEST_DOUBT_S = 0.1
"""A block whose time is in doubt waits no longer. By then, five stamps of a usual device have decided."""
REFED_S = 0.3
"""Behind a loss an engine gets so much of what sounded before: the reach of a linear filter, and no less."""
_FADE_BLOCKS = 1
"""The engine is fed with so many blocks of before when it begins, besides its own delay."""


class FarEnd(Protocol):
    """The sound of the speakers, by time: see `voicepipe.canceller.reference.reference.Reference`."""

    def put(self, speaker: object, block: Tapped) -> None:
        """Take a block of what a speaker's device took."""
        ...

    def is_in(self, until_s: float) -> bool:
        """Return True if all that sounds before that time is here."""
        ...

    @property
    def lost(self) -> int:
        """The samples that the microphone lost before the last block; negative: too many came."""
        ...

    def note(self, position: int, captured_s: float, samples: int) -> bool:
        """Take the time of the microphone's next samples; return True while it is in doubt."""
        ...

    def read(self, position: int, samples: int) -> npt.NDArray[np.float32] | None:
        """Return what sounded while these samples were captured; None: nothing."""
        ...

    def read_before(self, samples: int) -> npt.NDArray[np.float32]:
        """Return what sounded before the block that was read last."""
        ...

    def shift(self, by_s: float) -> None:
        """Return from now on what sounded so much before."""
        ...


class CancelledBlock(NamedTuple):
    """A block of the microphone, and what was made of it. Ear and words lag by the delay of the canceller."""

    position: int
    """The position of its first sample in the microphone's stream."""
    captured_s: float | None
    mic: bytes
    """Interleaved int16."""
    far: npt.NDArray[np.float32] | None
    """The sound of the speakers at that time, full scale at -1 and 1; None: nothing sounds."""
    ear: bytes | None
    """Mono int16; None: nothing was cancelled."""
    words: bytes
    """Interleaved int16."""


Observer = Callable[[CancelledBlock], object]


class _Span(NamedTuple):
    """The audio of one frame, by its place among all samples that were put in."""

    begin: int
    end: int
    frame: InputAudioFrame

    def captured_s(self, at: int) -> float | None:
        frame = self.frame
        return None if frame.captured_s is None else frame.captured_s + (at - self.begin) / frame.rate


class Cancelling:
    """Takes the echo of the run's speakers out of a microphone's frames. It never waits.

    All samples that go in come out, `delay` samples later and at their own positions; the end gives
    out the rest. While something sounds, the frames have an ear. While nothing does, the engine rests:
    their data is that of the microphone, bit by bit.

    An engine that fails is not asked again. The audio then passes as it is.

    Args:
        engine: takes the echo out, block by block; None: nothing is taken out.
        far: the sound of the speakers.
        taps: returns the taps of the speakers.
        noise: gives the ear the noise of the room.
        trust: tells what of the ear may be heard.
        audio: the format of the microphone, where there is no engine.
        observe: called with every block.
        on_failure: called once with the error of the engine.
    """

    def __init__(
        self,
        engine: EchoEngine | None,
        far: FarEnd,
        taps: Callable[[], Sequence[SpeakerTap]],
        *,
        noise: EarNoise | None = None,
        trust: EarTrust | None = None,
        audio: AudioFormat | None = None,
        observe: Observer | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        self._format = audio or AudioFormat()
        self._block, self._delay = max(1, self._format.rate // 100), 0
        if engine is not None:
            self._format = AudioFormat(engine.rate, engine.channels)
            self._block, self._delay = engine.block, engine.delay
        self._engine = engine
        self._far = far
        self._taps = taps
        self._observe = observe
        self._on_failure = on_failure
        self._read: dict[SpeakerTap, int] = {}
        """The number of the last block that was read of each tap."""
        size = self._format.sample_bytes
        self._size = size
        self._spans: deque[_Span] = deque()
        """The audio that has not left yet."""
        self._taken = self._cut = self._given = 0
        """The samples that came in, that were cut into blocks, and that went out."""
        self._uncut = b""
        """Samples behind the last whole block."""
        self._recent = bytes(size * (self._delay + (self._warm_up + 1) * self._block))
        """The last samples that were cut into blocks."""
        self._made: list[tuple[bytes, bytes | None]] = []
        """Words and ear of the blocks that have not left yet."""
        self._early = self._delay
        """The samples that come out of the delay before the first one."""
        self._is_awake = False
        self._noise, self._trust = noise, trust
        self._doubted: int | None = None
        """The first sample whose time is in doubt."""

    @property
    def _warm_up(self) -> int:
        """The blocks of before that the engine gets when it begins."""
        return -(-self._delay // self._block) + _FADE_BLOCKS

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
        return self._taken - self._given

    @property
    def is_cancelling(self) -> bool:
        """True while the engine is at work; False while nothing sounds, or it has failed."""
        return self._is_awake

    def put(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        """Take the next frame; return the audio that is done, in frames.

        A block waits for what sounds at its time, but no longer than until the next frame. Where its own
        time is in doubt, as behind a loss that nobody told, it waits for that, for up to 0.1 s.
        """
        self._read_taps()
        waiting = self._taken
        if frame.num_samples:
            self._spans.append(_Span(waiting, waiting + frame.num_samples, frame))
            self._taken += frame.num_samples
            self._uncut += frame.data
        if not self._is_in_doubt:
            self._cut_blocks(lambda: self._cut + self._block <= waiting)
        if frame.num_samples and frame.captured_s is not None:
            in_doubt = self._far.note(frame.position, frame.captured_s, frame.num_samples)
            self._doubted = None if not in_doubt else waiting if self._doubted is None else self._doubted
        if not self._is_in_doubt:
            self._cut_blocks(lambda: self._is_due(waiting))
        return self._give(self._cut - self._delay)

    @property
    def _is_in_doubt(self) -> bool:
        """True while blocks wait as their time is in doubt."""
        longest = LONGEST_DOUBT_S * self._format.rate
        return self._doubted is not None and self._taken - self._doubted <= longest

    def _cut_blocks(self, is_due: Callable[[], bool]) -> None:
        while len(self._uncut) >= self._block * self._size and is_due():
            self._cut_block(self._block)

    def end(self) -> list[InputAudioFrame]:
        """Return what is inside. Audio that comes later begins anew."""
        if not self._spans:
            return []
        self._read_taps()
        while len(self._uncut) >= self._block * self._size:
            self._cut_block(self._block)
        missing = self._taken - self._cut + self._delay
        spare = bytes(self._size * (-(-missing // self._block) * self._block))
        self._uncut = (self._uncut + spare)[: len(spare)]
        while self._uncut:
            self._cut_block(self._block)
        given = self._give(self._taken)
        self._begin_anew()
        return given

    def _begin_anew(self) -> None:
        self._spans.clear()
        self._made.clear()
        self._uncut = b""
        self._cut = self._given = self._taken
        self._early = self._delay
        self._is_awake = False
        self._doubted = None
        self._recent = bytes(len(self._recent))

    def _read_taps(self) -> None:
        for tap in self._taps():
            for block in tap.read(self._read.get(tap, -1)):
                self._far.put(tap, block)
                self._read[tap] = block.number

    # -- block by block ------------------------------------------------------------

    def _is_due(self, waiting: int) -> bool:
        """Return True for a block that has waited once, or whose reference is complete."""
        if self._cut + self._block <= waiting:
            return True
        end_s = self._captured_s(self._cut + self._block - 1)
        return end_s is None or self._far.is_in(end_s)

    def _cut_block(self, samples: int) -> None:
        size = samples * self._size
        mic, self._uncut = self._uncut[:size], self._uncut[size:]
        at = self._cut
        self._cut += samples
        span = self._span_of(at)
        captured_s = span.captured_s(at)
        position = span.frame.position + at - span.begin
        far = None
        if captured_s is not None:
            far = self._far.read(position, samples)
        before, self._recent = self._recent, (self._recent + mic)[-len(self._recent) :]
        made = self._make(before, mic, far)
        self._add(*made)
        if self._observe is not None:
            self._observe(CancelledBlock(position, captured_s, mic, far, made[1], made[0]))

    def _make(
        self, before: bytes, mic: bytes, far: npt.NDArray[np.float32] | None
    ) -> tuple[bytes, bytes | None]:
        if far is None or self._engine is None:
            return self._rest(before, mic)
        return self._cancel(before, mic, far)

    def _rest(self, before: bytes, mic: bytes) -> tuple[bytes, bytes | None]:
        """Return the microphone's own audio, delayed like everything; fade to it if something has sounded."""
        plain = self._delay_of(before, mic)
        if self._noise is not None:
            self._noise.rest(mic)
        if not self._is_awake:
            return plain, None
        self._is_awake = False
        made = self._ask(mic, bytes(0))
        return (plain, None) if made is None else (self._fade(made[0], plain), None)

    def _cancel(self, before: bytes, mic: bytes, far: npt.NDArray[np.float32]) -> tuple[bytes, bytes | None]:
        begins = not self._is_awake
        if not begins and self._far.lost:
            self._pass_over(self._far.lost)
        if begins:
            self._is_awake = True
            size = self._block * self._size
            warm_up = before[-self._warm_up * size :]
            for at in range(0, len(warm_up), size):
                self._ask(warm_up[at : at + size], None)
        made = self._ask(mic, far)
        plain = self._delay_of(before, mic)
        if made is None:
            return plain, None
        words, ear = made
        return (self._fade(plain, words) if begins else words), ear

    def _pass_over(self, lost: int) -> None:
        """Let an engine that can hear what sounded while the microphone lost samples: rooms echo on."""
        pass_over = getattr(self._engine, "pass_over", None)
        if pass_over is None:
            return
        blocks = round(REFED_S * self._format.rate) // self._block
        lost_blocks = min(blocks, max(0, -(-lost // self._block)))
        try:
            pass_over(self._far.read_before(blocks * self._block), lost_blocks * self._block)
        except Exception as error:  # an engine may be a user's, and the run goes on without it
            self._fail(error)

    def _delay_of(self, before: bytes, mic: bytes) -> bytes:
        if not self._delay:
            return mic
        lag = self._delay * self._size
        return (before + mic)[-len(mic) - lag : -lag]

    def _ask(self, mic: bytes, far: npt.NDArray[np.float32] | bytes | None) -> tuple[bytes, bytes] | None:
        """Return the words and the ear of a block; None: the engine has failed."""
        import numpy as np

        engine = self._engine
        if engine is None:
            return None
        audio = np.frombuffer(mic, np.int16).reshape(-1, self._format.channels)
        if far is None or isinstance(far, bytes):
            far = np.zeros(len(audio), np.float32)
        try:
            ear, words = engine.cancel(audio, far)
            _check(words, audio.shape)
            _check(ear, audio.shape[:1])
            if self._noise is not None and self._trust is not None:
                heard = self._trust.choose(
                    ear,
                    _mono(words),
                    _mono(audio),
                    far,
                    is_sure=getattr(engine, "is_sure", True),
                    hears_user=getattr(engine, "hears_user", False),
                )
                ear = self._noise.cover(heard)
            return words.tobytes(), ear.tobytes()
        except Exception as error:  # an engine may be a user's, and the run goes on without it
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        self._engine, self._is_awake = None, False
        if self._on_failure is not None:
            self._on_failure(error)

    def _fade(self, old: bytes, new: bytes) -> bytes:
        """Return audio that goes from one to the other."""
        import numpy as np

        first, second = (
            np.frombuffer(each, np.int16).reshape(-1, self._format.channels) for each in (old, new)
        )
        share = np.arange(1, len(first) + 1)[:, None] / (len(first) + 1)
        return np.rint(first + share * (second.astype(np.float64) - first)).astype(np.int16).tobytes()

    # -- frames again --------------------------------------------------------------

    def _add(self, words: bytes, ear: bytes | None) -> None:
        """Keep what came out of a block, but for what lies before the first sample."""
        if self._early:
            early = min(self._early, len(words) // self._size)
            self._early -= early
            words = words[early * self._size :]
            ear = None if ear is None else ear[early * SAMPLE_BYTES :]
        self._made.append((words, ear))

    def _give(self, until: int) -> list[InputAudioFrame]:
        """Return frames of all that is done up to that sample, with true positions."""
        if until <= self._given:
            return []
        words = b"".join([words for words, _ in self._made])
        ears = self._join_ears()
        frames: list[InputAudioFrame] = []
        first = self._given
        for begin, end in self._pieces(until):
            span = self._span_of(begin)
            frames.append(
                InputAudioFrame(
                    words[(begin - first) * self._size : (end - first) * self._size],
                    self._format.rate,
                    self._format.channels,
                    span.frame.position + begin - span.begin,
                    span.captured_s(begin),
                    live=span.frame.live,
                    origin=span.frame.origin,
                    ear=None
                    if ears is None
                    else ears[(begin - first) * SAMPLE_BYTES : (end - first) * SAMPLE_BYTES],
                )
            )
        self._given = until
        self._made.clear()
        rest = words[(until - first) * self._size :]
        if rest:
            self._made.append((rest, None if ears is None else ears[(until - first) * SAMPLE_BYTES :]))
        while self._spans and self._spans[0].end <= until:
            self._spans.popleft()
        return frames

    def _join_ears(self) -> bytes | None:
        """Return the ear of all that is done; where only a part has one, the words serve for the rest."""
        if all(ear is None for _, ear in self._made):
            return None
        channels = self._format.channels
        return b"".join(
            [set_channels(words, channels, 1) if ear is None else ear for words, ear in self._made]
        )

    def _pieces(self, until: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches without a gap, up to that sample."""
        begin, before = self._given, None
        for span in self._spans:
            if span.begin >= until:
                break
            if before is not None and not _goes_on(before, span):
                yield begin, span.begin
                begin = span.begin
            before = span
        yield begin, until

    def _span_of(self, at: int) -> _Span:
        """Return the span that holds a sample; the last one, where silence was put in behind it."""
        return next((span for span in self._spans if at < span.end), self._spans[-1])

    def _captured_s(self, at: int) -> float | None:
        return self._span_of(at).captured_s(at)


def _goes_on(before: _Span, span: _Span) -> bool:
    first, second = before.frame, span.frame
    return (
        second.position == first.position + first.num_samples
        and second.origin == first.origin
        and second.live == first.live
    )


def _mono(audio: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return the mean of all channels, shape (samples,)."""
    import numpy as np

    return audio[:, 0] if audio.shape[1] == 1 else audio.mean(axis=1).astype(np.int16)


def _check(audio: object, shape: tuple[int, ...]) -> None:
    """Check an output of an engine. Raises: EngineError."""
    import numpy as np

    if not isinstance(audio, np.ndarray) or audio.dtype != np.int16 or audio.shape != shape:
        found = f"{audio.dtype} {audio.shape}" if isinstance(audio, np.ndarray) else type(audio).__name__
        raise EngineError(f"an echo engine must return int16 of shape {shape}, not {found}")
