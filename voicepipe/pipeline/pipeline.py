"""Pipelines: processors in a row, branches side by side, and both inside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, Processor

__all__ = ["ParallelPipeline", "Pipeline"]


class Pipeline(Processor):
    """An ordered list of processors, itself a processor: pipelines nest.

    An empty one passes everything through.

    Raises:
        TypeError: an element is no processor.
        ValueError: the same processor stands in it twice, at whatever depth.
    """

    def __init__(self, processors: Iterable[Processor], *, name: str = "") -> None:
        super().__init__(name=name)
        self.processors: tuple[Processor, ...] = _checked(processors, self)
        _refuse_twice(self)


class ParallelPipeline(Processor):
    """Branches side by side: each gets every frame, and what comes out of any of them goes on.

    Every branch is handed the same object. A frame that several branches pass on leaves
    once; frames that a branch made leave as they come. The End leaves when every branch
    has returned it.

    Raises:
        TypeError: an element is no processor, or a branch is no list of them.
        ValueError: there is no branch, or the same processor stands in it twice.
    """

    def __init__(self, *branches: Pipeline | Iterable[Processor], name: str = "") -> None:
        super().__init__(name=name)
        if not branches:
            raise ValueError("a ParallelPipeline needs at least one branch: ParallelPipeline([a, b], [c])")
        self.branches: tuple[Pipeline, ...] = tuple(
            branch if isinstance(branch, Pipeline) else Pipeline(_listed(branch)) for branch in branches
        )
        _refuse_twice(self)


def stages_of(processor: Processor) -> Iterator[Processor]:
    """The processors inside, at whatever depth, in order; composites before what they hold."""
    yield processor
    inside = {Pipeline: "processors", ParallelPipeline: "branches"}
    for kind, attribute in inside.items():
        if isinstance(processor, kind):
            for child in getattr(processor, attribute):
                yield from stages_of(child)


def _checked(processors: Iterable[Processor], owner: Processor) -> tuple[Processor, ...]:
    listed = tuple(_listed(processors))
    for processor in listed:
        if isinstance(processor, type) and issubclass(processor, Processor):
            raise TypeError(f"{processor.__name__} is a class: put {processor.__name__}() in the pipeline")
        if not isinstance(processor, (FrameProcessor, InlineProcessor, Pipeline, ParallelPipeline)):
            raise TypeError(
                f"{owner.name} cannot hold {processor!r}: "
                "a stage derives from InlineProcessor or FrameProcessor, or is a pipeline"
            )
    return listed


def _listed(processors: Iterable[Processor]) -> Iterable[Processor]:
    if not isinstance(processors, Iterable):
        raise TypeError(f"a pipeline takes a list of processors, not {processors!r}")
    return processors


def _refuse_twice(pipeline: Processor) -> None:
    seen: set[int] = set()
    for stage in stages_of(pipeline):
        if id(stage) in seen:
            raise ValueError(f"{stage.name} stands twice in {pipeline.name}: make a second one")
        seen.add(id(stage))
