"""What a microphone's guard tells a recording: a row for each sample, and nothing of a muted time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canceller.recordings import EAR, MIC, WORDS, rows_of
from canceller.standing import RATE, Far, LateEngine, cut_frames, sound
from voicepipe import AudioFormat, EchoState, InputAudioFrame
from voicepipe.canceller.guard import EchoGuard
from voicepipe.canceller.half_duplex.loudness_gate import LoudnessGate
from voicepipe.canceller.tracks.tracks import open_tracks
from voicepipe.speakers import Speakers

STATES: dict[str, EchoState | None] = {"cancelling": None, "half-duplex": EchoState("half-duplex")}
NOTHING = 1
"""What stands where nothing was told of."""


class Noted:
    """A sink of tracks that keeps what it is told, by position."""

    def __init__(self, samples: int) -> None:
        self.tracks = {name: np.full(samples, NOTHING, np.int16) for name in ("mic", "words", "ear")}

    def note_heard(self, origin: str, position: int, captured_s: float | None, mic: bytes, far: Any) -> None:
        """Keep it."""
        self._keep("mic", position, mic)

    def note_given(self, origin: str, position: int, words: bytes, ear: bytes) -> None:
        """Keep both."""
        self._keep("words", position, words)
        self._keep("ear", position, ear)

    def _keep(self, name: str, position: int, data: bytes) -> None:
        audio = np.frombuffer(data, np.int16)
        self.tracks[name][position : position + len(audio)] = audio

    def note_protection(self, origin: str, echo: EchoState) -> None:
        """Ignore it."""

    def note_fact(self, fact: object) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Do nothing."""


def guard_of(way: str, speakers: Speakers, far: Far) -> EchoGuard:
    state = STATES[way]
    engine = LateEngine() if state is None else None
    return EchoGuard(engine, far, speakers, audio=AudioFormat(RATE), label="mic", state=state)


def put_all(guard: EchoGuard, frames: Sequence[InputAudioFrame]) -> None:
    for frame in frames:
        guard.put(frame)


@pytest.mark.parametrize("way", STATES)
@pytest.mark.parametrize("sounding", [(), ((0, 99_999),)], ids=["silence", "sound"])
@pytest.mark.parametrize("samples", [1, 320, 4_000, 4_001])
def test_the_tracks_have_a_row_for_each_sample(
    tmp_path: Path, way: str, sounding: tuple[tuple[int, int], ...], samples: int
) -> None:
    speakers = Speakers(lambda: 50.0)
    speakers.tracks = tracks = open_tracks(tmp_path / "talk.wav", RATE, lambda: 50.0, speakers)
    guard = guard_of(way, speakers, Far(*sounding))
    audio = sound(2 * samples)
    frames = cut_frames(audio, [320], [(samples, samples)])
    put_all(guard, [frame for frame in frames if frame.position < samples])
    guard.end()
    put_all(guard, [frame for frame in frames if frame.position >= samples])
    guard.end()
    tracks.close()
    rows = rows_of(tmp_path / "talk.wav")
    assert len(rows) == 2 * samples
    assert np.array_equal(rows[:, MIC], audio[:, 0])
    if not sounding:
        assert np.array_equal(rows[:, WORDS], audio[:, 0])
        assert np.array_equal(rows[:, EAR], audio[:, 0])


@pytest.mark.parametrize("way", STATES)
@pytest.mark.parametrize("sizes", [(320,), (100,), (1_000,)], ids=str)
def test_behind_a_mute_nothing_of_its_time_is_recorded(
    way: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canceller holds the delay of its engine, and half-duplex 0.2 s, when the user is heard again."""
    speakers, muted, is_loud = Speakers(lambda: 50.0), range(5_000, 9_000), False
    monkeypatch.setattr(LoudnessGate, "gate", lambda gate, mic, far: is_loud)
    speakers.begin("speaker", 0.0)
    speakers.tracks = noted = Noted(16_000)
    guard, audio = guard_of(way, speakers, Far((0, 99_999))), sound(16_000)
    for frame in cut_frames(audio, sizes, [(at, at) for at in (muted.start, muted.stop)]):
        guard.hides = frame.position in muted
        is_loud = frame.position > muted.stop + RATE // 20
        guard.put(frame)
    assert not noted.tracks["mic"][muted.start : muted.stop].any()
    assert np.array_equal(noted.tracks["mic"][muted.stop + 160 : 14_000], audio[muted.stop + 160 : 14_000, 0])
    words, ear = noted.tracks["words"], noted.tracks["ear"]
    for track in (words, ear) if way == "half-duplex" else (words,):
        assert set(track[muted.start : muted.stop].tolist()) <= {0, NOTHING}
        assert not track[muted.stop - 1_000 : muted.stop].any(), "it has come out, and is silent"
        assert np.array_equal(track[muted.stop + 1_000 : 14_000], audio[muted.stop + 1_000 : 14_000, 0])
    assert set(ear[muted.start : muted.stop].tolist()) <= {0, NOTHING}
