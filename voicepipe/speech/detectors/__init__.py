"""Voice detectors: the engines that judge a short window of audio."""

__all__: list[str] = []
