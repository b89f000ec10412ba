"""What a test of a voice program needs: no hardware, and no waiting."""

from voicepipe.testing.virtual import VirtualClockError, VirtualLoop, run_virtual

__all__ = ["VirtualClockError", "VirtualLoop", "run_virtual"]
