"""voicepipe: microphone, stages, speaker, as an asyncio pipeline of frames that always ends.

    from voicepipe import MicrophoneInput, Pipeline, PipelineRunner, PipelineTask, SpeakerOutput

    pipeline = Pipeline([MicrophoneInput("portaudio"), my_stage, SpeakerOutput("portaudio")])
    PipelineRunner().main(PipelineTask(pipeline))

All public names are imported from `voicepipe` itself, or from `voicepipe.testing` for tests.

The modules at the root are the vocabulary, which all folders share:

    frames       the frames that travel through a pipeline, with a table of them
    errors       the tree of errors
    lifecycle    the states of a run, as a table
    params       the parameters and the time limits of a run
    report       the report of a run
    speakers     the record of what the speakers of a run play
    dialogue     the record of what the user and the program said
    checks, text, version, sample          small tools, and a bundled voice
    shadowing    the user's module that stands in the way of the standard library's
    hints        hints for names that are not there, such as those of other frameworks

Each folder is one part, and its docstring lists its files:

    audio        formats, conversion, WAV files, levels
    pipeline     stages, pipelines, and the mechanism that carries frames
    run          one run of a pipeline: `PipelineTask`
    stages       ready-made stages: gain, filter, meter, tap, loopback
    endpoints    the microphone and the speaker as stages
    children     the launcher of child processes, such as the one for sound
    engines      heavy things, such as judges of turns, in processes of their own
    devices      the port to the back ends (the back ends are in `voicepipe_devices`)
    settings     the settings of the user: variables, and one file
    canceller    the echo canceller: reference, engines, protection
    drift        the compensation of clock drift between microphone and speaker
    speech       voice detection and utterances
    conversation interruptions, the record of who said what, the times of the turns
    runner       a run in a program: signals, time limits, exit status
    service      a program as a service: systemd, metrics, health, status
    census       the open resources of a process, to find leaks
    testing      tools for tests: virtual time, a simulated sound card, checks
    cli          the command `voicepipe`
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from collections.abc import Callable

    from voicepipe.audio.format import AudioFormat as AudioFormat
    from voicepipe.audio.level import Level as Level
    from voicepipe.canceller.protocol import EchoEngine as EchoEngine
    from voicepipe.canceller.stage import EchoCanceller as EchoCanceller
    from voicepipe.census.census import (
        Census as Census,
    )
    from voicepipe.census.census import (
        assert_nothing_left as assert_nothing_left,
    )
    from voicepipe.census.census import (
        take_census as take_census,
    )
    from voicepipe.census.monitor import CensusMonitor as CensusMonitor
    from voicepipe.children.start import freeze_support as freeze_support
    from voicepipe.conversation.idle import IdleTimer as IdleTimer
    from voicepipe.conversation.idle import UserIdleFrame as UserIdleFrame
    from voicepipe.conversation.interrupter import Interrupter as Interrupter
    from voicepipe.conversation.remark import BackchannelFrame as BackchannelFrame
    from voicepipe.conversation.remark import Heard as Heard
    from voicepipe.devices.backends import open_backend as open_backend
    from voicepipe.devices.port import Backend as Backend
    from voicepipe.dialogue import Conversation as Conversation
    from voicepipe.dialogue import Remark as Remark
    from voicepipe.endpoints.microphone import MicrophoneInput as MicrophoneInput
    from voicepipe.endpoints.played_change import PlayedChange as PlayedChange
    from voicepipe.endpoints.speaker import SpeakerOutput as SpeakerOutput
    from voicepipe.errors import (
        AudioFormatError as AudioFormatError,
    )
    from voicepipe.errors import (
        BackendMissingError as BackendMissingError,
    )
    from voicepipe.errors import (
        DeviceBusyError as DeviceBusyError,
    )
    from voicepipe.errors import (
        DeviceError as DeviceError,
    )
    from voicepipe.errors import (
        DeviceFormatError as DeviceFormatError,
    )
    from voicepipe.errors import (
        DeviceLostError as DeviceLostError,
    )
    from voicepipe.errors import (
        DeviceNotFoundError as DeviceNotFoundError,
    )
    from voicepipe.errors import (
        DevicePermissionError as DevicePermissionError,
    )
    from voicepipe.errors import (
        DeviceTimeoutError as DeviceTimeoutError,
    )
    from voicepipe.errors import (
        EngineError as EngineError,
    )
    from voicepipe.errors import (
        LaunchError as LaunchError,
    )
    from voicepipe.errors import (
        LifecycleError as LifecycleError,
    )
    from voicepipe.errors import (
        PipelineError as PipelineError,
    )
    from voicepipe.errors import (
        PipelineStartError as PipelineStartError,
    )
    from voicepipe.errors import (
        VoicepipeError as VoicepipeError,
    )
    from voicepipe.frames import (
        AudioFrame as AudioFrame,
    )
    from voicepipe.frames import (
        BackgroundAudioFrame as BackgroundAudioFrame,
    )
    from voicepipe.frames import (
        BotStartedSpeakingFrame as BotStartedSpeakingFrame,
    )
    from voicepipe.frames import (
        BotStoppedSpeakingFrame as BotStoppedSpeakingFrame,
    )
    from voicepipe.frames import (
        CancelFrame as CancelFrame,
    )
    from voicepipe.frames import (
        ControlFrame as ControlFrame,
    )
    from voicepipe.frames import (
        DataFrame as DataFrame,
    )
    from voicepipe.frames import (
        DeviceLostFrame as DeviceLostFrame,
    )
    from voicepipe.frames import (
        DeviceRestoredFrame as DeviceRestoredFrame,
    )
    from voicepipe.frames import (
        EndFrame as EndFrame,
    )
    from voicepipe.frames import (
        EndOfTurnFrame as EndOfTurnFrame,
    )
    from voicepipe.frames import (
        ErrorFrame as ErrorFrame,
    )
    from voicepipe.frames import (
        FactFrame as FactFrame,
    )
    from voicepipe.frames import (
        Frame as Frame,
    )
    from voicepipe.frames import (
        FrameDirection as FrameDirection,
    )
    from voicepipe.frames import (
        InputAudioFrame as InputAudioFrame,
    )
    from voicepipe.frames import (
        InterruptionFrame as InterruptionFrame,
    )
    from voicepipe.frames import (
        OutputAudioFrame as OutputAudioFrame,
    )
    from voicepipe.frames import (
        SpokenFrame as SpokenFrame,
    )
    from voicepipe.frames import (
        SpokenStartedFrame as SpokenStartedFrame,
    )
    from voicepipe.frames import (
        SpokenStoppedFrame as SpokenStoppedFrame,
    )
    from voicepipe.frames import (
        StartFrame as StartFrame,
    )
    from voicepipe.frames import (
        SystemFrame as SystemFrame,
    )
    from voicepipe.frames import (
        TextFrame as TextFrame,
    )
    from voicepipe.frames import (
        TranscriptionFrame as TranscriptionFrame,
    )
    from voicepipe.frames import (
        UnfinishedTurnFrame as UnfinishedTurnFrame,
    )
    from voicepipe.frames import (
        UserPausedFrame as UserPausedFrame,
    )
    from voicepipe.frames import (
        UserResumedFrame as UserResumedFrame,
    )
    from voicepipe.frames import (
        UserStartedSpeakingFrame as UserStartedSpeakingFrame,
    )
    from voicepipe.frames import (
        UserStoppedSpeakingFrame as UserStoppedSpeakingFrame,
    )
    from voicepipe.frames import (
        UtteranceFrame as UtteranceFrame,
    )
    from voicepipe.lifecycle import RunState as RunState
    from voicepipe.params import (
        Limits as Limits,
    )
    from voicepipe.params import (
        StartParams as StartParams,
    )
    from voicepipe.pipeline.device_stage import DeviceStage as DeviceStage
    from voicepipe.pipeline.pipeline import (
        ParallelPipeline as ParallelPipeline,
    )
    from voicepipe.pipeline.pipeline import (
        Pipeline as Pipeline,
    )
    from voicepipe.pipeline.processor import (
        FrameProcessor as FrameProcessor,
    )
    from voicepipe.pipeline.processor import (
        InlineProcessor as InlineProcessor,
    )
    from voicepipe.pipeline.processor import (
        Processor as Processor,
    )
    from voicepipe.report import (
        Abandoned as Abandoned,
    )
    from voicepipe.report import (
        DeviceStatistics as DeviceStatistics,
    )
    from voicepipe.report import (
        DropReason as DropReason,
    )
    from voicepipe.report import (
        EchoState as EchoState,
    )
    from voicepipe.report import (
        RunReport as RunReport,
    )
    from voicepipe.report import (
        SeamReport as SeamReport,
    )
    from voicepipe.report import (
        SlowStage as SlowStage,
    )
    from voicepipe.report import (
        StageError as StageError,
    )
    from voicepipe.report import (
        Turn as Turn,
    )
    from voicepipe.run.controls import (
        MicrophoneHandle as MicrophoneHandle,
    )
    from voicepipe.run.controls import (
        SpeakerHandle as SpeakerHandle,
    )
    from voicepipe.run.task import PipelineTask as PipelineTask
    from voicepipe.runner.runner import PipelineRunner as PipelineRunner
    from voicepipe.service.metrics import Metrics as Metrics
    from voicepipe.service.status import StatusSocket as StatusSocket
    from voicepipe.speakers import SpeakerControls as SpeakerControls
    from voicepipe.speakers import Speakers as Speakers
    from voicepipe.speech.detectors.protocol import SpeechEngine as SpeechEngine
    from voicepipe.speech.detectors.registry import open_engine as open_engine
    from voicepipe.speech.detectors.silero import SileroEngine as SileroEngine
    from voicepipe.speech.detectors.webrtc import WebRTCEngine as WebRTCEngine
    from voicepipe.speech.detectors.webrtc_robust import RobustWebRTCEngine as RobustWebRTCEngine
    from voicepipe.speech.end_of_turn import EndOfTurn as EndOfTurn
    from voicepipe.speech.ends.onnx_judge import OnnxEndOfTurn as OnnxEndOfTurn
    from voicepipe.speech.segmenter import (
        Segmenter as Segmenter,
    )
    from voicepipe.speech.segmenter import (
        SegmenterSettings as SegmenterSettings,
    )
    from voicepipe.speech.stretch import (
        Judgement as Judgement,
    )
    from voicepipe.speech.utterance import (
        UtteranceCollector as UtteranceCollector,
    )
    from voicepipe.speech.vad import (
        VADProcessor as VADProcessor,
    )
    from voicepipe.stages.filter import FrameFilter as FrameFilter
    from voicepipe.stages.gain import Gain as Gain
    from voicepipe.stages.loopback import Loopback as Loopback
    from voicepipe.stages.meter import LevelMeter as LevelMeter
    from voicepipe.stages.tap import Tap as Tap
    from voicepipe.version import __version__ as __version__


def homes_of(names_by_module: dict[str, str]) -> dict[str, str]:
    """Return the home module of each name.

    Args:
        names_by_module: for each module, its names, separated by spaces.
    """
    return {name: module for module, names in names_by_module.items() for name in names.split()}


def lazy_names(
    package: str, namespace: dict[str, object], homes: dict[str, str]
) -> "tuple[Callable[[str], object], Callable[[], list[str]]]":
    """Return `__getattr__` and `__dir__` for a package.

    Args:
        package: the name of the package, for error messages.
        namespace: the package's globals, which keep each name after its first use.
        homes: the home module of each name.
    """

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            from voicepipe.hints import missing_name

            raise missing_name(package, name, homes)
        import importlib

        from voicepipe.shadowing import ShadowNaming

        with ShadowNaming():
            value: object = getattr(importlib.import_module(home), name)
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *homes})

    return get, names


_HOMES = homes_of(
    {
        "voicepipe.audio.format": "AudioFormat",
        "voicepipe.audio.level": "Level",
        "voicepipe.canceller.protocol": "EchoEngine",
        "voicepipe.canceller.stage": "EchoCanceller",
        "voicepipe.census.census": "Census assert_nothing_left take_census",
        "voicepipe.census.monitor": "CensusMonitor",
        "voicepipe.children.start": "freeze_support",
        "voicepipe.conversation.idle": "IdleTimer UserIdleFrame",
        "voicepipe.conversation.interrupter": "Interrupter",
        "voicepipe.conversation.remark": "BackchannelFrame Heard",
        "voicepipe.devices.backends": "open_backend",
        "voicepipe.devices.port": "Backend",
        "voicepipe.dialogue": "Conversation Remark",
        "voicepipe.endpoints.microphone": "MicrophoneInput",
        "voicepipe.endpoints.played_change": "PlayedChange",
        "voicepipe.endpoints.speaker": "SpeakerOutput",
        "voicepipe.errors": (
            "AudioFormatError BackendMissingError DeviceBusyError DeviceError "
            "DeviceFormatError DeviceLostError DeviceNotFoundError DevicePermissionError "
            "DeviceTimeoutError EngineError LaunchError LifecycleError PipelineError PipelineStartError "
            "VoicepipeError"
        ),
        "voicepipe.frames": (
            "AudioFrame BackgroundAudioFrame BotStartedSpeakingFrame BotStoppedSpeakingFrame "
            "CancelFrame ControlFrame DataFrame DeviceLostFrame DeviceRestoredFrame EndFrame EndOfTurnFrame "
            "ErrorFrame FactFrame Frame FrameDirection InputAudioFrame InterruptionFrame "
            "OutputAudioFrame SpokenFrame SpokenStartedFrame SpokenStoppedFrame StartFrame "
            "SystemFrame TextFrame TranscriptionFrame UnfinishedTurnFrame UserPausedFrame UserResumedFrame "
            "UserStartedSpeakingFrame UserStoppedSpeakingFrame UtteranceFrame"
        ),
        "voicepipe.lifecycle": "RunState",
        "voicepipe.params": "Limits StartParams",
        "voicepipe.pipeline.device_stage": "DeviceStage",
        "voicepipe.pipeline.pipeline": "ParallelPipeline Pipeline",
        "voicepipe.pipeline.processor": "FrameProcessor InlineProcessor Processor",
        "voicepipe.report": (
            "Abandoned DeviceStatistics DropReason EchoState RunReport SeamReport SlowStage StageError Turn"
        ),
        "voicepipe.run.controls": "MicrophoneHandle SpeakerHandle",
        "voicepipe.run.task": "PipelineTask",
        "voicepipe.runner.runner": "PipelineRunner",
        "voicepipe.service.metrics": "Metrics",
        "voicepipe.service.status": "StatusSocket",
        "voicepipe.speakers": "SpeakerControls Speakers",
        "voicepipe.speech.detectors.protocol": "SpeechEngine",
        "voicepipe.speech.detectors.registry": "open_engine",
        "voicepipe.speech.detectors.silero": "SileroEngine",
        "voicepipe.speech.detectors.webrtc": "WebRTCEngine",
        "voicepipe.speech.detectors.webrtc_robust": "RobustWebRTCEngine",
        "voicepipe.speech.end_of_turn": "EndOfTurn",
        "voicepipe.speech.ends.onnx_judge": "OnnxEndOfTurn",
        "voicepipe.speech.segmenter": "Segmenter SegmenterSettings",
        "voicepipe.speech.utterance": "UtteranceCollector",
        "voicepipe.speech.stretch": "Judgement",
        "voicepipe.speech.vad": "VADProcessor",
        "voicepipe.stages.filter": "FrameFilter",
        "voicepipe.stages.gain": "Gain",
        "voicepipe.stages.loopback": "Loopback",
        "voicepipe.stages.meter": "LevelMeter",
        "voicepipe.stages.tap": "Tap",
        "voicepipe.version": "__version__",
    }
)
"""The module of each public name: a name is added here and above, for the type checkers."""

if not TYPE_CHECKING:
    __all__ = [name for name in _HOMES if name != "__version__"]
    __getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)
