"""After the first Ctrl-C a program says how long it is still going to sound; and that the second cuts it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

import pytest

from cli.test_screen import Terminal
from support.sound import noise
from voicepipe import OutputAudioFrame, Pipeline, PipelineTask, SpeakerOutput
from voicepipe.cli.terminal.display import Countdown, Display
from voicepipe.cli.terminal.screen import Screen
from voicepipe_devices.fake import SimulatedCard

End = Callable[[PipelineTask], None]


class Blank(Display):
    """Shows one word."""

    def lines(self) -> tuple[str]:
        return ("playing",)


async def said_while_stopping(screen: Screen, end: End, seconds: float = 5.0) -> None:
    """Queue some seconds of sound, and end the run after one."""
    speaker = SpeakerOutput(SimulatedCard().backend())
    countdown, display = Countdown(speaker, screen), Blank(screen)
    display.countdown = countdown
    task = PipelineTask(Pipeline([display, countdown, speaker]))
    countdown.watch(task)
    for _ in range(int(seconds * 2)):
        await task.queue_frame(OutputAudioFrame(noise(0.5).tobytes()))
    asyncio.get_running_loop().call_later(1.0, end, task)
    await task.run()


def ctrl_c(task: PipelineTask) -> None:
    task.end("SIGINT")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


async def test_on_a_terminal_it_counts_down(terminal: Terminal) -> None:
    await said_while_stopping(Screen(terminal), ctrl_c)
    told = re.findall(r"stopping: (\d+) s still to play; Ctrl-C again to cut it", terminal.getvalue())
    assert list(dict.fromkeys(told)) == ["4", "3", "2", "1"]


async def test_elsewhere_it_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    await said_while_stopping(Screen(), ctrl_c)
    assert caplog.messages == ["stopping: 4 s still to play; Ctrl-C again to cut it"]
    assert caplog.records[0].levelno == logging.WARNING, "info is not shown by default"


@pytest.mark.parametrize("reason", ["SIGTERM", "after 1 s"])
async def test_where_no_person_has_asked_there_is_no_advice(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    await said_while_stopping(Screen(), lambda task: task.end(reason))
    assert caplog.messages == ["stopping: 4 s still to play"]


@pytest.mark.parametrize("reason", ["note.wav has run out", "the recording failed"])
async def test_an_end_that_came_by_itself_is_not_counted_down(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    await said_while_stopping(Screen(), lambda task: task.end(reason))
    assert caplog.messages == []


async def test_where_little_is_left_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    await said_while_stopping(Screen(), ctrl_c, seconds=1.0)
    assert caplog.messages == []
