"""The test of a voice program: its pipeline on a simulated card, in virtual time. No hardware, no waiting."""

import voicepipe as vp
from parrot import pipeline
from voicepipe.sample import speech
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard


def test_a_parrot_says_what_it_heard() -> None:
    card = SimulatedCard()
    card.mic.hear(speech())  # two sentences of a bundled voice
    card.mic.run_out()  # then the input ends, as a file does
    task = vp.PipelineTask(pipeline(card.backend()))
    heard = list[vp.Frame]()
    task.subscribe(lambda frame, direction: heard.append(frame))

    report = run_virtual(task.run())

    said = card.speaker.played()
    sentences = [frame for frame in heard if isinstance(frame, vp.UserStoppedSpeakingFrame)]
    assert len(sentences) == 2
    assert speech()[128_000:160_000] in said  # a second of the second sentence, sample for sample
    assert report.dropped == {}
