"""The commands, a module each. `run(arguments, program)` runs one and returns its exit status."""

__all__: list[str] = []
