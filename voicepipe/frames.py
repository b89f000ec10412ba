"""The frames that travel through a pipeline.

A frame is an immutable value, compared by identity. Its class determines how it travels.
System frames go ahead of data. Data and control frames keep their order. An interruption
drops the frames that are interruptible. Facts do not travel from stage to stage: the framework
passes them to every stage on their way at once, past full mailboxes and busy stages.

frame                       kind     interruptible  made by            direction
--------------------------  -------  -------------  -----------------  ----------
StartFrame                  control  no             the task           down
EndFrame                    control  no             the task           down
CancelFrame                 system   no             the task           observers
ErrorFrame                  system   no             the task, a stage  up
InterruptionFrame           system   no             the task           down
DeviceLostFrame             system   no             a device's stage   both
DeviceRestoredFrame         system   no             a device's stage   both
AudioFrame                  data     no             a stage            any
InputAudioFrame             data     no             MicrophoneInput    down
OutputAudioFrame            data     yes            a stage            down
BackgroundAudioFrame        data     no             a stage            down
UtteranceFrame              data     no             a stage            down
TextFrame                   data     yes            a stage            any
SpokenFrame                 data     yes            a stage            down
TranscriptionFrame          data     no             a stage            any
UserStartedSpeakingFrame    fact     no             a stage            any
UserStoppedSpeakingFrame    fact     no             a stage            any
UserPausedFrame             fact     no             a stage            any
UserResumedFrame            fact     no             a stage            any
EndOfTurnFrame              fact     no             a stage            up
UnfinishedTurnFrame         fact     no             a stage            up
BotStartedSpeakingFrame     fact     no             SpeakerOutput      both
BotStoppedSpeakingFrame     fact     no             SpeakerOutput      both
SpokenStartedFrame          fact     no             SpeakerOutput      both
SpokenStoppedFrame          fact     no             SpeakerOutput      both

StartFrame, EndFrame and CancelFrame belong to the framework. A stage never receives one; it
has hooks instead. A stage that pushes an EndFrame, CancelFrame or InterruptionFrame requests
an end, a cancel or an interruption from the task.

To define your own frames, derive from `DataFrame`, `ControlFrame`, `SystemFrame` or `FactFrame`:

    @dataclass(frozen=True, slots=True, eq=False)
    class MoodFrame(DataFrame):
        mood: str
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from voicepipe.audio.channels import set_channels
from voicepipe.audio.format import KNOWN_FORMATS, SAMPLE_BYTES, AudioFormat, format_of, pcm_bytes
from voicepipe.checks import check_count, check_number
from voicepipe.errors import AudioFormatError
from voicepipe.hints import with_hints
from voicepipe.quick_init import replacer_of, setter_of, with_quick_init
from voicepipe.report import DeviceKind
from voicepipe.text import class_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from voicepipe.params import StartParams

__all__ = [
    "AudioFrame",
    "BackgroundAudioFrame",
    "BotStartedSpeakingFrame",
    "BotStoppedSpeakingFrame",
    "CancelFrame",
    "ControlFrame",
    "DataFrame",
    "DeviceLostFrame",
    "DeviceRestoredFrame",
    "EndFrame",
    "EndOfTurnFrame",
    "ErrorFrame",
    "FactFrame",
    "Frame",
    "FrameDirection",
    "InputAudioFrame",
    "InterruptionFrame",
    "OutputAudioFrame",
    "SpokenFrame",
    "SpokenStartedFrame",
    "SpokenStoppedFrame",
    "StartFrame",
    "SystemFrame",
    "TextFrame",
    "TranscriptionFrame",
    "UnfinishedTurnFrame",
    "UserPausedFrame",
    "UserResumedFrame",
    "UserStartedSpeakingFrame",
    "UserStoppedSpeakingFrame",
    "UtteranceFrame",
    "kind_of",
]


class FrameDirection(enum.Enum):
    """The direction in which a frame travels."""

    DOWNSTREAM = "downstream"
    """Towards the speaker."""
    UPSTREAM = "upstream"
    """Towards the microphone."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Frame:
    """The base class of all frames. Derive from one of its three kinds, not from this class."""

    is_system: ClassVar[bool] = False
    """True if the frame goes ahead of data, and is handled even while a stage waits for room."""
    interruptible: ClassVar[bool] = False
    """True if an interruption drops the waiting frame, or cancels the handling of it."""
    is_request: ClassVar[bool] = False
    """True if the framework handles a push of the frame: a request, a fact, or the user's words."""
    is_fact: ClassVar[bool] = False
    """True if the framework passes the frame on, past every stage at once."""

    def __copy__(self) -> Self:
        """Return another frame with the same content, also for a subclass that is not a dataclass."""
        made = object.__new__(type(self))
        for name in _slots_of(type(self)):
            if hasattr(self, name):
                object.__setattr__(made, name, getattr(self, name))
        if hasattr(self, "__dict__"):
            vars(made).update(vars(self))
        return made


