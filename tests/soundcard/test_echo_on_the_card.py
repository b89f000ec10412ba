"""The echo program in a process of its own, on real PortAudio: what is said to it, and what it says."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from process.running import Ended
from soundcard.conversation import LOUD
from soundcard.cuts import EndlessNoise, cuts
from soundcard.plugging import PluggedCard
from soundcard.rooms import DEV, ProgramOnCard, Samples, find, intact, load_wav
from support.program_output import without_countdown

RATE = 48_000
SPEECH = load_wav(Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav", RATE)
SENTENCE = SPEECH[: round(2.3 * RATE)]
"""The first of the two."""
PAUSE_S = 1.0
"""After which an utterance is over: `stop_s`, and some blocks."""
UTTERANCES = int(os.environ.get("VOICEPIPE_UTTERANCES", "2"))
"""In a row; the full count is 20."""
MOST_LOST = 3
"""So often the machine may stand still meanwhile."""
LEFT_OUT = "of live audio is left out"
SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM


class Echo(ProgramOnCard):
    """The program on the card's own rate, so that what comes back is the same to the bit."""

    def __init__(
        self,
        card: PluggedCard,
        *options: str,
        rate: int = RATE,
        device: str = "vcard",
        flags: tuple[str, ...] = DEV,
    ) -> None:
        super().__init__(
            card,
            *("-m", "voicepipe.echo", "--report", "--mic", device, "--speaker", device),
            *("--rate", str(rate), "--latency", "0.06", *options),
            flags=flags,
        )

    def is_listening(self) -> Echo:
        """Wait until it hears and could speak."""
        self.has_opened().says("listening")
        return self


@pytest.fixture
def echo(card: PluggedCard) -> Iterator[Echo]:
    with Echo(card) as program:
        yield program.is_listening()


def said(heard: Samples) -> Samples:
    """What was played, without the silence before and behind it."""
    loud = np.flatnonzero(heard)
    assert len(loud), "silence at the speaker"
    return heard[loud[0] : loud[-1] + 1]


def assert_comes_from(played: Samples, spoken: Samples, *, at_least_s: float) -> bool:
    """Every sample that was played is one that was spoken, from the first one on, in order.

    Return True where there is silence between them: the program had to tell of a gap.
    """
    assert len(played) >= at_least_s * RATE
    silence = np.zeros(2 * RATE, np.int16)
    found = find(played[played != 0], np.concatenate([silence, spoken[spoken != 0], silence]))
    assert found.same == 1.0, found
    assert found.offset == len(silence)
    return not np.array_equal(played, spoken[np.flatnonzero(spoken)[0] :][: len(played)])


def assert_gap_is_told(ended: Ended, card: PluggedCard) -> None:
    """What a busy machine does to the sound is in the closing lines, or in the card's own count."""
    assert counted(card) or re.search(r"had \d+ gaps?, together", ended.out), ended


def counted(card: PluggedCard) -> int:
    """Overruns and underruns by the card's own count: the machine stood still, and everybody with it."""
    return card.mic.xruns + card.speaker.xruns


def assert_ended_well(ended: Ended, card: PluggedCard, status: int = 0, within_s: float = 3.5) -> None:
    assert (ended.status, without_countdown(ended.err)) == (status, ""), ended
    assert ended.seconds <= within_s
    assert not left_out_by(ended) or status or counted(card)
    assert "nothing is left running" in ended.out


def assert_heard_whole(durations_s: list[float], played: Samples) -> None:
    """There was one utterance, and it was played: all but the silence in its pre-roll, and the gaps in it."""
    (duration_s,) = durations_s
    assert duration_s - np.count_nonzero(played) / RATE >= -0.02
    assert duration_s - len(played) / RATE <= 0.3


def left_out_by(ended: Ended) -> dict[str, int]:
    """Return the samples that the program says it left out, by reason."""
    (line,) = re.findall(r"dropped samples: (.*)", ended.out)
    return {reason: int(count) for count, reason in re.findall(r"(\d+) (\w+)", line)}


def captured_by(ended: Ended) -> int:
    """Return the samples that the program says it captured."""
    (count,) = re.findall(r"seam the microphone device: (\d+) in", ended.out)
    return int(count)


def utterances(ended: Ended) -> list[float]:
    """How long each was, in seconds."""
    return [float(seconds) for seconds in re.findall(r"heard (\d+\.\d+) s of speech", ended.out)]


def test_utterances_in_a_row_come_back_complete(echo: Echo) -> None:
    whole, lost, before, has_gap = 0, 0, counted(echo.card), False
    while whole < UTTERANCES:
        start = echo.say(SENTENCE)
        heard = echo.answer(start + len(SENTENCE) + round(0.3 * RATE))
        if counted(echo.card) != before and lost < MOST_LOST:  # the card has lost some of it: say it again
            lost, before = lost + 1, counted(echo.card)
            time.sleep(PAUSE_S)
            continue
        has_gap |= assert_comes_from(said(heard), SENTENCE, at_least_s=1.8)
        whole += 1
    ended = echo.send(SIGINT).end()
    if has_gap:
        assert_gap_is_told(ended, echo.card)
    assert (ended.status, ended.err) == (0, "")
    if not lost:
        assert f"{UTTERANCES} utterance" in ended.out
        assert "dropped samples: none" in ended.out, "it hears while it speaks"


def test_ctrl_c_at_rest(echo: Echo) -> None:
    assert_ended_well(echo.send(SIGINT).end(), echo.card, within_s=2.0)


