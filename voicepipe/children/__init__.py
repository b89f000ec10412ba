"""Child processes: one launcher for all of them, and one promise: none outlives the program that made it.

launcher     `launch`: makes a child process, which runs a module of ours
interpreter  the Python that runs it, or why there is none: in frozen and embedded programs
lifeline     the pipe by which the system ends a child when its program is gone
manners      signals and pipes in a child that serves
start        the first act of a child, and `freeze_support` for frozen programs
command      `run_command`: a program of the system's, which goes when this one goes

multiprocessing is not used: it imports the user's program again.
"""

__all__: list[str] = []
