"""`voicepipe record` and `voicepipe play` on real PortAudio, with cards of several rates and channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from soundcard.plugging import NewCard
from soundcard.rooms import ProgramOnCard, find, load_wav

SPEECH = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"
FINE = 48_000
"""What is compared at: at 16 kHz half a sample of delay would look like another sound."""
cards = pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (48_000, 2), (16_000, 1), (16_000, 2)])


@cards
def test_what_was_said_is_in_the_file_at_its_pitch_and_speed(
    new_card: NewCard, tmp_path: Path, rate: int, channels: int
) -> None:
    card = new_card(rate=rate, mic=channels, speaker=channels)
    path = tmp_path / "said.wav"
    said = load_wav(SPEECH, rate)[: 2 * rate]
    command = ["-m", "voicepipe", "record", str(path), "--mic", "vcard", "--backend", "portaudio"]
    with ProgramOnCard(card, *command, "--seconds", "4") as program:
        program.has_opened(speaker=False)
        program.say(said)
        ended = program.end()
    assert ended.status == 0, ended
    found = find(load_wav(SPEECH, FINE)[: 2 * FINE], load_wav(path, FINE))
    assert found.correlation > 0.99, (found, card.mic.xruns, ended)


@cards
def test_what_is_played_is_heard_at_its_pitch_and_speed(new_card: NewCard, rate: int, channels: int) -> None:
    card = new_card(rate=rate, mic=channels, speaker=channels)
    command = ["-m", "voicepipe", "play", str(SPEECH), "--speaker", "vcard", "--backend", "portaudio"]
    with ProgramOnCard(card, *command) as program:
        program.has_opened(mic=False)
        begin = card.now(card.speaker)
        heard = np.array(card.heard(begin, 8 * rate), dtype=np.int16)
        ended = program.end()
    assert ended.status == 0, ended
    assert "played 7.24 of 7.24 s" in ended.out
    found = find(load_wav(SPEECH, rate), heard)
    assert found.correlation > 0.99, (found, card.speaker.xruns, card.speaker.late, ended)
