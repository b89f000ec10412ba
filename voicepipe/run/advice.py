"""Advice on a pipeline that cannot do what was meant: as it is laid out, and in its first seconds."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine, Iterator
from typing import Any

from voicepipe.frames import (
    AudioFrame,
    DataFrame,
    Frame,
    InputAudioFrame,
    OutputAudioFrame,
    UserStartedSpeakingFrame,
)
from voicepipe.log import logger_of
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.forgetting import code_at, constructs, forgetting_of
from voicepipe.pipeline.place import (
    declaration_of,
    describe_missing_facts,
    is_ours,
    lonely_branches,
    makes,
    may_make,
    place_of,
    stages_before,
    takes,
)
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.seat import StageSeat
from voicepipe.pipeline.task_seat import TaskSeat

__all__ = ["advise", "check_place", "has_something_to_check", "watch_for_deafness"]

_log = logger_of("voicepipe")
_LOOK_S = 0.25
_GIVE_UP_S = 30.0
_SILENT_S = 1.0
"""A stage that has swallowed so much audio, and let none pass, is told of."""


def has_something_to_check(chain: Chain) -> bool:
    """Return True if any check concerns this pipeline. Most short pipelines of servers have none."""
    if chain.has_branches:
        return True
    kinds: list[Any] = [type(seat.processor) for seat in chain.seats]
    return any(map(_concerns, kinds))


@functools.lru_cache(maxsize=256)
def _concerns(kind: object) -> bool:
    return any(getattr(kind, name, None) is not None for name in ("check_place", "takes", "makes"))


def check_place(seat: StageSeat) -> None:
    """Let a stage check its place, and log its warnings. Raises: ValueError: it cannot work there."""
    check = getattr(type(seat.processor), "check_place", None)
    if check is not None:
        for warning in check(seat.processor, place_of(seat)):
            _log.warning("%s", warning)


def advise(chain: Chain) -> None:
    """Log a warning for each trap that the layout of the pipeline shows."""
    for line in _advice(chain):
        _log.warning("%s", line)


def _advice(chain: Chain) -> Iterator[str]:
    for labels in lonely_branches(chain):
        if len(labels) > 1:
            first, *others = labels
            yield (
                f"a ParallelPipeline has one branch, with {', '.join(labels)} one behind another: give each "
                f"branch a list of its own, as in ParallelPipeline([{first}], [{', '.join(others)}])"
            )
    yield from _find_unplayed(chain)
    for seat in chain.seats:
        for kind in declaration_of(seat.processor, "takes") or ():
            if issubclass(kind, DataFrame) and kind not in (DataFrame, AudioFrame):
                yield from _find_swallowers(seat, kind)
            elif kind is UserStartedSpeakingFrame and not hasattr(seat.processor, "check_place"):
                yield from filter(None, [describe_missing_facts(place_of(seat))])


def _find_unplayed(chain: Chain) -> Iterator[str]:
    """Yield a warning for each stage that makes output audio where no speaker gets it any more."""
    speakers = [seat for seat in chain.seats if _is_speaker(seat.processor)]
    told: set[str] = set()
    for speaker in speakers:
        for other in place_of(speaker).behind:
            if other.label in told or not may_make(other.stage, OutputAudioFrame):
                continue
            seat = next(each for each in chain.seats if each.processor is other.stage)
            if not any(_is_speaker(each.stage) for each in place_of(seat).behind):
                told.add(other.label)
                yield (
                    f"{other.label} stands behind {speaker.label}, which keeps output audio: what it makes "
                    f"is not played, and none comes to it; put {speaker.label} behind {other.label}"
                )


def _is_speaker(stage: Processor) -> bool:
    if not isinstance(stage, DeviceStage):
        return False
    return takes(stage, OutputAudioFrame) or (is_ours(stage) and not makes(stage, InputAudioFrame))


def _find_swallowers(seat: StageSeat, kind: type[Frame]) -> Iterator[str]:
    """Yield a warning where frames of this class are made, and a stage on their way passes none on."""
    before = stages_before(seat)
    if not any(_makes(other.processor, kind) for other in before):
        return
    forgetting = {
        other.processor: found for other in before if (found := forgetting_of(other.processor)) is not None
    }
    reached = stages_before(seat, stop=forgetting.__contains__)
    if any(_makes(other.processor, kind) for other in reached):
        return
    for other in reached:
        if other.processor in forgetting:
            at, cure = forgetting[other.processor]
            yield (
                f"{other.label} passes no frame on ({at}), so no {kind.__name__} comes to {seat.label}: "
                f"pass on each frame that it does not handle, with `{cure}`"
            )
            return


def _makes(stage: Processor, kind: type[Frame]) -> bool:
    return may_make(stage, kind) and (forgetting_of(stage) is None or constructs(stage, kind))


def watch_for_deafness(chain: Chain) -> Coroutine[Any, Any, None] | None:
    """Return a watch over the first seconds, for stages that may keep the audio from those that listen."""
    suspects = {
        seat.label: found
        for seat in chain.seats
        if hasattr(seat.processor, "has_heard") and (found := _suspects(seat))
    }
    return _watch(chain, suspects) if suspects else None


def _suspects(seat: StageSeat) -> list[StageSeat]:
    """Return the stages of the user's between a microphone and this stage that do not say what they take."""
    return [
        other
        for other in stages_before(seat)
        if not is_ours(other.processor)
        and declaration_of(other.processor, "takes") is None
        and any(_is_microphone(source.processor) for source in stages_before(other))
    ]


def _is_microphone(stage: Processor) -> bool:
    return isinstance(stage, DeviceStage) and makes(stage, InputAudioFrame)


async def _watch(chain: Chain, suspects: dict[str, list[StageSeat]]) -> None:
    """Look until all have heard something, or one line has told why not; for the last time at the end."""
    is_over = False
    try:
        for _ in range(round(_GIVE_UP_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            is_over = _look(chain, suspects)
            if is_over:
                return
    finally:
        if not is_over:
            _look(chain, suspects)


def _look(chain: Chain, suspects: dict[str, list[StageSeat]]) -> bool:
    """Tell of the first stage that has heard nothing; return True if there is no more to tell."""
    deaf = [
        seat.label
        for seat in chain.seats
        if seat.label in suspects and not getattr(seat.processor, "has_heard", True)
    ]
    captured_s = sum(_captured_s(seat.processor) for seat in chain.seats)
    if deaf and captured_s >= _SILENT_S:
        _tell_of_deafness(deaf[0], suspects[deaf[0]], captured_s)  # those behind it hear nothing either
        return True
    return not deaf


def _captured_s(stage: Processor) -> float:
    if not isinstance(stage, DeviceStage) or not makes(stage, InputAudioFrame):
        return 0.0
    statistics = stage.device_statistics()
    return 0.0 if statistics is None else statistics.samples / statistics.rate


def _tell_of_deafness(label: str, suspects: list[StageSeat], captured_s: float) -> None:
    """Log which stage has let no audio pass. One that has not handled any is busy, or has got none."""
    culprits = [seat for seat in suspects if not isinstance(seat, TaskSeat) or seat.ledger.given]
    if culprits:
        names = " or ".join(f"{seat.label} ({code_at(seat.processor)})" for seat in culprits)
        _log.warning(
            "%s has heard nothing, though %.1f s were captured: %s passes no audio on; pass on each frame "
            "that it does not handle, or declare takes = (InputAudioFrame,) if it means to keep audio",
            label,
            captured_s,
            names,
        )
