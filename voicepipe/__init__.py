"""voicepipe: microphone, stages, speaker, as an asyncio pipeline of frames that always ends."""

from voicepipe.audio import AudioFormat
from voicepipe.frames import *  # noqa: F403
from voicepipe.params import Limits, StartParams
from voicepipe.pipeline import ParallelPipeline, Pipeline
from voicepipe.processor import FrameProcessor, InlineProcessor, Processor
from voicepipe.task import PipelineTask

__version__ = "0.1.0"
