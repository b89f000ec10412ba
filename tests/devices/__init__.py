"""The port to devices, and what stands at it."""
