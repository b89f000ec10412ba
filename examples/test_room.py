"""The test of a program in a room: its microphone hears its speaker, and it does not answer itself."""

import asyncio

import voicepipe as vp
from voicepipe.testing import Losses, SimulatedCard, noise, room_impulse, run_virtual, speech


async def run_in_room(card: SimulatedCard, say: vp.OutputAudioFrame, seconds: float) -> list[vp.Frame]:
    """Let the program say something; return what left its pipeline."""
    ear = [vp.MicrophoneInput(card.backend()), vp.VADProcessor(), vp.Interrupter()]
    task = vp.PipelineTask(vp.Pipeline([*ear, vp.SpeakerOutput(card.backend())]))
    seen = list[vp.Frame]()
    task.subscribe(lambda frame, direction: seen.append(frame))
    await task.queue_frame(say)
    asyncio.get_running_loop().call_later(seconds, task.end)
    await task.run()
    return seen


def test_it_does_not_hear_itself() -> None:
    card = SimulatedCard()
    card.room(room_impulse(level_db=-6, seed=1), clip=4, loss=Losses(0.02, every_s=3, seed=1))
    card.mic.hear(noise(8, "pink", level_db=-65))  # no room is silent
    card.mic.hear(speech())  # the user, when the program has finished

    seen = run_virtual(run_in_room(card, vp.OutputAudioFrame.from_array(speech(), rate=16_000), 14))

    began = [frame.position / 16_000 for frame in seen if isinstance(frame, vp.UserStartedSpeakingFrame)]
    assert began, "the user is heard"
    assert min(began) > 7.5, "the program is not"
