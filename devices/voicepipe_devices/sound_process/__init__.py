"""sound_process."""

__all__: list[str] = []
