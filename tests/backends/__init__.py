"""The back ends of voicepipe_devices."""
