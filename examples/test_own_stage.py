"""The test of a stage of one's own: words in, words out, and the pauses between them take no time."""

import asyncio

import voicepipe as vp
from own_stage import Assistant
from voicepipe.testing import run_virtual


async def conversation(*, interrupt_after_s: float) -> list[str]:
    task, said = vp.PipelineTask(vp.Pipeline([Assistant()])), list[str]()
    task.subscribe(
        lambda frame, direction: said.append(frame.text) if isinstance(frame, vp.TextFrame) else None
    )
    running = asyncio.create_task(task.run())
    await task.queue_frame(vp.TranscriptionFrame("hello there"))
    await asyncio.sleep(interrupt_after_s)
    task.interrupt()
    task.end()
    await running
    return said


def test_it_answers_and_says_goodbye() -> None:
    assert run_virtual(conversation(interrupt_after_s=60.0)) == ["you", "said", "hello", "there", "goodbye"]


def test_it_is_interrupted_in_mid_sentence() -> None:
    assert run_virtual(conversation(interrupt_after_s=0.12)) == ["you", "said", "goodbye"]
