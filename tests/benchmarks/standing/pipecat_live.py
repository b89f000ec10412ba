"""A program in an interpreter that has pipecat-ai and PyAudio: the microphone straight to the speaker.

At its defaults: its local audio transport, 20 ms blocks. Turn tracking, RTVI and the idle watch are off.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

_frames: Any = import_module("pipecat.frames.frames")
_processing: Any = import_module("pipecat.processors.frame_processor")
_local: Any = import_module("pipecat.transports.local.audio")
_Pipeline: Any = import_module("pipecat.pipeline.pipeline").Pipeline
_Worker: Any = import_module("pipecat.pipeline.worker").PipelineWorker
_Runner: Any = import_module("pipecat.workers.runner").WorkerRunner


class _Straight(_processing.FrameProcessor):  # type: ignore[misc]  # untyped here
    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, _frames.InputAudioRawFrame):
            frame = _frames.OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
        await self.push_frame(frame, direction)


async def _main() -> None:
    params = _local.LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True)
    transport = _local.LocalAudioTransport(params)
    pipeline = _Pipeline([transport.input(), _Straight(), transport.output()])
    worker = _Worker(pipeline, enable_rtvi=False, enable_turn_tracking=False, idle_timeout_secs=None)
    runner = _Runner()
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    import_module("loguru").logger.remove()
    sys.exit(asyncio.run(_main()))
