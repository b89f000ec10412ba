"""Draws what the microphone hears, what voice detection hears, and what is kept: the README's first picture.

    python tests/support/talking_over.py docs/pictures/talking-over.svg

It runs the echo program on a simulated card in a simulated room. The user says a sentence, the program says
it back, and the user talks over it.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicepipe import AudioFormat, Frame, UtteranceFrame
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.cli.arguments.sound_source import TALK, Sound, talk
from voicepipe.cli.commands.echo import _task, read_options
from voicepipe.cli.terminal.screen import Screen
from voicepipe.testing import SimulatedCard, noise, room_impulse, run_virtual, silence

__all__ = ["Talk", "draw", "run"]

RATE = 16_000
FROM_S, TO_S = 4.8, 15.2
"""The span of the picture."""
ROOM_DB = -60.0
WIDTH, LEFT, ROW, HEAD = 880, 178, 74, 46
STEP_S, FULL = 0.02, 0.4
"""The time and the level of the smallest and the largest thing in the picture."""
STYLE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" \
aria-label="Four rows of sound over ten seconds: you talk over the program, and it stops">
<style>
.paper {{ fill: #ffffff; stroke: #c9d1d9 }}
.user {{ fill: #e4f5e9 }}
.row0 {{ fill: #2f6fb0 }}
.row1 {{ fill: #8a7a4a }}
.row2 {{ fill: #57606a }}
.row3 {{ fill: #2a8a4a }}
.cut {{ stroke: #c0392b; stroke-width: 1.4; stroke-dasharray: 4 3; fill: none }}
text {{ font: 12px "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif }}
.name {{ fill: #1f2328; font-size: 13px; font-weight: bold }}
.note {{ fill: #57606a; text-anchor: middle }}
.left {{ text-anchor: start }}
@media (prefers-color-scheme: dark) {{
.paper {{ fill: #161b22; stroke: #30363d }}
.user {{ fill: #16301f }}
.row0 {{ fill: #6cabea }}
.row1 {{ fill: #c4b27a }}
.row2 {{ fill: #9aa4ae }}
.row3 {{ fill: #5fc480 }}
.cut {{ stroke: #f07178 }}
.name {{ fill: #e6edf3 }}
.note {{ fill: #9aa4ae }}
}}
</style>
<rect class="paper" x="1" y="1" width="878" height="{below}" rx="10"/>"""

Sound1D = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Talk:
    """One run: the sounds at each place, and the times in seconds."""

    rows: tuple[tuple[str, str, Sound1D], ...]
    """The name, a note, and the sound of each place."""
    user_s: tuple[tuple[float, float], ...]
    """The times at which the user speaks."""
    silent_s: float
    """The time at which the speaker is silent after the user has begun to talk over it."""

    @property
    def after_s(self) -> float:
        """From the user's first sound over the program to the silence of the speaker."""
        return self.silent_s - self.user_s[-1][0]


def users_voice() -> tuple[npt.NDArray[np.int16], tuple[tuple[float, float], ...]]:
    """Return all that the user says, and when."""
    heard = silence(TO_S)
    said = np.frombuffer(talk(AudioFormat(RATE)), np.int16)
    heard[: len(said)] = said
    # The voice begins 0.1 s behind the beginning of each part, and ends 0.15 s before its end.
    times = tuple((at_s + 0.1, at_s + to_s - from_s - 0.15) for at_s, from_s, to_s in TALK)
    return heard + noise(TO_S, "pink", level_db=ROOM_DB), times


def run() -> Talk:
    """Run the echo program, and return what was heard at each place."""
    card = SimulatedCard()
    card.room(room_impulse(reverberation_s=0.3, level_db=0.0, seed=4))
    voice, user_s = users_voice()
    card.mic.hear(voice)
    card.mic.run_out()
    seen: list[Frame] = []
    with tempfile.TemporaryDirectory() as folder:
        tracks = Path(folder, "talk.wav")
        options = read_options(["--tracks", str(tracks)], "echo")
        task, _ = _task(options, Sound(card.backend()), Screen(io.StringIO()))
        task.subscribe(lambda frame, direction: seen.append(frame))
        run_virtual(task.run())
        with WavReader(tracks) as file:
            data = np.frombuffer(file.read(file.num_samples), np.int16)
            microphone, ear, _, _, speaker, _ = data.reshape(-1, file.format.channels).T / 32768
    return _talk_of(microphone, ear, speaker, seen, user_s)


