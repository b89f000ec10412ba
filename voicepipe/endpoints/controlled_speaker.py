"""The controls of a speaker: volume, ducking, hold and cuts of what plays, while it plays."""

from __future__ import annotations

import abc

from voicepipe.audio.amplify import MOST_GAIN_DB
from voicepipe.checks import check_number, check_seconds
from voicepipe.endpoints.bot_speech import BotSpeech
from voicepipe.endpoints.playback import Playback
from voicepipe.pipeline.device_stage import DeviceStage

__all__ = ["ControlledSpeaker"]

LEAST_DB = -120.0


class ControlledSpeaker(DeviceStage, abc.ABC):
    """The half of a speaker that keeps the promises of `SpeakerControls`. In the loop's thread."""

    _playback: Playback | None = None
    """The playback of the run; None before the device is open."""
    _speech: BotSpeech | None = None
    _volume_db = 0.0
    _is_ending = False
    """True once an end was requested."""

    @abc.abstractmethod
    def _wake(self) -> None:
        """Look at what has changed, and let whoever waits look too."""

    @property
    def volume_db(self) -> float:
        """The volume of all that it plays, in decibels; 0: as it comes."""
        return self._volume_db

    def set_volume(self, db: float, ramp_s: float = 0.05) -> None:
        """Change the volume, with a ramp, from the next block on. Raises: TypeError, ValueError."""
        db = check_number("db", db, at_least=LEAST_DB, at_most=MOST_GAIN_DB)
        ramp_s = check_seconds("ramp_s", ramp_s, at_most=60.0)
        self._volume_db = db
        if self._playback is not None:
            self._playback.queue.set_volume(_gain(db), ramp_s)
            self._wake()

    def duck(self, db: float = -12.0, ramp_s: float = 0.02) -> None:
        """Make the voice softer from the next block on, until `unduck`. Raises: TypeError, ValueError."""
        self._duck(check_number("db", db, at_least=LEAST_DB, at_most=0.0), ramp_s)

    def unduck(self, ramp_s: float = 0.2) -> None:
        """Bring the voice back to its volume. Raises: TypeError, ValueError."""
        self._duck(0.0, ramp_s)

    def _duck(self, db: float, ramp_s: float) -> None:
        ramp_s = check_seconds("ramp_s", ramp_s, at_most=60.0)
        playback = self._playback
        if playback is not None:
            playback.queue.set_gain(playback.voice, _gain(db), ramp_s)
            self._wake()

    def hold(self) -> None:
        """Fade the voice out in the next block, and keep what was not heard, until `resume` or a cut.

        Without effect while the run ends, which would wait for the rest.
        """
        if self._playback is not None and not self._is_ending:
            self._playback.hold()
            self._wake()

    def resume(self) -> None:
        """Go on after `hold`, at the start of the sentence that was held, or where the voice stopped.

        The voice has its full volume again. What is said twice is counted twice.
        """
        if self._playback is not None:
            self._playback.resume()
            self._wake()

    def cut(self, sound: str = "", *, after_sentence: bool = False) -> None:
        """Fade out one sound in the next block, and drop the rest of it, counted as `interrupted`.

        Args:
            sound: the name of a `BackgroundAudioFrame`'s sound; empty: the voice.
            after_sentence: let the voice end its sentence. Without sentences, it is cut at once.
        """
        playback, speech = self._playback, self._speech
        if playback is None or speech is None or playback.closed:
            return
        if sound:
            source = playback.sound_of(sound)
            if source is not None:
                playback.cut(source)
        elif not (after_sentence and playback.cut_after_sentence()):
            playback.advance()
            if playback.is_speaking:
                speech.cut()
            playback.cut(playback.voice)
        self._wake()


def _gain(db: float) -> float:
    return 1.0 if db == 0.0 else float(10 ** (db / 20))
