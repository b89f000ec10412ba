"""The speakers of a run, for every stage that asks: is the program speaking, and does anything sound?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from voicepipe.report import EchoState

__all__ = ["KEPT_S", "Sounded", "SpeakerControls", "SpeakerTap", "Speakers", "Tapped", "TrackSink"]

KEPT_S = 4.0
"""The length of the record of what a speaker plays. Who reads later than that loses the oldest."""
_KEEP = 256
"""The number of remembered periods. A microphone asks about the last few seconds at most."""


_NEVER: deque[tuple[float, float]] = deque()
"""An empty deque that all runs share until something has sounded. It is never changed."""
_NOBODY: frozenset[object] = frozenset()
_NO_EARS: dict[str, tuple[float, float]] = {}
"""A dictionary that all runs share until a canceller is at work. It is never changed."""
_NO_ECHOES: dict[str, Callable[[], EchoState | None]] = {}
"""The same of the echoes."""
_NEARLY_S = 1e-3


class Sounded(NamedTuple):
    """Audio that the device of a speaker took, and the time at which it sounds."""

    data: bytes
    """Interleaved int16 in the stream's format; zeros where nothing was written."""
    position: int
    """The first sample's place among all the samples that the device took, zeros included. A jump is a gap
    in the record: what was taken there is unknown."""
    sounds_s: float
    """The time at which the first sample sounds, by the loop's clock."""


class Tapped(NamedTuple):
    """A block of what a speaker plays, with the stream it belongs to."""

    number: int
    """The number of the block, which grows by one for each."""
    stream: int
    """The number of the stream: another one after a loss, or a change of device."""
    rate: int
    channels: int
    sounded: Sounded


class SpeakerTap(Protocol):
    """The record of what one speaker's devices took. In the loop's thread."""

    def read(self, after: int) -> Sequence[Tapped]:
        """Return the blocks behind the block of that number, oldest first; -1: all that is kept, 4 s."""
        ...


class TrackSink(Protocol):
    """A recording of all tracks of a conversation. In the loop's thread; no call waits or raises."""

    def note_heard(self, origin: str, position: int, captured_s: float | None, mic: bytes, far: Any) -> None:
        """Take a block of a microphone, mono int16, and what sounded meanwhile, as floats; None: nothing."""
        ...

    def note_given(self, origin: str, position: int, words: bytes, ear: bytes) -> None:
        """Take the audio that a microphone gives to the stages, mono int16: for listeners, and for judges."""
        ...

    def note_protection(self, origin: str, echo: EchoState) -> None:
        """Take the protection of a microphone, each time that it may have changed."""
        ...

    def note_fact(self, fact: object) -> None:
        """Take a fact, or an interruption."""
        ...

    def close(self) -> None:
        """Finish the recording."""
        ...


class SpeakerControls(Protocol):
    """The controls of one speaker. In the loop's thread; none of them waits."""

    @property
    def volume_db(self) -> float:
        """The volume of all that it plays, in decibels; 0: as it comes."""
        ...

    def set_volume(self, db: float, ramp_s: float = 0.05) -> None:
        """Change the volume, with a ramp. Raises: TypeError, ValueError."""

    def duck(self, db: float = -12.0, ramp_s: float = 0.02) -> None:
        """Make the voice softer, until `unduck`."""

    def unduck(self, ramp_s: float = 0.2) -> None:
        """Bring the voice back to its volume."""

    def hold(self) -> None:
        """Fade the voice out in the next block, and keep what was not heard. Work of the stages goes on."""

    def resume(self) -> None:
        """Go on after `hold`, at the start of the sentence that was held."""

    def cut(self, sound: str = "", *, after_sentence: bool = False) -> None:
        """Fade out one sound, and drop the rest of it.

        Args:
            sound: the name of a `BackgroundAudioFrame`'s sound; empty: the voice.
            after_sentence: let the voice end the sentence that it is in.
        """


