"""Packs a program by PyInstaller, one-folder and one-file, and runs it on a virtual sound card.

    pip install pyinstaller
    python tests/long/frozen.py [FOLDER]

Each is spoken to, ended by Ctrl-C, and killed. It must hear the speech in a sound process of its own, begin
once, and leave no process. FOLDER keeps what is built; by default it is a temporary one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from children.looking import ROOT, children_of, last_of, wait_for
from soundcard.card import Card, load
from soundcard.plugging import plugged

APP = """
import os
with open(os.environ["STARTS"], "a") as file:
    file.write(f"{os.getpid()}\\n")
import voicepipe as vp

sound = vp.open_backend("portaudio")
stages = [vp.MicrophoneInput(sound), vp.VADProcessor(os.environ["VAD"]), vp.SpeakerOutput(sound)]
task = vp.PipelineTask(vp.Pipeline(stages))

def tell(frame, direction):
    if isinstance(frame, vp.StartFrame | vp.UserStoppedSpeakingFrame):
        print(type(sound).__name__, type(frame).__name__, flush=True)

task.subscribe(tell)
vp.PipelineRunner().main(task)
"""
KINDS = {"onedir": "dist/onedir/onedir", "onefile": "dist/onefile"}


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if sys.argv[1:] else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(APP, encoding="utf-8")
        for kind, program in KINDS.items():
            build(folder, kind)
            with plugged(folder / f"card-{kind}") as card:
                for engine in ("webrtc", "silero"):
                    talk(folder, [str(folder / program)], {**card.env, "VAD": engine}, card)
                    print(f"{kind}, {engine}: heard, ended by Ctrl-C", flush=True)
                for delay_s in (0.2, 0.5, 1.0, 2.0):
                    kill(folder, [str(folder / program)], {**card.env, "VAD": "webrtc"}, delay_s)
                print(f"{kind}: killed four times, nothing stays", flush=True)
    return 0


def build(folder: Path, kind: str) -> None:
    options = ["--clean", "-y", "--log-level", "WARN", f"--{kind}", "--bootloader-ignore-signals", "-n", kind]
    command = [sys.executable, "-m", "PyInstaller", *options, "app.py"]
    subprocess.run(command, cwd=folder, check=True)


def start(folder: Path, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    (folder / "starts").unlink(missing_ok=True)
    variables = {**os.environ, **environment, "STARTS": str(folder / "starts")}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True)


def talk(folder: Path, command: list[str], environment: dict[str, str], card: Card) -> None:
    """Speak to it, and press Ctrl-C when it has understood that somebody did."""
    with start(folder, command, environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "OutsideBackend StartFrame\n"
        (pid,) = starts(folder)
        children = children_of(pid)
        assert len(children) == 2, children
        card.say(load(str(ROOT / "voicepipe" / "data" / "speech.wav"), card.rate))
        assert process.stdout.readline() == "OutsideBackend UserStoppedSpeakingFrame\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
    last_of(children, 2.0)
    assert starts(folder) == [pid], "the program has begun once"


def kill(folder: Path, command: list[str], environment: dict[str, str], delay_s: float) -> None:
    """Kill it when it has run so long; what it has started goes too."""
    with start(folder, command, environment) as process:
        wait_for(lambda: bool(starts(folder)))
        time.sleep(delay_s)
        (pid,) = starts(folder)
        children = children_of(pid)
        os.kill(pid, signal.SIGKILL)
        process.wait(20)
    last_of([pid, *children], 2.0)
    assert starts(folder) == [pid], "the program has begun once"


def starts(folder: Path) -> list[int]:
    """Return the ids of the processes in which the user's program began."""
    file = folder / "starts"
    return [int(line) for line in file.read_text(encoding="utf-8").split()] if file.exists() else []


if __name__ == "__main__":
    sys.exit(main())
