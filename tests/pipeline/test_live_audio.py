"""Live audio waits for nobody: a slow stage loses its own oldest, says so, and makes no other stage deaf."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from support.sound import noise, virtual_loop
from support.stages import DOWN, Ends, Recorder
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    RunReport,
    TextFrame,
    UtteranceFrame,
)
from voicepipe_devices.fake import SimulatedCard

RATE = 16_000


class Stands(FrameProcessor):
    """Stands still for a time, once, with the first frame of a class in hand."""

    may_take_s = 60.0

    def __init__(
        self, seconds: float, kind: type[Frame] = InputAudioFrame, mailbox_s: float | None = None
    ) -> None:
        super().__init__(mailbox_s=mailbox_s)
        self._seconds, self._kind = seconds, kind
        self.frames: list[InputAudioFrame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame):
            self.frames.append(frame)
        if self._seconds and isinstance(frame, self._kind):
            seconds, self._seconds = self._seconds, 0.0
            await asyncio.sleep(seconds)
        await self.push_frame(frame, direction)


def seam_drops(report: RunReport) -> dict[str, dict[str, int]]:
    assert all(seam.balanced for seam in report.seams)
    return {seam.name: seam.dropped for seam in report.seams if seam.dropped}


async def run(card: SimulatedCard, *stages: FrameProcessor | ParallelPipeline, seconds: float) -> RunReport:
    card.mic.hear(noise(seconds))
    card.mic.run_out()
    return await PipelineTask(Pipeline([MicrophoneInput(card.backend()), *stages])).run()


@pytest.mark.parametrize("stands_s", [1.9, 2.5, 10.0, 30.0])
async def test_a_stage_that_stands_loses_what_is_beyond_two_seconds_and_nobody_else_does(
    stands_s: float,
) -> None:
    front, stands = Recorder("front"), Stands(stands_s)
    report = await run(SimulatedCard(), front, stands, seconds=stands_s + 5.0)
    lost = round((stands_s - 2.0) * RATE)
    heard = [frame for frame in front.frames if isinstance(frame, InputAudioFrame)]
    assert sum(frame.num_samples for frame in heard) == (stands_s + 5.0) * RATE
    if lost < 0:
        assert seam_drops(report) == {}
        return
    ((name, dropped),) = seam_drops(report).items()
    assert name == "Stands"
    assert dropped == {"overflow": pytest.approx(lost, abs=2 * 320)}
    # The oldest went: what came last is there without a gap.
    last = stands.frames[-round(6.9 * 50) :]
    assert all(b.position == a.position + a.num_samples for a, b in pairwise(last))


@pytest.mark.parametrize("mailbox_s", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("stands_s", [2.5, 10.0, 30.0])
async def test_a_stage_behind_one_that_stood_loses_nothing(stands_s: float, mailbox_s: float) -> None:
    """What had to wait comes in one go; whoever is ready for it has a turn in time."""
    stands, behind = Stands(stands_s), Stands(0.0, mailbox_s=mailbox_s)
    behind._name = "behind"
    report = await run(SimulatedCard(), stands, behind, Recorder("last"), seconds=stands_s + 5.0)
    assert set(seam_drops(report)) == {"Stands"}


async def test_who_only_gets_what_had_to_wait_is_not_told_to_be_too_slow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "voicepipe"):
        await run(SimulatedCard(), Stands(10.0), Recorder("behind"), Recorder("last"), seconds=15.0)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Stands is too slow")


async def test_the_microphone_does_not_wait_with_what_the_program_has_queued() -> None:
    """Its own mailbox takes nothing: the text waits before the stage that stands."""
    card = SimulatedCard()
    card.mic.hear(noise(20.0))
    stands = Stands(10.0, TextFrame)
    stands.takes = (TextFrame,)
    heard = Recorder("heard")
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), stands, heard]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    queued = [asyncio.ensure_future(task.queue_frame(TextFrame(str(n)))) for n in range(100)]
    await asyncio.sleep(9.0)
    assert sum(isinstance(frame, InputAudioFrame) for frame in heard.frames) >= 9 * 50 - 3
    task.end()
    report = await running
    assert seam_drops(report) == {}
    assert all(await asyncio.gather(*queued))
    assert sum(isinstance(frame, TextFrame) for frame in heard.frames) == 100


@pytest.mark.parametrize("stands_s", [5.0, 30.0])
async def test_the_microphone_does_not_wait_where_the_texts_of_others_do(stands_s: float) -> None:
    card = SimulatedCard()
    card.mic.hear(noise(stands_s + 5.0))
    stands = Stands(stands_s, TextFrame)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), stands]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    queued = [asyncio.ensure_future(task.queue_frame(TextFrame(str(n)))) for n in range(100)]
    await asyncio.sleep(stands_s + 1.0)
    task.end()
    report = await running
    lost = pytest.approx((stands_s - 2.0) * RATE, abs=640)
    assert seam_drops(report) == {"Stands": {"overflow": lost}}
    assert all(await asyncio.gather(*queued))


@pytest.mark.parametrize("mailbox", [1, 3, 16])
async def test_live_audio_never_costs_what_the_program_has_queued(mailbox: int) -> None:
    """256 texts may be queued before the start: far more than a mailbox holds. They wait, all of them."""

    class Slow(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(0.005)
            await super().process_frame(frame, direction)

    slow = Slow("slow")
    slow.mailbox_size = mailbox
    card = SimulatedCard()
    card.mic.hear(noise(3.0))
    card.mic.run_out()
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), slow]))
    for n in range(200):
        await task.queue_frame(TextFrame(str(n)))
    report = await task.run()
    assert report.dropped_frames == {}
    assert [f.text for f in slow.frames if isinstance(f, TextFrame)] == [str(n) for n in range(200)]


@pytest.mark.parametrize("mailbox_s", [0.5, 5.0])
async def test_the_limit_is_the_stages_own(mailbox_s: float) -> None:
    report = await run(SimulatedCard(), Stands(10.0, mailbox_s=mailbox_s), seconds=15.0)
    assert seam_drops(report)["Stands"]["overflow"] == pytest.approx((10.0 - mailbox_s) * RATE, abs=640)


async def test_a_slow_branch_makes_no_other_branch_deaf() -> None:
    deaf, hears = Stands(20.0), Recorder("hears")
    report = await run(SimulatedCard(), ParallelPipeline([deaf], [hears]), seconds=25.0)
    heard = [frame for frame in hears.frames if isinstance(frame, InputAudioFrame)]
    assert sum(frame.num_samples for frame in heard) == 25 * RATE
    assert set(seam_drops(report)) == {"Stands"}


async def test_live_audio_does_not_count_in_the_mailbox_of_other_frames() -> None:
    """A pusher of text waits for room by the number of texts, not of blocks."""
    stands = Stands(1.5)
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    front = Recorder("front")
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), front, stands]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await asyncio.sleep(1.0)  # 50 blocks wait
    began_s = virtual_loop().time()
    for n in range(32):
        await front.push_frame(TextFrame(str(n)), DOWN)
    assert virtual_loop().time() == began_s
    await front.push_frame(TextFrame("one too many"), DOWN)
    assert virtual_loop().time() >= 1.5
    task.end()
    assert seam_drops(await running) == {}


async def test_a_file_waits_for_every_stage_and_loses_nothing() -> None:
    stands = Stands(30.0)
    task = PipelineTask(Pipeline([stands]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    for n in range(500):
        await task.queue_frame(InputAudioFrame(bytes(640), position=n * 320))
    task.end()
    assert seam_drops(await running) == {}
    assert len(stands.frames) == 500


async def test_frames_of_other_kinds_that_a_live_microphone_makes_do_not_pile_up_for_ever() -> None:
    """A stage that never comes back gets utterances, and the microphone waits for none of them."""

    class Cuts(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, InputAudioFrame):
                await self.push_frame(UtteranceFrame(frame.data))
            else:
                await super().process_frame(frame, direction)

    stands = Stands(50.0, UtteranceFrame)
    cuts = Cuts("cuts")
    report = await run(SimulatedCard(), cuts, stands, seconds=20.0)
    waited = 8 * 32 * 320
    drops = seam_drops(report)
    assert set(drops) == {"Stands"}
    assert drops["Stands"] == {"overflow": pytest.approx(20 * RATE - waited, abs=4 * 320)}


async def test_live_output_audio_waits_for_nobody_either() -> None:
    class SlowEffect(Stands):
        pass

    effect = SlowEffect(6.0, OutputAudioFrame)
    ear = Recorder("ear")
    report = await run(SimulatedCard(), ear, Loopback(), effect, seconds=8.0)  # type: ignore[arg-type]
    assert seam_drops(report) == {"SlowEffect": {"overflow": pytest.approx(4 * RATE, abs=640)}}


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        (TextFrame, "add `takes = (TextFrame,)` to its class, so that audio passes by it"),
        (UtteranceFrame, "add `takes = (UtteranceFrame,)` to its class, so that audio passes by it"),
        (InputAudioFrame, "make it faster, or do slow work in a task (self.create_task)"),
    ],
)
async def test_audio_that_stands_for_a_second_is_told_once_with_stage_line_and_cure(
    kind: type[Frame], cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    stands = Stands(3.0, kind)
    card = SimulatedCard()
    card.mic.hear(noise(6.0))
    card.mic.run_out()
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), stands]))
    await task.queue_frame(UtteranceFrame(bytes(640)) if kind is UtteranceFrame else TextFrame("think"))
    told_s: list[float] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told_s.append(virtual_loop().time())

    handler = Notes(logging.WARNING)
    logging.getLogger("voicepipe").addHandler(handler)
    try:
        with caplog.at_level(logging.WARNING, "voicepipe"):
            await task.run()
    finally:
        logging.getLogger("voicepipe").removeHandler(handler)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Stands is too slow for live audio: 1.0 s of it wait while it stands at ")
    assert "test_live_audio.py:" in line
    assert line.endswith(cure)
    assert told_s == [pytest.approx(1.02, abs=0.05)]