def _slots_of(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield name


@dataclass(frozen=True, slots=True, eq=False)
class DataFrame(Frame):
    """The content of a pipeline: audio and text. A pusher of data waits while a mailbox is full."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlFrame(Frame):
    """A fact or an instruction that keeps its position among the data."""


@dataclass(frozen=True, slots=True, eq=False)
class SystemFrame(Frame):
    """An event that goes ahead of data and never waits for room."""

    is_system: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class FactFrame(SystemFrame):
    """A fact that the whole pipeline should know at once, such as the start of the user's speech.

    The framework passes it to all stages in its direction and to the subscribers as soon as it is
    pushed. A stage with a mailbox gets it there, ahead of data, when the stage is free; its
    `on_fact` is called at once. No stage can hold, drop or double a fact: passing it on, or not, has
    no effect. It may come earlier than the audio that it tells of, never later. Use its position.
    """

    is_request: ClassVar[bool] = True
    is_fact: ClassVar[bool] = True
    closes: ClassVar[type[FactFrame] | None] = None
    """The class of the fact that this one takes back: the start, of a stop. A stage that is busy for very
    long misses only whole pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class StartFrame(ControlFrame):
    """The first frame of a run. It travels after every stage has opened."""

    is_request: ClassVar[bool] = True
    params: StartParams
    """The rates, the clock and the run's id."""


@dataclass(frozen=True, slots=True, eq=False)
class EndFrame(ControlFrame):
    """The last frame of a run, behind all data."""

    is_request: ClassVar[bool] = True
    reason: str = ""
    """The reason for the report: who requested it."""


@dataclass(frozen=True, slots=True, eq=False)
class CancelFrame(SystemFrame):
    """The news that the run was cancelled. Observers get it; stages have `on_cancel()`."""

    is_request: ClassVar[bool] = True
    reason: str = ""
    """The reason for the report: who requested it."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorFrame(SystemFrame):
    """An error after which the run goes on. (An exception that escapes a stage ends the run.)"""

    message: str
    """One line for a human reader."""
    stage: str = ""
    """The label of the stage, if the framework made the frame."""
    exception: BaseException | None = None
    """The exception, if one was raised."""


@dataclass(frozen=True, slots=True, eq=False)
class InterruptionFrame(SystemFrame):
    """An interruption: the user speaks while the program speaks, and queued output is dropped.

    Before it arrives at a stage, the framework drops the stage's interruptible data and
    cancels the handling of it.
    """

    is_request: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLostFrame(SystemFrame):
    """The loss of a device. The run goes on without it and tries to open it again."""

    device: str
    """The name of the device, for display."""
    kind: DeviceKind
    reason: str
    """One line for a human reader."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceRestoredFrame(SystemFrame):
    """The return of a device that was lost."""

    device: str
    """The name of the opened device. It can be another one that fits the same request."""
    kind: DeviceKind
    lost_s: float
    """The seconds since the loss was noticed."""


@with_hints
@with_quick_init
@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame(DataFrame):
    """A piece of PCM audio: int16, interleaved.

    Raises:
        AudioFormatError: `data` is not a whole number of samples, or is longer than `longest_s`.
        TypeError, ValueError: another field does not match its description below.
    """

    longest_s: ClassVar[float] = 10.0
    """The maximum duration of one frame, in seconds."""

    ear: ClassVar[bytes | None] = None
    """None: only an `InputAudioFrame` may have other audio for judges."""
    _with_data: ClassVar[tuple[type, Callable[[Any, bytes], Any]] | None] = None
    """A class, and the function behind `with_data` for it. None until one is needed."""

    data: bytes
    """Interleaved int16 in the machine's byte order. May be empty."""
    rate: int = 16_000
    """Samples per second."""
    channels: int = 1
    position: int = 0
    """The position of the first sample since the stream began, in samples at this rate."""
    captured_s: float | None = None
    """The time at which the first sample was captured, on the run's clock. None if unknown."""
    live: bool = field(default=False, kw_only=True)
    """True if a device that goes on by itself has just captured the audio. Live audio waits for nobody:
    what has become too old is dropped and counted. A file, a voice and an utterance are not live."""
    origin: str = field(default="", kw_only=True)
    """The label of the microphone whose stream `position` counts in. Empty if unknown."""
    num_samples: int = field(init=False)
    """The number of samples in `data`. One sample holds the values of all channels."""
    format: AudioFormat = field(init=False)
    """The rate and channels as one value, which frames of the same format share."""

    def __post_init__(self) -> None:
        # Nearly every frame passes here: plain types, and a format that has passed the checks before. An
        # int can equal a bool, a float or a number of numpy, so the types are compared too.
        data, rate, channels, position = self.data, self.rate, self.channels, self.position
        captured_s = self.captured_s
        try:
            if (
                type(rate) is int
                and type(channels) is int
                and type(data) is bytes
                and type(position) is int
                # Not negative, and not beyond the limit.
                and not position >> 62
                # Infinite less infinite is not a number, which equals nothing.
                and (captured_s is None or (type(captured_s) is float and captured_s - captured_s == 0.0))
            ):
                audio = KNOWN_FORMATS[rate][channels]
                size = SAMPLE_BYTES * channels
                count = len(data) // size
                if (
                    count * size == len(data)
                    and count / rate < self.longest_s
                    and (self.ear is None or _fits(self.ear, count))
                ):
                    _set_num_samples(self, count)
                    _set_format(self, audio)
                    return
        except KeyError:
            pass  # a new format
        self._check()

    def _check(self) -> None:
        """Check every field, and set those that follow from others. Raises as the class itself."""
        # With a bytearray or memoryview, a frame could change after it was sent.
        if not isinstance(self.data, bytes):
            raise TypeError(
                f"data must be bytes, not {type(self.data).__name__}: use from_array or bytes(...)"
            )
        audio = format_of(self.rate, self.channels)
        check_count("position", self.position)
        if self.captured_s is not None:
            check_number("captured_s", self.captured_s)
        count, rest = divmod(len(self.data), SAMPLE_BYTES * audio.channels)
        if rest:
            raise audio.error_for(self.data)
        if count > self.longest_s * audio.rate:
            raise AudioFormatError(
                f"{count} samples ({count / self.rate:.1f} s) are too long for one {type(self).__name__}; "
                f"send parts of at most {self.longest_s:g} s, at {self.rate} Hz"
            )
        _check_ear(self.ear, count)
        _set_num_samples(self, count)
        _set_format(self, audio)

    @classmethod
    def from_array(
        cls,
        audio: npt.NDArray[Any],
        rate: int = 16_000,
        *,
        channels: int = 1,
        position: int = 0,
        captured_s: float | None = None,
    ) -> Self:
        """Make a frame from an array of int16, or of floats with full scale at -1 and 1.

        `audio` has the shape (samples,) or (samples, channels). NaN becomes 0. Values beyond
        full scale are clipped. Raises as `pcm_bytes` and the class itself.
        """
        return cls(pcm_bytes(audio, channels), rate, channels, position, captured_s)

    @classmethod
    def of(cls, frame: AudioFrame) -> Self:
        """Make a frame of this class with the audio of another frame: `OutputAudioFrame.of(heard)`."""
        made = cls(
            frame.data,
            frame.rate,
            frame.channels,
            frame.position,
            frame.captured_s,
            live=frame.live,
            origin=frame.origin,
        )
        return made if frame.ear is None else made._with_ear(frame.ear)

    @classmethod
    def parts_of(cls, frame: AudioFrame) -> Iterator[Self]:
        """Yield the audio of another frame in as many frames as needed.

        An utterance may be too long for one frame of this class.
        """
        most, size = round(cls.longest_s * frame.rate), frame.format.sample_bytes
        for at in range(0, frame.num_samples, most):
            captured_s = None if frame.captured_s is None else frame.captured_s + at / frame.rate
            data = frame.data[at * size : (at + most) * size]
            part = cls(
                data,
                frame.rate,
                frame.channels,
                frame.position + at,
                captured_s,
                live=frame.live,
                origin=frame.origin,
            )
            ear = None if frame.ear is None else frame.ear[at * SAMPLE_BYTES : (at + most) * SAMPLE_BYTES]
            yield part if ear is None else part._with_ear(ear)

    def _with_ear(self, ear: bytes) -> Self:
        """Return the frame, with this ear if its class has one."""
        return self

    def _without_ear(self, data: bytes) -> Self:
        """Return the frame with other audio, and without an ear."""
        return replace(self, data=data)

    @property
    def array(self) -> npt.NDArray[np.int16]:
        """The audio as a read-only view of int16, shape (samples, channels)."""
        import numpy as np

        return np.frombuffer(self.data, np.int16).reshape(-1, self.channels)

    @property
    def duration_s(self) -> float:
        """The duration of the audio in seconds."""
        return self.num_samples / self.rate

    def with_data(self, data: bytes) -> Self:
        """Return a new frame with other audio and otherwise equal fields.

        An `ear` stays with audio of the same length; otherwise the new frame has none.
        """
        if self.ear is not None and type(data) is bytes and len(data) != len(self.data):
            return self._without_ear(data)
        kind, known = type(self), self._with_data
        if known is None or known[0] is not kind:
            kind._with_data = known = kind, replacer_of(kind, "data")
        made: Self = known[1](self, data)
        return made

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_samples} samples at {self.position}, "
            f"{self.rate} Hz, {self.channels} ch)"
        )


