"""Speech in a stream of audio: found, and given as a whole.

detectors  speech engines, which score short windows
segmenter  turns out of scores: their beginnings and ends
vad        the stage that runs an engine and a segmenter
utterance  the stage that collects a turn's audio
"""

__all__: list[str] = []
