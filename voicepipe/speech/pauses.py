"""Pauses within a turn, which somebody may judge: told soon, and ended by a verdict or by the silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from voicepipe.frames import (
    EndOfTurnFrame,
    Frame,
    InputAudioFrame,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UserResumedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.speech.positions import are_of_one_origin
from voicepipe.speech.segmenter import Edge, Segmenter
from voicepipe.speech.stretch import Stretch

__all__ = ["PAUSE_S", "JudgedSegmenter", "JudgedStretch", "Verdict"]

PAUSE_S = 0.2
"""The silence after which a pause is told. It is about the shortest that people leave between turns."""
Verdict = EndOfTurnFrame | UnfinishedTurnFrame


@dataclass(frozen=True, slots=True)
class Pause(Edge):
    """The begin of a silence that may be the end of the segment."""


@dataclass(frozen=True, slots=True)
class Resumption(Edge):
    """The end of such a silence, by speech."""


class JudgedSegmenter(Segmenter):
    """A segmenter whose silences somebody judges. Without a verdict it finds the same segments.

    `add` returns a `Pause` once in each silence, if it is to tell them, and a `Resumption` when speech
    goes on behind it.
    """

    tells = False
    """True if it tells of pauses."""

    @classmethod
    def of(cls, plain: Segmenter) -> Self:
        """Return a judged segmenter that goes on where another one is, in its place."""
        judged = cls.__new__(cls)
        vars(judged).update(vars(plain))
        judged._begin_turn()
        return judged

    def reset(self) -> None:
        """Forget all scores: the next one does not continue them."""
        super().reset()
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._usual = self._stop
        self._slack = round(PAUSE_S / self._window_s)
        self._told: int | None = None
        """The begin of the pause that was told, while it lasts."""
        self._told_at = 0
        """The number of windows that were judged by then."""
        self._holds_to: int | None = None
        """The last begin of a silence for which the present verdict holds."""

    @property
    def pauses(self) -> bool:
        """True in a pause that was told."""
        return self._told is not None

    @property
    def decided(self) -> int:
        """The windows that an end of the present silence is based on."""
        return self.windows if self._told is None else self._told_at

    def end_turn(self, at: int) -> tuple[Edge, ...]:
        """End the segment with the silence that begins at window `at`, unless speech went on.

        Returns the end, if it is silent now. Otherwise it comes with the next silent window, unless the
        user goes on: what sounds may be the next word.
        """
        is_silent = self.windows > self._spoken and self._weigh(self._scores[-1]) < 1.0
        return self._end(self._spoken) if self._take_verdict(at, 1) and is_silent else ()

    def keep_turn(self, at: int, wait_s: float) -> None:
        """Wait longer in the silence that begins at window `at`, unless speech went on."""
        self._take_verdict(at, max(self._usual, round(wait_s / self._window_s)))

    def _take_verdict(self, at: int, stop: int) -> bool:
        if not self.speaking or self._spoken > at + self._slack:
            return False
        self._stop, self._holds_to = stop, at + self._slack
        return True

    def finish(self) -> tuple[Edge, ...]:
        """Return the end of a segment in progress: nothing follows."""
        return super().finish() if self._told is None else self._end(self._told)

    def _go_on(self, weight: float) -> tuple[Edge, ...]:
        edges = super()._go_on(weight)
        if edges:
            return edges
        spoken = self._spoken
        if self._holds_to is not None and spoken > self._holds_to:
            self._stop, self._holds_to = self._usual, None
        if self._told is not None and spoken > self._told:
            self._told = None
            return (Resumption(True, spoken - 1),)
        return self._pause(spoken)

    def _pause(self, spoken: int) -> tuple[Edge, ...]:
        """Return the pause, if it is long enough now. With a very short `stop_s` there is none."""
        if not self.tells or self._told is not None:
            return ()
        if self.windows - spoken < min(self._slack, self._usual - 1) or self.windows == spoken:
            return ()
        self._told, self._told_at = spoken, self.windows
        return (Pause(False, spoken),)

    def _end(self, at: int) -> tuple[Edge, ...]:
        self._stop, self._holds_to, self._told = self._usual, None, None
        return super()._end(at)

    def _split(self, most: int) -> tuple[Edge, ...]:
        # Behind a pause there is only silence, which is no segment of its own.
        return super()._split(most) if self._told is None else self._end(self._told)


class JudgedStretch(Stretch):
    """A stretch of audio whose pauses somebody judges.

    Behind a pause, audio that is not live waits for the verdict: the source waits too, but the rest of
    a long frame is there already.
    """

    segmenter: JudgedSegmenter
    _is_answered = False
    _waits = False
    """True if the audio in hand waits at a pause."""
    _rest = b""
    """Audio for the engine that waits."""

    @classmethod
    def of(cls, plain: Stretch, *, tells: bool, is_answered: bool) -> Self:
        """Return a judged stretch that goes on where another one is, in its place.

        Args:
            plain: the other one.
            tells: tell of pauses.
            is_answered: some stage answers each pause.
        """
        judged = cls.__new__(cls)
        vars(judged).update(vars(plain))
        judged.segmenter = JudgedSegmenter.of(plain.segmenter)
        judged.segmenter.tells = tells
        judged._is_answered = is_answered
        return judged

    def take(self, frame: InputAudioFrame) -> list[Frame]:
        """Take the next frame; return the facts that it made certain, up to a pause."""
        facts = self._judge_rest()
        self._waits = self._is_answered and not frame.live
        return facts + super().take(frame)

    def hear(self, verdict: Verdict) -> list[Frame]:
        """Take a verdict; return the facts that it made certain, up to the next pause."""
        if not are_of_one_origin(verdict.origin, self._origin):
            return []
        at, segmenter = self._window_at(verdict.position), self.segmenter
        decided = self._position(segmenter.decided)
        edges: tuple[Edge, ...] = ()
        if isinstance(verdict, EndOfTurnFrame):
            edges = segmenter.end_turn(at)
        else:
            segmenter.keep_turn(at, verdict.wait_s)
        facts = [self._fact(edge, self._position(edge.at), decided) for edge in edges]
        rest, self._rest = self._rest, b""
        return facts + self._judge(rest)

    def finish(self) -> list[Frame]:
        """Return the last facts, and the end of a turn in progress: nothing follows."""
        return self._judge_rest() + super().finish()

    def _end_turn(self) -> list[Frame]:
        pauses, edges = self.segmenter.pauses, self.segmenter.finish()
        return [self._fact(e, self._position(e.at) if pauses else self._end, self._end) for e in edges]

    def _judge_rest(self) -> list[Frame]:
        self._waits = False
        rest, self._rest = self._rest, b""
        return self._judge(rest) if rest and self._intact else []

    def _judge(self, mono: bytes) -> list[Frame]:
        if not self._waits:
            return super()._judge(mono)
        facts: list[Frame] = []
        size, at = self._window_bytes, 0
        while at < len(mono) and not any(isinstance(fact, UserPausedFrame) for fact in facts):
            window = mono[at : at + size - len(self._mono)]
            at += len(window)
            facts += super()._judge(window)
        self._rest += mono[at:]
        return facts

    def _window_at(self, position: int | None) -> int:
        if position is None:
            return self.segmenter.windows
        judged = (position - self._begin) * self._wanted.rate / self._heard.rate + self._ahead
        return round(judged / self._engine.window)

    def _fact(self, edge: Edge, position: int, decided: int) -> Frame:
        fact = super()._fact(edge, position, decided)
        kind = _KINDS.get(type(edge))
        if kind is None:
            return fact
        assert isinstance(fact, (UserStartedSpeakingFrame, UserStoppedSpeakingFrame))
        return kind(position, fact.captured_s, decided, self._origin)


_KINDS: dict[type[Edge], type[UserPausedFrame | UserResumedFrame]] = {
    Pause: UserPausedFrame,
    Resumption: UserResumedFrame,
}
