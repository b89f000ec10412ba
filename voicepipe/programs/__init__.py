"""What the command `voicepipe` can do, a module for each of its commands."""

__all__: list[str] = []
