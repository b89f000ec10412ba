"""A microphone in the room of its speaker cancels the echo by itself."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from endpoints.test_change_of_device import Cards
from support.room_talk import PROGRAM, RATE, Talk, a_card
from support.sound import assert_accounted, seam
from support.stages import Ends, InlineRecorder
from voicepipe import (
    AudioFormat,
    BackgroundAudioFrame,
    EchoState,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
    VADProcessor,
)
from voicepipe.cli.commands.status import _lines
from voicepipe.service.metrics import metrics_of
from voicepipe.service.status import status_of
from voicepipe.testing import SimulatedCard, noise, room_impulse


def assert_whole(talk: Talk) -> None:
    """Check that nothing is missing, and that the books balance."""
    end = 0
    for frame in talk.frames:
        assert frame.position == end
        end += frame.num_samples
    assert seam(assert_accounted(talk.task.report), "MicrophoneInput device").dropped == {}


async def test_the_program_does_not_hear_itself_and_a_user_who_talks_over_it_is_heard() -> None:
    card = a_card(14.0, user_s=7.0)
    talk = Talk(card, MicrophoneInput(card.backend()), [VADProcessor()])

    async def program() -> None:
        await asyncio.sleep(1.0)
        await talk.speak(9.0)

    await talk.run(program)
    assert [round(start, 1) for start in talk.starts] == [pytest.approx(7.0, abs=0.3)]
    assert_whole(talk)
    assert talk.echo.protection == "cancelling"
    assert talk.echo.erle_db is not None
    assert talk.echo.erle_db > 20
    assert talk.echo.words_erle_db is not None
    assert talk.echo.words_erle_db > 15
    assert talk.echo.strength_db == pytest.approx(-10.0, abs=2.0)
    assert talk.echo.delay_s is not None
    assert 0.0 <= talk.echo.delay_s < 0.02


@pytest.mark.parametrize(("cancel", "mute"), [(None, None), (True, None), (None, False), (True, False)])
async def test_without_sound_every_sample_stays_as_it_is(cancel: bool | None, mute: bool | None) -> None:
    card = a_card(1.0, level_db=-30.0)
    talk = Talk(card, MicrophoneInput(card.backend(), cancel=cancel, mute=mute))
    await talk.run(lambda: asyncio.sleep(2.0))
    assert_whole(talk)
    assert all(frame.ear is None for frame in talk.frames)
    sound = b"".join(frame.data for frame in talk.frames)
    assert noise(1.0, level_db=-30.0).tobytes() in sound
    assert talk.echo == EchoState("cancelling", "aec3 and kalman")


def in_half_duplex(talk: Talk) -> bool:
    """Return True if there is a gap in what was heard, and it was counted."""
    dropped = seam(assert_accounted(talk.task.report), "MicrophoneInput device").dropped
    heard = sum(frame.num_samples for frame in talk.frames)
    last = talk.frames[-1]
    assert last.position + last.num_samples - heard == dropped.get("muted", 0)
    assert all(frame.ear is None for frame in talk.frames)
    return bool(dropped)


@pytest.mark.parametrize(
    ("options", "protection", "deaf"),
    [
        ({"cancel": False}, "half-duplex", True),
        ({"mute": True}, "half-duplex", True),
        ({"cancel": False, "mute": True}, "half-duplex", True),
        ({"cancel": False, "mute": False}, "headphones", False),
    ],
    ids=str,
)
async def test_other_protections(options: Any, protection: str, deaf: bool) -> None:
    card = a_card(3.0)
    talk = Talk(card, MicrophoneInput(card.backend(), **options))
    await talk.run(lambda: talk.speak(1.0))
    assert in_half_duplex(talk) is deaf
    assert talk.echo == EchoState(protection)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a table


@pytest.mark.parametrize(
    ("audio", "words"),
    [(AudioFormat(11_025), "not 11025"), (AudioFormat(22_050), "not 22050"), (AudioFormat(1_050), "1050")],
    ids=str,
)
async def test_a_rate_that_no_engine_takes_means_half_duplex_and_a_line(
    audio: AudioFormat, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    card = a_card(3.0)
    talk = Talk(card, MicrophoneInput(card.backend()), audio=audio)
    with caplog.at_level(logging.INFO, "voicepipe"):
        await talk.run(lambda: talk.speak(1.0))
    assert talk.echo.protection == "half-duplex"
    assert words in talk.echo.reason
    assert in_half_duplex(talk)
    (line,) = [each.getMessage() for each in caplog.records if "half-duplex" in each.getMessage()]
    assert talk.echo.reason in line


async def test_without_the_package_of_its_engine_it_is_half_duplex_and_a_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    card = a_card(3.0)
    talk = Talk(card, MicrophoneInput(card.backend()))
    with caplog.at_level(logging.INFO, "voicepipe"):
        await talk.run(lambda: talk.speak(1.0))
    reason = "the echo canceller aec3 needs a package: pip install pywebrtc-audio"
    assert talk.echo == EchoState("half-duplex", reason)
    assert in_half_duplex(talk)
    (line,) = [each.getMessage() for each in caplog.records if "half-duplex" in each.getMessage()]
    assert line == (f"MicrophoneInput: half-duplex: it hears you only if you are louder than it ({reason})")


def test_wishes_that_contradict_each_other_are_refused() -> None:
    backend = SimulatedCard().backend()
    with pytest.raises(ValueError, match="cancel=True and mute=True: a canceller listens while it speaks"):
        MicrophoneInput(backend, cancel=True, mute=True)
    for wrong in ("yes", 1, 0.0):
        with pytest.raises(TypeError, match="cancel must be True, False, or None"):
            MicrophoneInput(backend, cancel=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong on purpose


async def test_no_speaker_no_canceller() -> None:
    card = a_card(1.0)
    microphone = MicrophoneInput(card.backend())
    task = PipelineTask(Pipeline([microphone]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await asyncio.sleep(1.0)
    assert microphone.echo is None
    task.end()
    await running
    assert task.report is not None
    assert task.report.devices[0].echo is None


async def test_music_in_the_background_is_cancelled_with_the_voice() -> None:
    """One speaker plays both, and the reference is what it plays."""
    card = a_card(9.0)
    talk = Talk(card, MicrophoneInput(card.backend()), [VADProcessor()])
    music = noise(8.0, "pink", level_db=-35.0)

    async def program() -> None:
        await talk.task.queue_frame(BackgroundAudioFrame(music.tobytes(), sound="music"))
        await asyncio.sleep(2.0)
        await talk.speak(6.0)

    await talk.run(program)
    assert talk.echo.erle_db is not None
    assert talk.echo.erle_db > 20
    assert talk.starts == []
    alone = [each for each in talk.frames if 0.5 < each.position / RATE < 1.9]
    assert all(each.ear is not None for each in alone), "music sounds, too"


# -- requests, losses, ends ------------------------------------------------------------------


async def test_silence_takes_the_place_of_both_while_it_is_muted() -> None:
    card = a_card(5.0, level_db=-30.0)
    talk = Talk(card, MicrophoneInput(card.backend()))

    async def program() -> None:
        speaking = asyncio.create_task(talk.speak(3.0))
        await asyncio.sleep(1.0)
        talk.microphone.muted = True
        await asyncio.sleep(1.0)
        talk.microphone.muted = False
        await speaking

    await talk.run(program)
    silent = [frame for frame in talk.frames if not any(frame.data)]
    assert [frame for frame in silent if frame.ear is None or any(frame.ear)] == []
    assert sum(frame.num_samples for frame in silent) == pytest.approx(RATE, abs=640)
    ledger = seam(assert_accounted(talk.task.report), "MicrophoneInput device")
    assert ledger.dropped == {"muted": sum(frame.num_samples for frame in silent)}


async def test_behind_a_mute_nothing_of_its_time_is_heard() -> None:
    card = SimulatedCard()
    card.mic.hear(noise(2.0, level_db=-20.0))
    card.room(room_impulse())
    talk = Talk(card, MicrophoneInput(card.backend()))
    spans: list[int] = []

    async def program() -> None:
        for muted in (True, False, True, False):
            await asyncio.sleep(0.205)
            talk.microphone.muted = muted
            state = talk.microphone.device_state()
            assert state is not None
            assert state.taken is not None
            spans.append(state.taken * 320)
        await asyncio.sleep(0.2)

    await talk.run(program)
    heard = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in talk.frames])
    for begin, end in (spans[:2], spans[2:]):
        assert not heard[begin:end].any()
        assert heard[begin - 640 : begin - 320].any()
        assert heard[end + 320 : end + 640].any()


@pytest.mark.heavy
async def test_a_gain_holds_for_ear_and_words_and_not_for_the_canceller() -> None:
    plain, loud = [
        Talk(card := a_card(4.0, level_db=-50.0), MicrophoneInput(card.backend(), gain_db=gain_db))
        for gain_db in (0.0, 20.0)
    ]
    for talk in (plain, loud):
        await talk.run(lambda talk=talk: talk.speak(3.0))  # type: ignore[misc]  # mypy: a lambda with a default
    for quiet, amplified in zip(plain.frames, loud.frames, strict=True):
        assert np.allclose(amplified.array, np.clip(quiet.array * 10.0, -32_768, 32_767), atol=1)
        if quiet.ear is not None and amplified.ear is not None:
            ears = [np.frombuffer(each, np.int16) for each in (quiet.ear, amplified.ear)]
            assert np.allclose(ears[1], np.clip(ears[0] * 10.0, -32_768, 32_767), atol=1)
    assert plain.echo == loud.echo


async def test_a_cancelled_run_counts_what_is_inside() -> None:
    card = a_card(5.0)
    talk = Talk(card, MicrophoneInput(card.backend()))
    ends = Ends(talk.task)
    running = asyncio.create_task(talk.task.run())
    await ends.started.wait()
    await talk.task.queue_frame(OutputAudioFrame(PROGRAM.tobytes()))
    await asyncio.sleep(1.013)
    talk.task.cancel()
    await running
    ledger = seam(assert_accounted(talk.task.report), "MicrophoneInput device")
    heard = sum(frame.num_samples for frame in talk.frames)
    assert ledger.given == heard
    assert ledger.taken - heard == sum(ledger.dropped.values()) >= 128


async def test_the_same_stages_cancel_in_a_second_run() -> None:
    card = a_card(9.0)
    talk = Talk(card, MicrophoneInput(card.backend()))
    await talk.run(lambda: talk.speak(1.0))
    assert any(frame.ear for frame in talk.frames)
    heard = InlineRecorder()
    again = PipelineTask(Pipeline([talk.microphone, heard, SpeakerOutput(card.backend())]))
    ends = Ends(again)
    running = asyncio.create_task(again.run())
    await ends.started.wait()
    await again.queue_frame(OutputAudioFrame(PROGRAM.tobytes()))
    await asyncio.sleep(1.0)
    again.end()
    await running
    assert_accounted(again.report)
    assert any(isinstance(frame, InputAudioFrame) and frame.ear for frame in heard.frames)


def echo_left(frames: Sequence[InputAudioFrame]) -> tuple[float, float]:
    """Return what is left of the echo: in the ear, and in the words; 1.0: all of it."""
    words = np.concatenate([frame.array for frame in frames]).astype(float)
    ear = np.concatenate([np.frombuffer(frame.ear or b"", np.int16) for frame in frames]).astype(float)
    echo = float(np.sqrt(np.mean(np.square(PROGRAM.astype(float))))) * 10 ** (-10 / 20)
    return tuple(float(np.sqrt(np.mean(each**2))) / echo for each in (ear, words))  # type: ignore[return-value]  # of two


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("device", ["speaker", "mic"])
async def test_after_a_loss_it_cancels_again(device: str) -> None:
    card = a_card(12.0)
    talk = Talk(card, MicrophoneInput(card.backend()), [VADProcessor()])

    async def program() -> None:
        await talk.speak(2.0)
        getattr(card, device).unplug()
        await asyncio.sleep(1.5)
        getattr(card, device).replug()
        await asyncio.sleep(2.5)
        await talk.speak(4.0)

    await talk.run(program)
    assert_accounted(talk.task.report)
    assert max(echo_left([frame for frame in talk.frames if frame.ear is not None][-75:-10])) < 0.1
    assert talk.starts == []


@pytest.mark.heavy(after=1)
async def test_after_a_change_of_the_device_it_cancels_within_two_seconds_of_sound() -> None:
    """Both sides go to another card, in another room."""
    first, second = a_card(14.0), SimulatedCard("second")
    second.room(room_impulse(level_db=-10.0, delay_s=0.03, seed=5))
    second.mic.hear(noise(14.0, level_db=-66.0))
    backend = Cards(first, second)
    talk = Talk(first, MicrophoneInput(backend), [VADProcessor()], speaker=SpeakerOutput(backend))
    begun: list[float] = []

    async def program() -> None:
        await talk.speak(2.0)
        for device in (talk.task.speaker, talk.task.microphone):
            device.device = "second"
        await asyncio.sleep(1.0)
        begun.append(asyncio.get_running_loop().time())
        await talk.speak(7.0)

    await talk.run(program)
    assert_accounted(talk.task.report)
    (begun_s,) = begun
    behind = [each for each in talk.frames if each.captured_s and 2.0 <= each.captured_s - begun_s < 3.8]
    assert len(behind) > 80
    assert max(echo_left(behind)) < 0.1
    assert talk.starts == []
    assert talk.echo.delay_s == pytest.approx(0.03, abs=0.003), "of the other room"
    assert talk.echo.strength_db == pytest.approx(-10.0, abs=2.0)


async def test_a_running_task_tells_the_figures_of_its_echo_in_status_and_metrics() -> None:
    card = a_card(9.0)
    talk = Talk(card, MicrophoneInput(card.backend()))
    shown: list[tuple[list[str], str]] = []

    async def program() -> None:
        await asyncio.sleep(1.0)
        await talk.speak(6.0)
        status = status_of([talk.task])
        shown.append(([*_lines(json.loads(json.dumps(status)))], metrics_of(status)[0]))

    await talk.run(program)
    ((lines, metrics),) = shown
    (line,) = [line for line in lines if "echo at" in line]
    assert re.search(r"cancelling \(aec3 and kalman\), reduced by [2-6]\d dB for voice detection", line)
    assert re.search(r"strength -1\d dB, delay \d ms", line)
    assert "voicepipe_echo_protection{" in metrics
    assert re.search(r"^voicepipe_echo_return_loss_enhancement_decibels{.*} [2-6]\d", metrics, re.MULTILINE)
    assert re.search(r"^voicepipe_echo_delay_seconds{.*} 0\.00", metrics, re.MULTILINE)