_set_num_samples = setter_of(AudioFrame, "num_samples")
_set_format = setter_of(AudioFrame, "format")


def _fits(ear: bytes, count: int) -> bool:
    return type(ear) is bytes and len(ear) == SAMPLE_BYTES * count


def _check_ear(ear: object, count: int) -> None:
    """Raises: TypeError, AudioFormatError."""
    if ear is None:
        return
    if not isinstance(ear, bytes):
        raise TypeError(f"ear must be bytes or None, not {class_name(ear)}: use bytes(...)")
    if len(ear) != SAMPLE_BYTES * count:
        raise AudioFormatError(
            f"ear has {len(ear)} bytes, and data {count} samples: ear must be mono int16 of as many samples, "
            f"{SAMPLE_BYTES * count} bytes"
        )


@with_quick_init
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InputAudioFrame(AudioFrame):
    """Audio from a microphone.

    Where an echo canceller is at work, `data` has every word of the user, and `ear` the least echo.
    Listeners such as recorders and recognisers use `data`; judges such as voice detection use `for_ear`.
    """

    ear: bytes | None = field(default=None, kw_only=True)  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]  # this class alone has more than the default
    """The same audio for judges: mono int16, as many samples, with as little echo of the program as possible.
    None: `data` serves for both."""

    @property
    def for_ear(self) -> bytes:
        """The audio for judges, mono int16: `ear`, or else `data`, of which several channels are mixed."""
        ear = self.ear
        return set_channels(self.data, self.channels, 1) if ear is None else ear

    def _with_ear(self, ear: bytes) -> Self:
        return replace(self, ear=ear)

    def _without_ear(self, data: bytes) -> Self:
        return replace(self, data=data, ear=None)

    def __repr__(self) -> str:
        told = AudioFrame.__repr__(self)
        return told if self.ear is None else f"{told[:-1]}, with an ear)"


