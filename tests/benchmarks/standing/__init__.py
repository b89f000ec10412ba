"""What the benchmark of standstills consists of.

plan       which process stands still, when, and for how long: drawn from a seed
tape       what was said and what was heard over a run, and the delay between them at any moment
card       a run on the virtual card, through real PortAudio, with real processes that stand still
simulated  the same on the simulated card, in virtual time
"""

from __future__ import annotations
