"""`voicepipe record` and `voicepipe play` on real PortAudio: what is in the air is in the file, and back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np

from soundcard.plugging import PluggedCard
from soundcard.rooms import ProgramOnCard, find, load_wav
from voicepipe import AudioFormat
from voicepipe.audio.files.wav_file import WavWriter

RATE = 48_000
NOISE = np.random.default_rng(1).integers(1, 9_000, RATE).astype(np.int16)


def test_what_is_said_is_in_the_file_to_the_sample(card: PluggedCard, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with ProgramOnCard(card, "-m", "voicepipe", "record", str(path), "--mic", "vcard", flags=()) as program:
        program.has_opened(speaker=False)
        start = program.say(NOISE)
        while card.now(card.mic) < start + len(NOISE) + RATE // 2:
            time.sleep(0.01)
        ended = program.send(signal.SIGINT).end()
    assert (ended.status, ended.err) == (0, "")
    found = find(NOISE, load_wav(path, RATE))
    assert found.same == 1.0 or card.mic.xruns, found
    assert "were lost" not in ended.out or card.mic.xruns


def test_what_is_in_the_file_is_heard_to_the_sample(card: PluggedCard, tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    with WavWriter(path, AudioFormat(RATE)) as file:
        file.write(NOISE.tobytes())
    begin = card.now(card.speaker)
    with ProgramOnCard(card, "-m", "voicepipe", "play", str(path), "--speaker", "vcard", flags=()) as program:
        ended = program.end()
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == "played 1.0 s of 1.0 s"
    heard = np.array(card.heard(begin, card.now(card.speaker) - begin), np.int16)
    found = find(NOISE, heard)
    assert found.same == 1.0 or card.speaker.xruns or card.speaker.late, found
