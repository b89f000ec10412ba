"""`voicepipe vad`: find the speech in a file, as text, JSON, labels or a picture."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.arguments.vad_options import VAD_FLAGS, VadSettings, vad_settings
from voicepipe.cli.parts.vad_file import Hearing, hear
from voicepipe.cli.terminal.screen import Screen, describe
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.errors import VoicepipeError
from voicepipe.speech.vad import VADProcessor
from voicepipe.text import printable

if TYPE_CHECKING:  # it brings numpy's arrays, for a picture alone
    from voicepipe.cli.parts.trace import Trace

__all__ = ["VadOptions", "command_line", "read_options", "run"]

_REFRESH_S = 0.2
"""The time from one status to the next on a terminal, in seconds."""


@dataclass(frozen=True, slots=True)
class VadOptions:
    """The options of the search."""

    file: str
    shown: str
    """One of `text`, `json` and `labels`."""
    plot: str | None
    voice: VadSettings
    debug: bool


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Finds the speech in a sound file, much faster than it plays: WAV; with the package soundfile FLAC, "
        "Ogg (Vorbis, Opus), MP3 and others too.",
        "0 done, 1 failed, 2 wrong usage",
    )
    parser.take("file", help="the file to search")
    shown = parser.add_mutually_exclusive_group()
    for name, what in (("json", "print JSON, for machines"), ("labels", "print a label track for Audacity")):
        shown.add_argument(f"--{name}", dest="shown", action="store_const", const=name, help=what)
    parser.take(
        "--plot",
        help="draw waveform, score, level and segments, or the tracks of a recorded conversation with their "
        "labels, as .png, .svg or .pdf (needs the extra plot)",
    )
    parser.take(*VAD_FLAGS)
    parser.take("--debug", action="store_true", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> VadOptions:
    """Return the options that are given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    return parser.options(VadOptions, given, shown=given.shown or "text", voice=vad_settings(parser, given))


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    try:
        if options.plot is not None and _draw_tracks(options.file, options.plot, options.shown):
            return 0
        heard, draw = _search(options)
    except (VoicepipeError, OSError) as error:
        if options.debug:
            raise
        complain(program, describe(error))
        return 1
    for remark in heard.remarks:
        complain(program, f"{printable(heard.path)}: {remark}")
    for line in _SHOWN[options.shown](heard):
        print(wrap(line, columns_of(sys.stdout)) if options.shown == "text" else line)
    return _draw(draw, options, program)


def _draw_tracks(file: str, picture: str, shown: str) -> bool:
    """Draw a recorded conversation, and print its labels; return False for any other file."""
    from voicepipe.cli.parts.tracks_picture import are_tracks, draw_tracks, read_labels

    if not are_tracks(file):
        return False
    labels = read_labels(file)
    draw_tracks(file, labels, picture)
    if shown == "json":
        print(json.dumps({"file": file, "labels": [asdict(label) for label in labels]}))
        return True
    form = "{:.6f}\t{:.6f}\t{}" if shown == "labels" else "{:10.3f} {:10.3f}   {}"
    for label in labels:
        print(form.format(label.begin_s, label.end_s, label.text))
    return True


def _search(options: VadOptions) -> tuple[Hearing, Callable[[str], None] | None]:
    """Search the file; return what was found, and the function that draws it, where that is asked for."""
    if options.plot is None:
        return _hear(options, None), None
    # Before the work: matplotlib may be missing.
    from voicepipe.cli.parts.hearing_picture import draw_hearing
    from voicepipe.cli.parts.trace import Trace

    trace = Trace()
    heard = _hear(options, trace)
    return heard, lambda path: draw_hearing(heard, trace, path)


def _hear(options: VadOptions, trace: Trace | None) -> Hearing:
    vad = VADProcessor(observe=None if trace is None else trace.note, **options.voice.arguments())
    progress = _Progress(trace)
    try:
        return hear(options.file, vad, progress.note)
    finally:
        progress.screen.clear()


def _draw(draw: Callable[[str], None] | None, options: VadOptions, program: str) -> int:
    """Draw the picture; return the exit status."""
    if draw is None or options.plot is None:
        return 0
    try:
        draw(options.plot)
    except OSError as error:
        if options.debug:
            raise
        complain(program, describe(error))
        return 1
    return 0


class _Progress:
    """Shows on a terminal how much of a long file is searched, and keeps the audio's course for a picture."""

    def __init__(self, trace: Trace | None) -> None:
        self.screen = Screen(sys.stderr)
        self._trace = trace
        self._heard_s = 0.0
        self._shown_s = time.monotonic()

    def note(self, data: bytes, audio: AudioFormat) -> None:
        """Add a piece of audio."""
        if self._trace is not None:
            self._trace.hear(data, audio)
        self._heard_s += audio.seconds(len(data) // audio.sample_bytes)
        now_s = time.monotonic()
        if self.screen.is_live and now_s - self._shown_s >= _REFRESH_S:
            self._shown_s = now_s
            self.screen.status(f"searched {self._heard_s:.0f} s. Ctrl-C to stop")


def _text(heard: Hearing) -> Iterable[str]:
    audio = heard.format
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    yield f"{printable(heard.path)}: {heard.duration_s:.2f} s, {audio.rate} Hz {channels}"
    for segment in heard.segments:
        begin_s, end_s = audio.seconds(segment.begin), audio.seconds(segment.end)
        yield f"{begin_s:10.3f} {end_s:10.3f}   {end_s - begin_s:6.2f} s"
    count = len(heard.segments)
    yield (
        f"{count} segment{'' if count == 1 else 's'}, {heard.spoken_s:.2f} s of speech; {heard.engine}, "
        f"{heard.took_s:.2f} s ({heard.duration_s / max(heard.took_s, 1e-3):.0f}x)"
    )


def _labels(heard: Hearing) -> Iterable[str]:
    """Yield the lines that Audacity imports: from, to and a name, in seconds, with tabs between."""
    for segment in heard.segments:
        yield f"{heard.format.seconds(segment.begin):.6f}\t{heard.format.seconds(segment.end):.6f}\tspeech"


def _json(heard: Hearing) -> Iterable[str]:
    audio = heard.format
    segments = [
        {
            "begin": segment.begin,
            "end": segment.end,
            "begin_s": round(audio.seconds(segment.begin), 6),
            "end_s": round(audio.seconds(segment.end), 6),
        }
        for segment in heard.segments
    ]
    about = {
        "file": heard.path,
        "rate": audio.rate,
        "channels": audio.channels,
        "duration_s": round(heard.duration_s, 6),
        "engine": heard.engine,
        "settings": asdict(heard.settings),
    }
    yield json.dumps({**about, "segments": segments}, indent=1)


_SHOWN: dict[str, Callable[[Hearing], Iterable[str]]] = {"text": _text, "labels": _labels, "json": _json}
