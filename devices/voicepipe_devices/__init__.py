"""The back ends of voicepipe: what talks to sound hardware, to files, or to a simulated card.

Open one by name with `voicepipe.devices.open_backend`.
"""
