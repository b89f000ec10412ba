"""The gaps in a speaker's voice: it ran dry while it spoke, and went on soon after."""

from __future__ import annotations

import math

from voicepipe.devices.port import OutputStream
from voicepipe.endpoints.sentences import Sentence, Sentences
from voicepipe.endpoints.source import Source
from voicepipe.frames import OutputAudioFrame

__all__ = ["GAP_S", "LIVE_GAP_S", "SENTENCE_GAP_S", "Gaps"]

GAP_S = 0.5
"""The longest silence that is a gap, in seconds. A longer one is a pause."""
SENTENCE_GAP_S = 0.3
"""The same before the next sentence, where a pause is natural. So long a silence ends the speech."""
LIVE_GAP_S = 3.0
"""The same of live sound, which makes no pauses: the program stood still."""
LEAST_S = 0.001
"""The shortest gap. A device that converts rates may ask for a few samples more or less at once."""
JUMP_S = 0.02
"""Live sound of which so much is missing was left out on its way, so that its silence is meant."""


class Gaps:
    """The count of the gaps in the voice of a speaker. In the loop's thread.

    A device asks for one block after another. What it has asked for and was not the voice was silence. If
    that has grown between two samples of the voice, the voice had run dry.

    Args:
        voice: the voice.
        sentences: its sentences.
        rate: samples a second.
    """

    def __init__(self, voice: Source, sentences: Sentences, rate: int) -> None:
        self.count = 0
        """The number of gaps."""
        self.seconds = 0.0
        """The duration of all of them together."""
        self._voice = voice
        self._sentences = sentences
        self._rate = rate
        self._least = max(1, round(LEAST_S * rate))
        self._stream: OutputStream | None = None
        self._given: int | None = None
        """The samples of the voice that had sounded at the last look; None: begin anew."""
        self._silent = 0
        """The samples that the device had got without the voice at the last look."""
        self._lasted: int | None = None
        """The samples of silence since the voice sounded; None: it has not begun."""
        self._sentence: Sentence | None = None
        """The sentence that sounded before the silence."""
        self._is_live = False
        self._captured_to_s = math.inf
        self._missing_s = 0.0
        """The live sound that was left out in the present silence."""
        self._waited_s = 0.0
        """The part of the present silence for which the speaker has held the voice back itself."""

    def note(self, frame: OutputAudioFrame) -> None:
        """Note a frame of the voice that comes now."""
        self._is_live = frame.live
        if frame.live and frame.captured_s is not None:
            missing_s = frame.captured_s - self._captured_to_s
            if missing_s > JUMP_S and not self._voice.held:
                self._missing_s += missing_s
            self._captured_to_s = frame.captured_s + frame.num_samples / frame.rate

    def wait(self, seconds: float) -> None:
        """Note that the speaker has held the voice back for so long."""
        self._waited_s += seconds

    def forget(self) -> None:
        """Begin anew, because the voice was cut or held. The silence behind that is no gap."""
        self._given = None

    def look(self, stream: OutputStream | None, *, cut: bool = False) -> None:
        """Note what has sounded since the last look.

        Args:
            stream: the present stream. Without callbacks, as of a file, there are no gaps.
            cut: the voice is being cut, or is held.
        """
        calls = None if stream is None else stream.callbacks
        if stream is None or calls is None or cut:
            self._given = None
            return
        given, before = self._voice.given, self._given
        silent = calls * stream.info.block - given
        grown, self._given, self._silent = silent - self._silent, given, silent
        if before is None or stream is not self._stream:
            self._stream, self._lasted = stream, None
        elif grown or self._lasted != 0:
            self._follow(grown, sounded=given > before)

    def _follow(self, grown: int, *, sounded: bool) -> None:
        """Follow the silence: it may have begun, grown, or ended since the last look."""
        if self._lasted is None:
            if sounded:
                self._lasted = 0
                self._missing_s = self._waited_s = 0.0
            return
        begins_anew = sounded and grown >= self._least and not self._voice.is_with_device
        if not begins_anew:
            if not self._lasted:
                self._sentence = self._sentences.current
            self._lasted += grown
        if sounded and (begins_anew or grown < self._least):
            self._end(self._lasted)
            # A thread of the device may be between its count of a call and that of the samples.
            self._lasted = min(0, self._lasted) if grown <= -self._least else 0
        if begins_anew:
            self._sentence = self._sentences.current
            self._lasted = grown

    def _end(self, lasted: int) -> None:
        """Count a silence that has ended, if it was a gap."""
        if lasted >= self._least:
            seconds = lasted / self._rate - self._missing_s
            if LEAST_S <= seconds <= self._longest_s() + self._waited_s:
                self.count += 1
                self.seconds += seconds
        self._missing_s = self._waited_s = 0.0

    def _longest_s(self) -> float:
        """Return the longest silence that is a gap before what sounds now."""
        if self._is_live:
            return LIVE_GAP_S
        now = self._sentences.current
        return GAP_S if now is None or now is self._sentence else SENTENCE_GAP_S
