"""Whole programs where there is no /proc, as in some jails and containers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.bare import ROOT, bare

WITHOUT = 'mount -t tmpfs none /proc && exec "$@"'


def _can_hide() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", WITHOUT, "sh", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not _can_hide(), reason="allowed skip: a process may not hide /proc here"),
]
SAMPLE = ROOT / "voicepipe" / "data" / "speech.wav"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("echo", "--backend", f"wav:{SAMPLE},out.wav"), "2 utterances"),
        (("echo", "--backend", "fake", "--seconds", "1"), "stopped after 1 s"),
        (("record", "note.wav", "--backend", f"wav:{SAMPLE}"), "note.wav: 7.24 s"),
        (("play", str(SAMPLE), "--backend", "wav:,out.wav"), "played 7.2 s of 7.2 s"),
        (("vad", str(SAMPLE)), "2 segments"),
        (("devices", "--backend", "fake"), "simulated microphone"),
        (("config",), "file: "),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_runs_without_proc(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    command = ["unshare", "-rm", "sh", "-c", WITHOUT, "sh", sys.executable, "-W", "error", "-m", "voicepipe"]
    done = subprocess.run(
        [*command, *words],
        cwd=tmp_path,
        env=bare(HOME=str(tmp_path), TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said in done.stdout
    assert (done.returncode, "left behind" in done.stderr) == (0, False), done.stderr
