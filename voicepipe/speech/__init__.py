"""Speech in a stream of audio: found, and given as a whole.

detectors  speech engines, which score short windows
segmenter  turns out of scores: their beginnings and ends
vad        the stage that runs an engine and a segmenter
end_of_turn  the judge of a pause, and the use of its verdicts
utterance  the stage that collects a turn's audio
"""

__all__: list[str] = []