@with_quick_init
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OutputAudioFrame(AudioFrame):
    """Audio for the speaker."""

    interruptible: ClassVar[bool] = True


@with_quick_init
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BackgroundAudioFrame(OutputAudioFrame):
    """Audio that the speaker mixes under the voice: music, a chime, a sound of thinking.

    It is not the program's speech: no fact tells of it, and an interruption does not stop it.
    """

    interruptible: ClassVar[bool] = False
    sound: str = field(default="background", kw_only=True)
    """The name of the sound. Frames of one name play one after another; different names mix."""


@with_quick_init
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UtteranceFrame(AudioFrame):
    """The whole audio of one user turn, pre-roll included."""

    longest_s: ClassVar[float] = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class TextFrame(DataFrame):
    """Text to speak or to show."""

    interruptible: ClassVar[bool] = True
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class SpokenFrame(DataFrame):
    """The text of the output audio that follows, up to the next `SpokenFrame`: one sentence, say.

    A stage that makes a voice pushes it ahead of the audio. The speaker then tells when the sentence
    begins and ends to sound, and how much of it was heard.
    """

    interruptible: ClassVar[bool] = True
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionFrame(DataFrame):
    """Text that the user said. An interruption does not drop it.

    The run notes its first push in `params.conversation`. An `Interrupter` may keep it back for a while.
    """

    is_request: ClassVar[bool] = True
    text: str
    position: int = 0
    """The position of the first word in the microphone's stream, in samples."""


