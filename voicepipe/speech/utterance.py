"""The whole audio of one user turn, as one frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from voicepipe.awaitables import refuse_coroutine
from voicepipe.checks import check_number, check_seconds
from voicepipe.frames import (
    EndOfTurnFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UserResumedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.log import logger_of
from voicepipe.pipeline.place import Place, describe_missing_facts, may_make, takes
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.speech.asking import Asking
from voicepipe.speech.early_facts import EarlyFacts, SpeechFact, lacks_position
from voicepipe.speech.end_of_turn import (
    Eagerness,
    EndOfTurn,
    SilentJudge,
    check_eagerness,
    check_judge,
    is_awaited,
)
from voicepipe.speech.heard import Heard
from voicepipe.speech.positions import StreamPositions, are_of_one_origin, refuse_two_microphones
from voicepipe.speech.vad import LOOK_BACK_S
from voicepipe.text import class_name, quote

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["UtteranceCollector"]

_SPEECH = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
_PAUSES = (UserPausedFrame, UserResumedFrame)
_SILENT_S = 3.0
"""The longest wait where a judge of the earlier kind reports an unfinished turn."""
_log = logger_of("voicepipe")


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

    `end_of_turn` judges the pauses: it is asked about 0.2 s into each. If it says that the user has
    finished, the `VADProcessor` ends the turn, and the utterance goes out at once. If not, only a long
    silence ends the turn, and the user's next words belong to it. If it fails, or takes longer than the
    silence, the silence decides, as without it.

    While nobody speaks, only the last `preroll_s` and 3.6 s more are kept (for a start
    becomes certain later), and the newest frame.

    Args:
        preroll_s: audio before the speech, so that its first sound is whole, 0 to 10 s.
        tail_s: audio behind it, so that a soft ending is whole, 0 to 10 s; of that,
            only what has been heard when the end is certain.
        max_s: longer speech comes in parts, as soon as each is there, nothing lost and nothing
            twice: none is longer than this, 1 to 60 s, and it is cut at the quietest place of
            the last third.
        end_of_turn: a judge of pauses. None: the silence decides.
        eagerness: the use of its verdicts: "low", "medium" or "high". It takes a probability of 0.7, 0.5
            or 0.3 to end the turn; otherwise the turn ends after 8, 4 or 2 s of silence.
        patience_s: that longest silence, 0 to 60 s. None: the one of the eagerness.
        passes_audio: True: pass the microphone's audio on; False: keep it here. None: pass it on only if
            a stage behind declares that it takes it. Outside a run it passes.

    Raises:
        TypeError, ValueError: a time is out of its bounds, `end_of_turn` or `eagerness` is none, or
            `passes_audio` is neither True, False nor None.
    """

    takes: tuple[type[Frame], ...] = (InputAudioFrame, *_SPEECH)

    def __init__(
        self,
        *,
        preroll_s: float = 0.7,
        tail_s: float = 0.3,
        max_s: float = 30.0,
        end_of_turn: EndOfTurn | SilentJudge | None = None,
        eagerness: Eagerness = "medium",
        patience_s: float | None = None,
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
        self._eagerness: Eagerness = check_eagerness(eagerness)
        if patience_s is not None:
            patience_s = check_seconds("patience_s", patience_s, at_most=60.0)
        self._patience_s = _SILENT_S if patience_s is None else patience_s
        self._silent_judge: SilentJudge | None = None
        self._asking: Asking | None = None
        if end_of_turn is not None:
            self._use(check_judge(end_of_turn), patience_s)
        self._positions = StreamPositions()
        self._facts = EarlyFacts()
        self._is_told = False
        """True if the utterance in progress was begun by a voice detector, which tells of each gap."""
        self._heard: Heard | None = None
        self._begin: int | None = None
        self._paused: int | None = None
        """The position of the pause in which it waits for more, because a silent judge says so."""
        self._silent_from: int | None = None
        """The position of the pause about which the judge was asked, while it lasts."""

    def _use(self, judge: EndOfTurn | SilentJudge, patience_s: float | None) -> None:
        if is_awaited(judge):
            self._asking = Asking(judge, self, self._eagerness, patience_s)
            self.takes = (*self.takes, *_PAUSES)
            self.makes = (UtteranceFrame, EndOfTurnFrame, UnfinishedTurnFrame)
        else:
            self._silent_judge = cast("SilentJudge", judge)
            warnings.warn(_describe_silent(self._silent_judge), DeprecationWarning, stacklevel=3)

    @property
    def eagerness(self) -> Eagerness:
        """The use of the judge's verdicts: "low", "medium" or "high". May be set at any time."""
        return self._eagerness

    @eagerness.setter
    def eagerness(self, eagerness: Eagerness) -> None:
        self._eagerness = check_eagerness(eagerness)
        if self._asking is not None:
            self._asking.eagerness = self._eagerness

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
        elif self._asking is not None and place.before and not _tells_of_pauses(place):
            yield (
                f"no stage before {place.label} tells of pauses (UserPausedFrame), so its end_of_turn is "
                "never asked: put a VADProcessor() in front of it"
            )

    async def on_start(self, params: StartParams) -> None:
        """Forget an earlier run, and get the judge ready. Raises: whatever its `start()` raises."""
        self._forget()
        if self._asking is not None:
            await self._asking.start(self._seat)
        elif self._silent_judge is not None:
            _log.warning("%s: %s", self.name, _describe_silent(self._silent_judge))

    async def cleanup(self) -> None:
        """Let go of the audio, and close the judge."""
        self._forget()
        if self._asking is not None:
            await self._asking.close()

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the frame with the utterance that it ended behind it, or before it at a jump."""
        if direction is not FrameDirection.DOWNSTREAM:
            return (frame,)
        if isinstance(frame, InputAudioFrame):
            passed = (frame,) if self._passes else ()
            return self._listen(frame, passed) if frame.num_samples else passed
        if isinstance(frame, _SPEECH) or (self._asking is not None and isinstance(frame, _PAUSES)):
            if self._asking is None or not self._note_pause(frame, self._asking):
                self._facts.add(frame, None if self._heard is None else self._heard.end)
            return (frame, *self._catch_up())
        return (frame,)

    def _note_pause(self, fact: SpeechFact, asking: Asking) -> bool:
        """Begin or stop asking, as soon as it is known; return True if that was all about the fact."""
        heard = self._heard
        if isinstance(fact, UserPausedFrame):
            asking.expect(fact, live=heard is not None and heard.live)
            return False
        asking.stop(by_silence=isinstance(fact, UserStoppedSpeakingFrame))
        if not isinstance(fact, UserResumedFrame) or not self._facts.have_pause:
            return False
        self._facts.drop_last()  # the pause was over before its audio has come
        return True

    def on_end(self) -> Iterable[Frame]:
        """Return the utterance in progress, which ends here."""
        self._stop_asking()
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

    def _catch_up(self) -> list[Frame]:
        """Return what the audio up to now ends: the facts count as soon as it has come so far."""
        heard, given = self._heard, list[Frame]()
        while heard is not None and (fact := self._facts.first) is not None:
            is_ours = are_of_one_origin(fact.origin, heard.origin)
            if self._facts.take(heard.end if is_ours else None) is None:
                break
            if is_ours:
                given += self._act_on(heard, fact)
            elif self._asking is not None and isinstance(fact, UserPausedFrame):
                self._asking.pass_over(fact)
        return given

    def _leave(self, heard: Heard, position: int | None) -> Iterator[Frame]:
        """Act on the facts whose audio does not come: those up to the position behind a gap, or all."""
        while (fact := self._facts.take(position)) is not None:
            if are_of_one_origin(fact.origin, heard.origin):
                yield from self._act_on(heard, fact)
        if not self._facts.have_pause:
            self._stop_asking()

    def _act_on(self, heard: Heard, fact: SpeechFact) -> Iterator[Frame]:
        """Act on a fact as of the position at which it was decided, however late or early it came."""
        now = heard.end if fact.decided is None else min(fact.decided, heard.end)
        yield from self._advance(heard, now)
        if isinstance(fact, UserStartedSpeakingFrame):
            self._start(heard, fact, now)
            yield from self._advance(heard, now)
        elif isinstance(fact, UserPausedFrame):
            self._pause(heard, fact, now)
        elif isinstance(fact, UserResumedFrame):
            self._silent_from = None
        else:
            yield from self._stop(heard, fact, now)

    def _pause(self, heard: Heard, fact: UserPausedFrame, now: int) -> None:
        """Ask about a pause in the utterance in progress."""
        asking, begin = self._asking, self._begin
        assert asking is not None
        if begin is None or begin >= now:
            asking.pass_over(fact)
            return
        self._silent_from = fact.position
        longest = heard.format.samples(UtteranceFrame.longest_s)
        asking.ask(fact, heard.copy(max(begin, now - longest), now))

    def _start(self, heard: Heard, fact: UserStartedSpeakingFrame, now: int) -> None:
        self._paused = self._silent_from = None
        if self._begin is not None:
            return
        self._is_told = fact.decided is not None
        position = now if lacks_position(fact) and heard.begin else fact.position
        if max(position, fact.decided or 0) > heard.end and position >= heard.end:
            self._begin = heard.end  # only silence has come of it
        else:
            begin = position - heard.format.samples(self._preroll_s)
            self._begin = min(max(begin, heard.begin), max(now, heard.begin))

    def _stop(self, heard: Heard, fact: UserStoppedSpeakingFrame, now: int) -> Iterator[Frame]:
        begin = self._begin
        if begin is None or self._paused is not None:
            return
        position = now if lacks_position(fact) else fact.position
        end = min(position + heard.format.samples(self._tail_s), now)
        if self._silent_judge is not None and begin < end:
            so_far = heard.copy(begin, min(end, begin + heard.format.samples(UtteranceFrame.longest_s)))
            if not refuse_coroutine("is_finished() of end_of_turn", self._silent_judge.is_finished(so_far)):
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
            paused = self._silent_from if self._paused is None else self._paused
            tail = heard.format.samples(self._tail_s)
            yield from self._give(heard, heard.end if paused is None else paused + tail)

    def _parts(self, heard: Heard, now: int) -> Iterator[Frame]:
        """Yield the parts of an utterance in progress that is longer than one frame should be."""
        longest = int(self._max_s * heard.format.rate)
        if self._silent_from is not None:  # a part of silence alone would be none of the turn
            now = min(now, self._silent_from + heard.format.samples(self._tail_s))
        while self._begin is not None and now - self._begin > longest:
            end = heard.quietest(self._begin + longest - longest // 3, self._begin + longest)
            part = heard.cut(self._begin, end)
            self._begin = end
            yield part

    def _give(self, heard: Heard, end: int) -> Iterator[Frame]:
        """Yield the utterance, up to `end` if so much was heard; nothing where its parts went further."""
        begin = self._begin
        self._begin = self._paused = self._silent_from = None
        if begin is not None and begin < min(end, heard.end):
            yield heard.cut(begin, min(end, heard.end))

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.stop()

    def _forget(self) -> None:
        self._stop_asking()
        self._heard = self._begin = self._paused = self._silent_from = None
        self._facts.clear()
        self._positions = StreamPositions()


def _tells_of_pauses(place: Place) -> bool:
    return any(may_make(other.stage, UserPausedFrame) for other in place.before)


def _describe_silent(judge: SilentJudge) -> str:
    return (
        f"{class_name(judge)}.is_finished() is asked after the silence, but will not be in the next release: "
        "write async def finished(self, utterance) instead"
    )
