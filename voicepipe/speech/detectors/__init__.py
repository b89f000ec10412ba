"""detectors."""

__all__: list[str] = []
