"""The writer of a run's record: it hears the facts and the user's words, and writes down who said what."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator, Sequence

from voicepipe.conversation.remark import BackchannelFrame
from voicepipe.conversation.turns import TurnClock
from voicepipe.dialogue import Conversation, Remark
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    DataFrame,
    EndOfTurnFrame,
    Frame,
    InputAudioFrame,
    SpokenStartedFrame,
    SpokenStoppedFrame,
    TranscriptionFrame,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.link import Receive
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.seat import StageSeat
from voicepipe.pipeline.task_seat import TaskSeat

__all__ = ["Minutes"]

_SPEECHES = 32
"""The number of the user's speeches whose times are remembered, for words that come late."""


class Minutes:
    """The minutes of one run's conversation. In the loop's thread.

    Args:
        params: the parameters of the run, with its record.
        seats: the stages of the run, from the microphone to the speaker.
    """

    def __init__(self, params: StartParams, seats: Sequence[StageSeat]) -> None:
        self._clock, self._rate = params.clock, params.output.rate
        self._conversation: Conversation = params.conversation
        self._seats = seats
        self.turns = TurnClock(self.work, params.run_id)
        self._speeches: deque[_Speech] = deque(maxlen=_SPEECHES)
        self._sentence_s = self._bot_s = 0.0
        """The times at which the sentence and the program's speech began."""
        self._has_text = False
        """True if a sentence of the present speech told its text."""
        self._standing: frozenset[object] | None = None
        """The tasks of stages that ran before the user's last speech; None before the first."""
        self._passages: dict[int, _Passage] = {}
        """The passages of the words that are on their way. By id: a user's frame may compare by value."""
        self._judged_s = 0.0
        """The seconds that the verdict on the user's present pause took."""
        self._is_closed = False

    def close(self) -> None:
        """Forget the turn in progress, with its timer. No other begins."""
        self._is_closed = True
        self.turns.forget()

    # -- facts -------------------------------------------------------------------

    def note_fact(self, fact: Frame) -> None:
        """Note a fact. Call it once for each, before any stage has acted on it."""
        match fact:
            case UserStartedSpeakingFrame():
                self._speeches.append(_Speech(fact, self._time_of(fact.captured_s)))
                self._judged_s = 0.0
                self.turns.forget()
            case UserStoppedSpeakingFrame():
                self._note_stop(fact)
            case BackchannelFrame():
                self.turns.forget()
            case UserPausedFrame():
                self._judged_s = 0.0
            case EndOfTurnFrame() | UnfinishedTurnFrame():
                self._judged_s = fact.judged_s
            case SpokenStartedFrame():
                self._sentence_s = self._clock()
            case SpokenStoppedFrame():
                self._has_text = True
                heard = (fact.text, fact.heard, self._sentence_s, self._clock())
                self._conversation.note(_said(*heard, fact.began, interrupted=fact.interrupted))
            case BotStartedSpeakingFrame():
                self._bot_s, self._has_text = self._clock(), False
                self.turns.answer()
            case BotStoppedSpeakingFrame() if not self._has_text:
                heard = (fact.text, fact.text, self._bot_s, self._time_of(fact.ended_s))
                self._conversation.note(_said(*heard, fact.began, interrupted=fact.interrupted))
            case _:
                pass

    def _time_of(self, captured_s: float | None) -> float:
        return self._clock() if captured_s is None else captured_s

    def _note_stop(self, fact: UserStoppedSpeakingFrame) -> None:
        if self._speeches:
            self._speeches[-1].end(fact.position, self._time_of(fact.captured_s))
        self._standing = frozenset(task for seat in self._seats for task in seat.children)
        if not self._is_closed:
            self.turns.begin(fact.captured_s, self._judged_s)

    # -- the user's words ----------------------------------------------------------

    def take_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        """Write the user's words down, and send them on, or let an interrupter keep them for now.

        A frame that is pushed again, in the other direction or by another stage, goes with the first push.
        """
        passage = self._passages.get(id(words))
        if passage is not None:
            return passage.send(send)
        key = id(words)
        passage = _Passage(weakref.ref(words, lambda _: self._passages.pop(key, None)), send)
        self._passages[key] = passage
        remark = self._remark_of(words)
        if words.text.strip():
            self._conversation.note(remark)
        self._conversation.admit(remark, passage.open)
        return passage.full

    def _remark_of(self, words: TranscriptionFrame) -> Remark:
        speech, now_s = self._speech_at(words.position), self._clock()
        began_s = now_s if speech is None else speech.began_s
        ended_s = now_s if speech is None or speech.ended_s is None else speech.ended_s
        return Remark("user", words.text, began_s, ended_s, words.text, position=words.position)

    def _speech_at(self, position: int) -> _Speech | None:
        """Return the speech that the words at a position belong to; without a position, the last one.

        An utterance begins a little before its speech, so its position may lie in the pause before.
        """
        speeches = self._speeches
        if not speeches or not position:
            return speeches[-1] if speeches else None
        return next((speech for speech in speeches if speech.ends_behind(position)), speeches[-1])

    # -- who works on an answer --------------------------------------------------------

    def work(self, behind: object = None) -> tuple[str, ...]:
        """Return the labels of the stages that work on an answer; with `behind`, only of those behind it."""
        return tuple(seat.label for seat in self._seats_behind(behind) if self._works(seat))

    def _seats_behind(self, processor: object) -> Iterator[StageSeat]:
        counts = processor is None
        for seat in self._seats:
            if counts and not isinstance(seat.processor, DeviceStage):
                yield seat
            counts = counts or seat.processor is processor

    def _works(self, seat: StageSeat) -> bool:
        """Return True if the stage handles or holds a frame, or a task that it began since the last turn."""
        if isinstance(seat, TaskSeat) and (
            _is_work(seat.work.current) or any(_is_work(frame) for frame in seat.box.data)
        ):
            return True
        standing = self._standing
        return standing is not None and any(task not in standing for task in seat.children)


