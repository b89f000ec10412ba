"""The sentences of a speaker's voice: the map from text to positions, and what was heard of each."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from voicepipe.frames import FactFrame, SpokenStartedFrame, SpokenStoppedFrame

__all__ = ["Sentence", "Sentences", "heard_part"]


class Sentence:
    """The text of one `SpokenFrame`, and the fate of the audio behind it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.taken = 0
        """The samples of its audio that came so far."""
        self.sounded: list[memoryview] = []
        """Its audio that was played, to be said again after a hold."""
        self.heard = 0
        """The number of samples in `sounded`."""
        self.began: int | None = None
        """The position of its first sample; None: it has not begun."""
        self.ended = 0
        """The position behind its last sample that was played."""
        self.is_closed = False
        """True once no more audio of it comes."""

    @property
    def is_over(self) -> bool:
        """True once all of it was played."""
        return self.is_closed and self.heard >= self.taken

    @property
    def heard_text(self) -> str:
        """The words of it that were heard."""
        return heard_part(self.text, self.heard / self.taken if self.taken else 0.0)

    def note_sounded(self, at: int, data: memoryview, samples: int) -> None:
        """Note that so many of its samples were played from this position on."""
        if self.began is None:
            self.began = at
        self.sounded.append(data)
        self.heard += samples
        self.ended = at + samples

    def say_again(self) -> list[memoryview]:
        """Return the audio that was played, and count it as not heard."""
        data, self.sounded = self.sounded, []
        self.heard = 0
        return data


class Sentences:
    """The sentences that came and are not over, in their order, and the facts about them.

    Args:
        tell: takes each fact.
    """

    def __init__(self, tell: Callable[[FactFrame], None]) -> None:
        self._tell = tell
        self._open: deque[Sentence] = deque()
        self._started: Sentence | None = None
        """The sentence whose start was told, and its end not yet."""
        self.latest: Sentence | None = None
        """The sentence that new audio belongs to."""
        self._heard: list[str] = []
        self._doomed: int | None = None
        """The number of sentences that were open at a cut, until it has taken effect; None: there is none."""

    @property
    def current(self) -> Sentence | None:
        """The sentence that has begun to sound and is not over."""
        return self._started

    @property
    def has_open(self) -> bool:
        """True while a sentence is not over."""
        return bool(self._open)

    def begin(self, text: str) -> None:
        """Begin a sentence: the audio that comes from now on is its own."""
        self.close()
        self.latest = Sentence(text)
        self._open.append(self.latest)

    def close(self) -> None:
        """Note that the latest sentence gets no more audio."""
        if self.latest is not None:
            self.latest.is_closed = True
            self.latest = None

    def update(self) -> None:
        """Tell which sentences have begun, and which are over."""
        while self._open:
            self._tell_start(self._open[0])
            if not self._open[0].is_over:
                return
            self._end()
            if self._doomed:
                self._doomed -= 1

    def begin_cut(self) -> None:
        """Note that all sentences until now are cut. Those that come later belong to the next speech."""
        self.close()
        self._doomed = len(self._open)

    def cut(self) -> None:
        """Tell what was heard of the sentence that sounds, and forget those behind it."""
        doomed, self._doomed = self._doomed, None
        if doomed is None:
            self.close()
            doomed = len(self._open)
        while doomed > 0 and self._open:
            doomed -= 1
            self._tell_start(self._open[0])
            self._end()

    def drop_after(self, kept: Sentence) -> None:
        """Forget the sentences behind this one."""
        while self._open and self._open[-1] is not kept:
            self._open.pop()
        self.latest = kept if not kept.is_closed else None

    def take_heard(self) -> str:
        """Return the text that was heard since the last call."""
        heard, self._heard = self._heard, []
        return " ".join(text for text in heard if text)

    def _tell_start(self, sentence: Sentence) -> None:
        if sentence.began is not None and self._started is not sentence:
            self._started = sentence
            self._tell(SpokenStartedFrame(sentence.text, sentence.began))

    def _end(self) -> None:
        sentence = self._open.popleft()
        if sentence.began is not None:
            self._tell_start(sentence)
            heard, began, ended = sentence.heard_text, sentence.began, sentence.ended
            self._heard.append(heard)
            self._tell(SpokenStoppedFrame(sentence.text, began, ended, heard, not sentence.is_over))
        self._started = None


def heard_part(text: str, share: float) -> str:
    """Return the words that were heard, where this share of the sentence's time was.

    Nobody knows where in its audio a word lies. Each word gets the share of the time that its letters
    have of the text, and was heard if all of that was.
    """
    if share >= 1.0:
        return text
    words = list(re.finditer(r"\S+", text))
    if not words:
        return ""
    first, length = words[0].start(), words[-1].end() - words[0].start()
    ends = [word.end() for word in words if word.end() - first <= share * length]
    return text[first : ends[-1]] if ends else ""
