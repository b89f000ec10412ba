"""The WebRTC engine: what it hears, and the high-pass before it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import wave
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.speech.detectors.protocol import SpeechEngine
from voicepipe.speech.detectors.webrtc import WebRTCEngine, _HighPass

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
Ints = npt.NDArray[np.int16]


def sample() -> bytes:
    with (files("voicepipe") / "data" / "speech.wav").open("rb") as file, wave.open(file) as audio:
        data: bytes = audio.readframes(audio.getnframes())
        return data


def windows(data: bytes, engine: WebRTCEngine) -> list[bytes]:
    size = 2 * engine.window
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def scores(engine: WebRTCEngine, data: bytes) -> list[float]:
    return [engine.score(window) for window in windows(data, engine)]


def sine(hz: float, amplitude: float, seconds: float = 1.0) -> npt.NDArray[np.float64]:
    return amplitude * np.sin(2 * math.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def ints(audio: npt.NDArray[np.float64]) -> Ints:
    return np.clip(np.rint(audio), -32_768, 32_767).astype(np.int16)


def filtered(audio: npt.ArrayLike, hz: float = 200.0, window: int = 480) -> Ints:
    data = np.asarray(audio, np.int16).tobytes()
    high_pass = _HighPass(hz, RATE, window)
    out = [high_pass.process(data[at : at + 2 * window]) for at in range(0, len(data), 2 * window)]
    return np.frombuffer(b"".join(out), np.int16)


def one_by_one(audio: Ints, hz: float) -> Ints:
    """The same filter, written down sample by sample: from its poles and zeros in the s-plane."""
    warped = 2 * RATE * math.tan(math.pi * hz / RATE)
    k, root = 2 * RATE, math.sqrt(2)
    a0 = k * k + root * warped * k + warped * warped
    a1, a2 = 2 * (warped * warped - k * k) / a0, (k * k - root * warped * k + warped * warped) / a0
    b0 = k * k / a0
    x1 = x2 = y1 = y2 = 0.0
    out: list[float] = []
    for x in audio.tolist():
        y = b0 * (x - 2 * x1 + x2) - a1 * y1 - a2 * y2
        x1, x2, y1, y2 = x, x1, y, y1
        out.append(y)
    return ints(np.array(out))


def test_the_sample_is_a_plain_file_of_a_voice_that_is_loud_enough_and_small_enough() -> None:
    path = files("voicepipe") / "data" / "speech.wav"
    data = sample()
    audio = np.frombuffer(data, np.int16)
    with path.open("rb") as file, wave.open(file) as opened:
        assert (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) == (RATE, 1, 2)
    assert len(path.read_bytes()) == 44 + len(data) < 250_000
    assert 5 <= len(audio) / RATE <= 7.5
    assert -6 <= 20 * math.log10(np.abs(audio.astype(np.int64)).max() / 32_768) <= -3


def test_it_hears_a_voice_and_no_silence() -> None:
    engine = WebRTCEngine()
    heard = scores(engine, sample())
    voice = heard[15:50]
    assert sum(voice) / len(voice) > 0.8
    assert sum(heard[-35:]) <= 1
    assert not any(scores(WebRTCEngine(), bytes(2 * RATE)))
    assert set(heard) == {0.0, 1.0}


@pytest.mark.parametrize("window_ms", [10, 20, 30])
def test_a_window_is_as_long_as_was_asked_for(window_ms: int) -> None:
    engine: SpeechEngine = WebRTCEngine(window_ms=window_ms)
    assert (engine.rate, engine.window) == (RATE, window_ms * 16)
    assert engine.score(bytes(2 * engine.window)) == 0.0


def test_after_a_reset_nothing_before_counts() -> None:
    data = sample()
    used = WebRTCEngine()
    scores(used, np.random.default_rng(1).integers(-20_000, 20_000, 5 * RATE).astype(np.int16).tobytes())
    without = scores(used, data)
    used.reset()
    assert scores(used, data) == scores(WebRTCEngine(), data) != without


def test_after_a_reset_the_high_pass_has_nothing_inside() -> None:
    high_pass = _HighPass(200.0, RATE, 480)
    window = np.full(480, 9_000, np.int16).tobytes()
    first = high_pass.process(window)
    assert high_pass.process(window) != first
    high_pass.reset()
    assert high_pass.process(window) == first
    # What rings on in it would be speech to the detector, in the silence behind a reset.
    loud, silence = np.full(480, 32_767, np.int16).tobytes(), bytes(2 * 480)
    for reset, score in ((False, 1.0), (True, 0.0)):
        engine = WebRTCEngine()
        engine.score(loud)
        if reset:
            engine.reset()
        assert engine.score(silence) == score


def test_a_rumble_is_no_voice_with_the_high_pass_and_is_one_without() -> None:
    random = np.random.default_rng(1)
    spectrum = np.fft.rfft(random.normal(size=4 * RATE))
    hz = np.fft.rfftfreq(4 * RATE, 1 / RATE)
    rumble = np.fft.irfft(np.where((hz > 20) & (hz < 60), spectrum, 0))
    data = ints(rumble / rumble.std() * 3_000 + random.normal(0, 20, 4 * RATE)).tobytes()
    assert sum(scores(WebRTCEngine(high_pass_hz=0), data)) > 100
    assert sum(scores(WebRTCEngine(), data)) < 10


@pytest.mark.parametrize("hz", [20.0, 80.0, 200.0, 1_000.0, 4_000.0])
@pytest.mark.parametrize("window", [160, 320, 480])
def test_the_high_pass_in_blocks_is_the_one_sample_by_sample(hz: float, window: int) -> None:
    random = np.random.default_rng(window)
    audio = ints(random.normal(3_000, 8_000, 10 * window))
    assert np.abs(filtered(audio, hz, window).astype(int) - one_by_one(audio, hz)).max() <= 1


def test_the_high_pass_takes_hum_out_and_leaves_voices() -> None:
    def passed_db(hz: float) -> float:
        audio = ints(sine(hz, 10_000, 1.2))
        settled = slice(RATE // 5, None)
        return 20 * math.log10(
            filtered(audio)[settled].astype(float).std() / audio[settled].astype(float).std()
        )

    assert passed_db(50) < -23
    assert passed_db(100) < -11.5
    assert passed_db(200) == pytest.approx(-3.01, abs=0.05)
    assert passed_db(1_000) == pytest.approx(0, abs=0.05)
    assert passed_db(7_000) == pytest.approx(0, abs=0.05)


def test_a_constant_vanishes_and_full_scale_is_clipped_never_wrapped() -> None:
    steady = filtered(np.full(4_800, 32_767))
    assert steady[0] > 30_000
    assert not steady[2_000:].any()
    jumps = np.repeat([32_767, -32_768] * 60, 80)[:9_600]
    out = filtered(jumps)
    assert (out[80::160] == -32_768).all()
    assert (out[160::160] == 32_767).all()


def test_extremes_have_a_score() -> None:
    engine = WebRTCEngine()
    count = engine.window
    for value in (-32_768, -1, 0, 1, 32_767):
        for _ in range(40):
            assert engine.score(np.full(count, value, np.int16).tobytes()) in (0.0, 1.0)
    for _ in range(40):
        assert engine.score(np.tile([32_767, -32_768], count // 2).astype(np.int16).tobytes()) in (0.0, 1.0)


@pytest.mark.parametrize("samples", [0, 1, 160, 320, 479, 481, 960])
def test_a_window_of_another_length_is_refused(samples: int) -> None:
    with pytest.raises(ValueError, match=rf"^a window is 960 bytes \(480 samples\), not {2 * samples}$"):
        WebRTCEngine().score(bytes(2 * samples))


def test_an_array_is_refused_for_half_of_it_would_be_judged() -> None:
    audio: Any = np.zeros(480, np.int16)
    with pytest.raises(TypeError, match=r"^a window must be bytes, not ndarray: use tobytes\(\)$"):
        WebRTCEngine().score(audio)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"mode": 4}, ValueError, "^mode must be a whole number from 0 to 3, not 4$"),
        ({"mode": -1}, ValueError, "^mode must be"),
        ({"mode": 3.0}, TypeError, "^mode must be a whole number"),
        ({"window_ms": 25}, ValueError, "^window_ms must be 10, 20 or 30, not 25$"),
        ({"window_ms": "20"}, TypeError, "^window_ms must be a whole number"),
        ({"high_pass_hz": 4_001}, ValueError, "^high_pass_hz must be"),
        ({"high_pass_hz": 19.9}, ValueError, "^high_pass_hz must be 0, or 20 to 4000, not 19.9$"),
        ({"high_pass_hz": math.nan}, ValueError, "^high_pass_hz must be"),
        ({"high_pass_hz": None}, TypeError, "^high_pass_hz must be a number"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        WebRTCEngine(**wrong)


def run(program: str) -> str:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_library_is_loaded_with_the_first_engine_and_not_before() -> None:
    assert run(
        "import sys, voicepipe.speech.vad, voicepipe.speech.utterance\n"
        "from voicepipe.speech.detectors.webrtc import WebRTCEngine\n"
        "before = 'webrtcvad' in sys.modules\n"
        "WebRTCEngine()\n"
        "print(before, 'webrtcvad' in sys.modules)"
    ) == ("False True")


def test_a_missing_library_is_an_error_that_says_what_to_install() -> None:
    message = run(
        "import sys\n"
        "sys.modules['webrtcvad'] = None  # as if it were not installed\n"
        "from voicepipe import BackendMissingError\n"
        "from voicepipe.speech.vad import VADProcessor\n"
        "try:\n"
        "    VADProcessor('webrtc')\n"
        "except BackendMissingError as error:\n"
        "    print(error)"
    )
    assert message.startswith("the package webrtcvad-wheels is not installed (")
    assert message.endswith("): python -m pip install webrtcvad-wheels")
