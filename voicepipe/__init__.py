"""voicepipe: microphone, stages, speaker, as an asyncio pipeline of frames that always ends.

    from voicepipe import MicrophoneInput, Pipeline, PipelineRunner, PipelineTask, SpeakerOutput

What each word means is in its own module's docstring: `frames` has the table of all frames,
`processor` the hooks of a stage, `errors` the tree of errors, `lifecycle` the states of a run,
`devices` the port to the back ends, `testing` what a test needs.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from voicepipe.audio import AudioFormat
    from voicepipe.census import Census, assert_nothing_left, take_census
    from voicepipe.devices import Backend, open_backend
    from voicepipe.engines import open_engine
    from voicepipe.errors import (
        AudioFormatError,
        BackendMissingError,
        DeviceBusyError,
        DeviceError,
        DeviceFormatError,
        DeviceLostError,
        DeviceNotFoundError,
        DevicePermissionError,
        DeviceTimeoutError,
        LifecycleError,
        PipelineError,
        PipelineStartError,
        VoicepipeError,
    )
    from voicepipe.filter import FrameFilter
    from voicepipe.frames import (
        AudioFrame,
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
        CancelFrame,
        ControlFrame,
        DataFrame,
        DeviceLostFrame,
        DeviceRestoredFrame,
        EndFrame,
        ErrorFrame,
        Frame,
        FrameDirection,
        InputAudioFrame,
        InterruptionFrame,
        OutputAudioFrame,
        StartFrame,
        SystemFrame,
        TextFrame,
        TranscriptionFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        UtteranceFrame,
    )
    from voicepipe.gain import Gain
    from voicepipe.ledger import DropReason, SeamReport
    from voicepipe.lifecycle import RunState
    from voicepipe.loopback import Loopback
    from voicepipe.meter import Level, LevelMeter
    from voicepipe.microphone import MicrophoneInput
    from voicepipe.monitor import CensusMonitor
    from voicepipe.params import Limits, StartParams
    from voicepipe.pipeline import ParallelPipeline, Pipeline
    from voicepipe.processor import FrameProcessor, InlineProcessor, Processor
    from voicepipe.report import Abandoned, RunReport, SlowStage, StageError
    from voicepipe.robust import RobustWebRTCEngine
    from voicepipe.runner import PipelineRunner
    from voicepipe.segmenter import Segmenter, SegmenterSettings
    from voicepipe.silero import SileroEngine
    from voicepipe.speaker import SpeakerOutput
    from voicepipe.statistics import DeviceStatistics
    from voicepipe.tap import Tap
    from voicepipe.task import PipelineTask
    from voicepipe.utterance import EndOfTurn, UtteranceCollector
    from voicepipe.vad import Judgement, SpeechEngine, VADProcessor
    from voicepipe.webrtc import WebRTCEngine

__version__ = "0.1.0"

__all__ = [
    # frames
    "Frame",
    "SystemFrame",
    "DataFrame",
    "ControlFrame",
    "FrameDirection",
    "StartFrame",
    "EndFrame",
    "CancelFrame",
    "ErrorFrame",
    "InterruptionFrame",
    "AudioFrame",
    "InputAudioFrame",
    "OutputAudioFrame",
    "UtteranceFrame",
    "TextFrame",
    "TranscriptionFrame",
    "UserStartedSpeakingFrame",
    "UserStoppedSpeakingFrame",
    "BotStartedSpeakingFrame",
    "BotStoppedSpeakingFrame",
    "DeviceLostFrame",
    "DeviceRestoredFrame",
    # stages
    "Processor",
    "FrameProcessor",
    "InlineProcessor",
    "MicrophoneInput",
    "VADProcessor",
    "Judgement",
    "Segmenter",
    "SegmenterSettings",
    "SpeechEngine",
    "open_engine",
    "RobustWebRTCEngine",
    "SileroEngine",
    "WebRTCEngine",
    "UtteranceCollector",
    "EndOfTurn",
    "SpeakerOutput",
    "Loopback",
    "Gain",
    "FrameFilter",
    "Level",
    "LevelMeter",
    "Tap",
    # pipelines and their runs
    "Pipeline",
    "ParallelPipeline",
    "PipelineTask",
    "PipelineRunner",
    "AudioFormat",
    "Limits",
    "StartParams",
    "RunState",
    "RunReport",
    "SeamReport",
    "DropReason",
    "StageError",
    "SlowStage",
    "Abandoned",
    # the census
    "Census",
    "CensusMonitor",
    "assert_nothing_left",
    "take_census",
    # devices
    "Backend",
    "DeviceStatistics",
    "open_backend",
    # errors
    "VoicepipeError",
    "PipelineError",
    "PipelineStartError",
    "LifecycleError",
    "AudioFormatError",
    "DeviceError",
    "BackendMissingError",
    "DeviceNotFoundError",
    "DeviceBusyError",
    "DevicePermissionError",
    "DeviceFormatError",
    "DeviceLostError",
    "DeviceTimeoutError",
]


def __getattr__(name: str) -> object:
    """Import a name's module when the name is first asked for: `import voicepipe` costs next to nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_HOMES = {
    name: home
    for home, names in {
        "audio": "AudioFormat",
        "census": "Census assert_nothing_left take_census",
        "devices": "Backend open_backend",
        "engines": "open_engine",
        "errors": (
            "AudioFormatError BackendMissingError DeviceBusyError DeviceError DeviceFormatError "
            "DeviceLostError DeviceNotFoundError DevicePermissionError DeviceTimeoutError "
            "LifecycleError PipelineError PipelineStartError VoicepipeError"
        ),
        "filter": "FrameFilter",
        "frames": (
            "AudioFrame BotStartedSpeakingFrame BotStoppedSpeakingFrame CancelFrame ControlFrame "
            "DataFrame DeviceLostFrame DeviceRestoredFrame EndFrame ErrorFrame Frame FrameDirection "
            "InputAudioFrame InterruptionFrame OutputAudioFrame StartFrame SystemFrame TextFrame "
            "TranscriptionFrame UserStartedSpeakingFrame UserStoppedSpeakingFrame UtteranceFrame"
        ),
        "gain": "Gain",
        "ledger": "DropReason SeamReport",
        "lifecycle": "RunState",
        "loopback": "Loopback",
        "meter": "Level LevelMeter",
        "microphone": "MicrophoneInput",
        "monitor": "CensusMonitor",
        "params": "Limits StartParams",
        "pipeline": "ParallelPipeline Pipeline",
        "processor": "FrameProcessor InlineProcessor Processor",
        "report": "Abandoned RunReport SlowStage StageError",
        "robust": "RobustWebRTCEngine",
        "runner": "PipelineRunner",
        "segmenter": "Segmenter SegmenterSettings",
        "silero": "SileroEngine",
        "speaker": "SpeakerOutput",
        "statistics": "DeviceStatistics",
        "tap": "Tap",
        "task": "PipelineTask",
        "utterance": "EndOfTurn UtteranceCollector",
        "vad": "Judgement SpeechEngine VADProcessor",
        "webrtc": "WebRTCEngine",
    }.items()
    for name in names.split()
}
"""The module of each public name."""
