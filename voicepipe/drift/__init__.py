"""drift."""

__all__: list[str] = []
