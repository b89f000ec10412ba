"""What is left behind: the census, and the monitor of it."""
