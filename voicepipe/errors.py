"""The errors of voicepipe, as one tree.

VoicepipeError
 +-- PipelineError               a run failed; names the stage, carries the report
 |    +-- PipelineStartError     it failed before capture began; everything opened is closed again
 +-- LifecycleError              a transition that the life cycle's table does not have
 +-- LaunchError                 a child process cannot be started in this program
 +-- EngineError                 an engine is missing, failed, ended, or gave no answer in time
 +-- AudioFormatError            bytes, a shape or a file that is not the audio it claims to be
 +-- DeviceError                 something is wrong with sound hardware
      +-- BackendMissingError    the back end, or the library or sound server under it, is not there
      +-- DeviceNotFoundError    no device, or more than one, of that name
      +-- DeviceBusyError        another program holds it
      +-- DevicePermissionError  the user has no right to it
      +-- DeviceFormatError      the device refuses this rate or channel count
      +-- DeviceLostError        it was there, and is gone
      +-- DeviceTimeoutError     a call to it did not return within its limit

A caller's mistake is a `TypeError`, `ValueError` or `RuntimeError`; `AudioFormatError` is
a `ValueError` too, and `LifecycleError` a `RuntimeError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicepipe.report import RunReport

__all__ = [
    "AudioFormatError",
    "BackendMissingError",
    "DeviceBusyError",
    "DeviceError",
    "DeviceFormatError",
    "DeviceLostError",
    "DeviceNotFoundError",
    "DevicePermissionError",
    "DeviceTimeoutError",
    "EngineError",
    "LaunchError",
    "LifecycleError",
    "PipelineError",
    "PipelineStartError",
    "VoicepipeError",
]


class VoicepipeError(Exception):
    """The base of every error that voicepipe raises on its own account."""


class PipelineError(VoicepipeError):
    """A run failed. Raised by `PipelineTask.run()` after everything is closed.

    The exception that escaped the stage is `__cause__`.
    """

    def __init__(self, message: str, *, stage: str = "", report: RunReport | None = None) -> None:
        super().__init__(message)
        self.stage = stage
        """The label of the stage that failed, as in the report."""
        self.report = report
        """The report of the run."""


class PipelineStartError(PipelineError):
    """A stage did not open, or not within the start limit; what had opened is closed again."""


class LifecycleError(VoicepipeError, RuntimeError):
    """A transition that the life cycle does not have. Nothing was changed."""


class LaunchError(VoicepipeError):
    """A child process cannot be started in this program: it is frozen, or embeds Python; says what to do."""


class EngineError(VoicepipeError):
    """An engine cannot be had, or its process failed, ended or gave no answer in time."""


class AudioFormatError(VoicepipeError, ValueError):
    """Bytes, a shape or a file that is not the audio it claims to be."""


class DeviceError(VoicepipeError):
    """Something is wrong with sound hardware, or with what stands between it and us."""


class BackendMissingError(DeviceError):
    """The back end, or the library or sound server under it, is not there."""


class DeviceNotFoundError(DeviceError):
    """No device, or more than one, has that name."""

    is_ambiguous: bool = False
    """True where there is more than one."""


class DeviceBusyError(DeviceError):
    """Another program holds the device."""


class DevicePermissionError(DeviceError):
    """The user has no right to the device."""


class DeviceFormatError(DeviceError):
    """The device refuses this rate or this number of channels; says what it supports."""


class DeviceLostError(DeviceError):
    """The device was there, and is gone."""

    silent_s: float = 0.0
    """The time without a sign of it when that was noticed, in seconds."""


class DeviceTimeoutError(DeviceError):
    """A call to the device did not return within its limit."""
