"""Tasks as a program: signals, exit status, watchdog."""

__all__: list[str] = []
