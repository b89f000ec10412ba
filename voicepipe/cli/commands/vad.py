"""`voicepipe vad`: where somebody speaks in a file, as text, JSON, labels or a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from voicepipe.cli.parts.options import Parser
from voicepipe.cli.parts.screen import told
from voicepipe.cli.parts.vad_file import Hearing, hear
from voicepipe.cli.parts.vad_options import EAR, EarOptions, ear_options
from voicepipe.errors import VoicepipeError
from voicepipe.speech.vad import Judgement, VADProcessor
from voicepipe.text import printable

__all__ = ["VadOptions", "command_line", "read_options", "run"]


@dataclass(frozen=True, slots=True)
class VadOptions:
    """What is to be found in a file, and how it is to be shown."""

    file: str
    shown: str
    """`text`, `json` or `labels`."""
    plot: str | None
    ear: EarOptions
    debug: bool


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Finds where somebody speaks in a WAV file, much faster than it sounds.",
        "0 done, 1 failed, 2 wrong usage",
    )
    parser.take("file", help="what to listen to")
    shown = parser.add_mutually_exclusive_group()
    for name, what in (("json", "for machines"), ("labels", "for Audacity's label track")):
        shown.add_argument(f"--{name}", dest="shown", action="store_const", const=name, help=what)
    parser.take("--plot", help="draw waveform, score, level and segments (needs matplotlib)")
    parser.take(*EAR)
    parser.take("--debug", action="store_true", help="show tracebacks")
    return parser


def read_options(arguments: Sequence[str], program: str) -> VadOptions:
    """What is given. Raises: SystemExit: wrong usage, or --help."""
    parser = command_line(program)
    given = parser.read(arguments)
    return VadOptions(given.file, given.shown or "text", given.plot, ear_options(parser, given), given.debug)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    options = read_options(arguments, program)
    try:
        _run(options)
    except (VoicepipeError, OSError) as error:
        if options.debug:
            raise
        print(f"{program}: {told(error)}", file=sys.stderr)
        return 1
    return 0


def _run(options: VadOptions) -> None:
    draw: Callable[[Hearing, str], None] | None = None
    if options.plot is not None:
        from voicepipe.cli.parts.pictures import draw_hearing  # before the work: matplotlib may be missing

        draw = draw_hearing
    judgements: list[Judgement] = []
    vad = VADProcessor(observe=judgements.append, **options.ear.arguments())
    heard = hear(options.file, vad, judgements)
    for line in _SHOWN[options.shown](heard):
        print(line)
    if draw is not None and options.plot is not None:
        draw(heard, options.plot)


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
    """What Audacity imports: from, to and a name, in seconds, with tabs between."""
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
