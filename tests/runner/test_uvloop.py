"""uvloop in place of asyncio's own loop: a run ends as ever, and nothing of the loop is taken for a leak."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

from support.bare import ROOT, bare

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: uvloop is not for Windows"),
    pytest.mark.skipif(
        importlib.util.find_spec("uvloop") is None,
        reason="allowed skip: uvloop is not installed, the extra test",
    ),
]

HEAD = """
import asyncio, logging, os, signal, socket, sys, threading
import uvloop
import voicepipe as vp
from support.backends import outside

logging.basicConfig(level=logging.INFO, format="%(message)s")


def pipeline(backend):
    return vp.Pipeline([vp.MicrophoneInput(backend, mute=False), vp.Loopback(), vp.SpeakerOutput(backend)])


def interrupted(task):
    def look(frame, direction):
        if isinstance(frame, vp.StartFrame):  # it listens: a while later comes Ctrl-C
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    task.subscribe(look)
    return task
"""

PROGRAMS = {
    "a run of its own": """
async def main():
    before = vp.take_census()
    task = vp.PipelineTask(pipeline(BACKEND))
    asyncio.get_running_loop().call_later(0.5, task.end)
    report = await task.run()
    await asyncio.sleep(0.05)
    vp.assert_nothing_left(before)
    print(report.state.name.lower())

uvloop.run(main())
""",
    "two runs": """
async def main():
    for _ in range(2):
        before = vp.take_census()
        task = vp.PipelineTask(pipeline(BACKEND))
        asyncio.get_running_loop().call_later(0.3, task.end)
        report = await task.run()
        await asyncio.sleep(0.05)
        vp.assert_nothing_left(before)
    print(report.state.name.lower())

uvloop.run(main())
""",
    "a census from before the loop": """
before = vp.take_census()

async def main():
    task = vp.PipelineTask(pipeline(BACKEND))
    asyncio.get_running_loop().call_later(0.3, task.cancel)
    return await task.run()

report = uvloop.run(main())
vp.assert_nothing_left(before)
print("ended" if report.state is vp.RunState.CANCELLED else report.state)
""",
    "serve and Ctrl-C": """
async def main():
    await vp.PipelineRunner().serve(interrupted(vp.PipelineTask(pipeline(BACKEND))))
    print("ended")

uvloop.run(main())
""",
    "a runner of uvloop's and Ctrl-C": """
async def main():
    await vp.PipelineRunner().serve(interrupted(vp.PipelineTask(pipeline(BACKEND))))
    print("ended")

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
""",
}


def run(program: str, backend: str) -> subprocess.CompletedProcess[str]:
    text = HEAD + textwrap.dedent(program).replace("BACKEND", backend)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "devices", ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        env=bare(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("backend", ["vp.open_backend('fake')", "outside('card')"], ids=["fake", "process"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_leaves_nothing(name: str, backend: str) -> None:
    done = run(PROGRAMS[name], backend)
    assert done.stdout.split()[-1:] == ["ended"], done.stderr
    assert "left behind" not in done.stderr
    assert "Error" not in done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="allowed skip: policies are deprecated from 3.14 on")
@pytest.mark.heavy
def test_a_runner_under_the_policy_of_uvloop_leaves_nothing() -> None:
    program = """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    print("ended", flush=True)
    vp.PipelineRunner().main(interrupted(vp.PipelineTask(pipeline(BACKEND))))
    """
    done = run(program, "vp.open_backend('fake')")
    assert (done.stdout, done.returncode) == ("ended\n", 0)
    assert "SIGINT: ending" in done.stderr
    assert "left behind" not in done.stderr


@pytest.mark.heavy
def test_a_library_that_is_noisy_while_it_opens_is_no_error() -> None:
    """The transports of uvloop are of no class of asyncio's."""
    program = """
    async def main():
        before = vp.take_census()
        task = vp.PipelineTask(pipeline(BACKEND))
        asyncio.get_running_loop().call_later(0.8, task.end)
        report = await task.run()
        await asyncio.sleep(0.3)
        vp.assert_nothing_left(before)
        print(report.state.name.lower())

    uvloop.run(main())
    """
    done = run(program, "outside('shouts')")
    assert done.stdout == "ended\n", done.stderr
    assert "Expression 'ready' failed" in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize(
    ("leak", "named"),
    [
        ("kept = os.pipe()", "pipe:"),
        ("kept = os.pipe(); os.write(kept[1], b'ab')", "pipe:"),
        ("kept = os.open(os.devnull, os.O_WRONLY)", "/dev/null"),
        ("kept = socket.socket()", "socket:"),
        ("kept = open(sys.executable)", "python"),
    ],
    ids=["pipe", "full pipe", "null", "socket", "file"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted on Linux only")
def test_what_the_program_leaves_is_named_all_the_same(leak: str, named: str) -> None:
    program = """
    before = vp.take_census()

    async def main():
        global kept
        LEAK

    uvloop.run(main())
    print(*vp.take_census().since(before).descriptors)
    """
    done = run(program.replace("LEAK", leak), "")
    assert named in done.stdout, done.stderr
