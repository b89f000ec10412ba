"""voicepipe: microphone, stages, speaker, as an asyncio pipeline of frames that always ends.

    from voicepipe import MicrophoneInput, Pipeline, PipelineRunner, PipelineTask, SpeakerOutput

What each word means is in its own module's docstring: `frames` has the table of all frames,
`processor` the hooks of a stage, `errors` the tree of errors, `lifecycle` the states of a run,
`devices` the port to the back ends, `testing` what a test needs.
"""

from voicepipe.audio import AudioFormat
from voicepipe.census import Census, assert_nothing_left, take_census
from voicepipe.devices import open_backend
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
from voicepipe.meter import Level, LevelMeter
from voicepipe.microphone import MicrophoneInput
from voicepipe.monitor import CensusMonitor
from voicepipe.params import Limits, StartParams
from voicepipe.pipeline import ParallelPipeline, Pipeline
from voicepipe.processor import FrameProcessor, InlineProcessor, Processor
from voicepipe.report import Abandoned, RunReport, SlowStage, StageError
from voicepipe.runner import PipelineRunner
from voicepipe.speaker import SpeakerOutput
from voicepipe.tap import Tap
from voicepipe.task import PipelineTask

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
    # stages
    "Processor",
    "FrameProcessor",
    "InlineProcessor",
    "MicrophoneInput",
    "SpeakerOutput",
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
