"""The terminal: everything that a program of ours writes to it while it runs.

screen          the program around a command: status lines, log, errors, the way back
display         the status of a run, redrawn
echo_display    the status of the echo program
status_lines    level, score and devices as lines of text
wrapping        text at words, for the width of the terminal
"""

__all__: list[str] = []