def _talk_of(
    microphone: Sound1D,
    ear: Sound1D,
    speaker: Sound1D,
    seen: Sequence[Frame],
    user_s: tuple[tuple[float, float], ...],
) -> Talk:
    kept = np.zeros(int(TO_S * RATE))
    for frame in seen:
        if isinstance(frame, UtteranceFrame):
            _place(kept, frame.position, np.frombuffer(frame.data, np.int16) / 32768)
    loud = np.flatnonzero(np.abs(speaker[: int((user_s[-1][0] + 2) * RATE)]) > 1e-4)
    rows = (
        ("the speaker", "plays your words back", speaker),
        ("the microphone", "hears you, and the echo", microphone),
        ("voice detection", "hears you (the ear)", ear),
        ("what is kept", "your words", kept),
    )
    return Talk(rows, user_s, float(loud[-1]) / RATE)


def _place(row: Sound1D, at: int, sound: npt.NDArray[np.floating]) -> None:
    part = row[at : at + len(sound)]
    part += sound[: len(part)]


def draw(talk: Talk) -> str:
    """Return the picture as SVG, for a light and a dark page."""
    height = HEAD + ROW * len(talk.rows) + 40
    parts = [STYLE.format(width=WIDTH, height=height, below=height - 2)]
    bottom = HEAD + ROW * len(talk.rows)
    for (begin_s, end_s), said in zip(talk.user_s[1:], ("you speak", "you talk over it"), strict=True):
        x, width, top = _x(begin_s), _x(end_s) - _x(begin_s), HEAD - 14
        parts.append(
            f'<rect class="user" x="{x:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}"/>'
        )
        parts.append(f'<text class="note" x="{x + width / 2:.1f}" y="{HEAD - 20}">{said}</text>')
    for place, (name, note, sound) in enumerate(talk.rows):
        middle = HEAD + ROW * place + ROW / 2
        parts.append(f'<text class="name" x="20" y="{middle - 3}">{name}</text>')
        parts.append(f'<text class="note left" x="20" y="{middle + 14}">{note}</text>')
        parts.append(f'<path class="row{place}" d="{_outline(sound, middle)}"/>')
    cut = _x(talk.silent_s)
    parts.append(f'<path class="cut" d="M{cut:.1f} {HEAD - 14}V{bottom}"/>')
    parts.append(
        f'<text class="note left" x="{cut + 6:.1f}" y="{HEAD + 6}">it stops after {talk.after_s:.2f} s</text>'
    )
    parts += [
        f'<text class="note" x="{_x(s):.1f}" y="{bottom + 22}">{s} s</text>'
        for s in range(int(FROM_S) + 1, int(TO_S) + 1)
    ]
    return "\n".join([*parts, "</svg>\n"])


def _x(at_s: float) -> float:
    return LEFT + (WIDTH - LEFT - 20) * (at_s - FROM_S) / (TO_S - FROM_S)


def _outline(sound: Sound1D, middle: float) -> str:
    """Return the outline of a sound: its loudest sample in each step, above and below the middle."""
    step = int(STEP_S * RATE)
    part = sound[int(FROM_S * RATE) :]
    peaks = np.abs(part[: len(part) // step * step]).reshape(-1, step).max(axis=1)
    heights = (ROW / 2 - 6) * np.minimum(1.0, peaks / FULL) + 0.4
    points = [(_x(FROM_S + (place + 0.5) * STEP_S), height) for place, height in enumerate(heights)]
    above = " ".join(f"{x:.1f} {middle - height:.1f}" for x, height in points)
    below = " ".join(f"{x:.1f} {middle + height:.1f}" for x, height in reversed(points))
    return f"M{above} L{below}Z"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(run()), encoding="utf-8")
