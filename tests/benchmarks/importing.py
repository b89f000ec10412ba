"""A process of its own that imports what its arguments name, one after the other, and says what each cost.

Prints a JSON object: `steps`, for each name the seconds, the MiB and the error, if there was
one; and `loaded`, every module that is there at the end.
"""

from __future__ import annotations

import os
import sys
import time

_MIB = 2**20


def _resident() -> float | None:
    """MiB of this process in memory; on macOS its peak, on Windows None."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MIB
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


def _step(name: str) -> dict[str, float | str | None]:
    before, begun = _resident(), time.perf_counter()
    error: str | None = None
    try:
        __import__(name)
    except Exception as failure:  # whatever a module raises when it is imported is the finding
        error = f"{type(failure).__name__}: {failure}"
    seconds, after = time.perf_counter() - begun, _resident()
    mib = None if before is None or after is None else after - before
    return {"name": name, "seconds": seconds, "mib": mib, "error": error}


if __name__ == "__main__":
    _resident()
    steps = [_step(name) for name in sys.argv[1:]]
    loaded = sorted(sys.modules)
    # Later than the rest: it must not be there when a step is measured.
    import json

    print(json.dumps({"steps": steps, "loaded": loaded}))
