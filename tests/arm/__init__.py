"""A Raspberry Pi's system, emulated."""
