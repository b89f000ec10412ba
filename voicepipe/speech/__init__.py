"""speech."""

__all__: list[str] = []
