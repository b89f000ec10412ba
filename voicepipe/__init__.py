"""voicepipe: microphone, stages, speaker, as an asyncio pipeline of frames that always ends.

    from voicepipe import MicrophoneInput, Pipeline, PipelineRunner, PipelineTask, SpeakerOutput

What each word means is in its own module's docstring: `frames` has the table of all frames,
`processor` the hooks of a stage, `errors` the tree of errors, `lifecycle` the states of a run,
`devices` the port to the back ends, `testing` what a test needs.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from voicepipe.audio.format import AudioFormat
    from voicepipe.audio.level import Level
    from voicepipe.census.census import Census, assert_nothing_left, take_census
    from voicepipe.census.monitor import CensusMonitor
    from voicepipe.devices.backends import open_backend
    from voicepipe.devices.port import Backend
    from voicepipe.endpoints.microphone import MicrophoneInput
    from voicepipe.endpoints.speaker import SpeakerOutput
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
    from voicepipe.lifecycle import RunState
    from voicepipe.params import Limits, StartParams
    from voicepipe.pipeline.device_stage import DeviceStage
    from voicepipe.pipeline.pipeline import ParallelPipeline, Pipeline
    from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, Processor
    from voicepipe.report import (
        Abandoned,
        DeviceStatistics,
        DropReason,
        RunReport,
        SeamReport,
        SlowStage,
        StageError,
    )
    from voicepipe.run.task import PipelineTask
    from voicepipe.runner.runner import PipelineRunner
    from voicepipe.speech.detectors.protocol import SpeechEngine
    from voicepipe.speech.detectors.registry import open_engine
    from voicepipe.speech.detectors.silero import SileroEngine
    from voicepipe.speech.detectors.webrtc import WebRTCEngine
    from voicepipe.speech.detectors.webrtc_robust import RobustWebRTCEngine
    from voicepipe.speech.segmenter import Segmenter, SegmenterSettings
    from voicepipe.speech.utterance import EndOfTurn, UtteranceCollector
    from voicepipe.speech.vad import Judgement, VADProcessor
    from voicepipe.stages.filter import FrameFilter
    from voicepipe.stages.gain import Gain
    from voicepipe.stages.loopback import Loopback
    from voicepipe.stages.meter import LevelMeter
    from voicepipe.stages.tap import Tap
    from voicepipe.version import __version__ as __version__


from voicepipe.version import __version__  # noqa: E402, F401

__all__ = [
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
    "Processor",
    "FrameProcessor",
    "InlineProcessor",
    "DeviceStage",
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
    "Census",
    "CensusMonitor",
    "assert_nothing_left",
    "take_census",
    "Backend",
    "DeviceStatistics",
    "open_backend",
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
        "version": "__version__",
        "audio.format": "AudioFormat",
        "audio.level": "Level",
        "census.census": "Census assert_nothing_left take_census",
        "census.monitor": "CensusMonitor",
        "devices.backends": "open_backend",
        "devices.port": "Backend",
        "endpoints.microphone": "MicrophoneInput",
        "endpoints.speaker": "SpeakerOutput",
        "errors": (
            "AudioFormatError BackendMissingError DeviceBusyError DeviceError DeviceFormatError "
            "DeviceLostError DeviceNotFoundError DevicePermissionError DeviceTimeoutError LifecycleError "
            "PipelineError PipelineStartError VoicepipeError "
        ),
        "frames": (
            "AudioFrame BotStartedSpeakingFrame BotStoppedSpeakingFrame CancelFrame ControlFrame "
            "DataFrame DeviceLostFrame DeviceRestoredFrame EndFrame ErrorFrame "
            "Frame FrameDirection InputAudioFrame InterruptionFrame OutputAudioFrame "
            "StartFrame SystemFrame TextFrame TranscriptionFrame UserStartedSpeakingFrame "
            "UserStoppedSpeakingFrame UtteranceFrame "
        ),
        "lifecycle": "RunState",
        "params": "Limits StartParams",
        "pipeline.pipeline": "ParallelPipeline Pipeline",
        "pipeline.device_stage": "DeviceStage",
        "pipeline.processor": "FrameProcessor InlineProcessor Processor",
        "report": "DropReason SeamReport Abandoned RunReport SlowStage StageError DeviceStatistics",
        "run.task": "PipelineTask",
        "runner.runner": "PipelineRunner",
        "speech.detectors.protocol": "SpeechEngine",
        "speech.detectors.registry": "open_engine",
        "speech.detectors.silero": "SileroEngine",
        "speech.detectors.webrtc": "WebRTCEngine",
        "speech.detectors.webrtc_robust": "RobustWebRTCEngine",
        "speech.segmenter": "Segmenter SegmenterSettings",
        "speech.utterance": "EndOfTurn UtteranceCollector",
        "speech.vad": "Judgement VADProcessor",
        "stages.filter": "FrameFilter",
        "stages.gain": "Gain",
        "stages.loopback": "Loopback",
        "stages.meter": "LevelMeter",
        "stages.tap": "Tap",
    }.items()
    for name in names.split()
}
"""The module of each public name."""
