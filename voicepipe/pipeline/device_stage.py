"""The base class of stages that own a device, such as a microphone or a speaker."""

from __future__ import annotations

from typing import ClassVar

from voicepipe.frames import Frame, kind_of
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.report import DeviceKind, DeviceState, DeviceStatistics, EchoState
from voicepipe.settings.sound import SoundSettings

__all__ = ["DeviceStage", "settings_in"]

_NOTHING = SoundSettings()


class DeviceStage(FrameProcessor):
    """A stage that also works when no frame waits: it captures, plays, or watches its device.

    A device has its own clock. When the device has news, the stage calls `wake_up`. Its task then
    calls `work_when_idle`. The other methods describe the device to the run, the report and a
    service. Each has a default.
    """

    has_device: ClassVar[bool] = True
    kind: ClassVar[DeviceKind | None] = None
    """Its kind, if it has the members by which a task changes it while it runs: see `task.microphone`."""

    @property
    def mutes(self) -> bool:
        """True for a microphone that drops what it hears while a speaker of the run sounds."""
        return False

    @property
    def cancels_echo(self) -> bool:
        """True for a microphone that will cancel the echo of the run's speakers. They must have taps then."""
        return False

    @property
    def echo(self) -> EchoState | None:
        """The echo of the run's speakers at a microphone; None: no speaker of the run shares its air."""
        return None

    @property
    def is_live(self) -> bool:
        """True if the device goes on by itself, as a sound card does and a file does not."""
        return True

    @property
    def settings(self) -> SoundSettings:
        """The user's settings, as the back end of the stage carries them."""
        return SoundSettings()

    async def work_when_idle(self) -> bool:
        """Do one piece of work while no frame waits; return True if there was any.

        Called again until it returns False, and then after each `wake_up`. It must not wait if there
        is nothing to do.
        """
        return False

    def wake_up(self) -> None:
        """Request another call of `work_when_idle`. In the loop's thread."""
        seat = self._mailbox_seat
        if seat is not None:
            seat.box.wake()

    @property
    def is_idle(self) -> bool:
        """True while the stage's task has nothing to do, and waits. In the loop's thread."""
        seat = self._mailbox_seat
        return seat is not None and seat.box.is_awaited

    def push_now(self, frame: Frame) -> None:
        """Push a frame of live audio downstream, and wait for nobody. In the loop's thread.

        A place that is full drops its oldest live audio, and counts it.

        Raises:
            RuntimeError: the stage is not in a running pipeline.
        """
        seat = self._mailbox_seat
        if seat is None:
            raise RuntimeError(f"{self.name} is not in a running pipeline: it cannot push {kind_of(frame)}")
        seat.push_now(frame)

    def take_charge(self) -> None:
        """Move the frame in progress to the stage's own ledger (`seams`).

        From then on an interruption does not cut its handling, and a cancel does not drop it here.
        """
        seat = self._mailbox_seat
        if seat is not None:
            seat.hand_over()

    def waits_for(self) -> str:
        """Return the reason why `on_start` of a patient run still waits for the device.

        The start limit does not count meanwhile. An empty string means that it does not wait.
        """
        return ""

    def device_state(self) -> DeviceState | None:
        """Return the present state of the device, or None if none was opened. In the loop's thread."""
        return None

    def device_statistics(self) -> DeviceStatistics | None:
        """Return the device's counts so far, or None if none was opened. In the loop's thread."""
        return None


def settings_in(pipeline: Pipeline) -> SoundSettings:
    """Return the user's settings that a back end of the pipeline carries; none are set if none does."""
    if not pipeline.devices:
        return _NOTHING
    carried = (stage.settings for stage in pipeline.devices if isinstance(stage, DeviceStage))
    return next((settings for settings in carried if settings != _NOTHING), _NOTHING)
