"""The recording of a conversation, for whoever looks for a fault: six tracks by one clock, and labels.

The clock is the microphone's: row `n` of the file is sample `n` of the first microphone. Rows are kept in
memory for some seconds, as facts and the speakers' sound come later than what they tell of.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.tracks.heard_sound import HeardSound
from voicepipe.canceller.tracks.track_files import NAMES, TrackFiles
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InterruptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.log import logger_of
from voicepipe.report import EchoState
from voicepipe.speakers import Speakers
from voicepipe.text import printable

__all__ = ["Tracks", "open_tracks"]

_log = logger_of("voicepipe")

KEEP_S = 4.0
"""Rows in memory: what tells of them comes within that time."""
WRITE_S = 0.25
"""The file is written at such intervals: a crash loses no more."""
LATE_S = 0.4
"""The speakers' sound is asked for so much later, for taps are read now and then."""
MOST_GAP_S = 60.0
"""A longer gap has so many seconds in the file, and a label with its length."""
SPEECH = 16_384
"""The track of speech where the user speaks."""
_MIC, _EAR, _WORDS, _REFERENCE, _SPEAKER, _SPEECH = range(len(NAMES))


class _Unfilled(NamedTuple):
    """A block that lacks the sound of the speakers."""

    row: int
    samples: int
    captured_s: float


