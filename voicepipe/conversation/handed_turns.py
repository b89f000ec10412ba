"""The turns that an interrupter has handed on or refused, and those that the next one goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from voicepipe.dialogue import Remark
from voicepipe.frames import UtteranceFrame

__all__ = ["Turns"]

_SPANS = 16
"""The number of utterances whose words may still come."""


class Turns:
    """The last utterances of the user, as far as they are decided on."""

    def __init__(self) -> None:
        self.joined: list[UtteranceFrame] = []
        """The turns that the next utterance goes on, because their answer was cut before it sounded."""
        self.owes_words = False
        """True if the words of the last turn have not come yet."""
        self._turns: deque[UtteranceFrame] = deque(maxlen=_SPANS)
        self._handed: deque[range] = deque(maxlen=_SPANS)
        """The positions of the last turns."""
        self._refused: deque[range] = deque(maxlen=_SPANS)
        """The positions of the last utterances that are no turns."""

    def hand_on(self, utterance: UtteranceFrame) -> None:
        """Note a turn that goes on to be answered."""
        self._turns.append(utterance)
        self._handed.append(_span_of(utterance))
        self.owes_words = True

    def refuse(self, utterance: UtteranceFrame) -> None:
        """Note an utterance that is no turn."""
        self._refused.append(_span_of(utterance))

    def owe(self, count: int) -> None:
        """Note that the answers of the last `count` turns were cut before they sounded."""
        self.joined = list(self._turns)[-count:] if count else []

    def join(self, utterance: UtteranceFrame) -> list[UtteranceFrame]:
        """Return the utterance with the turns that it goes on: in one new frame, or in few if too long."""
        joined, self.joined = self.joined, []
        return _join([*joined, utterance])

    def were_refused(self, remark: Remark) -> bool:
        """Return True for words of an utterance that is no turn."""
        return _is_in(remark, self._refused)

    def were_before(self, remark: Remark) -> bool:
        """Return True for words of a turn before the present remark."""
        return _is_in(remark, self._handed) if remark.position else self.owes_words


def _join(utterances: Iterable[UtteranceFrame]) -> list[UtteranceFrame]:
    """Return the utterances joined to as few as fit, each a new frame."""
    joined: list[UtteranceFrame] = []
    for each in utterances:
        last = joined[-1] if joined else None
        room = 0 if last is None else UtteranceFrame.longest_s * last.rate - last.num_samples
        if last is not None and last.format == each.format and each.num_samples <= room:
            joined[-1] = last.with_data(last.data + each.data)
        else:
            joined.append(each.with_data(each.data))
    return joined


def _span_of(utterance: UtteranceFrame) -> range:
    return range(utterance.position, utterance.position + utterance.num_samples)


def _is_in(remark: Remark, spans: Iterable[range]) -> bool:
    """Return True if the words belong to one of the utterances, as far as their position says it."""
    return bool(remark.position) and any(remark.position in span for span in spans)
