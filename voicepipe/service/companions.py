"""The companions of a runner's tasks in a program that a service manager has started."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from voicepipe.run.task import PipelineTask
from voicepipe.service.heartbeat import Heartbeat
from voicepipe.service.status import StatusSocket, service_socket

__all__ = ["Companion", "companions_of_a_service"]

Companion = Callable[[Sequence[PipelineTask]], AbstractAsyncContextManager[object]]
"""Called with the tasks before they run; what it returns is entered while they do."""


def companions_of_a_service(
    given: Sequence[Companion], environment: Mapping[str, str] = os.environ
) -> list[Companion]:
    """Return the companions of a systemd service besides those given.

    The manager is told how the program is, and `voicepipe status` is answered, unless there is a
    `StatusSocket` among those given.
    """
    companions: list[Companion] = []
    if environment.get("NOTIFY_SOCKET"):
        companions.append(Heartbeat)
    path = service_socket(environment)
    if path and not any(isinstance(each, StatusSocket) for each in given):
        companions.append(StatusSocket(path))
    return companions
