"""The key opens the microphone for a second, in the middle of a sentence: just that is said back, at once."""

import asyncio

import voicepipe as vp
from push_to_talk import Key, pipeline
from voicepipe.testing import run_virtual, silence, speech
from voicepipe_devices.fake import SimulatedCard


def test_what_is_said_between_two_presses_is_an_utterance() -> None:
    card, key = SimulatedCard(), Key()
    card.mic.hear(speech())
    card.mic.hear(silence(1.0))
    card.mic.run_out()
    task = vp.PipelineTask(pipeline(card.backend(), key))
    spoke = list[vp.Frame]()
    task.subscribe(lambda frame, direction: spoke.append(frame) if is_speech(frame) else None)

    async def press() -> None:
        task.microphone.muted, key.begins = True, False
        run = asyncio.create_task(task.run())
        for _ in range(2):
            await asyncio.sleep(1.0)
            key.press(task)
        await asyncio.sleep(0.1)
        assert spoke
        await run

    run_virtual(press())

    said = card.speaker.played().strip(b"\0")
    assert 0.9 < len(said) / 32_000 < 1.1
    assert said in speech().tobytes()


def is_speech(frame: vp.Frame) -> bool:
    return isinstance(frame, vp.BotStartedSpeakingFrame)
