"""The back ends of voicepipe: sound hardware, files, and a simulated card.

`voicepipe.devices.open_backend` opens one by name: `portaudio`, `wav:IN.wav,OUT.wav` or `fake`.
From the bottom up:

driver         the lowest seam: what a library with audio callbacks offers
ring           the crossing of audio between a callback and the event loop
device_watch   a watch on a device that falls silent, or changes its rate
formats        the formats to try on a device
conversion     between a device's format and the pipeline's
tap            the record of what a speaker's device took
probing        trials of devices, without a sound
streams        the port's streams over any driver: `DriverBackend`, to derive from
calls          calls that may never come back, in threads, with a limit
in_process     a library whose calls block, in this process
sound_process  the same in a process for each stream, which can hang and be killed
portaudio      sound hardware
wav            files in place of devices
fake           a simulated card, with faults
"""
