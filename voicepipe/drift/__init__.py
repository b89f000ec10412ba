"""Two clocks: the delay of live sound is held between a microphone and a speaker that differ.

drift     a speaker's queue, held by playing a little faster or slower
stretch   audio made longer or shorter by parts in a million
lateness  live sound that comes too late to be heard
"""

__all__: list[str] = []
