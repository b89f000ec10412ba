"""A pass-through of pipecat-ai's local audio transport at its defaults, beside which `echo` measures.

    PYTHON -P tests/benchmarks/pipecat_echo.py

PYTHON is an interpreter that has pipecat-ai with its extra `local`; -P keeps this folder, which has a
`pipecat` too, from its path. It ends on SIGINT. Its log is silent; turn tracking, RTVI and the idle
watch, which a program may do without, are off.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

_frames: Any = import_module("pipecat.frames.frames")
_processing: Any = import_module("pipecat.processors.frame_processor")
_local: Any = import_module("pipecat.transports.local.audio")
_Pipeline: Any = import_module("pipecat.pipeline.pipeline").Pipeline
_Worker: Any = import_module("pipecat.pipeline.worker").PipelineWorker
_Runner: Any = import_module("pipecat.workers.runner").WorkerRunner


class _SayBack(_processing.FrameProcessor):  # type: ignore[misc]  # untyped here
    """What was heard is to be said."""

    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, _frames.InputAudioRawFrame):
            frame = _frames.OutputAudioRawFrame(
                audio=frame.audio, sample_rate=frame.sample_rate, num_channels=frame.num_channels
            )
        await self.push_frame(frame, direction)


async def _main() -> None:
    parameters = _local.LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True)
    transport = _local.LocalAudioTransport(parameters)
    pipeline = _Pipeline([transport.input(), _SayBack(), transport.output()])
    worker = _Worker(pipeline, enable_rtvi=False, enable_turn_tracking=False, idle_timeout_secs=None)
    runner = _Runner(handle_sigint=True)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    import_module("loguru").logger.remove()
    asyncio.run(_main())
