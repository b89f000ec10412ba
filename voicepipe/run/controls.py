"""The handles of a run's microphones and speakers: for a button, or a phone, from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar, cast

from voicepipe.checks import check_number
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.pipeline import Pipeline, stages_of
from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, label_of
from voicepipe.report import DeviceKind
from voicepipe.text import quote

__all__ = [
    "Handles",
    "MicrophoneHandle",
    "NoSingleDeviceError",
    "SpeakerHandle",
    "microphones_of",
    "speakers_of",
]

LEAST_DB, MOST_DB = -60.0, 24.0
"""The bounds of a speaker's volume in decibels."""

Call = Callable[[Callable[[], None]], None]
"""Makes a call in the event loop of the run, or at once if none runs."""
H = TypeVar("H")


class _Device(Protocol):
    """A stage whose device can be changed while it runs."""

    @property
    def device(self) -> str: ...

    def check_device(self, name: str) -> None: ...

    def change_device(self, name: str) -> None: ...


class _Microphone(_Device, Protocol):
    """The part of a `MicrophoneInput` that a program may change while it runs."""

    muted: bool
    gain_db: float


class _Speaker(_Device, Protocol):
    """The part of a `SpeakerOutput` that a program may change while it runs."""

    @property
    def volume_db(self) -> float: ...

    def set_volume(self, db: float, ramp_s: float = 0.05) -> None: ...


class _Handle:
    """The handle of one device stage."""

    __slots__ = ("_call", "_device", "name")

    def __init__(self, name: str, device: _Device, call: Call) -> None:
        self.name = name
        """The name of the stage in its run."""
        self._device = device
        self._call = call

    @property
    def device(self) -> str:
        """The name of the device in use; before the run, the requested one. Empty: the default device.

        Set it to change the device. Another one is opened while the present one goes on. If it does
        not open, the present one stays in use; a warning says so, and an ErrorFrame goes upstream.

        Raises:
            TypeError, ValueError: it is no name; or the back end has files in place of devices.
        """
        return self._device.device

    @device.setter
    def device(self, name: str) -> None:
        self._device.check_device(name)
        self._call(lambda: self._device.change_device(name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class MicrophoneHandle(_Handle):
    """The handle of a microphone. From any thread, before and while its task runs.

    task.microphone.muted = True
    task.microphone.gain_db = 6
    task.microphone.device = "USB"
    """

    __slots__ = ("_microphone",)

    def __init__(self, name: str, stage: DeviceStage, call: Call) -> None:
        self._microphone = cast(_Microphone, stage)
        super().__init__(name, self._microphone, call)

    @property
    def muted(self) -> bool:
        """True while silence takes the place of all audio, which is counted as `muted`.

        Takes effect with the next block.

        Raises:
            TypeError: it is set to something else than True or False.
        """
        return self._microphone.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._microphone.muted = muted

    @property
    def gain_db(self) -> float:
        """The gain in decibels, -60 to 60. Takes effect with the next block.

        Raises:
            TypeError, ValueError: it is set to no such number.
        """
        return self._microphone.gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._microphone.gain_db = gain_db


class SpeakerHandle(_Handle):
    """The handle of a speaker. From any thread, before and while its task runs.

    task.speaker.volume_db = -6
    task.speaker.device = "headphones"
    """

    __slots__ = ("_speaker",)

    def __init__(self, name: str, stage: DeviceStage, call: Call) -> None:
        self._speaker = cast(_Speaker, stage)
        super().__init__(name, self._speaker, call)

    @property
    def volume_db(self) -> float:
        """The volume of all that it plays, in decibels, -60 to 24; it changes with a ramp.

        Raises:
            TypeError, ValueError: it is set to no such number.
        """
        return self._speaker.volume_db

    @volume_db.setter
    def volume_db(self, volume_db: float) -> None:
        db = check_number("volume_db", volume_db, at_least=LEAST_DB, at_most=MOST_DB)
        self._call(lambda: self._speaker.set_volume(db))


class NoSingleDeviceError(RuntimeError, AttributeError):
    """A pipeline has no device of a kind, or several, where one is asked for.

    Also an AttributeError: tools that read every attribute of a task, such as `inspect.getmembers`, skip it.
    """


class Handles(dict[str, H], Generic[H]):
    """The handles of one kind, by the names of their stages."""

    def __init__(self, kind: DeviceKind, run: str, handles: Iterator[tuple[str, H]]) -> None:
        super().__init__(handles)
        self._kind, self._run = kind, run

    @property
    def only(self) -> H:
        """The only one. Raises: NoSingleDeviceError: there is none, or there are several."""
        if len(self) == 1:
            return next(iter(self.values()))
        if not self:
            raise NoSingleDeviceError(f"{self._run} has no {self._kind} in its pipeline")
        first = next(iter(self))
        raise NoSingleDeviceError(
            f"{self._run} has {len(self)} {self._kind}s, {self._names()}: "
            f"choose one, as task.{self._kind}s[{first!r}]"
        )

    def __missing__(self, name: object) -> H:
        there = f"there is {self._names()}" if self else "there is none"
        raise KeyError(f"{self._run} has no {self._kind} {quote(name)}; {there}")

    def _names(self) -> str:
        *others, last = [repr(name) for name in self]
        return f"{', '.join(others)} and {last}" if others else last


def microphones_of(pipeline: Pipeline, run: str, call: Call) -> Handles[MicrophoneHandle]:
    """Return the handles of a pipeline's microphones, at any depth."""
    stages = _stages(pipeline, "microphone")
    return Handles("microphone", run, ((name, MicrophoneHandle(name, stage, call)) for name, stage in stages))


def speakers_of(pipeline: Pipeline, run: str, call: Call) -> Handles[SpeakerHandle]:
    """Return the handles of a pipeline's speakers, at any depth."""
    stages = _stages(pipeline, "speaker")
    return Handles("speaker", run, ((name, SpeakerHandle(name, stage, call)) for name, stage in stages))


def _stages(pipeline: Pipeline, kind: DeviceKind) -> Iterator[tuple[str, DeviceStage]]:
    """Yield the stages of one kind with their labels, which are those of the run."""
    labels: dict[str, int] = {}
    for stage in stages_of(pipeline):
        if isinstance(stage, (FrameProcessor, InlineProcessor)):
            name = label_of(stage)
            labels[name] = nth = labels.get(name, 0) + 1
            if isinstance(stage, DeviceStage) and stage.kind == kind:
                yield (name if nth == 1 else f"{name}#{nth}"), stage
