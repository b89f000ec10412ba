"""The whole audio of one user turn, as one frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from voicepipe.awaitables import check_methods, refuse_coroutine
from voicepipe.checks import check_number, check_seconds
from voicepipe.frames import (
    Frame,
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.pipeline.place import Place, describe_missing_facts, takes
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.speech.end_of_turn import SilentJudge
from voicepipe.speech.heard import Heard
from voicepipe.speech.positions import StreamPositions, are_of_one_origin, refuse_two_microphones
from voicepipe.speech.vad import LOOK_BACK_S
from voicepipe.text import class_name, quote

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["UtteranceCollector"]

_Fact = UserStartedSpeakingFrame | UserStoppedSpeakingFrame
_MOST_FACTS = 256
"""The number of facts that may wait for their audio."""


class UtteranceCollector(InlineProcessor):
    """Gathers what the user says; stands behind a `VADProcessor`.

    Behind each `UserStoppedSpeakingFrame` comes an `UtteranceFrame` with the microphone's audio from
    a little before the speech to a little behind it, sample for sample. An utterance never reaches
    into the one before, nor across a gap: where audio is missing (a jump of `position`), where its
    format or its microphone changes, and at the End, it ends with what there is.

    The microphone's audio goes no further, unless a stage behind this one declares in `takes` that it
    needs it. So a stage behind it that is busy for long makes nobody deaf. All else passes unchanged.

    A fact counts from the position at which it was decided, and may come earlier than its audio: where a
    mailbox or a branch stands between the voice detector and the collector, utterances are the same.
    Two microphones need two collectors, each in a branch of its own.

    If `end_of_turn` reports an unfinished turn, the utterance stays open for `patience_s`. Speech
    that begins until then belongs to it. (The facts are passed all the same: they tell of
    speech, the utterance of a turn.)

    While nobody speaks, only the last `preroll_s` and 3.6 s more are kept (for a start
    becomes certain later), and the newest frame.

    Args:
        preroll_s: audio before the speech, so that its first sound is whole, 0 to 10 s.
        tail_s: audio behind it, so that a soft ending is whole, 0 to 10 s; of that,
            only what has been heard when the end is certain.
        max_s: longer speech comes in parts, as soon as each is there, nothing lost and nothing
            twice: none is longer than this, 1 to 60 s, and it is cut at the quietest place of
            the last third.
        end_of_turn: a judge that may report an unfinished turn. None: every pause ends a turn.
        patience_s: the longest wait after the begin of a pause, 0 to 60 s.
        passes_audio: True: pass the microphone's audio on; False: keep it here. None: pass it on only if
            a stage behind declares that it takes it. Outside a run it passes.

    Raises:
        TypeError, ValueError: a time is out of its bounds, or `end_of_turn` is none, or `passes_audio` is
            neither True, False nor None.
    """

    takes: ClassVar[tuple[type[Frame], ...]] = (
        InputAudioFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
    )

    def __init__(
        self,
        *,
        preroll_s: float = 0.7,
        tail_s: float = 0.3,
        max_s: float = 30.0,
        end_of_turn: SilentJudge | None = None,
        patience_s: float = 3.0,
        passes_audio: bool | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        if not isinstance(passes_audio, bool | None):
            raise TypeError(f"passes_audio must be True, False or None, not {quote(passes_audio)}")
        self._passes_audio = passes_audio
        self._passes = passes_audio is not False
        self._preroll_s = check_seconds("preroll_s", preroll_s, at_most=10.0)
        self._tail_s = check_seconds("tail_s", tail_s, at_most=10.0)
        self._max_s = check_number("max_s", max_s, at_least=1.0, at_most=UtteranceFrame.longest_s)
        if end_of_turn is not None and not callable(getattr(end_of_turn, "is_finished", None)):
            raise TypeError(f"end_of_turn must have is_finished(), not {quote(end_of_turn)}")
        check_methods(end_of_turn, SilentJudge, class_name(end_of_turn))
        self._end_of_turn = end_of_turn
        self._patience_s = check_seconds("patience_s", patience_s, at_most=60.0)
        self._positions = StreamPositions()
        self._facts: deque[tuple[int, _Fact]] = deque()
        """The facts whose audio has not come yet, each with the position from which it counts."""
        self._is_told = False
        """True if the utterance in progress was begun by a voice detector, which tells of each gap."""
        self._heard: Heard | None = None
        self._begin: int | None = None
        self._paused: int | None = None
        """The position of the pause in which it waits for more."""

    @property
    def collecting(self) -> bool:
        """True while an utterance is in progress."""
        return self._begin is not None

    @property
    def has_heard(self) -> bool:
        """True once audio has come to it in this run."""
        return self._positions.has_begun

    @property
    def held(self) -> int:
        """The number of samples that are kept."""
        return 0 if self._heard is None else self._heard.end - self._heard.begin

    def check_place(self, place: Place) -> Iterator[str]:
        """Decide if audio passes, and yield a warning if no voice detector stands before it.

        Raises:
            ValueError: a stage behind it needs audio that `passes_audio=False` keeps, or two microphones
                stand before it.
        """
        refuse_two_microphones(place)
        takers = [other for other in place.behind if takes(other.stage, InputAudioFrame)]
        if takers and self._passes_audio is False:
            raise ValueError(
                f"it keeps the microphone's audio (passes_audio=False), which {takers[0].label} behind it "
                f"needs: put {takers[0].label} in front of {place.label}, or leave passes_audio out"
            )
        self._passes = bool(self._passes_audio or takers)
        if missing := describe_missing_facts(place):
            yield missing

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run."""
        self._forget()

    async def cleanup(self) -> None:
        """Let go of the audio."""
        self._forget()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the frame with the utterance that it ended behind it, or before it at a jump."""
        if direction is not FrameDirection.DOWNSTREAM:
            return (frame,)
        if isinstance(frame, InputAudioFrame):
            passed = (frame,) if self._passes else ()
            return self._listen(frame, passed) if frame.num_samples else passed
        if isinstance(frame, (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)):
            self._keep(frame)
            return (frame, *self._catch_up())
        return (frame,)

    def on_end(self) -> Iterable[Frame]:
        """Return the utterance in progress, which ends here."""
        heard = self._heard
        ended = [] if heard is None else [*self._leave(heard, None), *self._finish(heard)]
        self._forget()
        return ended

    def _listen(self, frame: InputAudioFrame, passed: tuple[Frame, ...]) -> Iterable[Frame]:
        heard, position = self._heard, self._positions.place(frame)
        ended: list[Frame] = []
        if heard is None or not heard.goes_on_with(frame, position):
            ended, heard = self._begin_behind(heard, frame, position)
        # Only now is every fact about the audio before this frame known.
        ended += self._advance(heard, heard.end)
        if self._begin is None:
            heard.drop_before(position - heard.format.samples(self._preroll_s + LOOK_BACK_S))
        heard.add(frame)
        return (*ended, *passed, *self._catch_up())

    def _begin_behind(
        self, before: Heard | None, frame: InputAudioFrame, position: int
    ) -> tuple[list[Frame], Heard]:
        """Begin with the audio behind a gap; return what the gap ended, and the new audio.

        If the voice detector knows of the gap, it has told the end of the turn. If it does not, the audio
        was lost on the way from there, and the user speaks on.
        """
        ended: list[Frame] = []
        goes_on = False
        if before is not None:
            is_behind = frame.format == before.format and are_of_one_origin(frame.origin, before.origin)
            ended += self._leave(before, position if is_behind else 0)
            goes_on = is_behind and position > before.end and self._is_told and self._speaks
            ended += self._finish(before)
        self._heard = heard = Heard(position, frame)
        self._begin = position if goes_on else None
        return ended, heard

    @property
    def _speaks(self) -> bool:
        return self._begin is not None and self._paused is None

    # -- facts ---------------------------------------------------------------------

    def _keep(self, fact: _Fact) -> None:
        """Keep a fact until its audio has come."""
        due = fact.position if fact.decided is None else fact.decided
        if _lacks_position(fact) and self._heard is not None:
            due = self._heard.end
        facts = self._facts
        if facts and facts[-1][0] > due:  # facts keep their order: those before it count by then
            facts = self._facts = deque((min(before, due), other) for before, other in facts)
        if len(facts) >= _MOST_FACTS:  # the audio of the oldest two will not come any more
            facts.popleft()
            facts.popleft()
        facts.append((due, fact))

    def _catch_up(self) -> list[Frame]:
        """Return what the audio up to now ends: the facts count as soon as it has come so far."""
        heard, given = self._heard, list[Frame]()
        while heard is not None and self._facts:
            due, fact = self._facts[0]
            is_ours = are_of_one_origin(fact.origin, heard.origin)
            if is_ours and due > heard.end:
                break
            self._facts.popleft()
            if is_ours:
                given += self._act_on(heard, fact)
        return given

    def _leave(self, heard: Heard, position: int | None) -> Iterator[Frame]:
        """Act on the facts whose audio does not come: those up to the position behind a gap, or all."""
        while self._facts and (position is None or self._facts[0][0] <= position):
            _, fact = self._facts.popleft()
            if are_of_one_origin(fact.origin, heard.origin):
                yield from self._act_on(heard, fact)

    def _act_on(self, heard: Heard, fact: _Fact) -> Iterator[Frame]:
        """Act on a fact as of the position at which it was decided, however late or early it came."""
        now = heard.end if fact.decided is None else min(fact.decided, heard.end)
        yield from self._advance(heard, now)
        if isinstance(fact, UserStartedSpeakingFrame):
            self._start(heard, fact, now)
            yield from self._advance(heard, now)
        else:
            yield from self._stop(heard, fact, now)

    def _start(self, heard: Heard, fact: UserStartedSpeakingFrame, now: int) -> None:
        self._paused = None
        if self._begin is not None:
            return
        self._is_told = fact.decided is not None
        position = now if _lacks_position(fact) and heard.begin else fact.position
        if max(position, fact.decided or 0) > heard.end and position >= heard.end:
            self._begin = heard.end  # only silence has come of it
        else:
            begin = position - heard.format.samples(self._preroll_s)
            self._begin = min(max(begin, heard.begin), max(now, heard.begin))

    def _stop(self, heard: Heard, fact: UserStoppedSpeakingFrame, now: int) -> Iterator[Frame]:
        begin = self._begin
        if begin is None or self._paused is not None:
            return
        position = now if _lacks_position(fact) else fact.position
        end = min(position + heard.format.samples(self._tail_s), now)
        if self._end_of_turn is not None and begin < end:
            so_far = heard.copy(begin, min(end, begin + heard.format.samples(UtteranceFrame.longest_s)))
            if not refuse_coroutine("is_finished() of end_of_turn", self._end_of_turn.is_finished(so_far)):
                self._paused = position
                yield from self._run_out(heard, now)
                return
        yield from self._give(heard, end)

    # -- the utterance in progress ---------------------------------------------------

    def _advance(self, heard: Heard, now: int) -> Iterator[Frame]:
        """Yield the parts that are whole, and an unfinished utterance whose time is over, at a position."""
        yield from self._parts(heard, now)
        yield from self._run_out(heard, now)

    def _run_out(self, heard: Heard, now: int) -> Iterator[Frame]:
        """Yield the unfinished utterance when the time for it is over."""
        paused = self._paused
        if paused is not None:
            limit = paused + heard.format.samples(self._patience_s)
            if now >= limit:
                yield from self._give(heard, min(paused + heard.format.samples(self._tail_s), limit))

    def _finish(self, heard: Heard) -> Iterator[Frame]:
        """Yield the utterance in progress: nothing continues it."""
        yield from self._advance(heard, heard.end)
        if self._begin is not None:
            paused = self._paused
            tail = heard.format.samples(self._tail_s)
            yield from self._give(heard, heard.end if paused is None else paused + tail)

    def _parts(self, heard: Heard, now: int) -> Iterator[Frame]:
        """Yield the parts of an utterance in progress that is longer than one frame should be."""
        longest = int(self._max_s * heard.format.rate)
        while self._begin is not None and now - self._begin > longest:
            end = heard.quietest(self._begin + longest - longest // 3, self._begin + longest)
            part = heard.cut(self._begin, end)
            self._begin = end
            yield part

    def _give(self, heard: Heard, end: int) -> Iterator[Frame]:
        """Yield the utterance, up to `end` if so much was heard; nothing where its parts went further."""
        begin = self._begin
        self._begin = self._paused = None
        if begin is not None and begin < min(end, heard.end):
            yield heard.cut(begin, min(end, heard.end))

    def _forget(self) -> None:
        self._heard = self._begin = self._paused = None
        self._facts.clear()
        self._positions = StreamPositions()


def _lacks_position(fact: _Fact) -> bool:
    """Return True for a fact that a program made without a position: it tells of now."""
    return fact.decided is None and not fact.position
