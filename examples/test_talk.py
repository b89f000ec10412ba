"""The test of a conversation: the user speaks in the middle of the answer. Half a minute takes a second."""

import numpy as np

import voicepipe as vp
from talk import STORY, Answerer, Recogniser, Voice, conversation
from voicepipe.testing import check_processor, run_virtual, silence, speech
from voicepipe.testing.sound import Samples
from voicepipe_devices.fake import SimulatedCard

UPSTREAM = vp.FrameDirection.UPSTREAM

QUESTION = speech()[:40_000]  # a sentence of 2.5 seconds


def hold(*said: Samples) -> tuple[vp.RunReport, list[vp.Frame], SimulatedCard]:
    """Hold a conversation; return its report, the facts, and the card."""
    card = SimulatedCard()
    for sound in said:
        card.mic.hear(sound)
    card.mic.run_out()
    task = conversation(card.backend())
    facts = list[vp.Frame]()
    task.subscribe(lambda frame, direction: facts.append(frame) if direction is UPSTREAM else None)
    return run_virtual(task.run()), facts, card


def test_it_stops_when_the_user_speaks() -> None:
    report, facts, card = hold(QUESTION, silence(3.0), QUESTION, silence(15.0))

    first, second = [fact for fact in facts if isinstance(fact, vp.BotStoppedSpeakingFrame)]
    _, again = [fact for fact in facts if isinstance(fact, vp.BotStartedSpeakingFrame)]
    assert first.interrupted
    assert first.text.startswith("I am a program. I can")  # so much was heard
    assert first.text in " ".join(STORY)[:-1]
    assert not second.interrupted
    assert second.text == " ".join(STORY)
    played = np.frombuffer(card.speaker.played(), np.int16)
    assert not played[first.position : again.position].any()
    assert report.state is vp.RunState.ENDED
    assert set(report.dropped) == {"interrupted"}


def test_a_user_who_goes_on_before_the_answer_gets_one_answer() -> None:
    report, facts, _ = hold(QUESTION, QUESTION[3_200:], silence(15.0))

    (stopped,) = [fact for fact in facts if isinstance(fact, vp.BotStoppedSpeakingFrame)]
    assert stopped.text == " ".join(STORY)
    assert not stopped.interrupted
    assert report.state is vp.RunState.ENDED


def test_it_hears_the_user_while_it_speaks() -> None:
    report, _, _ = hold(QUESTION, silence(3.0), QUESTION, silence(15.0))
    microphone = next(seam for seam in report.seams if seam.name.startswith("MicrophoneInput"))
    assert microphone.dropped == {}


def test_its_stages_survive_whatever_can_happen() -> None:
    check_processor(Recogniser, [vp.UtteranceFrame(QUESTION.tobytes()), 1.0])
    check_processor(Answerer, [vp.TranscriptionFrame("Who are you?"), 2.0])
    check_processor(Voice, [vp.TextFrame("I am a program."), 1.0])
