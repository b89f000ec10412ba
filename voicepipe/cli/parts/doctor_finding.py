"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["INDENT", "Finding", "Verdict"]

Verdict = Literal["good", "bad", "note"]
_WIDTH = 12
INDENT = _WIDTH + 8
"""Cells before the text, on a screen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    check: str
    """The name of the check."""
    verdict: Verdict
    """`note` is neither good nor bad, or it could not be measured."""
    text: str
    """The result; where it is bad, with its remedy."""

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {self.check:<{_WIDTH}}  {self.text}"
