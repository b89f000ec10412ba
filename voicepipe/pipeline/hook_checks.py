"""The check of a stage's hooks before a run: each one is async, or plain, as its base class has it."""

from __future__ import annotations

from collections.abc import Awaitable
from types import CoroutineType
from typing import TypeVar

from voicepipe.awaitables import awaitable, check_methods, methods_of
from voicepipe.frames import Frame
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, Processor
from voicepipe.text import quote

__all__ = ["check_hooks", "check_result", "check_takes", "hook_name"]

T = TypeVar("T")

_MODELS: tuple[type, ...] = (DeviceStage, FrameProcessor, InlineProcessor)
_HOOKS = frozenset(hook for model in _MODELS for hook in methods_of(model))

_OF_FRAMES = frozenset({"process", "on_end"})
"""The hooks of an inline stage that return frames. In a stage of the other kind they may wait."""


def check_hooks(processor: Processor) -> None:
    """Check the hooks of a stage. A class is looked at once, and an instance if it has hooks of its own.

    Raises:
        TypeError: a hook is async where it must be plain, or the other way round; names it.
    """
    kind = type(processor)
    if kind._checked is not kind:
        _check(processor, kind, _HOOKS)
        kind._checked = kind
        kind._keeps_ledgers = kind.seams is not Processor.seams
    if not _HOOKS.isdisjoint(processor.__dict__):
        _check(processor, processor, _HOOKS.intersection(processor.__dict__))
        processor._keeps_ledgers = processor._keeps_ledgers or "seams" in processor.__dict__


def check_takes(processor: FrameProcessor) -> tuple[type[Frame], ...] | None:
    """Return the classes that a stage takes; None: all.

    Raises:
        TypeError: `takes` is neither None nor a tuple of classes of frames.
    """
    takes: object = processor.takes
    if takes is None:
        return None
    named = f"{type(processor).__name__}.takes"
    if isinstance(takes, type) and issubclass(takes, Frame):
        raise TypeError(f"{named} must be a tuple: takes = ({takes.__name__},)")
    if not isinstance(takes, tuple) or not all(isinstance(k, type) and issubclass(k, Frame) for k in takes):
        raise TypeError(f"{named} must be a tuple of classes of frames, or None for all; not {quote(takes)}")
    return takes


def check_result(processor: Processor, hook: str, result: Awaitable[T]) -> Awaitable[T]:
    """Return the result of an async hook. Raises: TypeError: it cannot be awaited; names the hook."""
    if type(result) is CoroutineType:
        return result
    return awaitable(hook_name(processor, hook), result)


def hook_name(processor: Processor, hook: str) -> str:
    """Return the name of a stage's hook for an error: "Assistant.on_start"."""
    return f"{type(processor).__name__}.{hook}"


def _check(processor: Processor, owner: object, hooks: frozenset[str]) -> None:
    model = next((model for model in _MODELS if isinstance(processor, model)), None)
    if model is None:
        return
    name, own = type(processor).__name__, hooks & methods_of(model).keys()
    if model is InlineProcessor:
        check_methods(owner, model, name, own & _OF_FRAMES, advice="derive from FrameProcessor to wait")
        own -= _OF_FRAMES
    check_methods(owner, model, name, own)
