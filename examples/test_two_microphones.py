"""Two people at two microphones: each fact and each utterance tells who spoke."""

import voicepipe as vp
from two_microphones import pipeline
from voicepipe.testing import run_virtual, silence, speech
from voicepipe_devices.fake import SimulatedCard


def test_each_utterance_tells_whose_it_is() -> None:
    left, right = SimulatedCard(), SimulatedCard()
    left.mic.hear(speech())  # two sentences
    right.mic.hear(silence(1.0))
    right.mic.hear(speech()[:45_000])  # the first of them, while the other speaks it
    for card in (left, right):
        card.mic.hear(silence(10.0))
        card.mic.run_out()
    ears = [
        vp.MicrophoneInput(card.backend(), name=name) for card, name in ((left, "left"), (right, "right"))
    ]
    task = vp.PipelineTask(pipeline(*ears))
    seen = list[vp.Frame]()
    task.subscribe(lambda frame, direction: seen.append(frame))

    run_virtual(task.run())

    speakers = [frame.origin for frame in seen if isinstance(frame, vp.UserStartedSpeakingFrame)]
    assert sorted(speakers) == ["left", "left", "right"]
    utterances = [frame for frame in seen if isinstance(frame, vp.UtteranceFrame)]
    assert sorted(frame.origin for frame in utterances) == ["left", "left", "right"]
