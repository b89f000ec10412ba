"""Engines by name: which there are, which "auto" takes, and what is said where one is missing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicepipe.speech.detectors.registry import DEFAULT_ENGINE, ENGINES, engine_name, open_engine
from voicepipe.speech.detectors.webrtc import WebRTCEngine
from voicepipe.speech.detectors.webrtc_robust import RobustWebRTCEngine
from voicepipe.speech.vad import VADProcessor

ROOT = Path(__file__).resolve().parents[2]


def run(program: str) -> str:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_an_engine_is_opened_by_its_name() -> None:
    assert isinstance(open_engine("webrtc"), RobustWebRTCEngine)
    assert isinstance(open_engine("webrtc-plain"), WebRTCEngine)
    for name in ("webrtc", "webrtc-plain"):
        assert engine_name(open_engine(name)) == engine_name(VADProcessor(name).engine) == name


def test_without_a_name_it_is_silero() -> None:
    assert engine_name(VADProcessor().engine) == "silero"


def test_an_engine_of_ones_own_is_called_by_its_name_or_its_class() -> None:
    class Ear:
        rate, window = 16_000, 160

        def score(self, window: bytes) -> float:
            return 0.0

        def reset(self) -> None:
            """Nothing to forget."""

    assert engine_name(Ear()) == "Ear"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        ValueError,
        match=r"^unknown speech engine 'rnn'; choose auto, silero, webrtc or webrtc-plain$",
    ):
        VADProcessor("rnn")


def test_auto_takes_the_best_and_the_log_says_which(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "voicepipe.speech.detectors.registry"):
        name = engine_name(open_engine("auto"))
    assert name == next(iter(ENGINES)) == DEFAULT_ENGINE
    assert f"the speech engine is {name}" in caplog.text


def test_without_webrtcvad_the_default_hears_and_the_others_name_the_package() -> None:
    said = run(
        "import sys; sys.modules['webrtcvad'] = None  # as if it were not installed\n"
        "from voicepipe import BackendMissingError, VADProcessor\n"
        "print(VADProcessor().engine.name)\n"
        "for name in ('webrtc', 'webrtc-plain'):\n"
        "    try:\n        VADProcessor(name)\n    except BackendMissingError as error:\n        print(error)"
    ).splitlines()
    assert said[0] == "silero"
    assert len(said) == 3
    assert all(line.startswith("the package webrtcvad-wheels is not installed") for line in said[1:])


def test_no_engine_is_loaded_before_it_is_asked_for() -> None:
    said = run(
        "import sys\nfrom voicepipe import VADProcessor, open_engine\n"
        "detectors = 'voicepipe.speech.detectors.'\n"
        "before = {detectors + 'silero', detectors + 'webrtc_robust'} & {*sys.modules}\n"
        "open_engine('webrtc')\n"
        "print(sorted(before), 'voicepipe.speech.detectors.silero' in sys.modules)"
    )
    assert said == "[] False"
