"""Tasks as a program: signals, exit status, watchdog.

runner          `PipelineRunner`: tasks as a program
signals         the handlers of signals
escalation      the first signal ends, the second cancels, the third kills
terminal        the lines of a program on its terminal
closing_report  the report at the end, for a person and for an engineer
process_end     the end of the process: in order, or at once
loop_watchdog   a thread that names the stage that blocks the event loop
"""

__all__: list[str] = []
