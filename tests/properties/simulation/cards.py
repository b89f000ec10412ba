"""The sound card of a run: what its microphone hears is numbered, and every callback is watched."""

from __future__ import annotations

from array import array

from properties.simulation.journal import Journal
from voicepipe import MicrophoneInput
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.endpoints.silence import DigitalSilence
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend, SimulatedCard

__all__ = ["BLOCK_S", "MADE", "RATE", "EagerMicrophone", "NumberedCard"]

RATE = 1_000
"""Samples a second: so few, for the rules to be quick; a sample is its own number, unique for a minute."""
BLOCK_S = 0.04
MADE = 20_001
"""The first number of what a program says that was not captured. By then every scenario is over."""
REOPEN_S = 0.2
"""The zeros after which a microphone is opened again."""
_NUMBERS = array("H", range(1, 60_001)).tobytes()


class NumberedCard(SimulatedCard):
    """Its microphone hears 1, 2, 3, ...; what its speaker was handed is kept block by block."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        *,
        drift_ppm: float,
        jitter_s: float,
        seed: int,
        runs_out_s: float = 0.0,
    ) -> None:
        super().__init__(name, drift_ppm=drift_ppm, jitter_s=jitter_s, seed=seed)
        self.mic.hear(_NUMBERS[: 2 * round(runs_out_s * RATE) or None])
        if runs_out_s:
            self.mic.run_out()
        self.journal = journal
        self.captured: list[array[int]] = []
        """What the microphone gave, block by block."""
        self.captured_s: list[float] = []
        """When it gave it."""
        self.rendered: list[array[int]] = []
        """What the speaker's callback gave, block by block."""
        self.rendered_s: list[float] = []
        """When it gave it."""
        self.is_timed = False
        """True where the rules ask when each number was captured, and when it sounded."""
        self.captured_at: dict[int, float] = {}
        """When each number was captured, by the card's stamps."""
        self.sounded_at: dict[int, float] = {}
        """When each number sounded first, by them."""
        self.sounding_ms: set[int] = set()
        """The milliseconds in which something sounded."""

    def note_captured(self, block: array[int], captured_s: float) -> None:
        """Note when each of the numbers was captured."""
        for at, number in enumerate(block):
            self.captured_at[number] = captured_s + at / RATE

    def note_sounding(self, block: array[int], sounds_s: float) -> None:
        """Note when each of the numbers sounds."""
        for at, number in enumerate(block):
            if number:
                self.sounded_at.setdefault(number, sounds_s + at / RATE)
                self.sounding_ms.add(round(1e3 * sounds_s) + at)

    def backend(self) -> FakeBackend:
        """A back end that watches."""
        return _Watched(self)


class EagerMicrophone(MicrophoneInput):
    """Opens its device again after a few blocks of zeros, for a scenario lasts seconds."""

    def _new_silence(self) -> DigitalSilence:
        return DigitalSilence(limit_s=1.0, reopen_s=REOPEN_S)


class _Watched(FakeBackend):
    def __init__(self, card: NumberedCard) -> None:
        super().__init__(card)
        self._numbered = card

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        card, watch = self._numbered, _Watch(self._numbered.journal, "microphone")

        def captured(data: bytes, captured_s: float, missed: int) -> None:
            watch.called()
            card.captured.append(array("H", data))
            card.captured_s.append(card.journal.clock())
            if card.is_timed:
                card.note_captured(card.captured[-1], captured_s)
            callback(data, captured_s, missed)

        return watch.over(await super().open_capture(request, captured, finished))

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        card, watch = self._numbered, _Watch(self._numbered.journal, "speaker")

        def rendered(samples: int, sounds_s: float | None = None) -> bytes:
            watch.called()
            data = callback(samples, sounds_s)
            card.rendered.append(array("H", data))
            card.rendered_s.append(card.journal.clock())
            if card.is_timed and sounds_s is not None:
                card.note_sounding(card.rendered[-1], sounds_s)
            return data

        return watch.over(await super().open_render(request, rendered, finished))


class _Watch:
    """A handle that remembers whether it is closed."""

    info: StreamInfo

    def __init__(self, journal: Journal, kind: str) -> None:
        self._journal = journal
        self._kind = kind
        self._closed = False
        self._handle: Handle

    def over(self, handle: Handle) -> Handle:
        self._handle, self.info = handle, handle.info
        return self

    def called(self) -> None:
        if self._closed:
            self._journal.outrages.append(f"a callback of the {self._kind} after its close had returned")

    async def start(self) -> None:
        await self._handle.start()

    async def close(self) -> None:
        if self._closed:
            self._journal.outrages.append(f"the {self._kind} was closed twice")
        await self._handle.close()
        self._closed = True
