"""The playback of a speaker: the fate of every sample, over all streams that the speaker has had."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import OutputStream
from voicepipe.drift.drift import DriftCompensator
from voicepipe.endpoints.chunks import Change
from voicepipe.endpoints.delay import Delay, Growth
from voicepipe.endpoints.device_queue import DeviceQueue
from voicepipe.endpoints.gaps import Gaps
from voicepipe.endpoints.intake import Intake
from voicepipe.endpoints.kept_device import KeptDevice
from voicepipe.endpoints.live_voice import LiveVoice
from voicepipe.endpoints.played_change import PlayedChange
from voicepipe.endpoints.sentences import Sentence, Sentences
from voicepipe.endpoints.source import Source
from voicepipe.endpoints.start_buffer import StartBuffer
from voicepipe.frames import BackgroundAudioFrame, Frame, OutputAudioFrame, SpokenFrame
from voicepipe.report import DeviceStatistics, DropReason, SeamReport

__all__ = ["BACKGROUND_S", "GOES_ON_S", "RUN_GAP_S", "Playback"]

BACKGROUND_S = 1.0
"""The longest queue of a background sound. Whoever makes music without an end is held by it."""
LIVE_QUEUE_S = 3.0
"""The most seconds of audio that may wait before live audio: a microphone's ring after a standstill, and
what the speaker had before it."""
MOST_SOUNDS = 32
"""The names of sounds that have a ledger of their own. Others share the last one's."""
MOST_CHANGES = 100
"""Five seconds of them: while drift is corrected, about twenty come in a second."""
GOES_ON_S = 0.2
"""Live audio that came so shortly ago goes on. Its end is then told later, with its time."""
RUN_GAP_S = 0.03
"""A run of frames is over if no frame comes for so long, and the device needs its end."""


