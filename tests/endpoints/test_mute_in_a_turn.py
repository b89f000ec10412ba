"""A microphone that is muted in mid-sentence: the turn ends as at any pause, not when it is heard again."""

from __future__ import annotations

import pytest

from support.sound import virtual_loop
from support.stages import Ends
from voicepipe import (
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe.sample import speech
from voicepipe_devices.fake import SimulatedCard


async def test_a_turn_ends_although_the_microphone_is_muted_in_it() -> None:
    card = SimulatedCard()
    card.mic.hear(speech())
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), VADProcessor(), UtteranceCollector()]))
    ends = Ends(task)
    told_s: list[float] = []

    def note(frame: object, direction: object) -> None:
        if isinstance(frame, UserStoppedSpeakingFrame):
            told_s.append(virtual_loop().time())

    task.subscribe(note)
    virtual_loop().call_later(1.5, setattr, task.microphone, "muted", True)  # in the first sentence
    virtual_loop().call_later(60.0, task.end)
    report = await task.run()
    assert told_s[0] == pytest.approx(1.5 + 0.7, abs=0.3)
    (utterance,) = [frame for frame in ends.down if isinstance(frame, UtteranceFrame)]
    assert utterance.position / 16_000 < 1.5
    assert all(seam.balanced for seam in report.seams)
