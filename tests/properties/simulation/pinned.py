"""Seeds that have turned red once, for a bug of the library's or a planted one.

A change of `scenario.py` changes what a seed means. Then they are found anew: `python tests/long/mutants.py`
says, for each planted bug, which seed shows it first.
"""

from __future__ import annotations

PINNED = (360, 372, 444, 496)
