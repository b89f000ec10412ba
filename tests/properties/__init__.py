"""Properties that hold whatever happens, and whenever: generated, exhaustive, simulated."""
