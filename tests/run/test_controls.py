"""Requests to a task: mute, gain, volume; by name, before the run and while it runs, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import numpy as np
import pytest

from support.sound import assert_accounted, seam, virtual_loop
from support.stages import Recorder
from voicepipe import (
    DeviceStage,
    Gain,
    InputAudioFrame,
    MicrophoneInput,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    SpeakerOutput,
)
from voicepipe.report import DropReason
from voicepipe_devices.fake import SimulatedCard

RATE = 16_000
MIC = "MicrophoneInput device"


class OwnSpeaker(DeviceStage):
    """A speaker of somebody else's, with a volume and a device."""

    kind = "speaker"

    def __init__(self, name: str = "own") -> None:
        super().__init__(name=name)
        self.volume_db, self.device = 0.0, ""
        self.threads: set[str] = set()

    def set_volume(self, db: float, ramp_s: float = 0.05) -> None:
        self.volume_db = db
        self.threads.add(threading.current_thread().name)

    def check_device(self, name: str) -> None:
        if name == "bad":
            raise ValueError("bad")

    def change_device(self, name: str) -> None:
        self.device = name


def mic(card: SimulatedCard | None = None, **arguments: Any) -> MicrophoneInput:
    return MicrophoneInput((card or SimulatedCard()).backend(), **arguments)


def task_of(*stages: Processor) -> PipelineTask:
    return PipelineTask(Pipeline(stages), name="kitchen")


def hears(level: int = 1_000, seconds: float = 10.0) -> SimulatedCard:
    card = SimulatedCard()
    card.mic.hear(np.full(round(seconds * RATE), level, np.int16))
    return card


class Listening:
    """A run of one microphone, which hears a constant."""

    def __init__(self) -> None:
        self.behind = Recorder()
        self.task = task_of(mic(hears()), self.behind)

    async def run(self, seconds: float) -> RunReport:
        virtual_loop().call_later(seconds, self.task.end)
        return assert_accounted(await self.task.run(), MIC, "recorder")

    @property
    def frames(self) -> list[InputAudioFrame]:
        return [frame for frame in self.behind.frames if isinstance(frame, InputAudioFrame)]

    def level_at(self, seconds: float) -> int:
        """The sample at a time."""
        place = round(seconds * RATE)
        (frame,) = [f for f in self.frames if f.position <= place < f.position + f.num_samples]
        return int(np.frombuffer(frame.data, np.int16)[0])


# -- which one -----------------------------------------------------------------------------


@pytest.mark.parametrize("nested", ["flat", "nested", "branches"])
def test_the_only_one_needs_no_name_wherever_it_stands(nested: str) -> None:
    ear, mouth = mic(), OwnSpeaker()
    stages: dict[str, tuple[Processor, ...]] = {
        "flat": (ear, Recorder(), mouth),
        "nested": (Pipeline([ear, Recorder()]), Pipeline([Pipeline([mouth])])),
        "branches": (ParallelPipeline([ear], [Recorder()]), ParallelPipeline([Gain(db=1), mouth], [])),
    }
    task = task_of(*stages[nested])
    assert (task.microphone.name, task.speaker.name) == ("MicrophoneInput", "own")
    task.microphone.gain_db = 6
    assert ear.gain_db == 6


def test_several_have_the_names_of_their_stages() -> None:
    left, right, another = mic(name="left"), mic(name="right"), mic(name="left")
    task = task_of(left, right, another, OwnSpeaker("a"), OwnSpeaker("b"))
    assert list(task.microphones) == ["left", "right", "left#2"]
    assert list(task.speakers) == ["a", "b"]
    task.microphones["left#2"].muted = True
    assert (left.muted, right.muted, another.muted) == (False, False, True)


async def test_the_names_are_those_of_the_run() -> None:
    stages = [mic(), mic(), OwnSpeaker(), Recorder("MicrophoneInput"), mic()]
    task = task_of(*stages)
    virtual_loop().call_later(0.1, task.end)
    report = await task.run()
    labels = {seam.name.removesuffix(" device") for seam in report.seams}
    assert {*task.microphones, *task.speakers} <= labels
    assert list(task.microphones) == ["MicrophoneInput", "MicrophoneInput#2", "MicrophoneInput#4"]


@pytest.mark.parametrize(
    ("stages", "which", "said"),
    [
        ((), "microphone", "kitchen has no microphone in its pipeline"),
        ((), "speaker", "kitchen has no speaker in its pipeline"),
        (
            (("mic", "left"), ("mic", "right")),
            "microphone",
            "kitchen has 2 microphones, 'left' and 'right': choose one, as task.microphones['left']",
        ),
        (
            (("speaker", "a"), ("speaker", "b"), ("speaker", "c")),
            "speaker",
            "kitchen has 3 speakers, 'a', 'b' and 'c': choose one, as task.speakers['a']",
        ),
        ((("mic", "left"),), "speaker", "kitchen has no speaker in its pipeline"),
    ],
)
def test_none_and_several_are_named(stages: tuple[tuple[str, str], ...], which: str, said: str) -> None:
    made = [mic(name=name) if kind == "mic" else OwnSpeaker(name) for kind, name in stages]
    with pytest.raises(RuntimeError) as caught:
        getattr(task_of(*made, Recorder()), which)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", ["middle", "", "LEFT", 0, None])
