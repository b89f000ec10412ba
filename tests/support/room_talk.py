"""A run on a simulated card in a room: the program speaks, and a user may talk over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from support.stages import Ends, InlineRecorder
from voicepipe import (
    AudioFormat,
    EchoState,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    SpeakerOutput,
    UserStartedSpeakingFrame,
)
from voicepipe.testing import SimulatedCard, noise, room_impulse, speech

__all__ = ["PROGRAM", "RATE", "Talk", "a_card"]

RATE = 16_000
PROGRAM, USER = speech(), speech()[: 2 * RATE]


def a_card(seconds: float, *, user_s: float | None = None, level_db: float = -66.0) -> SimulatedCard:
    """Return a card in a room with some noise; the user begins to talk at that time."""
    card = SimulatedCard()
    card.room(room_impulse(level_db=-10.0))
    sound = noise(seconds, level_db=level_db).astype(np.int32)
    if user_s is not None:
        at = round(user_s * RATE)
        sound[at : at + len(USER)] += USER
    card.mic.hear(sound.astype(np.int16))
    return card


@dataclass
class Talk:
    """A run in which the program speaks."""

    card: SimulatedCard
    microphone: MicrophoneInput
    stages: list[Processor] = field(default_factory=list)
    audio: AudioFormat = field(default_factory=AudioFormat)
    speaker: SpeakerOutput | None = None
    """None: that of the card."""

    def __post_init__(self) -> None:
        self.heard = InlineRecorder()
        speaker = self.speaker or SpeakerOutput(self.card.backend())
        self.task = PipelineTask(
            Pipeline([self.microphone, *self.stages, self.heard, speaker]), input=self.audio
        )
        self.starts: list[float] = []
        """The positions at which the user was heard to begin, in seconds."""

    async def run(self, program: Callable[[], Coroutine[Any, Any, None]]) -> None:
        ends = Ends(self.task)
        running = asyncio.create_task(self.task.run())
        await ends.started.wait()
        await program()
        self.task.end()
        await running
        self.starts = [
            frame.position / RATE for frame in ends.down if isinstance(frame, UserStartedSpeakingFrame)
        ]

    async def speak(self, seconds: float, sound: Any = PROGRAM) -> None:
        """Say something of that length, in a loop if need be, and wait until it is over."""
        whole = np.resize(sound, round(seconds * RATE)).tobytes()
        for part in OutputAudioFrame.parts_of(OutputAudioFrame(whole)) if seconds <= 10 else [whole]:
            frame = part if isinstance(part, OutputAudioFrame) else OutputAudioFrame(part)
            await self.task.queue_frame(frame)
        await asyncio.sleep(seconds + 0.5)

    @property
    def frames(self) -> list[InputAudioFrame]:
        return [frame for frame in self.heard.frames if isinstance(frame, InputAudioFrame)]

    @property
    def echo(self) -> EchoState:
        assert self.task.report is not None
        echo = self.task.report.devices[0].echo
        assert echo is not None
        return echo
