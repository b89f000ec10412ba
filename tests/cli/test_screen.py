"""What programs print: lines that stay, and one that changes where it can."""

from __future__ import annotations

import asyncio
import io
import logging
import re

import pytest

from support.stages import DOWN, UP
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    DeviceStatistics,
    InputAudioFrame,
    Loopback,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
    TextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.audio.level import Level
from voicepipe.cli.terminal.echo_display import Dashboard
from voicepipe.cli.terminal.screen import LogHandler, Screen
from voicepipe.cli.terminal.status_lines import devices_line, level_line
from voicepipe.speech.stretch import Judgement
from voicepipe_devices.fake import SimulatedCard


class Terminal(io.StringIO):
    """Shows what a terminal of one line's memory would: the lines that stay, and the one under them."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        return [line.rpartition("\r")[2].replace("\x1b[J", "") for line in self.getvalue().split("\n")]


class Gone(io.StringIO):
    """A pipe whose reader has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def test_on_a_terminal_the_status_line_stays_below_the_others(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.status("one")
    screen.say("a line")
    screen.status("two")
    screen.say("another")
    assert terminal.lines == ["a line", "another", "two"]
    screen.clear()
    assert terminal.lines == ["a line", "another", ""]


def test_a_status_line_never_wraps(terminal: Terminal) -> None:
    Screen(terminal).status("x" * 100)
    assert terminal.lines == ["x" * 37]


def test_paint_takes_no_room_and_is_never_cut(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.status(screen.paint("x" * 30, "green") + screen.paint("y" * 30, "red"))
    assert terminal.lines == [f"\x1b[32m{'x' * 30}\x1b[m\x1b[31m{'y' * 7}\x1b[m"]


def test_there_are_no_colours_where_nobody_wants_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Screen(io.StringIO()).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "")
    assert Screen(terminal).paint("x", "red") == "\x1b[31mx\x1b[m", "empty is not set, says no-color.org"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Screen(terminal).paint("x", "red") == "x"


def test_the_next_status_is_written_over_the_last_before_the_rest_is_erased(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.status("a long one")
    screen.status("short")
    assert terminal.getvalue() == "\ra long one\x1b[J\rshort\x1b[J"


def test_a_status_may_have_lines(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.status("one", "two")
    screen.say("a line")
    screen.clear()
    assert terminal.getvalue() == (
        "\rone\x1b[K\ntwo\x1b[J"  # each is erased behind what is new
        "\r\x1b[1A\x1b[Ja line\none\x1b[K\ntwo"
        "\r\x1b[1A\x1b[J"
    )


def test_a_low_terminal_gets_as_many_lines_as_it_can_hold(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "3")
    Screen(terminal).status("one", "two", "three", "four")
    assert terminal.getvalue() == "\rone\x1b[K\ntwo\x1b[J"


def test_elsewhere_a_status_of_lines_is_its_first() -> None:
    out = io.StringIO()
    Screen(out).status("one", "two")
    assert out.getvalue() == "one\n"


def test_a_terminal_that_became_narrower_has_wrapped_the_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(terminal)
    screen.status("x" * 39)
    monkeypatch.setenv("COLUMNS", "20")
    screen.status("y" * 39)
    screen.clear()
    assert terminal.getvalue() == f"\r{'x' * 37}\x1b[J\r\x1b[1A{'y' * 17}\x1b[J\r\x1b[J"
    screen.status("x" * 19, "z" * 19)
    monkeypatch.setenv("COLUMNS", "10")
    screen.clear()
    assert terminal.getvalue().endswith("\r\x1b[3A\x1b[J"), "four lines by now"


def test_elsewhere_every_status_is_a_line_and_nothing_is_escaped() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.status("one  ")
    screen.say("a line")
    screen.clear()
    assert out.getvalue() == "one\na line\n"


def test_a_dumb_terminal_gets_plain_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    Screen(terminal).status("one")
    assert terminal.getvalue() == "one\n"


def test_a_reader_that_has_gone_away_is_no_error() -> None:
    screen = Screen(Gone())
    screen.say("a line")
    screen.status("one")
    screen.clear()
    closed = io.StringIO()
    closed.close()
    assert closed.closed


def test_a_log_line_does_not_land_in_the_status_line(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(terminal)
    screen.status("one")
    handler = LogHandler(screen)
    handler.emit(logging.makeLogRecord({"msg": "careful"}))
    assert capsys.readouterr().err == "careful\n"
    assert terminal.lines == [""], "it made room"


async def test_a_dashboard_shows_what_passes_once_a_second() -> None:
    out = io.StringIO()
    dashboard = Dashboard(Screen(out), "listening to you")
    task = PipelineTask(Pipeline([dashboard]))
    dashboard.watch(task)
    for block in range(100):
        position = 320 * block
        await task.queue_frame(InputAudioFrame(b"\0\x40" * 320, position=position))
    await task.queue_frame(UserStartedSpeakingFrame(0))
    asyncio.get_running_loop().call_later(2.5, task.end)
    await task.run()
    first, *shown = out.getvalue().splitlines()
    assert first == "listening to you"
    assert len(shown) == 2
    assert re.fullmatch(r" +2\.0 s +-6\.0 dB #{18} +speech +utterances 0  lost: nothing", shown[0])
    assert re.fullmatch(r" +2\.0 s +-96\.0 dB +speech +utterances 0  lost: nothing", shown[1])
    assert dashboard.heard_s == pytest.approx(2.0)


def test_a_dashboard_passes_everything_and_knows_who_speaks() -> None:
    out = io.StringIO()
    dashboard = Dashboard(Screen(out), "")
    for frame, doing in (
        (TextFrame("x"), "listening"),
        (UserStartedSpeakingFrame(), "speech"),
        (UserStoppedSpeakingFrame(), "listening"),
        (UtteranceFrame(b"\1\0" * 8_000, position=16_000), "listening"),
        (BotStartedSpeakingFrame(), "speaking"),
        (BotStoppedSpeakingFrame(), "listening"),
        (InputAudioFrame(b""), "listening"),
    ):
        assert list(dashboard.process(frame, UP if "Bot" in type(frame).__name__ else DOWN)) == [frame]
        assert doing in dashboard.plain_line()
    assert dashboard.utterances == 1
    assert out.getvalue() == "heard 0.50 s of speech at 1.00 s\n"
    live = Dashboard(Screen(out), "", live=True)
    list(live.process(BotStartedSpeakingFrame(), UP))
    assert "listening" in live.plain_line()


async def test_a_dashboard_shows_the_delay_of_live_sound() -> None:
    card, out = SimulatedCard(), io.StringIO()
    dashboard = Dashboard(Screen(out), live=True, hears=False)
    microphone, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([microphone, dashboard, Loopback(), speaker]))
    dashboard.watch(task)
    run = asyncio.ensure_future(task.run())
    await asyncio.sleep(2.05)
    assert list(dashboard.lines())[2] == "delay 80 ms   lost: nothing"
    assert dashboard.plain_line().endswith("listening delay 80 ms  lost: nothing")
    task.end()
    await run


async def test_on_a_terminal_a_dashboard_shows_score_devices_latency_and_what_was_heard(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    card = SimulatedCard()
    dashboard = Dashboard(Screen(terminal), "")
    dashboard.judge(Judgement(480, 0.97, -20.0, -60.0, True))
    microphone, speaker = MicrophoneInput(card.backend()), SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([microphone, dashboard, speaker]))
    dashboard.watch(task)
    run = asyncio.ensure_future(task.run())
    await asyncio.sleep(1.05)
    list(dashboard.process(UserStartedSpeakingFrame(), DOWN))
    list(dashboard.process(UtteranceFrame(b"\1\0" * 8_000), DOWN))
    level, devices, heard = dashboard.lines()
    assert re.fullmatch(r" +1\.0 s -96\.0 dB \|[ :]+\| noise -60\.0 score 0\.97 speech", level)
    assert devices == 'microphone "simulated microph…" 40 ms   speaker "simulated speaker" 40 ms'
    assert heard == "utterances: 1, the last 0.5 s long   lost: nothing"
    assert len(level) < 80
    card.mic.unplug()
    await asyncio.sleep(2)
    assert list(dashboard.lines())[1].startswith('microphone "simulated microph…" is lost   speaker ')
    assert all(len(line) < 80 for line in dashboard.lines())
    task.cancel()
    await run


def test_what_clips_is_red_and_names_are_cut_where_there_is_no_room(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(terminal)
    clipped = level_line(screen, 1.0, Level(-3.0, 0.0, 7), 0.0, None, "listening")
    assert "\x1b[31mclipped\x1b[m" in clipped
    device = DeviceStatistics(
        "mic",
        "microphone",
        "A very long name of a microphone",
        False,
        16_000,
        1,
        9,
        9,
        0,
        0,
        2,
        0.0,
        0,
        0.0,
        0.04,
    )
    assert devices_line(screen, [device]) == 'microphone "A very long name …" 40 ms\x1b[33m (late 2)\x1b[m'
