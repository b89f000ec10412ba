"""The heartbeat of a runner's tasks for the service manager, as long as they run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Self

from voicepipe.lifecycle import RunState
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceState
from voicepipe.run.stall import Holder
from voicepipe.run.task import PipelineTask
from voicepipe.service.health import Health, Phase
from voicepipe.service.systemd import Notifier, watchdog_s
from voicepipe.speech.vad import VADProcessor

__all__ = ["Heartbeat", "devices_of"]

LOOK_S = 0.25
_BEGINNING = (RunState.CREATED, RunState.OPENING)


class Heartbeat:
    """Sends READY, WATCHDOG, STATUS and the like while it is entered, from the running loop.

    So a loop that is blocked sends nothing either, and the service manager acts. A service waits for
    devices that are absent at its start, unless its tasks were told otherwise.

    Args:
        tasks: what is run.
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them.
    """

    def __init__(self, tasks: Sequence[PipelineTask], environment: Mapping[str, str] = os.environ) -> None:
        limit_s = watchdog_s(environment)
        self._tasks = tasks
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._health = Health(limit_s)
        self._look_s = min(LOOK_S, limit_s / 10) if limit_s else LOOK_S
        self._unsent: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        for task in self._tasks:
            task.patient = True if task.patient is None else task.patient
        self._notifier = Notifier(self._address)
        self._beating = asyncio.get_running_loop().create_task(self._beat(), name="voicepipe:heartbeat")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        await asyncio.wait([self._beating])
        self._look()
        self._notifier.close()

    async def _beat(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(self._look_s)

    def _look(self) -> None:
        devices = [device for task in self._tasks for device in devices_of(task)]
        speech = any(stage.speaking for task in self._tasks for stage in _ears(task))
        now_s = asyncio.get_running_loop().time()
        holding = [holder for task in self._tasks for holder in self._holding(task)]
        self._unsent |= self._health.look(now_s, _phase(self._tasks), devices, holding, speech=speech)
        if self._unsent and self._notifier.send(self._unsent):
            self._unsent = {}

    def _holding(self, task: PipelineTask) -> list[Holder]:
        """Return the stages with a frame in hand; two tasks may have stages of the same name."""
        several = len(self._tasks) > 1
        return [h._replace(stage=f"{task.name}:{h.stage}") if several else h for h in task.holding()]


def devices_of(task: PipelineTask) -> list[DeviceState]:
    """Return the states of a task's devices, as far as they are open."""
    stages = [stage for stage in task.processors if isinstance(stage, DeviceStage)]
    return [state for stage in stages if (state := stage.device_state()) is not None]


def _ears(task: PipelineTask) -> list[VADProcessor]:
    return [stage for stage in task.processors if isinstance(stage, VADProcessor)]


def _phase(tasks: Sequence[PipelineTask]) -> Phase:
    states = [task.state for task in tasks]
    if any(state in _BEGINNING for state in states):
        return Phase.STARTING
    return Phase.RUNNING if RunState.RUNNING in states else Phase.STOPPING
