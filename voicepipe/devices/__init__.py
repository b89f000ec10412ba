"""The port to the back ends: what a back end is asked, and back ends by name.

port             Backend, InputStream, OutputStream: what is asked
optional         what a stream may lack
values           StreamRequest, StreamInfo, DeviceInfo, Block: what is answered, as values
names            names of devices, compared as people mean them
trial            the formats at which devices open, found by trying
backends         `open_backend`: back ends by name, those of other packages too
callback_counts  a device's callbacks, counted and timed by our own clock
hardware         a clock outside the event loop, for simulated cards

The back ends themselves are in the package `voicepipe_devices`.
"""

from voicepipe.devices.backends import BackendFactory, backend_of, open_backend
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import Backend, InputStream, OutputStream, Stream
from voicepipe.devices.trial import DeviceTrial, SideTrial
from voicepipe.devices.values import Block, DeviceInfo, LibraryInfo, StreamInfo, StreamRequest

__all__ = [
    "Backend",
    "BackendFactory",
    "Block",
    "CallbackCounts",
    "DeviceInfo",
    "DeviceTrial",
    "InputStream",
    "LibraryInfo",
    "OutputStream",
    "SideTrial",
    "Stream",
    "StreamInfo",
    "StreamRequest",
    "backend_of",
    "open_backend",
]
