"""parts."""

__all__: list[str] = []
