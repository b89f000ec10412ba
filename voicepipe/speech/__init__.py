"""Voice detection: where somebody speaks, and the utterances."""

__all__: list[str] = []
