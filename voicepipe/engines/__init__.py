"""Engines: heavy things that recognise, answer or judge, each in a child process of its own.

process   `EngineProcess`: one engine, in the event loop; made again after a crash
worker    the process itself and the calls to it, which block; for threads
threads   the threads in which those calls are made
messages  the messages between the program and the process
log_lines the output of the process on stderr, as log lines
child     `serve`: the process's own side

An engine in a thread of the program would starve the microphone: the loop would wait for the interpreter, for
up to a second. A process of its own has a lower priority, and can be killed.
"""

__all__: list[str] = []
