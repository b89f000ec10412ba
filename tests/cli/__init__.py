"""The command `voicepipe`."""
