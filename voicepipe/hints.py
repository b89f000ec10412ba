"""Hints for names that voicepipe does not have: other frameworks' names, and names with a slip in them.

    voicepipe.TTSAudioRawFrame    module 'voicepipe' has no attribute 'TTSAudioRawFrame': use OutputAudioFrame
    task.stop_when_done()         'PipelineTask' object has no attribute 'stop_when_done': use end()

This is read when a name was not found, and by `with_hints` once for each class.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from types import FrameType
from typing import TypeVar

__all__ = ["ATTRIBUTES", "NAMES", "Missing", "missing_name", "with_hints"]

T = TypeVar("T")

_MODEL = "a language model is a stage of your own: derive from FrameProcessor, and make frames of your own"
_SERVICE = "bring it as a stage of your own: derive from FrameProcessor"
_DEVICE = "use MicrophoneInput(backend) and SpeakerOutput(backend)"
_INTERRUPTION = "use InterruptionFrame, or task.interrupt()"
_IDLE = "use IdleTimer(idle_s), which pushes a UserIdleFrame"
_JUDGE = "give UtteranceCollector an end_of_turn, with async def finished(self, utterance)"
_DETECTION = "use VADProcessor(), a stage"

NAMES: Mapping[str, str] = {
    "AudioRawFrame": "use AudioFrame",
    "InputAudioRawFrame": "use InputAudioFrame",
    "UserAudioRawFrame": "use InputAudioFrame",
    "OutputAudioRawFrame": "use OutputAudioFrame",
    "TTSAudioRawFrame": "use OutputAudioFrame",
    "SpeechOutputAudioRawFrame": "use OutputAudioFrame",
    "TTSTextFrame": "use SpokenFrame, ahead of its audio",
    "TTSSpeakFrame": "use TextFrame, and a stage of your own that makes its audio",
    "TTSStartedFrame": "use BotStartedSpeakingFrame",
    "TTSStoppedFrame": "use BotStoppedSpeakingFrame",
    "LLMTextFrame": "use TextFrame",
    "InterimTranscriptionFrame": "use TranscriptionFrame, or a frame of your own: derive from DataFrame",
    "StartInterruptionFrame": _INTERRUPTION,
    "BotInterruptionFrame": _INTERRUPTION,
    "InterruptionTaskFrame": _INTERRUPTION,
    "InterruptionWorkerFrame": _INTERRUPTION,
    "EndTaskFrame": "use EndFrame, or task.end()",
    "EndWorkerFrame": "use EndFrame, or task.end()",
    "StopFrame": "use EndFrame: the same stages can be in another run afterwards",
    "StopTaskFrame": "use EndFrame: the same stages can be in another run afterwards",
    "StopWorkerFrame": "use EndFrame: the same stages can be in another run afterwards",
    "CancelTaskFrame": "use CancelFrame, or task.cancel()",
    "CancelWorkerFrame": "use CancelFrame, or task.cancel()",
    "FatalErrorFrame": "raise an exception in the stage: it ends the run",
    "VADUserStartedSpeakingFrame": "use UserStartedSpeakingFrame",
    "VADUserStoppedSpeakingFrame": "use UserStoppedSpeakingFrame",
    "BotSpeakingFrame": "ask params.speakers.is_speaking",
    "MetricsFrame": "use task.report, or PipelineRunner(beside=[Metrics(port)])",
    "HeartbeatFrame": "a stage that is stuck is named without it",
    "UninterruptibleFrame": "set the class attribute interruptible = False, as DataFrame has it",
    "STTMuteFrame": "use task.microphone.muted",
    "STTMuteFilter": "use task.microphone.muted",
    "PipelineParams": "give PipelineTask its formats: PipelineTask(pipeline, input=AudioFormat(16_000))",
    "PipelineWorker": "use PipelineTask",
    "WorkerRunner": "use PipelineRunner",
    "VADParams": "give VADProcessor its preset and times",
    "BaseObserver": "give task.subscribe() a function",
    "SyncParallelPipeline": "use ParallelPipeline",
    "SoundfileMixer": "use BackgroundAudioFrame",
    "UserIdleProcessor": _IDLE,
    "UserIdleController": _IDLE,
    "IdleFrameProcessor": _IDLE,
    "UserBackchannelFrame": "use BackchannelFrame",
    "TranscriptProcessor": "use params.conversation",
    "AudioBufferProcessor": "use UtteranceCollector, or Tap",
    "FrameLogger": "use Tap",
    "FunctionFilter": "use FrameFilter, or derive from InlineProcessor",
    "*VADAnalyzer": _DETECTION,
    "*TurnAnalyzer*": _JUDGE,
    "*SmartTurn*": _JUDGE,
    "*InterruptionStrategy": "use Interrupter(min_s=..., min_words=...)",
    "*MuteStrategy": 'use Interrupter("ignore"), or task.microphone.muted',
    "*UserTurn*Strateg*": "use VADProcessor, UtteranceCollector and Interrupter",
    "*Transport": _DEVICE,
    "*TransportParams": _DEVICE,
    "*LLM*": _MODEL,
    "*FunctionCall*": _MODEL,
    "*ContextAggregator*": _MODEL,
    "*STTService": _SERVICE,
    "*TTSService": _SERVICE,
    "*ImageRawFrame": "pictures are frames of your own: derive from DataFrame",
}
"""For a name of another framework, or a pattern of names: the name to use here. The first match counts."""

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "PipelineTask": {
        "stop_when_done": "use end()",
        "stop": "use end(), or cancel() to stop at once",
        "queue_frames": "use queue_frame(frame), once for each frame",
        "add_observer": "use subscribe(function)",
        "remove_observer": "call the function that subscribe() returned",
        "add_event_handler": "use subscribe(function)",
        "event_handler": "use subscribe(function)",
        "add_reached_downstream_filter": "use subscribe(function)",
        "set_reached_downstream_filter": "use subscribe(function)",
        "set_reached_upstream_filter": "use subscribe(function)",
        "has_finished": "use state.is_final",
        "params": "a stage gets them in on_start(params)",
    },
    "Processor": {
        "queue_frame": "use push_frame(frame) in a FrameProcessor, or task.queue_frame(frame) outside",
        "queue_frames": "use push_frame(frame), once for each frame",
        "push_error": "raise an exception, or push an ErrorFrame upstream",
        "push_interruption_task_frame_and_wait": "use push_frame(InterruptionFrame())",
        "broadcast_interruption": "use push_frame(InterruptionFrame())",
        "broadcast_frame": "use push_frame() once for each direction, with two frames",
        "setup": "use on_start(params)",
        "link": "use Pipeline([first, second])",
        "cancel_task": "use cancel() of the asyncio task; the run cancels and awaits the rest",
        "wait_for_task": "await the asyncio task",
        "get_clock": "use params.clock, of on_start(params)",
        "get_event_loop": "use asyncio.get_running_loop()",
        "event_handler": "use task.subscribe(function), or the hooks of the stage",
        "add_event_handler": "use task.subscribe(function), or the hooks of the stage",
    },
    "PipelineRunner": {
        "stop_when_done": "use end() of the task",
        "cancel": "use cancel() of the task",
        "add_workers": "give the tasks to run(), serve() or main()",
    },
    "AudioFrame": {
        "audio": "use data",
        "sample_rate": "use rate",
        "num_channels": "use channels",
        "num_frames": "use num_samples",
    },
}
"""For each class: the attributes that users of another framework expect, and the ones to use here."""


def missing_name(package: str, name: str, names: Collection[str]) -> Exception:
    """Return the error for a name that a package does not have. Call it in the package's `__getattr__`.

    `from package import name` would put a text of its own in place of an AttributeError, without
    the hint. So there the error is an ImportError.
    """
    hint = "" if name.startswith("_") else _hint_for(name, names)
    if hint and _is_from_import(sys._getframe(2)):
        return ImportError(f"cannot import name {name!r} from {package!r}: {hint}", name=package)
    error = f"module {package!r} has no attribute {name!r}"
    return _attribute_error(error, name, hint)


def _hint_for(name: str, names: Collection[str]) -> str:
    from difflib import get_close_matches
    from fnmatch import fnmatchcase

    for pattern, hint in NAMES.items():
        if fnmatchcase(name, pattern):
            return hint
    lower = {each.lower(): each for each in names}
    close = get_close_matches(name.lower(), lower, n=1, cutoff=0.7)
    return f"did you mean {lower[close[0]]!r}?" if close else ""


def _is_from_import(frame: FrameType) -> bool:
    """Return True if the code that asked stands at `from package import name`."""
    from dis import opmap

    code, at = frame.f_code.co_code, frame.f_lasti
    return bool(at >= 0 and code[at] == opmap["IMPORT_FROM"])


def _attribute_error(text: str, name: str, hint: str) -> AttributeError:
    if not hint:
        return AttributeError(text, name=name)
    # With an object, Python would search it for a similar name, and add "Did you mean: 'StartFrame'?"
    return AttributeError(f"{text}: {hint}", name=name, obj=None)


class Missing:
    """An attribute that a class does not have, with a hint: to read it is an AttributeError.

    A `__getattr__` of the class would do, but it makes every other attribute dearer, and hides the
    errors of a subclass's own properties. What a subclass, an object or another base class has
    under this name, is found.
    """

    def __init__(self, owner: type, name: str, hint: str) -> None:
        self._owner = owner
        self._name = name
        self._hint = hint

    def __get__(self, instance: object, kind: type) -> object:
        """Return what another base class has; raise an AttributeError with the hint if none has it."""
        order = kind.__mro__
        for base in order[order.index(self._owner) + 1 :]:
            if self._name in vars(base):
                return getattr(super(self._owner, kind if instance is None else instance), self._name)
        what = f"type object {kind.__name__!r}" if instance is None else f"{kind.__name__!r} object"
        raise _attribute_error(f"{what} has no attribute {self._name!r}", self._name, self._hint)

    def __repr__(self) -> str:
        return f"<not here: {self._hint}>"


def with_hints(kind: type[T]) -> type[T]:
    """Give a class the hints of `ATTRIBUTES`. A decorator.

    Raises:
        TypeError: the class has an attribute for which there is a hint.
    """
    for name, hint in ATTRIBUTES[kind.__name__].items():
        if hasattr(kind, name):
            raise TypeError(f"{kind.__name__} has {name}: take it out of the hints")
        setattr(kind, name, Missing(kind, name, hint))
    kind.__dir__ = _dir_without_missing  # type: ignore[method-assign]  # hints are no members
    return kind


def _dir_without_missing(self: object) -> list[str]:
    """List the attributes without those that are not there."""
    return [name for name in object.__dir__(self) if not _is_missing(self, name)]


def _is_missing(thing: object, name: str) -> bool:
    of_class = next((vars(base)[name] for base in type(thing).__mro__ if name in vars(base)), None)
    return isinstance(of_class, Missing) and not hasattr(thing, name)
