"""The conversation: interruptions by the ear, the record of who said what, and the times of the turns.

interrupter     the stage that lets the user interrupt the program
states          the interrupter's table of states, without clocks and frames
handed_turns    the turns that it has handed on or refused, and how they are joined
timers          named timers
remark          the judge of a remark, the frame of one that is not answered, stop words
gate            the user's words that wait for a decision
voice           the program's voice: softer, held, cut after its sentence
protection      the lines about the protection from the program's own sound
idle            the stage that tells of a silent user
minutes         the writer of the run's record
turns           the times from the user's last word to the program's first sound
"""

__all__: list[str] = []