class Speakers:
    """The record of what sounds. A stage has it as `params.speakers`. In the loop's thread.

    Times are in seconds on the run's clock. "Speaking" is the program's voice; music is no speech. All
    that plays "sounds", for as long after its end as a room needs to be quiet.
    """

    __slots__ = (
        "_clock",
        "_controls",
        "_over",
        "_sounding",
        "_speaking",
        "are_tapped",
        "are_there",
        "ears",
        "echoes",
        "taps",
        "tracks",
    )

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self._clock = clock
        self._sounding: dict[object, float] = {}
        self._speaking = _NOBODY
        self._over = _NEVER
        self._controls: list[SpeakerControls] | None = None
        self.are_there = False
        """True if the run has a speaker."""
        self.are_tapped = False
        """True if a stage of the run needs a record of what sounds: the speakers then have taps."""
        self.taps: tuple[SpeakerTap, ...] = ()
        """The taps of the run's speakers, in their order in the pipeline."""
        self.tracks: TrackSink | None = None
        """The recording of all tracks; None: nobody asked for one."""
        self.ears = _NO_EARS
        """By the label of a microphone, the last stretch of its audio to which an echo canceller gave an ear:
        from where to where in its stream, in seconds. Read only; see `note_ear`."""
        self.echoes = _NO_ECHOES
        """By the label of a microphone, the function that returns the state of its echo, where a stage of its
        own cancels it. Read only; see `note_echo`."""

    @property
    def controls(self) -> list[SpeakerControls]:
        """The controls of the run's speakers, in their order in the pipeline."""
        if self._controls is None:
            self._controls = []
        return self._controls

    @property
    def are_controlled(self) -> bool:
        """True if the run has a speaker with controls."""
        return bool(self._controls)

    @property
    def is_speaking(self) -> bool:
        """True while the program speaks."""
        return bool(self._speaking)

    @property
    def is_sounding(self) -> bool:
        """True while anything sounds: speech, music, or what still echoes of it."""
        now_s = self._clock()
        return self.has_sound(now_s, now_s) or bool(self._sounding)

    def note_echo(self, origin: str, echo: Callable[[], EchoState | None]) -> None:
        """Note that a stage cancels the echo of a microphone, and the function that returns its state."""
        if self.echoes is _NO_ECHOES:
            self.echoes = {}
        self.echoes[origin] = echo

    def note_ear(self, origin: str, from_s: float, to_s: float) -> None:
        """Note that the audio of a microphone has an ear between these seconds of its stream."""
        if self.ears is _NO_EARS:
            self.ears = {}
        began_s, ended_s = self.ears.get(origin, (from_s, from_s))
        self.ears[origin] = (began_s if abs(from_s - ended_s) < _NEARLY_S else from_s, to_s)

    def begin(self, speaker: object, at_s: float, *, speech: bool = True) -> None:
        """Note that the speaker sounds from `at_s` on. A second call changes nothing."""
        self._sounding.setdefault(speaker, at_s)
        if speech:
            self._speaking |= {speaker}

    def end_speech(self, speaker: object) -> None:
        """Note that the speaker's voice has ended; it may still sound."""
        self._speaking -= {speaker}

    def hush(self, speaker: object, at_s: float) -> None:
        """Note that the speaker sounds until `at_s`, and that its speech goes on later."""
        began_s = self._sounding.pop(speaker, None)
        if began_s is not None:
            if self._over is _NEVER:
                self._over = deque(maxlen=_KEEP)
            self._over.append((began_s, at_s))

    def end(self, speaker: object, at_s: float) -> None:
        """Note that the speaker sounds until `at_s`, which may lie a little in the future.

        Ignored if the speaker has not begun.
        """
        self.end_speech(speaker)
        self.hush(speaker, at_s)

    def has_sound(self, from_s: float, to_s: float) -> bool:
        """Return True if any speaker sounded at any time between `from_s` and `to_s`."""
        return any(began_s < to_s for began_s in self._sounding.values()) or any(
            began_s < to_s and from_s < ended_s for began_s, ended_s in self._over
        )
