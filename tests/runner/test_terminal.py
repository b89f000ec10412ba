"""A program on a terminal says that it listens, that it finishes, and how it went; elsewhere nothing."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.sound import noise, virtual_loop
from support.stages import Does, Recorder
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    FrameProcessor,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineRunner,
    PipelineStartError,
    PipelineTask,
    Processor,
    SpeakerOutput,
    StartParams,
    TextFrame,
)
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.runner.terminal import Terminal
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.wav import WavBackend

ROOT = Path(__file__).resolve().parents[2]
ADVICE = "Ctrl-C to finish, twice to stop at once"
SOUND = OutputAudioFrame.from_array(np.full(8_000, 1_000, np.int16))


class Screen(io.StringIO):
    """A terminal, or something that is none."""

    def __init__(self, *, tty: bool = True) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    @property
    def lines(self) -> list[str]:
        return self.getvalue().replace("\r\x1b[K", "").splitlines()


class Speaks(FrameProcessor):
    async def on_running(self) -> None:
        await self.push_frame(SOUND)


def task_of(*stages: Processor, name: str = "kitchen") -> PipelineTask:
    return PipelineTask(Pipeline(stages), name=name)


async def watch(screen: Screen, *tasks: PipelineTask, seconds: float = 2.0) -> None:
    """Run tasks as `main` does."""
    terminal = Terminal(tasks, screen)
    timers = [virtual_loop().call_later(seconds, task.end, "SIGINT") for task in tasks]
    async with terminal:
        await asyncio.gather(*(task.run() for task in tasks), return_exceptions=True)
    for timer in timers:
        timer.cancel()
    terminal.tell_end()


def stages(*which: str) -> list[Processor]:
    card = SimulatedCard("desk")
    card.mic.hear(noise(5.0))
    made: dict[str, Processor] = {
        "mic": MicrophoneInput(card.backend()),
        "says": Speaks(),
        "speaker": SpeakerOutput(card.backend()),
        "none": Recorder(),
    }
    return [made[each] for each in which]


@pytest.mark.parametrize(
    ("which", "begin", "end"),
    [
        (("mic",), 'listening: microphone "desk microphone"', "listened 2.0 s"),
        (
            ("mic", "says", "speaker"),
            'listening: microphone "desk microphone", speaker "desk speaker"',
            "listened 2.0 s, played 0.5 s",
        ),
        (("says", "speaker"), 'running: speaker "desk speaker"', "played 0.5 s"),
        (("none",), "running", ""),
    ],
)
async def test_it_says_what_it_does_with_which_devices_and_how_it_went(
    which: tuple[str, ...], begin: str, end: str
) -> None:
    screen = Screen()
    await watch(screen, task_of(*stages(*which)))
    assert screen.lines == [f"{begin}; {ADVICE}", "stopped (Ctrl-C)", *([end] if end else [])]


async def test_nothing_is_said_where_there_is_no_terminal() -> None:
    for screen in (Screen(tty=False), Screen(tty=False)):
        await watch(screen, task_of(*stages("mic")))
        assert screen.getvalue() == ""
    Terminal((), None).tell_finish()


async def test_a_file_is_no_listening(tmp_path: Path) -> None:
    with WavWriter(str(tmp_path / "in.wav"), AudioFormat()) as file:
        file.write(noise(0.5).tobytes())
    screen = Screen()
    await watch(screen, task_of(MicrophoneInput(WavBackend(str(tmp_path / "in.wav")))))
    first, *_, last = screen.lines
    assert first.startswith('running: microphone "')
    assert last == "listened 0.5 s"


async def test_two_tasks_have_their_names_before_their_lines() -> None:
    screen = Screen()
    await watch(screen, task_of(*stages("mic"), name="left"), task_of(*stages("mic"), name="right"))
    assert len(screen.lines) == 6
    assert [line.partition(": ")[0] for line in screen.lines].count("left") == 3
    assert [line.partition(": ")[0] for line in screen.lines].count("right") == 3


async def test_a_program_that_does_not_start_says_nothing_here() -> None:
    """The log has the reason."""

    class Fails(Recorder):
        async def on_start(self, params: StartParams) -> None:
            raise ValueError("no")

    screen = Screen()
    task = task_of(Fails())
    await watch(screen, task)
    assert screen.lines == []
    with pytest.raises(PipelineStartError):
        await task.wait_until_started()


async def test_a_failure_and_a_loss_are_told() -> None:
    async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            raise ValueError("no")
        await stage.push_frame(frame, direction)

    screen = Screen()
    task = task_of(*stages("mic"), Does(fail))
    task.microphone.muted = True
    virtual_loop().call_later(1.0, lambda: asyncio.ensure_future(task.queue_frame(TextFrame("x"))))
    await watch(screen, task)
    assert screen.lines[1] == "failed"
    assert any("were not heard" in line for line in screen.lines)
    assert task.report is not None
    assert isinstance(task.report.errors[0].exception, ValueError)


async def test_a_reader_that_is_gone_does_not_matter() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    await watch(Gone(), task_of(*stages("mic")))


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_quiet_is_a_switch(value: Any) -> None:
    with pytest.raises(TypeError, match="quiet must be True or False"):
        PipelineRunner(quiet=value)


# -- a real terminal --------------------------------------------------------------------------


def on_a_terminal(program: list[str], *, until: str = "", number: signal.Signals | None = None) -> str:
    """Run a program with stderr on a terminal; return what it wrote there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "VOICEPIPE_BACKEND": "fake", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, *program], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    said = ""
    try:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            said += part.decode()
            if number is not None and until in said:
                process.send_signal(number)
                number = None
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said.replace("\r\n", "\n").replace("\r\x1b[K", "")


def test_the_shortest_program_says_that_it_listens_and_finishes() -> None:
    said = on_a_terminal(["examples/parrot.py"], until="listening", number=signal.SIGINT)
    first, second, third, *_ = [line for line in said.splitlines() if " is too slow " not in line]
    assert first == f'listening: microphone "simulated microphone", speaker "simulated speaker"; {ADVICE}'
    assert second == "finishing; Ctrl-C again to stop immediately"
    assert third == "stopped (Ctrl-C)"


@pytest.mark.heavy
def test_the_shortest_program_hears_the_bundled_voice_on_the_simulated_card() -> None:
    said = on_a_terminal(["examples/parrot.py"])
    assert 'stopped at the end of "simulated microphone"\nlistened 7.2 s, played 6.3 s\n' in said


def test_a_quiet_program_writes_nothing() -> None:
    code = (
        "import voicepipe as vp\n"
        "task = vp.PipelineTask(vp.Pipeline([vp.MicrophoneInput('fake')]))\n"
        "task.end()\n"
        "vp.PipelineRunner(quiet=True).main(task)\n"
    )
    assert on_a_terminal(["-c", code]) == ""
    assert "listening" in on_a_terminal(["-c", code.replace("quiet=True", "")])
