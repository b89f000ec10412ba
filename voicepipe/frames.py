"""The frames that travel through a pipeline.

A frame is an immutable value, compared by identity. Its class says how it travels:
system frames go ahead of data, data and control frames keep their order, and an
interruption drops what is interruptible.

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
UtteranceFrame              data     no             a stage            down
TextFrame                   data     yes            a stage            any
TranscriptionFrame          data     no             a stage            any
UserStartedSpeakingFrame    control  no             a stage            any
UserStoppedSpeakingFrame    control  no             a stage            any
BotStartedSpeakingFrame     control  no             SpeakerOutput      both
BotStoppedSpeakingFrame     control  no             SpeakerOutput      both

StartFrame, EndFrame and CancelFrame belong to the framework: a stage never receives one
(it has hooks instead), and a stage that pushes an EndFrame, CancelFrame or
InterruptionFrame asks the task for it.

For frames of one's own, derive from `DataFrame`, `ControlFrame` or `SystemFrame`:

    @dataclass(frozen=True, slots=True, eq=False)
    class MoodFrame(DataFrame):
        mood: str
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from voicepipe.audio.format import SAMPLE_BYTES, AudioFormat, format_of, pcm_bytes
from voicepipe.checks import check_count, check_number
from voicepipe.errors import AudioFormatError
from voicepipe.report import DeviceKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from voicepipe.params import StartParams

__all__ = [
    "AudioFrame",
    "BotStartedSpeakingFrame",
    "BotStoppedSpeakingFrame",
    "CancelFrame",
    "ControlFrame",
    "DataFrame",
    "DeviceLostFrame",
    "DeviceRestoredFrame",
    "EndFrame",
    "ErrorFrame",
    "Frame",
    "FrameDirection",
    "InputAudioFrame",
    "InterruptionFrame",
    "OutputAudioFrame",
    "StartFrame",
    "SystemFrame",
    "TextFrame",
    "TranscriptionFrame",
    "UserStartedSpeakingFrame",
    "UserStoppedSpeakingFrame",
    "UtteranceFrame",
]


class FrameDirection(enum.Enum):
    """Which way a frame travels."""

    DOWNSTREAM = "downstream"
    """Towards the speaker."""
    UPSTREAM = "upstream"
    """Towards the microphone."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Frame:
    """One immutable value that travels. Derive from one of its three kinds, not from it."""

    is_system: ClassVar[bool] = False
    """Goes ahead of data, and is handled while a stage waits for room."""
    interruptible: ClassVar[bool] = False
    """An interruption drops it where it waits, and cancels the handling of it."""
    is_request: ClassVar[bool] = False
    """A stage that pushes one asks the task for it (end, cancel, interrupt)."""


@dataclass(frozen=True, slots=True, eq=False)
class DataFrame(Frame):
    """What the pipeline is there for: audio, words. Waits where a mailbox is full."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlFrame(Frame):
    """A fact or an instruction that keeps its place among the data."""


@dataclass(frozen=True, slots=True, eq=False)
class SystemFrame(Frame):
    """News that goes ahead of data and never waits for room."""

    is_system: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class StartFrame(ControlFrame):
    """The first frame of a run; every stage has opened before it travels."""

    is_request: ClassVar[bool] = True
    params: StartParams
    """The rates, the clock and the run's id."""


@dataclass(frozen=True, slots=True, eq=False)
class EndFrame(ControlFrame):
    """The last frame of a run, behind all data."""

    is_request: ClassVar[bool] = True
    reason: str = ""
    """Who asked, for the report."""


