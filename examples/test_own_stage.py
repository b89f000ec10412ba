"""The test of your own stage: words in, words out, and the pauses between them take no time."""

import voicepipe as vp
from own_stage import Assistant
from voicepipe.testing import check_processor, run_processor


def test_it_answers_and_is_interrupted_in_mid_sentence() -> None:
    hello = vp.TranscriptionFrame("hello there")
    out = run_processor(Assistant(), [hello, 60.0, hello, 0.12, vp.InterruptionFrame()])
    said = [frame.text for frame in out.down.of(vp.TextFrame)]
    assert said == ["you", "said", "hello", "there", "you", "said", "goodbye"]


def test_it_survives_whatever_can_happen_to_a_stage() -> None:
    check_processor(Assistant, [vp.TranscriptionFrame("hello there"), 1.0])
