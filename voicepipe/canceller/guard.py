"""A microphone's guard against the program's own sound: a canceller, its figures, or half-duplex."""

from __future__ import annotations

import logging
from dataclasses import replace

from voicepipe.audio.channels import set_channels
from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.cancelling import Cancelling
from voicepipe.canceller.ear_noise import EarNoise
from voicepipe.canceller.ear_trust import EarTrust
from voicepipe.canceller.echo_meter import EchoMeter, EchoWindow
from voicepipe.canceller.far_end import FarEnd
from voicepipe.canceller.half_duplex.half_duplex import HalfDuplex, Muted
from voicepipe.canceller.protection import FallBack
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.frames import InputAudioFrame
from voicepipe.log import logger_of
from voicepipe.report import EchoState, Protection
from voicepipe.speakers import Speakers, TrackSink
from voicepipe.text import printable

__all__ = ["EchoGuard", "guard_of", "guard_without_canceller", "open_guard"]

_log = logger_of("voicepipe")
_DEAF = "while the program sounds, it hears you only if you are louder than the echo"
_CURE = "turn the speaker down, move it away from the microphone, use another device, or use headphones"


class EchoGuard:
    """Guards a microphone's frames against the sound of the run's speakers.

    The canceller works and is measured all the time. While it is of no use, it is half-duplex: see
    `HalfDuplex`. One warning tells of the first time, with the cure. Without an engine, the audio is that
    of the microphone.

    Args:
        engine: takes the echo out; None: nothing does.
        audio: the format of the microphone.
        far: the sound of the speakers.
        speakers: the run's.
        label: the name of the microphone in the log.
        may_fall_back: False: never half-duplex.
        lead: the samples by which `far` is early.
        state: the protection, where there is no engine.
    """

    def __init__(
        self,
        engine: EchoEngine | None,
        far: FarEnd,
        speakers: Speakers,
        *,
        audio: AudioFormat,
        label: str,
        may_fall_back: bool = True,
        lead: int = 0,
        state: EchoState | None = None,
    ) -> None:
        self.hides = False
        """True while the user has muted the microphone: of what is put in, a recording gets silence."""
        self._hidden = 0
        """The position behind the last sample that was put in while it was muted."""
        self._far = far
        self._tracks = speakers.tracks
        self._audio = audio
        self._half_duplex: HalfDuplex | None = None
        """None until it is needed."""
        self._engine_name = "none" if engine is None else engine.name
        self._speakers = speakers
        self._label = label
        self._may_fall_back = may_fall_back
        self._fall_back = FallBack()
        self._state = state or EchoState("cancelling", printable(self._engine_name))
        self._meter = None if engine is None else EchoMeter(engine.rate, engine.channels, engine.delay, lead)
        self._has_warned = False
        self._trust = None if engine is None else EarTrust(engine.rate)
        self._cancelling = Cancelling(
            engine,
            far,
            speakers,
            audio=audio,
            noise=None if engine is None else EarNoise(engine.block),
            trust=self._trust,
            observe=self._observe,
            on_failure=self._note_failure,
        )

    @property
    def state(self) -> EchoState:
        """The protection at present, and the figures of the echo."""
        return self._state

    @property
    def held(self) -> int:
        """The samples inside."""
        waiting = 0 if self._half_duplex is None else self._half_duplex.held
        return self._cancelling.held + waiting

    def take_muted(self) -> Muted:
        """Return the samples that half-duplex did not let through since the last call."""
        return Muted() if self._half_duplex is None else self._half_duplex.take_muted()

    def put(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        """Take the next frame; return those that are done, and that may be heard."""
        if self.hides:
            self._hidden = frame.position + frame.num_samples
        return self._let_out(self._cancelling.put(frame))

    def end(self) -> list[InputAudioFrame]:
        """Return what is inside, as far as it may be heard."""
        frames = self._let_out(self._cancelling.end())
        return frames if self._half_duplex is None else [*frames, *self._half_duplex.end()]

    def _let_out(self, frames: list[InputAudioFrame]) -> list[InputAudioFrame]:
        if self._is_half_duplex:
            frames = self._listen().let_out(frames)
        elif self._half_duplex is not None:
            frames = [*self._half_duplex.end(), *frames]
        for frame in frames:
            if self._tracks is not None:
                self._record(self._tracks, frame)
            if frame.ear is not None:
                begin, rate = frame.position, frame.rate
                self._speakers.note_ear(frame.origin, begin / rate, (begin + frame.num_samples) / rate)
        return frames

    def _record(self, tracks: TrackSink, frame: InputAudioFrame) -> None:
        words, ear = set_channels(frame.data, frame.channels, 1), frame.for_ear
        if frame.position < self._hidden:
            words = ear = bytes(len(ear))
        tracks.note_given(self._label, frame.position, words, ear)

    @property
    def _is_half_duplex(self) -> bool:
        return self._state.protection == "half-duplex"

    def _listen(self) -> HalfDuplex:
        if self._half_duplex is None:
            self._half_duplex = HalfDuplex(self._audio.rate, self._audio.channels, self._speakers)
        return self._half_duplex

    def _observe(self, block: CancelledBlock) -> None:
        window = None
        if self._meter is not None:
            window = self._meter.add(block)
            self._look_elsewhere(self._meter)
        if window is not None:
            self._note(window)
        if self._is_half_duplex:
            self._listen().hear(block)
        if self._tracks is not None:
            mic = set_channels(block.mic, self._audio.channels, 1)
            mic = bytes(len(mic)) if block.position < self._hidden else mic
            self._tracks.note_heard(self._label, block.position, block.captured_s, mic, block.far)
            self._tracks.note_protection(self._label, self._state)

    def _look_elsewhere(self, meter: EchoMeter) -> None:
        """Look for the echo where it is, if that is not where the time stamps say."""
        if by_s := meter.misplaced_s:
            self._far.shift(by_s)
            meter.move(by_s)
            if self._trust is not None:
                self._trust.doubt()
            _log.info("the echo at %s comes %.0f ms later than the time stamps say", self._label, 1e3 * by_s)

    def _note(self, window: EchoWindow) -> None:
        delay_s = self._state.delay_s if window.delay_s is None else window.delay_s
        self._state = replace(
            self._state,
            erle_db=window.erle_db,
            words_erle_db=window.words_erle_db,
            strength_db=window.strength_db,
            delay_s=delay_s,
        )
        if self._fall_back.judge(window.erle_db):
            (self._fall if self._fall_back.is_in_force else self._return)(window.erle_db)

    def _fall(self, erle_db: float) -> None:
        says = f"the echo is reduced by {max(0.0, erle_db):.0f} dB only"
        if self._may_fall_back:
            self._state = replace(self._state, protection="half-duplex", reason=says)
            self._warn(f"%s: %s, so it is half-duplex now: {_DEAF}; %s", says)
        else:
            self._warn("%s: %s, so the program may hear itself; %s", says)

    def _warn(self, line: str, says: str) -> None:
        (_log.info if self._has_warned else _log.warning)(line, self._label, says, _CURE)
        self._has_warned = True

    def _return(self, erle_db: float) -> None:
        if self._may_fall_back:
            self._state = replace(self._state, protection="cancelling", reason=printable(self._engine_name))
            _log.info("%s: the echo is reduced by %.0f dB again, so it is cancelled", self._label, erle_db)

    def _note_failure(self, error: Exception) -> None:
        reason = f"the echo engine {printable(self._engine_name)} failed: {printable(error)}"
        protection: Protection = "half-duplex" if self._may_fall_back else "headphones"
        self._state = EchoState(protection, reason)
        _log.warning(
            "%s: %s; %s",
            self._label,
            reason,
            f"half-duplex from now on: {_DEAF}" if self._may_fall_back else "the program may hear itself",
            exc_info=_log.isEnabledFor(logging.DEBUG),
        )


def open_guard(
    audio: AudioFormat, speakers: Speakers, label: str, *, may_fall_back: bool = True
) -> EchoGuard:
    """Return a guard with the default engine, for a microphone of this format.

    Raises:
        EngineError: no engine takes the format, or its package is missing; says what to do.
    """
    from voicepipe.canceller.engines.registry import default_engine

    engine = default_engine(audio.rate, audio.channels)
    return guard_of(engine, speakers, label, may_fall_back=may_fall_back)


def guard_of(engine: EchoEngine, speakers: Speakers, label: str, *, may_fall_back: bool = True) -> EchoGuard:
    """Return a guard with this engine, and a reference of all speakers."""
    from voicepipe.canceller.reference.reference import Reference

    far, audio = Reference(engine.rate), AudioFormat(engine.rate, engine.channels)
    return EchoGuard(
        engine, far, speakers, audio=audio, label=label, may_fall_back=may_fall_back, lead=far.lead
    )


def guard_without_canceller(
    audio: AudioFormat, speakers: Speakers, label: str, state: EchoState
) -> EchoGuard:
    """Return a guard that cancels nothing, such as for half-duplex, with a reference of all speakers."""
    from voicepipe.canceller.reference.reference import Reference

    far = Reference(audio.rate)
    return EchoGuard(None, far, speakers, audio=audio, label=label, lead=far.lead, state=state)