class _Passage:
    """The passage of the user's words from the stages that push them."""

    def __init__(self, words: weakref.ref[TranscriptionFrame], send: Receive) -> None:
        self._words = words
        self._is_open = False
        self._waiting = [send]
        self.full: Congestion | None = None
        """The congested place that the words met."""
        self._kept: TranscriptionFrame | None = words()
        """The words, as long as they wait."""

    def open(self) -> None:
        """Send the words on, as often as they were pushed, and let them pass from now on."""
        waiting, self._waiting, self._is_open = self._waiting, [], True
        words, self._kept = self._kept, None
        if words is not None:
            for send in waiting:
                self.full = send(words) or self.full

    def send(self, send: Receive) -> Congestion | None:
        """Send the words on once more, now or when they may pass."""
        words = self._words()
        if self._is_open and words is not None:
            return send(words)
        self._waiting.append(send)
        return None


class _Speech:
    """One speech of the user."""

    def __init__(self, fact: UserStartedSpeakingFrame, began_s: float) -> None:
        self.position = fact.position
        self.began_s = began_s
        self.ended_s: float | None = None
        self._end: int | None = None

    def ends_behind(self, position: int) -> bool:
        """Return True if the speech ends behind this position, or has not ended."""
        return self._end is None or position < self._end

    def end(self, position: int, ended_s: float) -> None:
        """Note its end."""
        self._end, self.ended_s = position, ended_s


def _said(
    text: str, heard: str, began_s: float, ended_s: float, position: int, *, interrupted: bool
) -> Remark:
    return Remark("program", text, began_s, ended_s, heard, interrupted, position)


def _is_work(frame: Frame | None) -> bool:
    return isinstance(frame, DataFrame) and not isinstance(frame, InputAudioFrame)
