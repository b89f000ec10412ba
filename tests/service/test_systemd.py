"""The notification protocol, over a real socket."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support.manager import Manager
from voicepipe.service.systemd import Notifier, watchdog_s

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="allowed skip: only Linux has systemd, and abstract sockets"
)


@pytest.mark.parametrize("abstract", [False, True])
def test_assignments_arrive_in_one_datagram(tmp_path: Path, abstract: bool) -> None:
    manager = Manager(tmp_path, abstract=abstract)
    notifier = Notifier(manager.address)
    assert notifier.send({"READY": "1", "STATUS": "sound flows"})
    manager.receive()
    assert manager.said == [(0.0, {"READY": "1", "STATUS": "sound flows"})]
    notifier.close()
    manager.socket.close()


def test_a_value_cannot_bring_an_assignment_of_its_own(tmp_path: Path) -> None:
    manager = Manager(tmp_path)
    notifier = Notifier(manager.address)
    notifier.send({"STATUS": "a microphone\nWATCHDOG=trigger\r\nMAINPID=1"})
    manager.receive()
    assert manager.said == [(0.0, {"STATUS": "a microphone WATCHDOG=trigger MAINPID=1"})]
    notifier.close()
    manager.socket.close()


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-listens-here", "vsock:2:1234", "notify", ""])
def test_where_nobody_listens_nothing_is_sent_and_nothing_raised(address: str) -> None:
    notifier = Notifier(address)
    assert not notifier.send({"READY": "1"})
    notifier.close()
    assert not notifier.send({"READY": "1"})


def test_a_manager_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    manager = Manager(tmp_path)
    notifier = Notifier(manager.address)
    taken = [notifier.send({"STATUS": str(number)}) for number in range(5_000)]
    assert taken[0]
    assert not taken[-1]
    manager.receive()
    assert notifier.send({"STATUS": "again"})
    notifier.close()
    manager.socket.close()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getppid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1000000000"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "-1"}, 0.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, 0.0),
    ],
)
def test_the_watchdog_s_limit_is_for_the_process_it_names(
    environment: dict[str, str], seconds: float
) -> None:
    assert watchdog_s(environment) == seconds