def test_sigterm_at_rest(echo: Echo) -> None:
    assert_ended_well(echo.send(SIGTERM).end(), echo.card, within_s=2.0)


def test_ctrl_c_while_the_person_speaks_says_all_that_was_heard(echo: Echo) -> None:
    start = echo.say(SENTENCE, after_s=0.1)
    spoken_s = 1.5
    while echo.card.now(echo.card.mic) < start + spoken_s * RATE:
        time.sleep(0.005)
    ended = echo.send(SIGINT).end()
    played = said(echo.answer(start + round(spoken_s * RATE)))
    # The last sample played is the last one that was captured, which was spoken a buffer before Ctrl-C.
    if assert_comes_from(played, SENTENCE, at_least_s=spoken_s - 0.4):
        assert_gap_is_told(ended, echo.card)
    assert_ended_well(ended, echo.card, within_s=spoken_s + 3.5)
    assert_heard_whole(utterances(ended), played)


def test_ctrl_c_while_it_speaks_lets_it_finish(echo: Echo) -> None:
    start = echo.say(SENTENCE)
    echo.says("of speech")
    time.sleep(0.5)
    echo.send(SIGINT)
    ended = echo.end()
    played = said(echo.answer(start + len(SENTENCE) + round(0.3 * RATE)))
    if assert_comes_from(played, SENTENCE, at_least_s=1.8):
        assert_gap_is_told(ended, echo.card)
    assert_heard_whole(utterances(ended), played)
    assert (ended.status, without_countdown(ended.err)) == (0, "")
    assert ended.seconds <= 2.1 + 3.5


def test_ctrl_c_twice_while_it_speaks_fades_out_and_is_status_130(echo: Echo) -> None:
    start = echo.say(SENTENCE)
    echo.says("of speech")
    time.sleep(0.5)
    ended = echo.send(SIGINT, SIGINT).end()
    assert (ended.status, ended.err) == (130, "")
    assert ended.seconds <= 2.0
    assert re.search(r"dropped samples: .*\d+ cancelled", ended.out)
    played = said(echo.answer(start + len(SENTENCE) + round(0.3 * RATE)))
    assert 0.1 * RATE < len(played) < 1.2 * RATE


def test_three_times_at_once(echo: Echo) -> None:
    echo.say(SENTENCE)
    echo.says("of speech")
    ended = echo.send(SIGINT, SIGINT, SIGINT).end()
    assert ended.status == 130
    assert ended.seconds <= 2.0


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8])
def test_ctrl_c_during_start(card: PluggedCard, after_s: float) -> None:
    # As a user starts it: for -W the interpreter imports warnings, and keeps a Ctrl-C of then to itself.
    with Echo(card, flags=()) as program:
        time.sleep(after_s)
        # The interpreter itself shows a traceback until it runs the program: 20 ms, and 2 of the package's.
        ended = program.send(SIGINT).end(never="/voicepipe/programs/")
    # Before the interpreter minds signals, the system ends it; then it has nothing to end; then it runs.
    in_the_interpreter = 1 if "KeyboardInterrupt" in ended.err else 0
    assert ended.status in (-SIGINT, 130, 0, in_the_interpreter)
    assert ended.seconds <= 3.5
    assert not card.mic.running
    assert not card.speaker.running


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_live_passes_on_all_but_what_it_says_it_left_out(card: PluggedCard, seconds: float) -> None:
    """By Ctrl-C in the midst of it, all that was captured before."""
    with EndlessNoise(card) as noise, Echo(card, "--live") as program:
        captured_from = program.is_listening().card.mic.base
        over = card.now(card.mic) + round(seconds * RATE)
        noise.listen(lambda: card.now(card.mic) >= over)
        sent_at = card.now(card.mic)
        program.send(SIGINT)
        noise.listen(lambda: not program.is_alive)
        ended = program.end()
    told, late = left_out_by(ended), card.speaker.late
    complaints = [line for line in without_countdown(ended.err).splitlines() if LEFT_OUT not in line]
    assert (ended.status, complaints) == (0, [])
    assert LEFT_OUT not in ended.err or "late" in told
    assert ended.seconds <= 3.5
    assert "nothing is left running" in ended.out
    captured = captured_by(ended)
    assert captured >= sent_at - captured_from - 0.2 * RATE or card.mic.xruns
    assert captured - len(noise.played) == sum(told.values()) + late, "lost without a word"
    found = list(cuts(noise.played, noise.since(captured_from)))
    assert sum(cut.samples for cut in found) <= sum(told.values()) + late or card.mic.xruns, found
    assert not found or told or late or card.mic.xruns, "changed without a word"
    assert all(cut.fade for cut in found) or counted(card) or set(told) - {"late"}, found


@pytest.mark.parametrize("device", ["vcard", "default"])
def test_at_16_khz_it_is_the_same_sentence_at_the_same_speed(card: PluggedCard, device: str) -> None:
    """The card has 48 kHz: our streams convert, or ALSA's own converter does."""
    with Echo(card, rate=16_000, device=device) as program:
        start = program.is_listening().say(SENTENCE)
        played = program.answer(start + len(SENTENCE) + round(0.3 * RATE), above=LOUD)
        program.send(SIGINT).end()
    middle = SENTENCE[round(0.5 * RATE) : round(1.8 * RATE)]
    assert intact(middle, played) > 0.97
