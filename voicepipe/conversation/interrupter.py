"""The stage that lets the user interrupt the program, by the ear."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from voicepipe.checks import check_count, check_seconds
from voicepipe.conversation.gate import KeptWords
from voicepipe.conversation.handed_turns import Turns
from voicepipe.conversation.remark import BackchannelFrame, Heard, Judge, StopWords, words_of
from voicepipe.conversation.states import Act, Event, Policy, Rules, State, Table
from voicepipe.conversation.timers import Timers
from voicepipe.conversation.voice import Voice
from voicepipe.dialogue import Conversation, Remark
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    InterruptionFrame,
    SpokenStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.params import StartParams
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.text import quote

__all__ = ["WORDS_S", "Interrupter"]

WORDS_S = 1.5
"""The seconds after the user's stop for which a ducked voice waits for words or for a verdict."""
_AGAIN_S = 0.02
"""The least time between two looks at the length of the user's speech."""
_POLICIES = ("stop", "finish", "ignore")


class Interrupter(FrameProcessor):
    """Stops the program when the user speaks over it. Stands behind the `UtteranceCollector`.

        Pipeline([microphone, VADProcessor(), UtteranceCollector(), Interrupter(), stt, llm, tts, speaker])

    It acts on the start of the user's speech at once, whatever other stages do. An interruption drops
    the queued speech, and cancels the work of the stages with `cut_on_interruption` or with an
    interruptible frame in hand. A user who goes on before an answer has begun makes one turn of both
    utterances: one `UtteranceFrame` has the audio of both, without the pause between them.

    `min_s`, `min_words`, `judge` and `resume_s` make it careful. The voice then becomes softer at once,
    and the rest is decided later. An utterance that is no turn is not answered: its words go to nobody,
    and it goes to nobody itself, unless a stage makes words of utterances. A `BackchannelFrame` tells
    of it, and again of its words if they come later.

    Args:
        policy: the effect of the user's speech. "stop": the program stops. "finish": it ends its sentence
            first. "ignore": it goes on.
        min_s: the seconds for which the user must go on, 0 to 60.
        min_words: the number of words that it takes, 0 to 100.
        resume_s: hold the voice, and go on with it after so many seconds without words, 0.1 to 60.
        always: words and phrases that stop the program whatever the policy.
        judge: a function that tells a turn from a backchannel, called with `Heard` when words arrive. It
            returns "turn", "backchannel" or None, and may be async.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of its bounds.
    """

    takes = (UtteranceFrame,)
    lets_interrupt: ClassVar[bool] = True
    """True: it needs a microphone that hears while the program sounds."""

    def __init__(
        self,
        policy: Policy = "stop",
        *,
        min_s: float = 0.0,
        min_words: int = 0,
        resume_s: float | None = None,
        always: Iterable[str] = ("stop",),
        judge: Judge | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        if judge is not None and not callable(judge):
            raise TypeError(f"judge must be a function, not {quote(judge)}")
        if resume_s is not None and check_seconds("resume_s", resume_s, at_most=60.0) < 0.1:
            raise ValueError(f"resume_s must be at least 0.1, not {quote(resume_s)}")
        self._rules = Rules(
            check_seconds("min_s", min_s, at_most=60.0),
            check_count("min_words", min_words, at_most=100),
            resume_s,
            judge is not None,
        )
        self._judge = judge
        self._stop_words = StopWords(always)
        self._policy: Policy = _check_policy(policy)
        self._reset(StartParams())

    def _reset(self, params: StartParams) -> None:
        self._params = params
        self._table = Table(self._rules, self._policy)
        self._voice = Voice(params.speakers)
        self._words = KeptWords()
        self._cuts = 0
        """The number of interruptions that were requested and are not carried out yet."""
        self._news = asyncio.Event()
        """Set when something was decided or carried out."""
        self._began: UserStartedSpeakingFrame | None = None
        self._utterance: UtteranceFrame | None = None
        """The utterance that went on for its words, and is not decided on."""
        self._turns = Turns()
        self._knows_words = False
        """True if some stage has made words of the user's speech."""
        self._waits = False
        """True if the sentence has ended, and the words of the utterance are awaited before the cut."""
        self._silent_s = 0.0
        """The silence that had passed when the user's stop became certain."""
        self._timers = Timers()

    @property
    def policy(self) -> Policy:
        """The effect of the user's speech: "stop", "finish" or "ignore". May be set at any time."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = self._table.policy = _check_policy(policy)

    @contextlib.contextmanager
    def using(self, policy: Policy) -> Iterator[None]:
        """Use another policy for a time: `with interrupter.using("finish"):`."""
        before, self.policy = self._policy, policy
        try:
            yield
        finally:
            self.policy = before

    @property
    def state(self) -> str:
        """The present state: "idle", "thinking", "speaking", "ducked", "held" or "finishing"."""
        return self._table.state.value

    # -- the run -----------------------------------------------------------------

    async def on_start(self, params: StartParams) -> None:
        """Begin to listen to the user's words."""
        self._reset(params)
        self._conversation.gates.append(self._hear)

    @property
    def _conversation(self) -> Conversation:
        return self._params.conversation

    def on_ending(self) -> None:
        """Take what is undecided for a turn: nothing may wait behind the end."""
        if self._hear in self._conversation.gates:
            self._conversation.gates.remove(self._hear)
        self._take(Event.ENDING)

    async def cleanup(self) -> None:
        """Cancel the timers, and let the voice go on."""
        self._timers.stop()
        self._voice.resume()

    def progress(self) -> object:
        """Return a value that changes while a sentence is to be ended, as long as the program speaks."""
        waits = self._table.state is State.FINISHING and self._params.speakers.is_speaking
        return self._params.clock() if waits else None

    # -- facts -------------------------------------------------------------------

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        """Act on the start and the end of speech at once."""
        match fact:
            case UserStartedSpeakingFrame():
                self._user_started(fact)
            case UserStoppedSpeakingFrame():
                self._user_stopped(fact)
            case BotStartedSpeakingFrame():
                self._take(Event.BOT_STARTED)
            case SpokenStoppedFrame():
                self._take(Event.SENTENCE_ENDED)
            case BotStoppedSpeakingFrame():
                self._take(Event.BOT_STOPPED)
                self._note_work()
            case _:
                pass

    def _note_work(self) -> None:
        """Note it if nobody works on an answer any more."""
        if self._table.state is State.THINKING and not self._conversation.at_work(self):
            self._take(Event.WORK_DONE)

    def _user_started(self, fact: UserStartedSpeakingFrame) -> None:
        self._timers.stop("end")
        if self._table.state not in (State.DUCKED, State.HELD):
            self._drop_words()  # of a remark that nobody has decided on
            self._began = fact
            self._note_work()
        self._take(Event.USER_STARTED)
        if self._table.is_turn is None and self._rules.min_s:
            self._timers.start(
                "min_s", self._rules.min_s - self._length_s(fact.decided), self._look_at_length
            )

    def _user_stopped(self, fact: UserStoppedSpeakingFrame) -> None:
        self._timers.stop("min_s")
        if self._began is not None and self._length_s(fact.position) >= self._rules.min_s > 0:
            self._take(Event.WENT_ON)
        self._silent_s = 0.0 if fact.captured_s is None else self._params.clock() - fact.captured_s
        self._take(Event.USER_STOPPED)

    def _length_s(self, position: int | None) -> float:
        """Return the seconds from the start of the user's remark to a position."""
        began = self._began
        return 0.0 if began is None or position is None else self._seconds(position - began.position)

    def _seconds(self, samples: int) -> float:
        return samples / self._params.input.rate

    def _look_at_length(self) -> None:
        """Look if the user has gone on for `min_s`. A detector knows it better than the clock."""
        lengths = [ear.speech_s for ear in self._conversation.ears]
        missing_s = self._rules.min_s - max(lengths, default=self._rules.min_s)
        if missing_s > 1e-6:
            self._timers.start("min_s", max(missing_s, _AGAIN_S), self._look_at_length)
        else:
            self._take(Event.WENT_ON)

    # -- the user's words ----------------------------------------------------------

    def _hear(self, remark: Remark, send: Callable[[], None]) -> bool:
        """Hear the user's words, whichever stage pushed them; return True if they are kept back."""
        self._knows_words = True
        is_turn = self._table.is_turn
        if self._stop_words.are_in(remark.text):
            self._words.add(remark.text, send)
            self._take(Event.STOP_WORD)
            return True
        if self._turns.were_refused(remark) or (is_turn is False and not self._turns.were_before(remark)):
            self._tell(BackchannelFrame(remark.text))
            return True
        if is_turn is None and not self._turns.were_before(remark):
            self._words.add(remark.text, send)
            self._judge_words(len(words_of(remark.text)))
            return True
        return self._pass_words(remark, send)

    def _pass_words(self, remark: Remark, send: Callable[[], None]) -> bool:
        """Let words of a turn pass; return True if an interruption is on its way, and they wait for it."""
        self._turns.owes_words = False
        if not self._is_busy and not self._words:
            if self._table.state is State.IDLE:  # words without an utterance: a streaming recogniser's
                self._take(Event.HANDED_ON)
            return False
        self._words.add(remark.text, send)
        if self._waits:
            self._cut_behind()
        return True

    def _judge_words(self, count: int) -> None:
        if self._judge is None:
            self._take(Event.WORDS, count)
        else:
            self.create_task(self._ask_judge(self._judge, count), name="judge")

    async def _ask_judge(self, judge: Judge, count: int) -> None:
        began = self._began
        answer = judge(Heard(self._words.text, not self._table.talking, self._utterance))
        event = _event_of(await answer if inspect.isawaitable(answer) else answer)
        if began is self._began:
            self._take(event, count)

    # -- utterances ----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass a turn on; keep an utterance that is none."""
        if not isinstance(frame, UtteranceFrame) or direction is FrameDirection.UPSTREAM:
            await self.push_frame(frame, direction)
            return
        while not self._may_pass:
            self._news.clear()
            await self._news.wait()
        if self._table.is_turn is False:
            self._mark(frame)
            if self._knows_words:  # one of them may be a word of `always`
                await self.push_frame(frame)
            return
        if self._table.is_turn is None or self._is_busy:
            self._utterance = frame
            await self.push_frame(frame)
        elif self._turns.joined:
            await self._pass_turn(frame)
        else:
            self._hand_on(frame)
            await self.push_frame(frame)

    @property
    def _may_pass(self) -> bool:
        """True if the next utterance may pass: as a turn, or for its words, which wait here."""
        if self._cuts or self._waits:
            return False
        if self._table.state is State.FINISHING:
            return self._knows_words
        return self._table.is_turn is not None or self._rules.by_words or self._rules.resume_s is not None

    @property
    def _is_busy(self) -> bool:
        """True while an interruption is on its way, or the program ends its sentence."""
        return self._cuts > 0 or self._waits or self._table.state is State.FINISHING

    def _mark(self, utterance: UtteranceFrame, text: str = "") -> None:
        """Tell of an utterance that is no turn."""
        self._turns.refuse(utterance)
        self._tell(BackchannelFrame(text, utterance))

    def _hand_on(self, utterance: UtteranceFrame) -> None:
        self._turns.hand_on(utterance)
        self._take(Event.HANDED_ON)

    # -- acts ----------------------------------------------------------------------

    def _take(self, event: Event, words: int = 0) -> None:
        for act in self._table.take(event, words):
            self._do(act)
        self._settle()

    def _do(self, act: Act) -> None:
        match act:
            case Act.CUT | Act.JOIN:
                self._turns.owe(self._table.joined if act is Act.JOIN else 0)
                self._waits = False
                self._begin_cut()
            case Act.CUT_BEHIND | Act.JOIN_BEHIND:
                self._turns.owe(self._table.joined if act is Act.JOIN_BEHIND else 0)
                self._await_words_behind()
            case Act.FINISH:
                self._voice.end_sentence()
            case Act.DUCK:
                self._voice.duck()
            case Act.HOLD:
                self._voice.hold()
            case Act.UNDUCK | Act.RESUME:
                self._voice.resume()
            case Act.AWAIT_WORDS:
                self._timers.start("end", WORDS_S, lambda: self._take(Event.TIME_UP))
            case Act.AWAIT_SILENCE:
                wait_s = (self._rules.resume_s or 0.0) - self._silent_s
                self._timers.start("end", wait_s, lambda: self._take(Event.SILENCE))
            case Act.MARK:
                pass  # `_settle` does it

    def _await_words_behind(self) -> None:
        """Cut behind a sentence, but not the stage that makes words of what the user said."""
        if self._utterance is None or self._words or self._turns.joined:
            self._begin_cut()
            return
        self._waits = True
        self._voice.hold()
        self._timers.start("words", WORDS_S, self._cut_behind)

    def _cut_behind(self) -> None:
        """Cut now, with the words or without."""
        self._waits = False
        self._begin_cut()

    def _begin_cut(self) -> None:
        self._timers.stop("words")
        self._cuts += 1
        self.create_task(self._cut(self._take_again()), name="cut")

    def _take_again(self) -> UtteranceFrame | None:
        """Take an utterance that went on for its words, if it must go on once more behind the cut.

        It must if it is the end of a longer turn, or if its words have not come: the cut may take them.
        """
        if self._utterance is None or (self._words and not self._turns.joined):
            return None
        again, self._utterance = self._utterance, None
        self._words.drop()
        return again

    async def _cut(self, again: UtteranceFrame | None) -> None:
        """Interrupt the program. What the user said goes on when that is carried out."""
        try:
            await self.push_frame(InterruptionFrame())
        finally:
            self._cuts -= 1
        self._voice.resume()
        if again is not None:
            await self._pass_turn(again)
        self._settle()

    async def _pass_turn(self, utterance: UtteranceFrame) -> None:
        """Pass a turn on, with the utterances before that are a part of it. Too long, it stays in parts."""
        *parts, turn = self._turns.join(utterance)
        for part in parts:
            await self.push_frame(part)
        self._hand_on(turn)
        await self.push_frame(turn)

    def _settle(self) -> None:
        """Let go of the words that are decided on."""
        turn, utterance = self._table.is_turn, self._utterance
        if turn is not None:
            self._timers.stop("end")
            self._timers.stop("min_s")
        if turn is False:
            self._drop_words()
        elif turn and not self._is_busy:
            if utterance is not None:
                self._utterance = None
                self._hand_on(utterance)
            if self._words:
                self._turns.owes_words = False
                self._words.release()
        self._news.set()

    def _drop_words(self) -> None:
        """Tell of a remark that is no turn."""
        utterance, self._utterance = self._utterance, None
        text = self._words.drop()
        if utterance is not None:
            self._mark(utterance, text)
        elif text:
            self._tell(BackchannelFrame(text))

    def _tell(self, fact: BackchannelFrame) -> None:
        self.create_task(self._push_both(fact), name="backchannel")

    async def _push_both(self, fact: BackchannelFrame) -> None:
        await self.push_frame(fact, FrameDirection.UPSTREAM)
        await self.push_frame(fact)


def _check_policy(policy: object) -> Policy:
    if policy not in _POLICIES:
        raise ValueError(f'policy must be "stop", "finish" or "ignore", not {quote(policy)}')
    return policy  # type: ignore[return-value]  # one of the three


def _event_of(verdict: object) -> Event:
    match verdict:
        case "turn":
            return Event.TURN
        case "backchannel":
            return Event.BACKCHANNEL
        case None:
            return Event.WORDS
        case _:
            raise ValueError(f'judge must return "turn", "backchannel" or None, not {quote(verdict)}')
