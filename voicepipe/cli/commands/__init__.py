"""commands."""

__all__: list[str] = []
