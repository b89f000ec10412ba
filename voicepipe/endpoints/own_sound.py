"""A microphone's protection from the program's own sound: the canceller, half-duplex, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.protection import ProtectionWish
from voicepipe.devices.port import Backend
from voicepipe.errors import BackendMissingError, EngineError
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.place import Place
from voicepipe.report import EchoState
from voicepipe.settings.sound import SoundSettings
from voicepipe.speakers import Speakers
from voicepipe.text import quote

if TYPE_CHECKING:
    from voicepipe.canceller.guard import EchoGuard

__all__ = ["OwnSound"]


_NOT_NEEDED = "the microphone does not hear the speaker"


class OwnSound:
    """The protection of one microphone from the sound of the run's speakers.

    Args:
        backend: of the microphone.
        asked: the user's settings.
        cancel, mute: as `MicrophoneInput` has them.

    Raises:
        TypeError, ValueError: a wish has the wrong type, or they contradict each other.
    """

    def __init__(
        self, backend: Backend, asked: SoundSettings, cancel: bool | None, mute: bool | None
    ) -> None:
        _check(cancel, mute)
        self._backend = backend
        self._cancel = asked.cancel if cancel is None and mute is not True else cancel
        self._mute = asked.mute if mute is None and cancel is not True else mute
        self._is_replaced = False
        """True if a stage behind cancels the echo."""
        self.forget()

    def forget(self) -> None:
        """Forget an earlier run."""
        self.guard: EchoGuard | None = None
        """The canceller, or the half-duplex that hears what is louder than the echo; None: neither."""
        self._without: EchoState | None = None
        """The protection without a canceller, in this run."""
        self._is_bare = False
        """True if the guard protects from nothing: it is there for a recording of all tracks."""
        self._speakers: Speakers | None = None
        self._label = ""
        self._is_over = False

    @property
    def _wish(self) -> ProtectionWish:
        # Asked anew each time, as a simulated card may come into its room later.
        return ProtectionWish(self._cancel, self._mute, self._backend.shares_air)

    @property
    def cancels(self) -> bool:
        """True if the microphone is to cancel the echo itself."""
        return self._wish.cancels and not self._is_replaced

    @property
    def mutes(self) -> bool:
        """True if the microphone is half-duplex: now, or in the next run."""
        if self._speakers is None or self._is_over:
            return self._wish.mutes and not self.cancels and not self._is_replaced
        state = self._without if self.guard is None else self.guard.state
        return state is not None and state.protection == "half-duplex"

    @property
    def held(self) -> int:
        """The samples inside the canceller."""
        return 0 if self.guard is None else self.guard.held

    @property
    def state(self) -> EchoState | None:
        """The echo at the microphone; None: no speaker of the run shares its air."""
        speakers = self._speakers
        if speakers is None or not speakers.are_there:
            return None
        if (echo := speakers.echoes.get(self._label)) is not None:
            return echo()
        return self._without if self.guard is None or self._is_bare else self.guard.state

    def look_behind(self, place: Place) -> None:
        """Look for a stage behind the microphone that cancels the echo in its place."""
        self._is_replaced = any(
            getattr(other.stage, "cancels_echo", False) and not isinstance(other.stage, DeviceStage)
            for other in place.behind
        )

    def begin(self, audio: AudioFormat, speakers: Speakers, label: str) -> None:
        """Open the canceller for a run, or find out which protection takes its place."""
        self.forget()
        self._speakers, self._label = speakers, label
        if self._is_replaced:
            return
        wish, reason = self._wish, ""
        if wish.cancels and speakers.are_tapped:
            from voicepipe.canceller.guard import open_guard  # here, for it needs numpy

            try:
                self.guard = open_guard(audio, speakers, label, may_fall_back=wish.may_fall_back)
                return
            except (EngineError, BackendMissingError, ValueError) as error:
                reason = str(error)
        self._without = wish.without_canceller(reason)
        self._is_bare = self._without is None or self._without.protection != "half-duplex"
        if speakers.tracks is not None or (speakers.taps and not self._is_bare):
            from voicepipe.canceller.guard import guard_without_canceller

            state = self._without or EchoState("headphones", _NOT_NEEDED)
            self.guard = guard_without_canceller(audio, speakers, label, state)

    def end(self) -> None:
        """Let go of the canceller; the last state stays for the report."""
        self._without, self.guard, self._is_over = self.state, None, True

    def is_deaf(self, from_s: float, to_s: float) -> bool:
        """Return True if it is half-duplex, and a speaker sounds at that time."""
        return self.mutes and self._speakers is not None and self._speakers.has_sound(from_s, to_s)


def _check(cancel: object, mute: object) -> None:
    for name, wish in (("cancel", cancel), ("mute", mute)):
        if not isinstance(wish, bool | None):
            raise TypeError(
                f"{name} must be True, False, or None (the back end's default), not {quote(wish)}"
            )
    if cancel and mute:
        raise ValueError("cancel=True and mute=True: a canceller listens while it speaks; choose one")
