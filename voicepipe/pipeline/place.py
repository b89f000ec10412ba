"""The place of a stage: which stages stand before and behind it, and what they make and take.

A stage may check its place once before each run, in `check_place`: refuse one where it cannot
work, or warn of it. What a stage takes and makes is known if it says so:

    takes = (InputAudioFrame,)             # the classes of frames that it has use for
    makes = (UserStartedSpeakingFrame,)    # the classes of frames that it begins by itself
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Literal, NamedTuple, Protocol

from voicepipe.frames import Frame, InputAudioFrame, UserStartedSpeakingFrame
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.junction import Junction, Port
from voicepipe.pipeline.link import Element
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.seat import StageSeat

__all__ = [
    "Neighbour",
    "Place",
    "PlacedStage",
    "declaration_of",
    "describe_missing_facts",
    "is_ours",
    "lonely_branches",
    "makes",
    "may_make",
    "microphones_before",
    "place_of",
    "stages_before",
    "takes",
]

_Step = Callable[[Element], Sequence[Element]]


class Neighbour(NamedTuple):
    """A stage before or behind another one."""

    label: str
    stage: Processor
    is_near: bool
    """True if only stages of voicepipe stand between the two, of which it is known what they pass on."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a stage in the pipeline of a run. Stages in a branch beside it are not in it."""

    label: str
    """The label of the stage."""
    before: tuple[Neighbour, ...]
    """The stages towards the microphone, the nearest first."""
    behind: tuple[Neighbour, ...]
    """The stages towards the speaker, the nearest first."""


class PlacedStage(Protocol):
    """A stage that checks its place before each run."""

    def check_place(self, place: Place) -> Iterable[str]:
        """Return warnings, one line each. Raises: ValueError: it cannot work there; says what to do."""
        ...


def declaration_of(stage: Processor, which: Literal["takes", "makes"]) -> tuple[type[Frame], ...] | None:
    """Return the classes of frames that a stage declares in one of its attributes; None if it does not."""
    try:
        classes: object = getattr(stage, which, None)
    except Exception:  # a stage's own property may raise whatever it likes
        return None
    return tuple(each for each in classes if _is_frame_class(each)) if isinstance(classes, tuple) else None


def _is_frame_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Frame)


def takes(stage: Processor, kind: type[Frame]) -> bool:
    """Return True if the stage declares that it has use for frames of this class."""
    return any(
        issubclass(kind, each) or issubclass(each, kind) for each in declaration_of(stage, "takes") or ()
    )


def makes(stage: Processor, kind: type[Frame]) -> bool:
    """Return True if the stage declares that it makes frames of this class."""
    return any(issubclass(each, kind) for each in declaration_of(stage, "makes") or ())


def may_make(stage: Processor, kind: type[Frame]) -> bool:
    """Return True if the stage makes frames of this class, or may: its code names the class."""
    if declaration_of(stage, "makes") is not None:
        return makes(stage, kind)
    return not is_ours(stage) and names(stage, kind.__name__)


def microphones_before(place: Place) -> list[str]:
    """Return the labels of the microphones that feed a stage, the nearest first.

    A stage of the user's in between may mix them, or choose one: what stands before it does not count.
    """
    return [each.label for each in place.before if each.is_near and makes(each.stage, InputAudioFrame)]


def describe_missing_facts(place: Place) -> str:
    """Return a warning if no stage before this one tells when the user speaks; empty if one does, or may.

    Nothing is missing for a stage at the beginning, to which the program queues all its frames.
    """
    kind = UserStartedSpeakingFrame
    if not place.before or any(may_make(other.stage, kind) for other in place.before):
        return ""
    behind = next((other.label for other in place.behind if may_make(other.stage, kind)), "")
    cure = f"put {behind}, which stands behind it," if behind else "put a VADProcessor()"
    return (
        f"no stage before {place.label} tells when the user speaks: {cure} in front of it, "
        "or queue UserStartedSpeakingFrame and UserStoppedSpeakingFrame yourself"
    )


def is_ours(stage: Processor) -> bool:
    """Return True for a stage of voicepipe itself, which passes on what it has no use for."""
    return type(stage).__module__.partition(".")[0] == "voicepipe"


def names(stage: Processor, name: str) -> bool:
    """Return True if the code of the stage's class uses this name."""
    owners = [vars(kind) for kind in type(stage).__mro__ if kind.__module__.partition(".")[0] != "voicepipe"]
    values = [value for owner in (*owners, stage.__dict__) for value in owner.values()]
    return any(_uses(code, name) for value in values for code in _code_of(value))


def _code_of(value: object) -> Iterator[CodeType]:
    for function in (value, *(getattr(value, attribute, None) for attribute in ("__func__", "fget"))):
        if isinstance(function, FunctionType):
            yield function.__code__


def _uses(code: CodeType, name: str) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return name in code.co_names or name in code.co_freevars or any(_uses(each, name) for each in inner)


def place_of(seat: StageSeat) -> Place:
    """Return the place of a stage among the others of its run."""
    return Place(seat.label, _neighbours(seat, _towards_microphone), _neighbours(seat, _towards_speaker))


def _neighbours(seat: StageSeat, step: _Step) -> tuple[Neighbour, ...]:
    near = set(_stages(_walk(seat, step, stop=lambda stage: not is_ours(stage))))
    return tuple(Neighbour(each.label, each.processor, each in near) for each in _stages(_walk(seat, step)))


def stages_before(
    seat: StageSeat, stop: Callable[[Processor], bool] = lambda stage: False
) -> list[StageSeat]:
    """Return the stages towards the microphone, the nearest first; not those behind one that `stop` names."""
    return [*_stages(_walk(seat, _towards_microphone, stop=stop))]


def _stages(elements: Iterable[Element]) -> Iterator[StageSeat]:
    return (element for element in elements if isinstance(element, StageSeat))


def _walk(
    start: Element, step: _Step, *, stop: Callable[[Processor], bool] = lambda stage: False
) -> Iterator[Element]:
    """Yield the elements on all ways in one direction, the nearest first; do not go past some stages."""
    seen: set[Element] = set()
    elements = [*step(start)]
    for element in elements:
        if element in seen:
            continue
        seen.add(element)
        yield element
        if not (isinstance(element, StageSeat) and stop(element.processor)):
            elements += step(element)


def _towards_speaker(element: Element) -> Sequence[Element]:
    if isinstance(element, Junction) and element.is_head:
        return element.ports
    return _next(element, element.after)


def _towards_microphone(element: Element) -> Sequence[Element]:
    if isinstance(element, Junction) and not element.is_head:
        return element.ports
    return _next(element, element.before)


def _next(element: Element, neighbour: Element | None) -> Sequence[Element]:
    if neighbour is not None:
        return (neighbour,)
    return (element._junction,) if isinstance(element, Port) else ()


def lonely_branches(chain: Chain) -> Iterator[list[str]]:
    """Yield the labels of the stages of each branch that has no other branch beside it."""
    for junction in _walk(chain.source, _towards_speaker):
        if isinstance(junction, Junction) and junction.is_head and len(junction.ports) == 1:
            behind = {seat.label for seat in _behind_the_tail_of(junction)}
            inside = _stages(_walk(junction, _towards_speaker))
            yield [seat.label for seat in inside if seat.label not in behind]


def _behind_the_tail_of(head: Junction) -> Iterator[StageSeat]:
    for element in _walk(head, _towards_speaker):
        if isinstance(element, Junction) and element._leaving is head._entering:
            yield from _stages(_walk(element, _towards_speaker))
