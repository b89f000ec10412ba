"""The port to the back ends."""

from voicepipe.devices.backends import backend_of, open_backend
from voicepipe.devices.port import (
    Backend,
    Block,
    DeviceInfo,
    InputStream,
    LibraryInfo,
    OutputStream,
    StreamInfo,
    StreamRequest,
)

__all__ = [
    "Backend",
    "Block",
    "DeviceInfo",
    "InputStream",
    "LibraryInfo",
    "OutputStream",
    "StreamInfo",
    "StreamRequest",
    "backend_of",
    "open_backend",
]
