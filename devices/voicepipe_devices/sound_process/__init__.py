"""A library whose calls block, in a process for each stream: it can hang, crash and be killed.

In the program:
backend   `OutsideBackend`: lists and tries devices, and opens streams
streams   the port's streams; their rings and devices are in the process
parent    one process: its start, requests and answers, its end
pipes     the ends of its pipes in the event loop, and the noise on its stderr

In the process, which loads neither asyncio nor numpy:
child     its main function, and the requests that it serves
sides     the microphone or the speaker that it holds
answers   the way out, on which no callback waits
priority  real-time priority, and a limit for a library that spins

In both:
messages       the messages between them
shared_page    the memory with a speaker's progress, which needs no message
shared_record  the memory with what its device took, where somebody wants that
sound_pipe     the pipe of the sound to be heard
"""

__all__: list[str] = []
