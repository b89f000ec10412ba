"""Files in place of devices: one is heard, and one is written. `open_backend("wav:IN.wav,OUT.wav")`

As fast as the pipeline takes it, or paced like hardware. The files are read and written in the
event loop's thread: a block is a few hundred bytes, which the system has read ahead or keeps in
memory; to hand it to a thread and back would take longer, and the loop would wait no less.

streams  the port's streams over files
pace     at once, or by a clock as hardware has
"""

from __future__ import annotations

import os
from collections.abc import Callable

from voicepipe.audio.files.sound_file import SoundReader, open_sound_file
from voicepipe.audio.files.wav_advice import ending_of_others
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.devices.names import name_means
from voicepipe.devices.port import Backend, DeviceInfo, InputStream, OutputStream, StreamRequest
from voicepipe.errors import (
    AudioFormatError,
    DeviceBusyError,
    DeviceError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.text import printable, quote
from voicepipe_devices.formats import raise_if_missing
from voicepipe_devices.wav.streams import FileInput, FileOutput, file_name

__all__ = ["WavBackend", "open_backend"]

_FORM = "use wav:IN.wav,OUT.wav, wav:IN.wav or wav:,OUT.wav"
_Path = str | os.PathLike[str]


class WavBackend(Backend):
    """The back end "wav": the microphone is one file, the speaker another.

    An input begins at the file's beginning each time it is opened, and an output overwrites
    its file when it is opened. The input is converted to what is asked for; the output is
    written as it comes, and holds nothing but what was played.

    Args:
        input_path: the sound file to be heard, of any kind that `open_sound_file` reads. None: there is no
            microphone.
        output_path: the WAV file to be written. None: there is no speaker.
        paced: both take the time that sound takes. Otherwise as fast as can be.

    Raises:
        TypeError: a path is no path, or `paced` no bool.
        ValueError: there is neither, a path is empty or holds a NUL, both are the same file, or the name of
            the output is that of another kind of sound file.
    """

    name = "wav"
    lost_for_good = True
    """A file that was lost would begin anew, or be emptied: no run waits for it."""

    def __init__(
        self, input_path: _Path | None = None, output_path: _Path | None = None, *, paced: bool = False
    ) -> None:
        if input_path is None and output_path is None:
            raise ValueError(f"the back end 'wav' needs a file: {_FORM}")
        if not isinstance(paced, bool):
            raise TypeError(f"paced must be True or False, not {quote(paced)}")
        self._input = None if input_path is None else _check_path("input_path", input_path)
        self._output = None if output_path is None else _check_path("output_path", output_path)
        self._paced = paced
        self._writing: FileOutput | None = None
        self._check_not_the_same()
        if self._output is not None and (ending := ending_of_others(self._output)):
            raise ValueError(f"{printable(self._output)}: only .wav can be written, not {ending}")

    async def devices(self) -> list[DeviceInfo]:
        """List the two files, by their names. An input that cannot be read is not there."""
        found: list[DeviceInfo] = []
        if self._input is not None:
            try:
                with open_sound_file(self._input) as reader:
                    audio = reader.format
                found.append(DeviceInfo(file_name(self._input), audio.channels, 0, audio.rate))
            except (OSError, AudioFormatError):
                pass  # opening it says why
        if self._output is not None:
            found.append(DeviceInfo(file_name(self._output), 0, 32, 16_000))
        return found

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open the input file. A file that is cut off, or has more behind it, is a warning in the log.

        Raises:
            AudioFormatError: it is no sound file that can be read.
            DeviceError: it is not there, it may not be read, it has not the channel that was asked for, or
                the disk fails; the class says which.
        """
        reader, path = self._open_reader(request)
        return FileInput(reader, path, request, wake, paced=self._paced)

    def check_input(self, request: StreamRequest) -> None:
        """Check that the input file can be read. Raises: as `open_input`."""
        self._open_reader(request)[0].close()

    def _open_reader(self, request: StreamRequest) -> tuple[SoundReader, str]:
        path = _path_for(self._input, request, "no input: 'wav:IN.wav' has one")
        reader = _reader(path)
        if request.channel is not None and request.channel > reader.format.channels:
            reader.close()
            raise_if_missing(file_name(path), reader.format.channels, request.channel)
        return reader, path

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open the output file, and empty it.

        Raises:
            AudioFormatError: there is something of that name that is no regular file.
            DeviceError: it is open already, it may not be written, or the disk fails; the class says which.
            ValueError: it is the input file.
        """
        path = _path_for(self._output, request, "no output: 'wav:,OUT.wav' has one")
        self._check_not_the_same()
        if self._writing is not None and not self._writing.is_closed:
            raise DeviceBusyError(f"{printable(path)} is being written by another stream: close that first")
        if self._input is not None:
            _reader(self._input).close()  # where nothing can be read, nothing is emptied
        try:
            writer = WavWriter(path, request.format)
        except OSError as error:
            raise _device_error(error, path, "written") from error
        self._writing = FileOutput(writer, path, request, wake, paced=self._paced)
        return self._writing

    def _check_not_the_same(self) -> None:
        """Raise ValueError where both are one file: to write what is being read would destroy it first."""
        if self._input is None or self._output is None:
            return
        try:
            same = os.path.samefile(self._input, self._output)
        except OSError:  # one is not there, yet
            same = os.path.abspath(self._input) == os.path.abspath(self._output)
        if same:
            raise ValueError(f"{printable(self._output)} is the input file too: give the output another name")


def open_backend(argument: str) -> WavBackend:
    """Return the back end for what stands behind "wav:": IN.wav, IN.wav,OUT.wav or ,OUT.wav.

    Raises:
        ValueError: it is none of these, or as `WavBackend`.
    """
    heard, _, written = argument.partition(",")
    if "," in written:
        raise ValueError(
            f"too many commas in 'wav:{printable(argument)}': {_FORM}; or call WavBackend(IN, OUT)"
        )
    return WavBackend(heard or None, written or None)


def _check_path(name: str, path: object) -> str:
    """Return a path as text. Raises: TypeError, ValueError."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"{name} must be the path of a file, not {quote(path)}")
    if not text or "\0" in text or not _can_be_named(text):
        raise ValueError(f"{name} must be the path of a file, not {printable(repr(text))}")
    return text


def _can_be_named(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half a character
        return False
    return True


def _path_for(path: str | None, request: StreamRequest, nothing: str) -> str:
    """Return the file for a request. Raises: DeviceNotFoundError."""
    if path is None:
        raise DeviceNotFoundError(f"this back end 'wav' has {nothing}")
    if not name_means(file_name(path), request.device):
        raise DeviceNotFoundError(
            f"there is no device {printable(repr(request.device))}: there is {file_name(path)!r}"
        )
    return path


def _reader(path: str) -> SoundReader:
    """Open a file to be read. Raises: AudioFormatError, DeviceError."""
    try:
        return open_sound_file(path)
    except OSError as error:
        raise _device_error(error, path, "read") from error


def _device_error(error: OSError, path: str, done: str) -> DeviceError:
    """Return a device's error for a file that cannot be opened."""
    name = printable(path)
    if isinstance(error, FileNotFoundError):
        missing = "there is no such file" if done == "read" else "its folder is not there: make it first"
        return DeviceNotFoundError(f"{name} cannot be {done}: {missing}")
    if isinstance(error, PermissionError):
        return DevicePermissionError(
            f"{name} may not be {done} by this user: `ls -l` says by whom, `chmod` and `chown` change it"
        )
    return DeviceError(f"{name} cannot be {done}: {error.strerror}: choose another file")