class Tracks:
    """Records microphone, ear, words, reference, speaker and speech. It is a `TrackSink`.

    The first microphone that is heard is recorded; one warning tells of another one. If the disk is full or
    fails, the recording stops with one warning, and the run goes on.

    Args:
        files: the files.
        rate: of the microphone.
        clock: of the run.
        speakers: the run's.
    """

    def __init__(self, files: TrackFiles, rate: int, clock: Callable[[], float], speakers: Speakers) -> None:
        self._files: TrackFiles | None = files
        self._rate, self._clock = rate, clock
        self._sound = HeardSound(rate, speakers)
        self._rows = np.zeros((round(KEEP_S * rate), len(NAMES)), np.int16)
        """The last rows, each at its number modulo their count."""
        self._origin: str | None = None
        self._has_told_of_another = False
        self._first = 0
        """The microphone's position of row 0; it grows with a gap that is cut short."""
        self._end = 0
        """The row behind the last."""
        self._end_s = 0.0
        """The time of its capture."""
        self._changed = 0
        """The first row that is not in the file as it is in memory."""
        self._unfilled: deque[_Unfilled] = deque()
        self._user: int | None = None
        """The row at which the user began to speak; None: nobody speaks."""
        self._program_s: float | None = None
        self._protection: EchoState | None = None

    # -- audio -------------------------------------------------------------------

    def note_heard(
        self,
        origin: str,
        position: int,
        captured_s: float | None,
        mic: bytes,
        far: npt.NDArray[np.float32] | None,
    ) -> None:
        """Take a block of a microphone, mono int16, and what sounded meanwhile; None: nothing."""
        if self._files is None:
            return
        if self._origin is None:
            self._origin, self._first = origin, position
        if origin != self._origin:
            self._tell_of_another(origin)
        elif position >= self._first + self._end:
            self._note_block(position, captured_s, mic, far)

    def _tell_of_another(self, origin: str) -> None:
        if not self._has_told_of_another:
            self._has_told_of_another = True
            _log.warning("the recording of all tracks is of %s alone: %s is not in it", self._origin, origin)

    def _note_block(
        self, position: int, captured_s: float | None, mic: bytes, far: npt.NDArray[np.float32] | None
    ) -> None:
        self._pass_gap(position - self._first - self._end)
        audio = np.frombuffer(mic, np.int16)
        row, count = self._end, len(audio)
        self._append(count)
        self._put(row, _MIC, audio)
        if far is not None:
            self._put(row, _REFERENCE, _pcm(far))
        if captured_s is not None:
            self._end_s = captured_s + count / self._rate
            self._unfilled.append(_Unfilled(row, count, captured_s))
        if self._files is not None and self._end - self._files.written >= WRITE_S * self._rate:
            self._sound.update()
            self._fill_speakers(self._end - round(LATE_S * self._rate))
            self._write()

    def note_given(self, origin: str, position: int, words: bytes, ear: bytes) -> None:
        """Take the audio that the microphone gives to the stages, mono int16."""
        if self._files is None or origin != self._origin:
            return
        row = position - self._first
        self._put(row, _WORDS, np.frombuffer(words, np.int16))
        self._put(row, _EAR, np.frombuffer(ear, np.int16))

    def _pass_gap(self, samples: int) -> None:
        """Put silence in place of samples that were lost, and a label."""
        if not samples:
            return
        begin_s, stays = self._end / self._rate, min(samples, round(MOST_GAP_S * self._rate))
        self._first += samples - stays
        while stays > 0 and self._files is not None:
            piece = min(stays, len(self._rows) // 4)
            self._append(piece)
            self._write()
            stays -= piece
        self._label(begin_s, self._end / self._rate, f"lost {samples / self._rate:.3f} s")

    def _append(self, count: int) -> None:
        """Add rows of silence; the user speaks on in them, if one does."""
        places = self._places(self._end, self._end + count)
        self._rows[places] = 0
        if self._user is not None:
            self._rows[places, _SPEECH] = SPEECH
        self._end += count

    def _put(self, row: int, track: int, audio: npt.NDArray[np.int16]) -> None:
        """Put audio into a track, as far as its rows are in memory."""
        begin, end = max(row, self._oldest), min(row + len(audio), self._end)
        if begin >= end:
            return
        self._rows[self._places(begin, end), track] = audio[begin - row : end - row]
        self._changed = min(self._changed, begin)

    def _fill_speakers(self, until: int) -> None:
        """Put what sounded into the rows before that one."""
        while self._unfilled and self._unfilled[0].row + self._unfilled[0].samples <= until:
            row, samples, captured_s = self._unfilled.popleft()
            self._put(row, _SPEAKER, _pcm(self._sound.between(captured_s, samples)))

    @property
    def _oldest(self) -> int:
        return max(0, self._end - len(self._rows))

    def _places(self, begin: int, end: int) -> npt.NDArray[np.intp]:
        return np.arange(begin, end) % len(self._rows)

    # -- labels ------------------------------------------------------------------

    def note_fact(self, fact: object) -> None:
        """Take a fact, or an interruption."""
        if self._files is None:
            return
        if isinstance(fact, UserStartedSpeakingFrame):
            self._note_user(fact.origin, fact.position - self._first, starts=True)
        elif isinstance(fact, UserStoppedSpeakingFrame):
            self._note_user(fact.origin, fact.position - self._first, starts=False)
        elif isinstance(fact, BotStartedSpeakingFrame):
            self._program_s = self._now_s()
        elif isinstance(fact, BotStoppedSpeakingFrame):
            self._note_program(fact)
        elif isinstance(fact, InterruptionFrame):
            self._label(self._now_s(), self._now_s(), "interruption")

    def note_protection(self, origin: str, echo: EchoState) -> None:
        """Take the protection of a microphone, each time that it may have changed."""
        if self._origin not in (None, origin):
            return
        before, self._protection = self._protection, echo
        if self._files is None or (before is not None and before.protection == echo.protection):
            return
        reason = f": {echo.reason}" if echo.reason else ""
        self._label(self._now_s(), self._now_s(), f"{echo.protection}{reason}")

    def _note_user(self, origin: str, row: int, *, starts: bool) -> None:
        if self._origin is None or origin not in ("", self._origin):
            return
        began, self._user = self._user, row if starts else None
        begin = max(row, self._oldest)
        if begin < self._end:
            self._rows[self._places(begin, self._end), _SPEECH] = SPEECH if starts else 0
            self._changed = min(self._changed, begin)
        if not starts and began is not None:
            self._label(began / self._rate, row / self._rate, "user")

    def _note_program(self, fact: BotStoppedSpeakingFrame) -> None:
        began_s, self._program_s = self._program_s, None
        if began_s is not None:
            ended_s = self._now_s() if fact.ended_s is None else self._time_of(fact.ended_s)
            self._label(began_s, ended_s, "program, interrupted" if fact.interrupted else "program")

    def _now_s(self) -> float:
        return self._time_of(self._clock())

    def _time_of(self, time_s: float) -> float:
        """Return the time in the file of what the microphone captured at that time."""
        return self._end / self._rate + time_s - self._end_s if self._end else 0.0

    # -- the files ---------------------------------------------------------------

    def _write(self) -> None:
        """Write what is new, and what has changed since it was written."""
        files = self._files
        if files is None:
            return
        try:
            written = files.written
            if self._changed < written:
                begin = max(self._changed, self._oldest)
                files.rewrite(begin, self._rows[self._places(begin, written)])
            files.write(self._rows[self._places(written, self._end)])
        except OSError as error:
            self._stop(files, error)
        self._changed = self._end

    def _label(self, begin_s: float, end_s: float, text: str) -> None:
        files = self._files
        if files is not None:
            try:
                files.label(begin_s, end_s, text)
            except OSError as error:
                self._stop(files, error)

    def _stop(self, files: TrackFiles, error: OSError) -> None:
        """Give up the recording; what is written stays."""
        _log.warning(
            "the recording of all tracks into %s stops after %.1f s: %s; the run goes on",
            printable(files.path),
            files.written / self._rate,
            printable(error.strerror or error),
        )
        self._files = None
        self._close(files)

    def _close(self, files: TrackFiles) -> None:
        try:
            files.close()
        except OSError as error:
            _log.warning("%s was not closed: %s", printable(files.path), printable(error.strerror or error))

    def close(self) -> None:
        """Write what is left, and close the files. A second call does nothing."""
        if self._files is None:
            return
        self._sound.update()
        self._fill_speakers(self._end)
        if self._user is not None:
            self._label(self._user / self._rate, self._end / self._rate, "user")
        if self._program_s is not None:
            self._label(self._program_s, self._end / self._rate, "program")
        self._write()
        files, self._files = self._files, None
        if files is not None:
            if not files.written:
                _log.warning("%s has no row, and is removed: no microphone was heard", printable(files.path))
            self._close(files)


def open_tracks(
    path: str | os.PathLike[str], rate: int, clock: Callable[[], float], speakers: Speakers
) -> Tracks:
    """Begin a recording, and say so in the log.

    Args:
        path: of the WAV file. The labels go into a file of the same name that ends in .txt.
        rate: of the microphone.
        clock: of the run.
        speakers: the run's.

    Raises:
        FileExistsError: one of the files is there.
        AudioFormatError, OSError: one cannot be made.
    """
    files = TrackFiles(os.fspath(path), rate)
    # A warning, not information: nobody is recorded in secret.
    _log.warning(
        "recording the conversation into %s and %s, which only you can read",
        printable(files.path),
        printable(files.labels_path),
    )
    return Tracks(files, rate, clock, speakers)


def _pcm(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    return np.rint(np.clip(sound * 32_768, -32_768, 32_767)).astype(np.int16)
