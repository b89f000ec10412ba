"""The commands, a module each. `run(arguments, program)` runs one and returns its exit status.

files    play, record, vad
sound    echo, level, latency
devices  devices, doctor
program  config, service, status, completion
"""

__all__: list[str] = []
