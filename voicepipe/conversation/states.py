"""The states of an interrupter as a table of functions, without clocks and without frames.

state      what comes                 what happens
---------  -------------------------  ---------------------------------------------------------------
idle       the user starts            nothing to stop
thinking   the user starts            `stop`: cut, and both utterances are one turn; with `min_s`,
                                      `min_words` or `judge`: held until they are met.
                                      `finish`, `ignore`: it goes on
speaking   the user starts            `stop`, nothing set: cut. Otherwise ducked. `finish`: the sentence
                                      ends first. `ignore`: it goes on
ducked     the user goes on           held where `resume_s` is set, else cut
ducked     the user stops             up to 1.5 s for words or a verdict; else full volume
held       words                      cut
held       `resume_s` of silence      it goes on
any        a word of `always`         cut
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

__all__ = ["Act", "Event", "Policy", "Rules", "State", "Table"]

Policy = Literal["stop", "finish", "ignore"]


class State(enum.StrEnum):
    """The state of the program's side of the conversation."""

    IDLE = "idle"
    """The program neither speaks nor works on an answer."""
    THINKING = "thinking"
    """A turn was handed on, and no sound of the answer has begun."""
    SPEAKING = "speaking"
    DUCKED = "ducked"
    """It speaks softly: the user may be interrupting."""
    HELD = "held"
    """Its voice is silent, and kept: the user probably interrupts."""
    FINISHING = "finishing"
    """It ends its sentence, and is cut then."""


class Event(enum.StrEnum):
    """An event that the table knows."""

    USER_STARTED = "the user starts"
    WENT_ON = "the user has spoken for min_s"
    USER_STOPPED = "the user stops"
    WORDS = "words arrive"
    TURN = "the judge: a turn"
    BACKCHANNEL = "the judge: a backchannel"
    STOP_WORD = "a word of always"
    TIME_UP = "no words came in time"
    SILENCE = "resume_s of silence"
    HANDED_ON = "a turn is handed on"
    WORK_DONE = "nobody works on an answer"
    BOT_STARTED = "the program begins to speak"
    SENTENCE_ENDED = "a sentence of the program ends"
    BOT_STOPPED = "the program stops speaking"
    ENDING = "the run is to end"


class Act(enum.StrEnum):
    """An act that the table asks for."""

    CUT = "cut"
    JOIN = "cut, and the turn before is part of this one"
    FINISH = "end the sentence"
    CUT_BEHIND = "cut, for the sentence has ended"
    JOIN_BEHIND = "cut, for the sentence has ended, and the turn before is part of this one"
    DUCK = "duck"
    UNDUCK = "full volume"
    HOLD = "hold"
    RESUME = "go on"
    AWAIT_WORDS = "wait for words"
    AWAIT_SILENCE = "wait for silence"
    MARK = "mark the utterance, which is not answered"


@dataclass(frozen=True, slots=True)
class Rules:
    """The conditions of an interruption, as `Interrupter` has them."""

    min_s: float = 0.0
    min_words: int = 0
    resume_s: float | None = None
    judge: bool = False
    """True if there is a judge."""

    @property
    def conditional(self) -> bool:
        """True if it takes more than a start of speech to be a turn."""
        return bool(self.min_s or self.min_words or self.judge)

    @property
    def by_words(self) -> bool:
        """True if words may decide."""
        return bool(self.min_words or self.judge)