@dataclass(frozen=True, slots=True, eq=False)
class UserStartedSpeakingFrame(FactFrame):
    """The start of the user's speech, at `position` of the microphone's stream."""

    position: int = 0
    captured_s: float | None = None
    decided: int | None = None
    """The position up to which audio was judged when this became certain. None if unknown."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class UserStoppedSpeakingFrame(FactFrame):
    """The end of the user's speech, at `position` of the microphone's stream."""

    closes: ClassVar[type[FactFrame] | None] = UserStartedSpeakingFrame

    position: int = 0
    captured_s: float | None = None
    decided: int | None = None
    """The position up to which audio was judged when this became certain. None if unknown."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class UserPausedFrame(FactFrame):
    """A pause of the user within a turn, which may be its end. The silence began at `position`.

    A `VADProcessor` makes it about 0.2 s into each silence, if a stage behind declares it in `takes`.
    If the user goes on, a `UserResumedFrame` follows, else a `UserStoppedSpeakingFrame`.
    """

    position: int = 0
    captured_s: float | None = None
    decided: int | None = None
    """The position up to which audio was judged when this became certain. None if unknown."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class UserResumedFrame(FactFrame):
    """The end of a pause: the user goes on with the same turn."""

    closes: ClassVar[type[FactFrame] | None] = UserPausedFrame

    position: int = 0
    captured_s: float | None = None
    decided: int | None = None
    """The position up to which audio was judged when this became certain. None if unknown."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class EndOfTurnFrame(FactFrame):
    """A verdict: the user has finished. Push it upstream; the `VADProcessor` then ends the turn.

    It holds for the silence at `position`, also for one that begins up to 0.2 s later. If the user
    has gone on speaking by then, it has no effect.

    Raises:
        TypeError, ValueError: a field does not match its description below.
    """

    position: int | None = None
    """The position of the pause, as `UserPausedFrame` has it. None: the last sample that was judged."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""
    judged_s: float = field(default=0.0, kw_only=True)
    """The seconds that the verdict took, for the times of the turn."""

    def __post_init__(self) -> None:
        _check_verdict(self.position, self.judged_s)


@dataclass(frozen=True, slots=True, eq=False)
class UnfinishedTurnFrame(FactFrame):
    """A verdict: the user has not finished. Push it upstream; the turn then stays open for longer.

    It holds for the same silence as an `EndOfTurnFrame`. A later verdict takes its place.

    Raises:
        TypeError, ValueError: a field does not match its description below.
    """

    position: int | None = None
    """The position of the pause, as `UserPausedFrame` has it. None: the last sample that was judged."""
    origin: str = ""
    """The label of the microphone. Empty if unknown."""
    wait_s: float = field(default=0.0, kw_only=True)
    """The silence that ends the turn all the same, 0 to 60 s. It never shortens the detector's `stop_s`."""
    judged_s: float = field(default=0.0, kw_only=True)
    """The seconds that the verdict took, for the times of the turn."""

    def __post_init__(self) -> None:
        _check_verdict(self.position, self.judged_s)
        check_number("wait_s", self.wait_s, at_least=0.0, at_most=60.0)


def _check_verdict(position: int | None, judged_s: float) -> None:
    if position is not None:
        check_count("position", position)
    check_number("judged_s", judged_s, at_least=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class BotStartedSpeakingFrame(FactFrame):
    """The start of the program's speech, at `position` of the speaker's stream."""

    position: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BotStoppedSpeakingFrame(FactFrame):
    """The end of the program's speech. The sample before `position` was the last one played."""

    closes: ClassVar[type[FactFrame] | None] = BotStartedSpeakingFrame

    position: int = 0
    interrupted: bool = False
    """True if the speech was cut short. The audio after `position` was not played."""
    began: int = 0
    """The position at which the speech began."""
    text: str = ""
    """The text that was heard of it, where `SpokenFrame`s told the text."""
    ended_s: float | None = None
    """The time at which its last sample was heard, on the run's clock. None if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class SpokenStartedFrame(FactFrame):
    """The start of a sentence at the speaker: the audio behind one `SpokenFrame` begins to sound."""

    text: str
    position: int = 0
    """The position of its first sample in the speaker's stream."""


@dataclass(frozen=True, slots=True, eq=False)
class SpokenStoppedFrame(FactFrame):
    """The end of a sentence at the speaker."""

    closes: ClassVar[type[FactFrame] | None] = SpokenStartedFrame

    text: str
    began: int = 0
    """The position of its first sample in the speaker's stream."""
    position: int = 0
    """The position behind its last sample that was played."""
    heard: str = ""
    """The part of the text that was heard: the whole text, unless it was interrupted."""
    interrupted: bool = False
    """True if it was cut short."""


def kind_of(frame: object) -> str:
    """Return the class of a frame and the length of its audio, for logs and errors.

    A frame's repr would not do: it may show the words of the user, or samples. Never raises.
    """
    name = class_name(frame)
    try:
        if isinstance(frame, AudioFrame):
            return f"{name} of {frame.num_samples:d} samples ({frame.duration_s:.2f} s)"
    except BaseException:  # a user's class may raise whatever it likes
        pass
    return name
