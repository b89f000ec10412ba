"""The intake of a speaker's source: frames of any format become the speaker's own, one run after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.endpoints.ramp import join

if TYPE_CHECKING:
    from voicepipe.endpoints.format_run import FormatRun

__all__ = ["Intake"]


class Intake:
    """The conversion of one source.

    Frames of the speaker's format pass as they are. Where two formats meet, the step between the two
    sounds is spread over 5 ms.
    """

    def __init__(self, target: AudioFormat) -> None:
        self._target = target
        self._run: FormatRun | None = None
        self._format: AudioFormat | None = None
        """The format of the last frame."""
        self._last = b""
        """The last sample that came out."""
        self._joins = False
        """True after a change of format, until the first sample of the new one came out."""
        self.came_s = 0.0
        """The time at which the last frame came."""
        self.gap_s = 0.0
        """The run is over if no frame comes for so long."""

    @property
    def held(self) -> int:
        """Samples of the speaker's format that are inside."""
        return 0 if self._run is None else self._run.held

    def convert(self, data: bytes, audio: AudioFormat, *, follows: bool, live: bool = False) -> bytes:
        """Convert the audio of one frame, and return what is ready.

        Args:
            data: whole samples.
            audio: their format.
            follows: the sound before it still sounds.
            live: it has just been captured.
        """
        if audio == self._target and self._format in (None, audio):
            self._format = audio
            return self._note(data)
        changed = self._format not in (None, audio)
        before = self.finish() if changed else b""
        self._format = audio
        out = data if audio == self._target else self._begun(audio, live).convert(data)
        self._joins = (self._joins or changed) and follows
        if self._joins and self._last and out:
            self._joins = False
            out = join(self._last, out, self._target)
        return before + self._note(out)

    def finish(self) -> bytes:
        """End the run of frames, and return what is still inside."""
        run, self._run = self._run, None
        return b"" if run is None else self._note(run.finish())

    def _note(self, out: bytes) -> bytes:
        self._last = out[-self._target.sample_bytes :] or self._last
        return out

    def reset(self) -> int:
        """Forget what is inside; return the number of samples."""
        held = self.held
        self._run = self._format = None
        self._last, self._joins = b"", False
        return held

    def _begun(self, audio: AudioFormat, live: bool) -> FormatRun:
        if self._run is None:
            from voicepipe.endpoints.format_run import FormatRun  # here, for it brings numpy

            self._run = FormatRun(audio, self._target, live=live)
        return self._run