class Playback:
    """The sources of a speaker, the queue of its device, and the ledgers over all streams.

    Args:
        device: the owner of the streams.
        stream: the first stream.
        sentences: the sentences of the voice.
        most_s: the longest queue of a source, in seconds.
        drift: the compensator of steady playback.
    """

    def __init__(
        self,
        device: KeptDevice[OutputStream],
        stream: OutputStream,
        sentences: Sentences,
        most_s: float,
        drift: DriftCompensator | None = None,
    ) -> None:
        self.device = device
        self.format: AudioFormat = stream.info.format
        self._note(stream)
        self.sentences = sentences
        self.changes: deque[PlayedChange] = deque(maxlen=MOST_CHANGES)
        """The last changes of the sound that was played: what was left out of the voice, or made."""
        self.voice = Source("", self.format.sample_bytes, self.changes.append)
        self._sources = [self.voice]
        self._intakes = {self.voice: Intake(self.format)}
        self._most = self.format.samples(most_s)
        # A stage that holds the GIL must not make sound stutter, and a queue is filled again at its half.
        self.queue = DeviceQueue(stream, self._sources, min(most_s, max(1.0, 2 * self.block_s)))
        self._drift = drift
        self._live = LiveVoice(self.format, self.block_s, drift)
        self.left_out = 0
        """The samples that were left out at the last frame, because they were late."""
        self.gaps = Gaps(self.voice, sentences, self.format.rate)
        self.delay = Delay()
        self._clock = asyncio.get_running_loop().time
        self._start: StartBuffer | None = None
        self._is_over = False
        """True once no more audio comes."""
        self.goes_on = False
        """True while the next live audio is expected soon: nobody need wake up when it has sounded so far."""
        self.live_s = -math.inf
        """The time at which live audio of the voice came last."""
        self._taken_s = math.inf
        """The time at which the device takes the last of it; endless where other audio came behind it."""
        self.closed = False
        """True after the close. Audio that still waits will not be played."""
        self._cancelled = False
        self._converts = False
        """True once a frame had another format."""
        self._finishes: Sentence | None = None
        """The sentence behind which the voice is cut."""

    def _note(self, stream: OutputStream) -> None:
        self.latency_s = stream.info.latency_s
        """The output latency of the present device, or of the last one, in seconds."""
        self.sounded_s = stream.info.sounded_s
        self.block_s = self.format.seconds(stream.info.block)

    # -- the state -----------------------------------------------------------------

    @property
    def position(self) -> int:
        """The number of samples handed to a device so far, over all streams."""
        return self.queue.position

    @property
    def queued(self) -> int:
        """The number of samples that wait for the device."""
        return self.queue.queued

    @property
    def sounds(self) -> list[Source]:
        """The background sounds that there have been."""
        return self._sources[1:]

    @property
    def has_sounds(self) -> bool:
        """True once there was a background sound."""
        return len(self._sources) > 1

    @property
    def is_speaking(self) -> bool:
        """True while audio of the voice has not sounded."""
        return self._count_held(self.voice) > 0

    @property
    def has_audio(self) -> bool:
        """True while any audio has not sounded."""
        return self.queue.is_flushing or any(self._count_held(source) for source in self._sources)

    def _count_held(self, source: Source) -> int:
        return source.held + self._inside(source)

    def is_full(self, source: Source) -> bool:
        """Return True if more of a source waits than may."""
        return self._count_held(source) > self.most(source)

    def most(self, source: Source) -> int:
        """Return the most samples that may wait of a source."""
        return self._most if source is self.voice else min(self._most, self.format.samples(BACKGROUND_S))

    def _most_live(self, source: Source) -> int:
        """Return the most samples that may wait before live audio, which is worth little when it is late."""
        return min(self.most(source), self.format.samples(LIVE_QUEUE_S))

    # -- in ------------------------------------------------------------------------

    def begin_after(self, begin_s: float, wake: Callable[[], None]) -> None:
        """Let the voice begin, after silence, when so many seconds of it wait."""
        self._start = StartBuffer(self.voice, begin_s, self.format.rate, begin=self.gaps.wait, wake=wake)

    def watch_delay(self, tell: Callable[[Growth], None]) -> None:
        """Call a function once, when the delay of live audio has grown and stays so."""
        self.delay.tell = tell

    def _observe(self, frame: OutputAudioFrame, source: Source, samples: int, now_s: float) -> None:
        """Note a frame that comes now: for the delay, the gaps, and the start of the voice."""
        if frame.live and now_s >= self.delay.due_s:
            self._measure(frame, source, now_s)
        if source is self.voice:
            self.gaps.note(frame)
            if self._start is not None:
                self.queue.advance()
                silent = not source.held or source.is_fading or self.queue.is_flushing
                self._start.expect(samples, live=frame.live, silent=silent)

    def _measure(self, frame: OutputAudioFrame, source: Source, now_s: float) -> None:
        stream = self.queue.stream
        if stream is not None and not source.is_held:
            self.queue.advance()
            ahead_s = self.format.seconds(self._count_held(source))
            self.delay.measure(frame, stream, ahead_s, now_s, self.latency_s)

    def take(self, frame: OutputAudioFrame, now_s: float) -> Source:
        """Take the audio of a frame to be played, and return its source."""
        source = self._source_of(frame)
        coming = frame.num_samples * self.format.rate // frame.rate
        self.left_out = 0
        self._observe(frame, source, coming, now_s)
        if frame.live and self._count_held(source) + coming > self._most_live(source):
            source.refuse(coming, DropReason.OVERFLOW)
        elif source is self.voice and self._finishes not in (None, self.sentences.latest):
            source.refuse(coming, DropReason.INTERRUPTED)
        elif source is self.voice and frame.live:
            self._take_live(frame, now_s)
        else:
            if source is self.voice:
                self.goes_on, self._taken_s = False, math.inf
                if self._drift is not None and self._drift.held:
                    self._put_live(self._drift.flush())
            self._put(source, self._convert(source, frame, now_s))
        return source

    def _convert(self, source: Source, frame: OutputAudioFrame, now_s: float) -> bytes:
        """Return the audio of a frame in the format of the speaker, as far as it is ready."""
        intake = self._intakes[source]
        self._converts = self._converts or frame.format != self.format
        intake.came_s = now_s
        intake.gap_s = max(RUN_GAP_S, 1.5 * frame.duration_s) if frame.live else RUN_GAP_S
        return intake.convert(frame.data, frame.format, follows=source.held > 0, live=frame.live)

    def _take_live(self, frame: OutputAudioFrame, now_s: float) -> None:
        """Take live audio of the voice, and leave out what waits for longer than it needs to."""
        voice, live, since_s = self.voice, self._live, self._since_s(now_s)
        if voice.is_held:
            live.pause()
        waiting, spare = self.queue.wait_of(voice)
        surplus = live.observe(frame, now_s, waiting, spare, since_s, self.position)
        data, gone = live.leave_out(self._convert(voice, frame, now_s))
        voice.refuse(gone, DropReason.LATE)
        self._put_live(live.correct(data, now_s, waiting, since_s))
        if surplus:
            self._leave_out(surplus)
        self.goes_on, self.live_s = True, now_s
        # A device takes the last block at once, some time before the moment at which that would end.
        self._taken_s = now_s + self.format.seconds(waiting) + max(0.0, frame.duration_s - self.block_s / 2)

    def _put_live(self, data: bytes) -> None:
        if data:
            gone = self._live.take_gone()
            removed = 0 if self._drift is None else self._drift.take_removed()
            change = Change(gone + removed, DropReason.LATE if gone else DropReason.DRIFT)
            self._put(self.voice, data, live=True, change=change if change.samples else None)

    def _leave_out(self, samples: int) -> None:
        """Leave out live audio from what waits, and the rest of it from what comes."""
        self.advance()
        left_out = self.queue.leave_out(self.voice, samples, DropReason.LATE)
        self._live.note_left_out(left_out, samples)
        self.left_out = samples

    def _since_s(self, now_s: float) -> float | None:
        """Return the seconds since the device took a block; None if unknown or too long ago.

        Too long means two blocks, or half of the device's latency. A device that really waited
        longer would soon run dry, so the reported time is late.
        """
        stream = self.queue.stream
        asked_s = None if stream is None else stream.asked_s
        longest_s = max(2 * self.block_s, self.latency_s / 2)
        return None if asked_s is None or now_s - asked_s > longest_s else now_s - asked_s

    def may_overtake(self, frame: Frame, held: Source) -> bool:
        """Return True if a frame that waits belongs to another source than this, and that has room."""
        if isinstance(frame, OutputAudioFrame):
            source = self._source_of(frame)
        elif isinstance(frame, SpokenFrame):
            source = self.voice
        else:
            return False
        return source is not held and not self.is_full(source)

    def _source_of(self, frame: OutputAudioFrame) -> Source:
        if not isinstance(frame, BackgroundAudioFrame):
            return self.voice
        for source in self.sounds:
            if source.name == frame.sound:
                return source
        if len(self._sources) > MOST_SOUNDS:
            return self._sources[-1]
        source = Source(frame.sound, self.format.sample_bytes, self.changes.append)
        self._intakes[source] = Intake(self.format)
        self._sources.append(source)
        return source

    def _put(self, source: Source, data: bytes, *, live: bool = False, change: Change | None = None) -> None:
        sentence = self.sentences.latest if source is self.voice else None
        source.put(data, sentence, live=live, change=change)

    def mark(self, text: str) -> None:
        """Begin a sentence of the voice."""
        self._finish_run(self.voice)
        self.sentences.begin(text)

    def _finish_run(self, source: Source) -> None:
        data = self._intakes[source].finish()
        if self._drift is None or source is not self.voice or not self._drift.held:
            self._put(source, data)
        else:
            self._put_live(self._drift.finish(data))

    def _inside(self, source: Source) -> int:
        """Return the samples of a source that a conversion or the compensator holds until more comes."""
        drift = self._drift.held if self._drift is not None and source is self.voice else 0
        return self._intakes[source].held + drift

    def finish_runs(self, now_s: float) -> None:
        """Write the ends of runs that the device needs soon and nothing continues."""
        for source, intake in self._intakes.items():
            if self._ends_soon(source) and now_s - intake.came_s >= intake.gap_s:
                self._finish_run(source)

    @property
    def run_ends_soon(self) -> bool:
        """True while the device needs the end of a run soon."""
        return self._holds and any(self._ends_soon(source) for source in self._sources)

    @property
    def _holds(self) -> bool:
        """True if a source may hold the end of a run until more comes."""
        return self._converts or self._drift is not None

    def _ends_soon(self, source: Source) -> bool:
        if not self._inside(source) or source.waiting:
            return False
        return not source.is_with_device or source.end - self.position <= self._low

    @property
    def _low(self) -> int:
        return self.format.samples(2 * RUN_GAP_S + 2 * self.block_s)

    # -- out -----------------------------------------------------------------------

    def finish(self) -> None:
        """Write what the compensator and the conversions still hold, because no more follows."""
        self._is_over = True
        for source in self._sources:
            self._finish_run(source)
        if self._start is not None:
            self._start.begin()

    def advance(self) -> None:
        """Note what has sounded."""
        queue, voice = self.queue, self.voice
        queue.advance()
        self.sentences.update()
        self.gaps.look(queue.stream, cut=queue.is_flushing or voice.is_held or voice.is_fading)

    def feed(self) -> bool:
        """Write what the device has room for; return True if there was any."""
        return self.queue.feed()

    def notify(self) -> None:
        """Request a wake-up call for the next moment that counts."""
        queue = self.queue
        moments = list(self._moments())
        if any(source.ready for source in self._sources):
            moments.append(queue.end - queue.most // 2)
        queue.notify_before(moments)

    def _moments(self) -> Iterator[int]:
        """Yield the positions at which a source or a sentence begins or ends."""
        for source in self._sources:
            if source.is_with_device and not self._goes_on(source):
                yield source.end
            if source.is_with_device and self._holds and self._inside(source):
                yield source.end - self._low
        if self.sentences.has_open:
            yield from self.voice.turns()

    def _goes_on(self, source: Source) -> bool:
        return self.goes_on and source is self.voice and self._finishes is None and not source.is_fading

    def quiet_since_s(self, now_s: float) -> float:
        """Return the time since which the device has nothing of the voice, where that is noticed now."""
        return min(now_s, max(self._taken_s, now_s - GOES_ON_S))

    async def drain(self) -> None:
        """Wait until all written audio was played or lost. Raises: DeviceError."""
        if self.device.check() and self.queue.stream is not None:
            with self.device.tolerate_loss():
                await self.queue.stream.drain()

    async def settle(self) -> None:
        """Wait until no flush waits for the device. Raises: DeviceError."""
        if self.queue.stream is not None:
            with self.device.tolerate_loss():
                await self.queue.stream.settle()

    # -- cuts ----------------------------------------------------------------------

    def cut(self, source: Source) -> None:
        """Fade a source out, and drop what waits of it."""
        self.advance()
        self._reset(source, DropReason.INTERRUPTED)
        self.queue.cut(source, DropReason.INTERRUPTED)
        self.queue.reset_gain(source)
        if source is self.voice:
            self._finishes = None
            self.gaps.forget()

    def sound_of(self, name: str) -> Source | None:
        """Return the background sound of this name; None: there was none."""
        return next((source for source in self.sounds if source.name == name), None)

    def hold(self) -> None:
        """Fade the voice out, and keep what was not heard."""
        self.advance()
        if not self.voice.is_held:
            self.queue.hold(self.voice)

    def resume(self) -> None:
        """Let the voice go on after a hold, with the sentence that was held."""
        if self.voice.is_held:
            self.queue.reset_gain(self.voice)
            self.queue.release(self.voice, self.sentences.current)

    def cut_after_sentence(self) -> bool:
        """Let the voice end its sentence, and drop what is behind; return False if there is no sentence."""
        self.advance()
        kept = self.sentences.current
        if kept is None:
            return False
        if self.sentences.latest is not kept:
            self._reset(self.voice, DropReason.INTERRUPTED)
        self._live.pause()
        self._finishes = kept
        self.queue.drop_others(self.voice, kept, DropReason.INTERRUPTED)
        self.sentences.drop_after(kept)
        return True

    @property
    def has_finished(self) -> bool:
        """True once the sentence has ended behind which the voice is cut."""
        return self._finishes is not None and self._finishes.is_over

    def end_finishing(self) -> None:
        """Let the voice go on as usual, behind a cut."""
        if self._finishes is not None:
            self._finishes = None
            self.gaps.forget()

    def cancel(self) -> None:
        """Flush, and count all audio that is not played from now on as cancelled."""
        self.queue.advance()
        self.queue.flush()
        self._cancelled = self._is_over = True

    def lose(self) -> None:
        """Let go of a lost stream, and drop the audio that waits for it."""
        self.queue.lose()
        self.drop_waiting(DropReason.DEVICE_LOST)

    def leave(self) -> None:
        """Let go of a stream that another one replaces, and keep the audio that waits for it."""
        self.queue.leave()

    def drop_waiting(self, reason: str) -> None:
        """Drop the audio that waits here, and count it under this reason."""
        for source in self._sources:
            self._reset(source, reason)
            source.drop_waiting(reason)

    def _reset(self, source: Source, reason: str) -> None:
        source.refuse(self._intakes[source].reset(), reason)
        if source is self.voice:
            self._live.pause()
            if self._drift is not None:
                source.refuse(self._drift.reset(), reason)

    def adopt(self, stream: OutputStream) -> None:
        """Write to this stream from now on. Only while there is no stream."""
        self.queue.adopt(stream)
        self._note(stream)
        self._live.adopt(self.block_s)

    # -- the ledgers ---------------------------------------------------------------

    def seams(self, name: str) -> list[SeamReport]:
        """Return the ledger of each source: the voice, and each sound by its name."""
        self.queue.advance()
        voice = self._seam(self.voice, f"{name} device")
        return [voice, *(self._seam(source, f"{name} {source.name}") for source in self.sounds)]

    def mix_seam(self) -> SeamReport:
        """Return the samples handed to the device, and those that wait: a report, and no ledger."""
        self.queue.advance()
        held = max(self._count_held(source) for source in self._sources)
        position = self.position
        return SeamReport("", position + held, position, held, dict(self._seam(self.voice, "").dropped))

    @property
    def delay_s(self) -> float | None:
        """The delay of live audio, in the end as it was when no more came; None if none came lately."""
        return self.delay.now_s(None if self._is_over else self._clock())

    def with_figures(self, statistics: DeviceStatistics) -> DeviceStatistics:
        """Return the statistics with the delay and the gaps."""
        return replace(
            statistics,
            delay_s=self.delay_s,
            longest_delay_s=self.delay.longest_s,
            gaps=self.gaps.count,
            gaps_s=self.gaps.seconds,
        )

    def close(self) -> None:
        """Note that what still waits will not be played."""
        self.closed = self._is_over = True
        if self._start is not None:
            self._start.close()

    def _seam(self, source: Source, name: str) -> SeamReport:
        inside = self._inside(source)
        taken, held = source.taken + inside, source.held + inside
        dropped = Counter(source.dropped)
        if self._drift is not None and source is self.voice:
            taken += self._drift.removed
            dropped[DropReason.DRIFT] += self._drift.removed  # negative, where samples were made
        if self.closed:
            dropped[self._rest_reason()] += held
            held = 0
        return SeamReport(name, taken, source.given, held, {key: n for key, n in dropped.items() if n})

    def _rest_reason(self) -> str:
        """Return the drop reason for the audio that waited at the close."""
        stream = self.queue.stream
        if stream is not None and stream.error is not None:
            return DropReason.DEVICE_LOST
        return DropReason.CANCELLED if self._cancelled else DropReason.SHUTDOWN
