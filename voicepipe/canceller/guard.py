"""A microphone's guard against the program's own sound: a canceller, its figures, or half-duplex."""

from __future__ import annotations

from dataclasses import replace

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.cancelling import CancelledBlock, Cancelling, FarEnd, Observer
from voicepipe.canceller.ear_limit import EarLimit
from voicepipe.canceller.echo_meter import EchoMeter, EchoWindow
from voicepipe.canceller.protection import FallBack
from voicepipe.canceller.protocol import EchoEngine
from voicepipe.frames import InputAudioFrame
from voicepipe.log import logger_of
from voicepipe.report import EchoState, Protection
from voicepipe.speakers import Speakers
from voicepipe.text import printable

__all__ = ["EchoGuard", "guard_of", "open_guard"]

_log = logger_of("voicepipe")
_DEAF = "it does not hear you while the program sounds"
_CURE = "turn the speaker down, move it away from the microphone, use another device, or use headphones"


class EchoGuard:
    """Guards a microphone's frames against the sound of the run's speakers.

    The canceller works and is measured all the time. While it is of no use, frames in which a speaker
    sounds are dropped: half-duplex. One warning tells of the first time, with the cure.

    Args:
        engine: takes the echo out.
        far: the sound of the speakers.
        speakers: the run's.
        label: the name of the microphone in the log.
        may_fall_back: False: never half-duplex.
        lead: the samples by which `far` is early.
    """

    def __init__(
        self,
        engine: EchoEngine,
        far: FarEnd,
        speakers: Speakers,
        *,
        label: str,
        may_fall_back: bool = True,
        lead: int = 0,
    ) -> None:
        self.observers: list[Observer] = []
        """Called with every block, such as for a recording of all tracks."""
        self._muted = 0
        """The samples dropped because a speaker sounded, since it was asked for last."""
        self._engine_name = engine.name
        self._speakers = speakers
        self._label = label
        self._may_fall_back = may_fall_back
        self._fall_back = FallBack()
        self._state = EchoState("cancelling", printable(engine.name))
        self._meter = EchoMeter(engine.rate, engine.channels, engine.delay, lead)
        self._has_warned = False
        self._cancelling = Cancelling(
            engine,
            far,
            lambda: speakers.taps,
            limit=EarLimit(engine.block),
            observe=self._observe,
            on_failure=self._note_failure,
        )

    @property
    def state(self) -> EchoState:
        """The protection at present, and the figures of the echo."""
        return self._state

    @property
    def held(self) -> int:
        """The samples inside the canceller."""
        return self._cancelling.held

    def take_muted(self) -> int:
        """Return the samples dropped since the last call because a speaker sounded."""
        muted, self._muted = self._muted, 0
        return muted

    def put(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        """Take the next frame; return those that are done, and that may be heard."""
        return self._let_out(self._cancelling.put(frame))

    def end(self) -> list[InputAudioFrame]:
        """Return what is inside, as far as it may be heard."""
        return self._let_out(self._cancelling.end())

    def _let_out(self, frames: list[InputAudioFrame]) -> list[InputAudioFrame]:
        if self._state.protection == "half-duplex":
            frames = [frame for frame in frames if not self._mutes(frame)]
        for frame in frames:
            if frame.ear is not None:
                begin, rate = frame.position, frame.rate
                self._speakers.note_ear(frame.origin, begin / rate, (begin + frame.num_samples) / rate)
        return frames

    def _mutes(self, frame: InputAudioFrame) -> bool:
        """Return True for a frame in which a speaker sounds, and count it."""
        from_s = frame.captured_s
        if from_s is None or not self._speakers.has_sound(from_s, from_s + frame.duration_s):
            return False
        self._muted += frame.num_samples
        return True

    def _observe(self, block: CancelledBlock) -> None:
        window = self._meter.add(block)
        if window is not None:
            self._note(window)
        for observe in self.observers:
            observe(block)

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
            exc_info=_log.isEnabledFor(10),
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
    from voicepipe.canceller.reference import Reference

    far = Reference(engine.rate)
    return EchoGuard(engine, far, speakers, label=label, may_fall_back=may_fall_back, lead=far.lead)
