"""Speech in a stream of audio: found, and given as a whole.

detectors  speech engines, which score short windows
segmenter  turns out of scores: their beginnings and ends
vad        the stage that runs an engine and a segmenter
utterance  the stage that collects a turn's audio
end_of_turn  the judge of pauses, and the use of its verdicts
asking     the questions to a judge
pauses     the pauses in a turn, as the voice detector tells them and ends them
"""

__all__: list[str] = []
