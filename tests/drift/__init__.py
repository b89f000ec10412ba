"""Two clocks, and sound that is late."""
