"""Pipelines: processors in a row, parallel branches, and nested pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, Processor, label_of
from voicepipe.text import quote

__all__ = ["ParallelPipeline", "Pipeline"]


class Pipeline(Processor):
    """An ordered list of processors. A pipeline is itself a processor, so pipelines can be nested.

    An empty pipeline passes every frame on.

    Raises:
        TypeError: an element is not a processor.
        ValueError: the pipeline contains the same processor twice, at any depth.
    """

    def __init__(self, processors: Iterable[Processor], *, name: str = "") -> None:
        super().__init__(name=name)
        self.processors: tuple[Processor, ...] = _check_processors(processors, self)
        self.devices = _refuse_twice(self)
        """The stages over a device, at any depth."""


class ParallelPipeline(Processor):
    """Parallel branches: each gets every frame, and the output of all branches goes on.

    Every branch gets the same object. A frame that several branches pass on leaves once.
    Frames that a branch makes leave as they come. EndFrame leaves when every branch has
    returned it.

    Raises:
        TypeError: an element is not a processor, or a branch is not a list of processors.
        ValueError: there is no branch, or the branches contain the same processor twice.
    """

    def __init__(self, *branches: Pipeline | Iterable[Processor], name: str = "") -> None:
        super().__init__(name=name)
        if not branches:
            raise ValueError("a ParallelPipeline needs at least one branch: ParallelPipeline([a, b], [c])")
        self.branches: tuple[Pipeline, ...] = tuple(
            branch if isinstance(branch, Pipeline) else Pipeline(_check_iterable(branch))
            for branch in branches
        )
        _refuse_twice(self)


def stages_of(processor: Processor) -> Iterator[Processor]:
    """Yield the processors inside, at any depth, in order; a pipeline comes before its contents."""
    yield processor
    inside: tuple[Processor, ...] = ()
    if isinstance(processor, Pipeline):
        inside = processor.processors
    elif isinstance(processor, ParallelPipeline):
        inside = processor.branches
    for child in inside:
        if isinstance(child, (Pipeline, ParallelPipeline)):
            yield from stages_of(child)
        else:
            yield child


def _check_processors(processors: Iterable[Processor], owner: Processor) -> tuple[Processor, ...]:
    listed = tuple(_check_iterable(processors))
    for processor in listed:
        if isinstance(processor, type) and issubclass(processor, Processor):
            raise TypeError(f"{processor.__name__} is a class: put {processor.__name__}() in the pipeline")
        if not isinstance(processor, (FrameProcessor, InlineProcessor, Pipeline, ParallelPipeline)):
            raise TypeError(
                f"{label_of(owner)} cannot hold {quote(processor)}: a stage must derive from "
                "InlineProcessor or FrameProcessor, or be a pipeline"
            )
    return listed


def _check_iterable(processors: Iterable[Processor]) -> Iterable[Processor]:
    if not isinstance(processors, Iterable):
        raise TypeError(f"a pipeline takes a list of processors, not {quote(processors)}")
    return processors


def _refuse_twice(pipeline: Processor) -> tuple[Processor, ...]:
    """Check that no processor stands twice in the pipeline; return its stages over a device."""
    seen: set[int] = set()
    devices: tuple[Processor, ...] = ()
    for stage in stages_of(pipeline):
        if id(stage) in seen:
            raise ValueError(
                f"{label_of(pipeline)} contains {label_of(stage)} twice: make a second processor"
            )
        seen.add(id(stage))
        if stage.has_device:
            devices += (stage,)
    return devices