@dataclass(frozen=True, slots=True, eq=False)
class CancelFrame(SystemFrame):
    """The run was cancelled. Shown to observers; stages have `on_cancel()`."""

    is_request: ClassVar[bool] = True
    reason: str = ""
    """Who asked, for the report."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorFrame(SystemFrame):
    """Something went wrong and the run goes on. An exception that escapes a stage ends it."""

    message: str
    """One line, for a person."""
    stage: str = ""
    """The label of the stage, where the framework made the frame."""
    exception: BaseException | None = None
    """What was raised, if anything was."""


@dataclass(frozen=True, slots=True, eq=False)
class InterruptionFrame(SystemFrame):
    """The user speaks while the program speaks: what was queued to be said is dropped.

    When it arrives at a stage, the framework has already dropped interruptible data and
    cancelled the handling of it.
    """

    is_request: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLostFrame(SystemFrame):
    """A device makes no sign any more. The run goes on without it, and looks for it."""

    device: str
    """Its name, as it is shown."""
    kind: DeviceKind
    reason: str
    """One line, for a person."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceRestoredFrame(SystemFrame):
    """A device that was lost works again."""

    device: str
    """The name of what was opened in its place: the same, or another that the same request found."""
    kind: DeviceKind
    lost_s: float
    """How long it was away, in seconds, since the loss was noticed."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame(DataFrame):
    """A stretch of PCM audio: int16, interleaved.

    Raises:
        AudioFormatError: `data` is no whole number of samples, or longer than `longest_s`.
        TypeError, ValueError: another field is not what it says below.
    """

    longest_s: ClassVar[float] = 10.0
    """The longest stretch that one frame may hold, in seconds."""

    data: bytes
    """Interleaved int16 in the machine's byte order. Empty is legal."""
    rate: int = 16_000
    """Samples a second."""
    channels: int = 1
    position: int = 0
    """The first sample's place since the stream began, in samples at this rate."""
    captured_s: float | None = None
    """When the first sample was captured, by the run's clock; None where nobody knows."""
    num_samples: int = field(init=False)
    """How many samples of all channels `data` holds."""
    format: AudioFormat = field(init=False)
    """Rate and channels as one value, which frames of the same format share."""

    def __post_init__(self) -> None:
        # A bytearray or memoryview would let a frame change after it was sent.
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
            raise audio.divided(self.data)
        if count > self.longest_s * audio.rate:
            raise AudioFormatError(
                f"{count} samples ({count / self.rate:.1f} s) are too long for one {type(self).__name__}: "
                f"at most {self.longest_s:g} s, at {self.rate} Hz; send them in parts"
            )
        object.__setattr__(self, "num_samples", count)
        object.__setattr__(self, "format", audio)

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
        """A frame from an array of int16, or of floats where -1 to 1 is full scale.

        `audio` has the shape (samples,) or (samples, channels). NaN becomes 0; what is
        beyond full scale is clipped. Raises as `pcm_bytes` and the class itself.
        """
        return cls(pcm_bytes(audio, channels), rate, channels, position, captured_s)

    @classmethod
    def of(cls, frame: AudioFrame) -> Self:
        """The audio of another frame, as a frame of this class: `OutputAudioFrame.of(heard)`."""
        return cls(frame.data, frame.rate, frame.channels, frame.position, frame.captured_s)

    @classmethod
    def parts_of(cls, frame: AudioFrame) -> Iterator[Self]:
        """The same, in as many frames as it takes: an utterance may be too long for one of this class."""
        most, size = round(cls.longest_s * frame.rate), frame.format.sample_bytes
        for at in range(0, frame.num_samples, most):
            captured_s = None if frame.captured_s is None else frame.captured_s + at / frame.rate
            data = frame.data[at * size : (at + most) * size]
            yield cls(data, frame.rate, frame.channels, frame.position + at, captured_s)

    @property
    def array(self) -> npt.NDArray[np.int16]:
        """The audio as a read-only view of int16, shape (samples, channels)."""
        import numpy as np

        return np.frombuffer(self.data, np.int16).reshape(-1, self.channels)

    @property
    def duration_s(self) -> float:
        """How long the audio lasts, in seconds."""
        return self.num_samples / self.rate

    def with_data(self, data: bytes) -> Self:
        """The same frame with other audio; a new object."""
        return replace(self, data=data)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_samples} samples at {self.position}, "
            f"{self.rate} Hz, {self.channels} ch)"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InputAudioFrame(AudioFrame):
    """Audio from a microphone."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OutputAudioFrame(AudioFrame):
    """Audio to be heard from the speaker."""

    interruptible: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UtteranceFrame(AudioFrame):
    """The whole audio of one user turn, pre-roll included."""

    longest_s: ClassVar[float] = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class TextFrame(DataFrame):
    """Words to be said or shown."""

    interruptible: ClassVar[bool] = True
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionFrame(DataFrame):
    """Words that the user said. An interruption does not drop them."""

    text: str
    position: int = 0
    """Where the words begin in the microphone's stream, in samples."""


@dataclass(frozen=True, slots=True, eq=False)
class UserStartedSpeakingFrame(ControlFrame):
    """The user began to speak at `position` of the microphone's stream."""

    position: int = 0
    captured_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UserStoppedSpeakingFrame(ControlFrame):
    """The user's speech ended at `position` of the microphone's stream."""

    position: int = 0
    captured_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BotStartedSpeakingFrame(ControlFrame):
    """The program's speech began at `position` of the speaker's stream."""

    position: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BotStoppedSpeakingFrame(ControlFrame):
    """The program's speech ended: the sample before `position` was the last one heard."""

    position: int = 0
    interrupted: bool = False
    """It was cut short; what came after `position` was not heard."""
