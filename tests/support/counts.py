"""How often the tests do what one cannot do often enough: by default a tenth of it, which CI has time for.

VOICEPIPE_TIMES=10 pytest -n0 tests/properties/test_every_step.py ...    # all of it
"""

from __future__ import annotations

import os

__all__ = ["FULL", "TIMES", "count_of"]

TIMES = int(os.environ.get("VOICEPIPE_TIMES", "1"))
"""In tenths of the full count."""
FULL = TIMES >= 10


def count_of(full: int) -> int:
    """How often to do now what is done so often in full."""
    return max(1, full * TIMES // 10)