def test_an_unknown_name_is_answered_with_those_there_are(name: Any) -> None:
    task = task_of(mic(name="left"), mic(name="right"))
    with pytest.raises(KeyError, match=r"kitchen has no microphone .*; there is 'left' and 'right'"):
        task.microphones[name]
    with pytest.raises(KeyError, match=r"kitchen has no speaker .*; there is none"):
        task.speakers[name]


def test_tools_that_read_every_attribute_of_a_task_skip_what_it_has_not() -> None:
    task = PipelineTask(Pipeline([]))
    names = [name for name, _ in inspect.getmembers(task)]
    assert "microphones" in names
    assert "microphone" not in names
    with pytest.raises(RuntimeError, match="has no microphone in its pipeline"):
        _ = task.microphone


# -- what they do --------------------------------------------------------------------------


async def test_a_muted_microphone_gives_silence_and_counts_its_audio() -> None:
    run = Listening()
    loop = virtual_loop()
    loop.call_later(1.005, setattr, run.task.microphone, "muted", True)
    loop.call_later(2.005, setattr, run.task.microphone, "muted", False)
    report = await run.run(3.0)
    assert seam(report, MIC).dropped == {DropReason.MUTED: RATE}
    assert seam(report, MIC).balanced
    quiet = [frame.position / RATE for frame in run.frames if not any(frame.data)]
    assert quiet == pytest.approx([1.0 + n * 0.02 for n in range(50)], abs=0.021)
    positions = [frame.position for frame in run.frames]
    assert positions == list(range(0, len(positions) * 320, 320)), "no gap"


async def test_the_gain_changes_with_the_next_block() -> None:
    run = Listening()
    loop = virtual_loop()
    loop.call_later(1.005, setattr, run.task.microphone, "gain_db", 20)
    loop.call_later(2.005, setattr, run.task.microphone, "gain_db", -20.0)
    await run.run(3.0)
    assert [run.level_at(at) for at in (0.5, 1.5, 2.5)] == [1_000, 10_000, 100]
    assert run.task.microphone.gain_db == -20.0


@pytest.mark.parametrize("before", [True, False])
async def test_what_is_asked_for_before_the_run_holds_in_it(before: bool) -> None:
    run = Listening()
    if before:
        run.task.microphone.muted = True
    report = await run.run(1.0)
    assert seam(report, MIC).dropped.get(DropReason.MUTED, 0) == (RATE if before else 0)
    assert run.task.microphone.muted is before


@pytest.mark.real_time
async def test_a_button_in_another_thread_is_heard() -> None:
    card, speaker = hears(), OwnSpeaker()
    task = task_of(mic(card), speaker)
    running = asyncio.create_task(task.run())
    await task.wait_until_started()

    def press() -> None:
        task.microphone.muted = True
        task.microphone.gain_db = 3
        task.speaker.volume_db = -6
        task.speaker.device = "headphones"

    phone = threading.Thread(target=press)
    phone.start()
    await asyncio.sleep(0.1)
    phone.join()
    assert (task.microphone.muted, task.microphone.gain_db) == (True, 3)
    assert (task.speaker.volume_db, task.speaker.device) == (-6, "headphones")
    assert speaker.threads == {threading.current_thread().name}
    task.end()
    report = await running
    assert seam(report, MIC).dropped[DropReason.MUTED] > 0
    task.speaker.volume_db = -12
    assert speaker.volume_db == -12


def test_before_and_after_a_run_in_a_loop_that_is_closed() -> None:
    speaker = OwnSpeaker()
    task = task_of(speaker)
    task.speaker.volume_db = -3
    assert speaker.volume_db == -3
    task.end()
    asyncio.run(task.run())
    task.speaker.volume_db = -9
    task.speaker.device = "other"
    assert (speaker.volume_db, speaker.device) == (-9, "other")


@pytest.mark.parametrize(
    ("which", "what", "values"),
    [
        ("microphone", "muted", [1, None, "yes"]),
        ("microphone", "gain_db", [None, "6", True, float("nan"), 61, -61]),
        ("speaker", "volume_db", [None, "6", True, float("nan"), 25, -61]),
        ("speaker", "device", ["bad"]),
    ],
)
def test_what_makes_no_sense_is_refused_at_once_by_name(which: str, what: str, values: list[Any]) -> None:
    task = task_of(mic(), OwnSpeaker())
    handle = getattr(task, which)
    before = getattr(handle, what)
    for value in values:
        with pytest.raises((TypeError, ValueError), match=what if what != "device" else "bad"):
            setattr(handle, what, value)
    assert getattr(handle, what) == before


def test_a_misspelled_request_is_an_error() -> None:
    task = task_of(mic(), OwnSpeaker())
    for handle in (task.microphone, task.speaker):
        with pytest.raises(AttributeError):
            handle.mute = True  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
    assert repr(task.microphone) == "<MicrophoneHandle MicrophoneInput>"


def test_the_bundled_stages_have_what_a_handle_asks_for() -> None:
    speaker = SpeakerOutput(SimulatedCard().backend())
    handle = task_of(speaker).speaker
    assert (speaker.kind, handle.device) == ("speaker", "")
