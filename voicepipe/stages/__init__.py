"""stages."""

__all__: list[str] = []
