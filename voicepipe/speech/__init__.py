"""Speech in a stream of audio: found, and given as a whole.

vad          the stage that runs an engine and a segmenter
stretch      audio without a gap, judged window by window
leveller     a slow automatic level before an engine
detectors/   speech engines, which score short windows
segmenter    turns out of scores: their beginnings and ends
evidence     scores read as evidence
positions    the place of each frame in the stream of a microphone
utterance    the stage that collects a turn's audio
heard        audio that is kept until an utterance is cut from it
early_facts  facts that came before their audio
end_of_turn  the judge of pauses, and the use of its verdicts
asking       the questions to a judge
pauses       the pauses in a turn, as the voice detector tells them and ends them
ends/        judges of the end of a turn
"""

__all__: list[str] = []
