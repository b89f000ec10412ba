"""The conversation: interruptions by the ear, the record of who said what, and the times of the turns.

    interrupter     the stage that lets the user interrupt the program
    states          the interrupter's table of states, without clocks and frames
    remark          the user's remark over the program's speech: its words, and what becomes of them
    gate            the utterances and words that wait for a decision
    idle            the stage that tells of a silent user
    minutes         the writer of the run's record
    turns           the times from the user's last word to the program's first sound
"""
