"""WebRTC's echo canceller, the one in the browser Chrome: an excellent ear, and a bad recorder."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.part import block_of
from voicepipe.canceller.engines.samples import FULL_SCALE, to_int16
from voicepipe.checks import check_count
from voicepipe.errors import EngineError
from voicepipe.text import printable

__all__ = ["AEC3"]

_DELAYS = {8_000: 88, 16_000: 128, 24_000: 223, 32_000: 260, 44_100: 427, 48_000: 431}
"""The samples by which its output lags: measured with version 0.2, and held by a test."""

_OWN_RATES = (16_000, 32_000, 48_000)
"""The rates that its class for echoes takes. The class of all things takes the others, and converts."""


class AEC3:
    """Takes out the echo, and what hides in it, by the package pywebrtc-audio.

    It finds the path of the echo by itself, and suppresses what its filter leaves. So nearly nothing of the
    echo is left, and of a voice over it a part is lost. Nothing else of WebRTC is in it: no suppression of
    noise, and no gain control.

    Args:
        rate: 8000, 16000, 24000, 32000, 44100 or 48000.
        channels: the channels of the microphone.

    Raises:
        ValueError: the rate is none of these.
        EngineError: the package is not installed, or damaged.
    """

    name = "aec3"

    def __init__(self, rate: int, channels: int = 1) -> None:
        block_of(rate)
        if rate not in _DELAYS:
            *rates, last = _DELAYS
            raise ValueError(f"aec3 takes the rates {', '.join(map(str, rates))} and {last}, not {rate}")
        self._channels = check_count("channels", channels, at_least=1)
        self.delay = _DELAYS[rate]
        package = _load()
        if rate in _OWN_RATES:
            self._engine = package.EchoCanceller(rate, channels)
        else:
            self._engine = package.AudioProcessor(rate, channels, echo_cancellation=True)

    def cancel(self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
        """Take the echo of `far` out of whole blocks of the microphone. Shapes: see `Canceller`."""
        sounded = to_int16(far * np.float32(FULL_SCALE))
        if self._channels > 1:
            sounded = np.repeat(sounded, self._channels)
        heard: npt.NDArray[np.int16] = self._engine.process(mic.reshape(-1), sounded)
        return heard.reshape(mic.shape)

    def reset(self) -> None:
        """Forget the path of the echo, and all audio."""
        self._engine.reset()


def _load() -> ModuleType:
    """Import the package. It is needed only where a program cancels, and has no wheel for some machines."""
    try:
        return importlib.import_module("pywebrtc_audio")
    except ModuleNotFoundError as error:
        if error.name != "pywebrtc_audio":
            raise _broken(error) from error
        raise EngineError("the echo canceller aec3 needs a package: pip install pywebrtc-audio") from None
    except Exception as error:  # a library that does not load: ImportError, OSError or another
        raise _broken(error) from error


def _broken(error: Exception) -> EngineError:
    reason = printable(error)
    return EngineError(
        f"the package pywebrtc-audio does not work ({reason}): pip install --force-reinstall pywebrtc-audio"
    )
