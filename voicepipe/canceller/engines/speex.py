"""The linear canceller of the library libspeexdsp, which many systems have: another recorder."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_int, c_int16, c_void_p

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.part import block_of
from voicepipe.canceller.engines.samples import FULL_SCALE, to_int16
from voicepipe.checks import check_count
from voicepipe.errors import EngineError

__all__ = ["Speex"]

_TAIL_S = 0.2
"""The longest echo that it knows."""
_SET_SAMPLING_RATE = 24
"""SPEEX_ECHO_SET_SAMPLING_RATE of speex_echo.h."""

_NAMES = {
    "darwin": (
        "libspeexdsp.1.dylib",
        "/opt/homebrew/lib/libspeexdsp.1.dylib",
        "/usr/local/lib/libspeexdsp.1.dylib",
    ),
    "win32": ("libspeexdsp-1.dll", "libspeexdsp.dll", "speexdsp.dll"),
}
_NAMES_ELSEWHERE = ("libspeexdsp.so.1", "libspeexdsp.so")

_INSTALL = {
    "darwin": "brew install speexdsp",
    "win32": "put libspeexdsp-1.dll into a folder of PATH",
}
_INSTALL_ELSEWHERE = "install it with the system's packages: apt install libspeexdsp1"

_Ints = npt.NDArray[np.int16]


class Speex:
    """Subtracts the echo by the filter of libspeexdsp. It delays nothing.

    It also takes the lowest tones out, below a voice. While no echo is there, the output is the microphone,
    bit by bit.

    Args:
        rate: samples a second, a multiple of 100.
        channels: the channels of the microphone.

    Raises:
        ValueError: a block of 10 ms is not a whole number of samples.
        EngineError: the library is not installed, or another one has its name.
    """

    name = "speex"
    delay = 0

    def __init__(self, rate: int, channels: int = 1) -> None:
        self._block, self._rate = block_of(rate), rate
        self._channels = check_count("channels", channels, at_least=1)
        self._tail = int(_TAIL_S * rate)
        self._library = _load()
        self._span = -(-self._tail // self._block) + 1
        """The blocks after which nothing of a block is left."""
        self._left = 0
        """The blocks until all is silence again."""
        self._state: c_void_p | None = self._new_state()

    def __del__(self) -> None:
        self._free()

    def cancel(self, mic: _Ints, far: npt.NDArray[np.float32]) -> _Ints:
        """Take the echo of `far` out of whole blocks of the microphone. Shapes: see `Canceller`."""
        block = self._block
        if len(mic) == block:
            return self._cancel(mic, far)
        parts = [self._cancel(mic[at : at + block], far[at : at + block]) for at in range(0, len(mic), block)]
        return np.concatenate(parts) if parts else mic

    def reset(self) -> None:
        """Forget the path of the echo, and all audio."""
        self._free()  # its own reset keeps a part
        self._state = self._new_state()
        self._left = 0

    def _new_state(self) -> c_void_p:
        state = c_void_p(self._library.speex_echo_state_init_mc(self._block, self._tail, self._channels, 1))
        if not state:
            raise EngineError("libspeexdsp has no memory for an echo canceller: close other programs")
        self._library.speex_echo_ctl(state, _SET_SAMPLING_RATE, byref(c_int(self._rate)))
        return state

    def _free(self) -> None:
        """Give the memory back. An object that was refused its state has none."""
        state, self._state = getattr(self, "_state", None), None
        if state is not None:
            self._library.speex_echo_state_destroy(state)

    def _cancel(self, mic: _Ints, far: npt.NDArray[np.float32]) -> _Ints:
        self._left = self._span if far.any() else max(self._left - 1, 0)
        if not self._left:
            return mic
        mic = np.ascontiguousarray(mic)
        words = np.empty_like(mic)
        sounded = to_int16(far * np.float32(FULL_SCALE))
        samples = (each.ctypes.data_as(POINTER(c_int16)) for each in (mic, sounded, words))
        self._library.speex_echo_cancellation(self._state, *samples)
        return words


def _load() -> ctypes.CDLL:
    """Load the library, and say what its functions take."""
    for name in _NAMES.get(sys.platform, _NAMES_ELSEWHERE):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return _with_types(library)
    install = _INSTALL.get(sys.platform, _INSTALL_ELSEWHERE)
    raise EngineError(f"the echo canceller speex needs the library libspeexdsp: {install}")


def _with_types(library: ctypes.CDLL) -> ctypes.CDLL:
    samples = POINTER(c_int16)
    try:
        library.speex_echo_state_init_mc.argtypes = [c_int, c_int, c_int, c_int]
        library.speex_echo_state_init_mc.restype = c_void_p
        library.speex_echo_cancellation.argtypes = [c_void_p, samples, samples, samples]
        library.speex_echo_cancellation.restype = None
        library.speex_echo_state_destroy.argtypes = [c_void_p]
        library.speex_echo_state_destroy.restype = None
        library.speex_echo_ctl.argtypes = [c_void_p, c_int, c_void_p]
    except AttributeError as error:
        raise EngineError(
            f"this libspeexdsp cannot be used ({error}): install version 1.2 or later"
        ) from error
    return library
