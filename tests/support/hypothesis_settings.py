"""How Hypothesis is used here: the same examples every time, no clock, nothing written; and odd values."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["ODD", "anything", "repeatable"]


def repeatable(examples: int, **options: Any) -> settings:
    """The settings of a test with so many examples. `--hypothesis-seed=N` makes others of them."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,  # two busy cores
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        print_blob=True,
        **options,
    )


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no words for it")


ODD = [
    *(True, False, None, "", "48k", "low", "high", "\x1b[31m", "\u202e", "\udcff", "x" * 300, b"", b"\0"),
    *(0, -1, 1, 2**31, 2**63, 10**400, -(10**5_000), 10**5_000),
    *(0.0, -0.0, 1e-300, 0.02, 1e308, math.nan, math.inf, -math.inf),
    *(Decimal("0.02"), Fraction(1, 50), 1j, np.float64(0.02), np.float32(0.5), np.int64(3), np.int16(1)),
    *([], {}, (), object(), type, int, print, ..., [0.02], {"rate": 1}, Unspeakable()),
]


def anything() -> st.SearchStrategy[Any]:
    """What a caller might hand over by mistake, and what is right now and then."""
    return st.one_of(
        st.sampled_from(ODD),
        st.floats(),
        st.integers(),
        st.integers(1, 48_000),
        st.floats(0, 10),
        st.text(max_size=20),
    )