class Table:
    """The table with its present state. `take` an event; it returns the acts, in their order."""

    def __init__(self, rules: Rules, policy: Policy = "stop") -> None:
        self.rules = rules
        self.policy: Policy = policy
        self.state = State.IDLE
        self.is_turn: bool | None = True
        """True if the user's present or last remark is a turn, False if it is not; None: undecided."""
        self._talking = False
        self._went_on = False
        self._words = 0
        self._rest = State.IDLE
        """The state to go back to from `DUCKED` and `HELD`."""
        self._thought = False
        """True if an answer in the making is held, of which no sound was heard."""
        self._owed = 0
        """The number of turns that were handed on, and of whose answer no sound was heard."""
        self.joined = 0
        """The number of them that the last cut has made a part of the user's present turn."""

    @property
    def talking(self) -> bool:
        """True while the user speaks."""
        return self._talking

    def take(self, event: Event, words: int = 0) -> list[Act]:
        """Take an event, and return what is to be done.

        Args:
            event: the event.
            words: the number of words that arrived, for `WORDS`, `TURN` and `BACKCHANNEL`.
        """
        self._words += words
        match event:
            case Event.USER_STARTED:
                return self._user_started()
            case Event.USER_STOPPED:
                self._talking = False
                return self._user_stopped()
            case Event.WENT_ON:
                self._went_on = True
                return self._decide() if self._talking else []
            case Event.WORDS:
                return self._decide()
            case Event.TURN:
                return self._cut() if self.is_turn is None else []
            case Event.BACKCHANNEL:
                return self._let_go() if self.is_turn is None else []
            case Event.STOP_WORD:
                return self._cut(at_once=True)
            case Event.TIME_UP | Event.SILENCE:
                return self._give_up()
            case Event.ENDING:
                return self._end()
            case _:
                return self._program(event)

    # -- the user ----------------------------------------------------------------

    def _user_started(self) -> list[Act]:
        self._talking = True
        if self.state in (State.DUCKED, State.HELD):
            return []  # the same remark goes on
        self.is_turn, self._words, self._went_on = True, 0, not self.rules.min_s
        if self.policy == "ignore" or self.state in (State.IDLE, State.FINISHING):
            return []
        if self.state is State.THINKING:
            return [] if self.policy == "finish" else self._stop_thinking()
        if not self.rules.conditional and (self.rules.resume_s is None or self.policy == "finish"):
            return self._cut()
        self._rest, self.state, self.is_turn, self._thought = State.SPEAKING, State.DUCKED, None, False
        return [Act.DUCK, *self._decide()]

    def _stop_thinking(self) -> list[Act]:
        if not self.rules.conditional:
            return self._cut()
        self._rest, self.state, self.is_turn, self._thought = State.THINKING, State.HELD, None, True
        return [Act.HOLD, *self._decide()]

    def _user_stopped(self) -> list[Act]:
        if self.is_turn is not None or self.state not in (State.DUCKED, State.HELD):
            return []
        if self.state is State.HELD and not self._thought:
            return [Act.AWAIT_SILENCE]
        if self.rules.by_words:
            return [Act.AWAIT_WORDS]
        return self._let_go()

    # -- the decision --------------------------------------------------------------

    def _decide(self) -> list[Act]:
        """Cut or hold, if the user's remark is a turn; wait on otherwise."""
        if self.is_turn is not None:
            return []
        if self.state is State.HELD and not self._thought:
            return self._cut() if self._words >= max(1, self.rules.min_words) else []
        if self.state not in (State.DUCKED, State.HELD):
            return self._decide_late()
        if not self._is_met():
            return self._let_go() if self._is_said() else []
        wait = self.state is State.DUCKED and self.rules.resume_s is not None and not self._words
        if not wait or self.policy == "finish":
            return self._cut()
        self.state = State.HELD
        return [Act.HOLD]

    def _is_met(self) -> bool:
        rules = self.rules
        if rules.judge and not (rules.min_s or rules.min_words):
            return False  # with a judge alone, only a verdict decides
        enough = self._words >= rules.min_words
        if self._talking or not rules.min_words:
            return self._went_on and enough
        return enough  # who has stopped cannot go on: the words decide

    def _is_said(self) -> bool:
        """Return True if the words are all there: the user has stopped, and no judge is to be asked again."""
        return not self._talking and self.rules.min_words > self._words > 0 and not self.rules.judge

    def _decide_late(self) -> list[Act]:
        """Decide by words that came when the program had gone on."""
        rules = self.rules
        if rules.judge and not rules.min_words:
            return []  # a verdict decides
        return self._cut() if self._words >= max(1, rules.min_words) else self._let_go()

    def _give_up(self) -> list[Act]:
        """Go on as if nothing had been said. Words that come late may still decide."""
        if self._talking or self.is_turn is not None or self.state not in (State.DUCKED, State.HELD):
            return []
        return [self._release()] if not self._words else self._let_go()

    def _let_go(self) -> list[Act]:
        """Go on: the remark is no turn."""
        self.is_turn = False
        return [*([self._release()] if self.state in (State.DUCKED, State.HELD) else []), Act.MARK]

    def _end(self) -> list[Act]:
        """Take what is undecided for a turn, and let the program end what it says."""
        if self.is_turn is not None:
            return []
        self.is_turn = True
        return [self._release()] if self.state in (State.DUCKED, State.HELD) else []

    def _release(self) -> Act:
        act = Act.UNDUCK if self.state is State.DUCKED else Act.RESUME
        if self._thought and self.state is State.HELD and self._rest is State.SPEAKING:
            self._owed = max(0, self._owed - 1)  # the answer that began during the hold sounds now
        self.state = self._rest
        return act

    def _cut(self, *, at_once: bool = False) -> list[Act]:
        """Cut what the program says or makes. The user's remark is a turn."""
        before, self.is_turn = self.state, True
        thinking = before is State.THINKING or (before is State.HELD and self._thought)
        if self.policy == "finish" and not at_once and not thinking and before is not State.IDLE:
            self.state = State.FINISHING
            return [Act.FINISH]
        self.state = State.IDLE
        if before is State.IDLE and not at_once:
            return []
        return [Act.JOIN if self._forget_owed() and not at_once else Act.CUT]

    def _forget_owed(self) -> int:
        self.joined, self._owed = self._owed, 0
        return self.joined

    # -- the program ---------------------------------------------------------------

    def _program(self, event: Event) -> list[Act]:
        state = self.state
        match event:
            case Event.HANDED_ON:
                self._owed += 1
                self.state = State.THINKING if state is State.IDLE else state
            case Event.WORK_DONE if state is State.THINKING:
                self.state, self.is_turn = State.IDLE, True if self.is_turn is None else self.is_turn
                self._owed = 0
            case Event.BOT_STARTED:
                self._bot_started()
            case Event.SENTENCE_ENDED | Event.BOT_STOPPED if state is State.FINISHING:
                self.state = State.IDLE
                return [Act.JOIN_BEHIND if self._forget_owed() else Act.CUT_BEHIND]
            case Event.BOT_STOPPED:
                return self._bot_stopped()
            case _:
                pass
        return []

    def _bot_started(self) -> None:
        if self.state in (State.IDLE, State.THINKING):
            self.state, self._owed = State.SPEAKING, max(0, self._owed - 1)
        elif self.state is State.HELD and self._rest is State.THINKING:
            self._rest = State.SPEAKING

    def _bot_stopped(self) -> list[Act]:
        """Note the end of the speech. The rest of the answer may still be in the making."""
        if self.state in (State.DUCKED, State.HELD) and self._rest is State.SPEAKING:
            self._rest, self.is_turn = State.THINKING, True
            return [self._release()]
        if self.state is State.SPEAKING:
            self.state = State.THINKING
            if self.is_turn is None:
                self.is_turn = True
        return []
