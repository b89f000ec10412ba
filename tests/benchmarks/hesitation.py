"""How often a turn with a hesitation is cut in two, and how long the answer to a finished one waits: a table.

    python tests/benchmarks/hesitation.py [FOLDER] [--model FILE.onnx]

FOLDER holds labelled speech (`set.json` and its audio); VOICEPIPE_LABELLED_SPEECH names it otherwise. Its
turns are heard as they were said, and with a silence of 0.3 to 1.5 s put between two of their words. Silence
alone is the baseline: a judge is worth its time if it cuts fewer turns and waits for less. The oracle knows
the ends. A wait is from the end of the speech until the turn's end is certain, the judge's own time included.
Needs the package soundfile.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.hearing.conditions import RATE, Condition, Ints, MissingSpeechError, conditions, take_folder
from benchmarks.hearing.hesitations import GAPS_S, Item, items_of, joined, room_of
from benchmarks.table import Cell, Table
from voicepipe import (
    EndOfTurn,
    Frame,
    FrameDirection,
    MicrophoneInput,
    OnnxEndOfTurn,
    Pipeline,
    PipelineTask,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
    VoicepipeError,
)
from voicepipe.speech.end_of_turn import Eagerness
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard

COLUMNS = (
    "judge",
    "cut in two %",
    *(f"{gap_s:g} s" for gap_s in GAPS_S),
    "as said",
    *("wait p50 ms", "p95", "judge p50 ms", "p95"),
)
STOPS_S = (0.45, 0.7, 1.5)
_EARLY_S = 0.15
"""An end that is earlier than the label by less than this is no cut."""


@dataclass
class Timed:
    """A judge, and the time that each of its verdicts took."""

    judge: EndOfTurn
    took_s: list[float] = field(default_factory=list)

    async def start(self) -> None:
        if isinstance(self.judge, OnnxEndOfTurn):
            await self.judge.start()

    async def finished(self, utterance: UtteranceFrame) -> bool | float:
        began_s = time.perf_counter()
        verdict = await self.judge.finished(utterance)
        self.took_s.append(time.perf_counter() - began_s)
        return verdict

    async def close(self) -> None:
        if isinstance(self.judge, OnnxEndOfTurn):
            await self.judge.close()


class Oracle:
    """Knows the end of every turn."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._ends_s = [item.end_s for item in items]

    async def finished(self, utterance: UtteranceFrame) -> bool:
        end_s = (utterance.position + utterance.num_samples) / RATE
        return any(0 <= end_s - each + _EARLY_S < 2.0 for each in self._ends_s)


@dataclass(frozen=True)
class End:
    """The end of a turn as it was found."""

    position_s: float
    """The begin of the silence that ended it."""
    told_s: float
    """The moment at which it was certain. The judge's own time is in it."""


def listen(audio: Ints, judge: Timed | None, *, stop_s: float, eagerness: Eagerness) -> list[End]:
    """Return the ends of turns in a stretch of audio, heard live. In virtual time."""

    async def main() -> list[End]:
        loop = asyncio.get_running_loop()
        card = SimulatedCard()
        card.mic.hear(audio.tobytes())
        collector = UtteranceCollector(end_of_turn=judge, eagerness=eagerness)
        ear = [MicrophoneInput(card.backend()), VADProcessor(stop_s=stop_s), collector]
        task = PipelineTask(Pipeline(ear))
        ends: list[End] = []

        def note(frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, UserStoppedSpeakingFrame):
                asked_s = judge.took_s[-1] if judge is not None and judge.took_s else 0.0
                ends.append(End(frame.position / RATE, loop.time() + asked_s))

        task.subscribe(note)
        loop.call_later(len(audio) / RATE, task.end)
        await task.run()
        return ends

    return run_virtual(main())


def row(name: str, items: Sequence[Item], ends: Sequence[End], took_s: Sequence[float]) -> tuple[Cell, ...]:
    """Return one row of the table."""
    cut: dict[float, list[bool]] = {}
    waits_s: list[float] = []
    behind_s = 0.0
    for item in items:
        found = [end for end in ends if behind_s < end.position_s < item.end_s + 2.0]
        behind_s = item.end_s + 2.0
        cut.setdefault(item.gap_s, []).append(any(end.position_s < item.end_s - _EARLY_S for end in found))
        if found:
            waits_s.append(found[-1].told_s - item.end_s)
    hesitations = [each for gap_s in GAPS_S for each in cut.get(gap_s, [])]
    shares = [_percent(each) for each in (hesitations, *(cut.get(gap_s, []) for gap_s in (*GAPS_S, 0.0)))]
    return (name, *shares, *_delays(waits_s), *_delays(took_s))


def _percent(cut: Sequence[bool]) -> str | None:
    return f"{100 * np.mean(cut):.0f}" if cut else None


def _delays(seconds: Sequence[float]) -> tuple[str, str] | tuple[None, None]:
    if not seconds:
        return None, None
    half, most = (f"{1_000 * float(each):.0f}" for each in np.percentile(seconds, [50, 95]))
    return half, most


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code; 2 where the speech or the model is missing."""
    options = _parser().parse_args(arguments)
    try:
        if options.folder is None:
            raise MissingSpeechError("no labelled speech: name its folder, or set VOICEPIPE_LABELLED_SPEECH")
        clean = [condition for condition in conditions(options.folder) if condition.group == "clean"]
        model = None if options.model is None else OnnxEndOfTurn(options.model)
    except (MissingSpeechError, ValueError, VoicepipeError) as missing:
        print(f"hesitation.py: {missing}", file=sys.stderr)
        return 2
    audio, items = _all_of(clean)
    rows = [
        row(f"silence {stop_s:g} s", items, listen(audio, None, stop_s=stop_s, eagerness="medium"), ())
        for stop_s in STOPS_S
    ]
    judges: list[tuple[str, EndOfTurn]] = [("oracle", Oracle(items))]
    if model is not None:
        judges.append((Path(options.model or "").stem, model))
    for name, judge in judges:
        uses: tuple[Eagerness, ...] = ("medium",) if name == "oracle" else ("low", "medium", "high")
        for eagerness in uses:
            timed = Timed(judge)
            ends = listen(audio, timed, stop_s=0.7, eagerness=eagerness)
            rows.append(row(f"{name}, {eagerness}", items, ends, timed.took_s))
    hesitant = sum(item.gap_s > 0 for item in items)
    title = f"{hesitant} turns with a hesitation of 0.3 to 1.5 s, {len(items) - hesitant} as they were said"
    table = Table("hesitation", title, COLUMNS, tuple(rows))
    print(table)
    return 0


def _all_of(clean: Sequence[Condition]) -> tuple[Ints, list[Item]]:
    """Return all items in one stretch of audio; each session's turns in the sound of its room."""
    stretches, placed, begin_s = list[Ints](), list[Item](), 0.0
    for condition in clean:
        audio, items = joined(list(items_of(condition)), room_of(condition))
        placed += [Item(item.audio, item.gap_s, begin_s + item.end_s) for item in items]
        stretches.append(audio)
        begin_s += len(audio) / RATE
    return np.concatenate(stretches), placed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hesitation.py", description="How well the end of a turn is told from a hesitation."
    )
    take_folder(parser)
    parser.add_argument("--model", type=Path, metavar="FILE", help="a judge in ONNX format, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
