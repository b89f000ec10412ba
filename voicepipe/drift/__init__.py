"""The delay of live sound between a microphone and a speaker, which have two clocks and may stand still.

surplus   live sound that waits for longer than it needs to: what to leave out
drift     the slow difference of two clocks: how much faster or slower to play
stretch   audio made longer or shorter by parts in a million
"""

__all__: list[str] = []
