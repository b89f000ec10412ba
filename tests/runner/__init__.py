"""The runner: signals, exit status, the watch over the loop."""
