"""A judge from an ONNX file: what it is fed with, and files that are no judges."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from support.onnx_files import mel_model, model_bytes, raw_model, write_model
from support.stages import Ends
from voicepipe import (
    BackendMissingError,
    Frame,
    FrameDirection,
    MicrophoneInput,
    OnnxEndOfTurn,
    Pipeline,
    PipelineTask,
    RunReport,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe.sample import speech
from voicepipe.speech.ends.onnx_model import OnnxModel
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("onnxruntime") is None,
        reason="allowed skip: onnxruntime is not installed, the extra onnx",
    ),
    pytest.mark.real_time,
]

Floats = npt.NDArray[np.float32]
RATE = 16_000


def noise(seconds: float, rate: int = RATE) -> Floats:
    return np.random.default_rng(7).normal(0, 0.1, int(seconds * rate)).astype(np.float32)


def hiss(seconds: float, rate: int = RATE) -> Floats:
    return np.diff(noise(seconds, rate), prepend=0)


def rumble(seconds: float) -> Floats:
    return np.asarray(0.1 * np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 200 / RATE), np.float32)


def silence(seconds: float, rate: int = RATE) -> Floats:
    return np.zeros(int(seconds * rate), np.float32)


def utterance(audio: Floats, rate: int = RATE, channels: int = 1) -> UtteranceFrame:
    samples = np.repeat(np.rint(audio * 16_000).astype(np.int16), channels)
    return UtteranceFrame(samples.tobytes(), rate, channels, position=0)


@asynccontextmanager
async def judge(path: Path) -> AsyncIterator[OnnxEndOfTurn]:
    made = OnnxEndOfTurn(path)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


def model_of(folder: Path, model: bytes) -> OnnxModel:
    return OnnxModel(str(write_model(folder, model)))


@pytest.mark.parametrize("seconds", [1.0, 7.9, 12.0])
@pytest.mark.heavy(after=1)
def test_the_last_8_s_are_heard_the_right_way_round(seconds: float, tmp_path: Path) -> None:
    model = model_of(tmp_path, mel_model())
    assert model.judge(hiss(seconds)) < 0.1
    assert model.judge(np.concatenate([hiss(seconds), silence(0.1)])) > 0.9, "the end of it counts"
    assert model.judge(np.concatenate([silence(0.1), hiss(seconds)])) < 0.1
    assert model.judge(np.concatenate([hiss(1), rumble(seconds)])) > 0.9, "the upper bands count"


@pytest.mark.parametrize("samples", [128_000, "samples", 16_000])
@pytest.mark.heavy(after=1)
def test_a_model_of_audio_hears_its_end_scaled(samples: int | str, tmp_path: Path) -> None:
    model = model_of(tmp_path, raw_model(samples))
    for loud in (1.0, 0.01):
        assert model.judge(hiss(20) * loud) < 0.1
        assert model.judge(hiss(0.2) * loud) < 0.1, "zeros are in front of it"
    assert model.judge(np.concatenate([hiss(1), silence(0.2)])) > 0.4


def test_a_model_with_marks_is_told_which_samples_are_audio(tmp_path: Path) -> None:
    model = model_of(tmp_path, raw_model(256_000, is_marked=True))
    assert model.judge(hiss(4)) == pytest.approx(0.25)
    assert model.judge(hiss(40)) == pytest.approx(1.0)


NOT_MODELS = {
    "text": (b"hello", "cannot be read as an ONNX model"),
    "empty": (b"", "cannot be read as an ONNX model"),
    "other bands": (
        model_bytes([], [], [("mel", 1, (1, 128, 3_000))], ("mel", [1, 128, 3_000])),
        r"its inputs are mel tensor\(float\)\[1, 128, 3000\]; expected is one, tensor\(float\)\[1, 80, 800\]",
    ),
    "an image": (
        model_bytes([], [], [("image", 1, (1, 3, 224, 224))], ("image", [1, 3, 224, 224])),
        r"its inputs are image tensor\(float\)\[1, 3, 224, 224\]; expected",
    ),
    "whole numbers": (
        model_bytes([], [], [("words", 7, (1, "n"))], ("words", [1, "n"])),
        r"its inputs are words tensor\(int64\)\[1, 'n'\]; expected",
    ),
    "no probability": (
        model_bytes([], [], [("audio", 1, (1, 16_000))], ("audio", [1, 16_000])),
        r"turns\.onnx gives \(1, 16000\); it must give one probability, from 0 to 1",
    ),
}


@pytest.mark.parametrize(("model", "match"), NOT_MODELS.values(), ids=NOT_MODELS)
def test_a_file_that_is_no_model_of_turns_is_refused_in_one_line(
    model: bytes, match: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=match) as refused:
        model_of(tmp_path, model)
    assert len(str(refused.value).splitlines()) == 1


def test_no_file_and_no_package_are_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"^no such file: .*/missing\.onnx; name a model"):
        OnnxEndOfTurn(tmp_path / "missing.onnx")
    with pytest.raises(TypeError, match="path must be the name of an ONNX file, not 3"):
        OnnxEndOfTurn(3)  # type: ignore[arg-type]  # it is to be refused
    path = write_model(tmp_path, mel_model())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendMissingError, match=r"needs the package onnxruntime; .*its extra \[onnx\]"):
        OnnxEndOfTurn(path)
    with pytest.raises(BackendMissingError, match=r"is not installed .*its extra \[onnx\]"):
        OnnxModel(str(path))


@pytest.mark.heavy
async def test_in_its_process_every_microphones_format_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    async with judge(write_model(tmp_path, mel_model())) as asked:
        for rate, channels in ((16_000, 1), (48_000, 2), (44_100, 1)):
            said = hiss(3, rate)
            goes_on = await asked.finished(utterance(said, rate, channels))
            is_over = await asked.finished(
                utterance(np.concatenate([said, silence(0.2, rate)]), rate, channels)
            )
            assert goes_on < 0.1 < 0.9 < is_over
        asking = asyncio.create_task(asked.finished(utterance(hiss(8))))
        await asyncio.sleep(0)
        asking.cancel()
        assert await asked.finished(utterance(rumble(2))) > 0.9
    assert os.listdir(tmp_path) == ["turns.onnx"], "the runtime reports to nobody"


@pytest.mark.heavy
async def test_a_model_that_is_refused_fails_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its inputs are image"):
        async with judge(write_model(tmp_path, NOT_MODELS["an image"][0])):
            pass


@pytest.mark.parametrize(("bias", "turns", "waited_s"), [(6.0, 2, 0.2), (-99.0, 1, 4.0)])
@pytest.mark.heavy(after=1)
def test_in_a_run_it_ends_a_turn_early_or_keeps_it_open(
    bias: float, turns: int, waited_s: float, tmp_path: Path
) -> None:
    """In virtual time, with a real process: the clock stands still while the judge works."""

    async def main() -> tuple[list[UtteranceFrame], float, RunReport]:
        card = SimulatedCard()
        card.mic.hear(speech())
        asked = OnnxEndOfTurn(write_model(tmp_path, mel_model(bias)))
        ear = [MicrophoneInput(card.backend()), VADProcessor(), UtteranceCollector(end_of_turn=asked)]
        task = PipelineTask(Pipeline(ear))
        ends, stopped_s = Ends(task), [0.0]

        def note(frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, UserStoppedSpeakingFrame):
                stopped_s.append(asyncio.get_running_loop().time() - frame.position / RATE)

        task.subscribe(note)
        asyncio.get_running_loop().call_later(20.0, task.end)
        report = await task.run()
        return [frame for frame in ends.down if isinstance(frame, UtteranceFrame)], stopped_s[-1], report

    utterances, silent_s, report = run_virtual(main())
    assert len(utterances) == turns
    assert silent_s == pytest.approx(waited_s, abs=0.15)
    assert not report.errors
