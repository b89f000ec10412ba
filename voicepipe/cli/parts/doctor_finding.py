"""What the doctor found of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Verdict"]

Verdict = Literal["good", "bad", "note"]
_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing."""

    check: str
    """What was looked at."""
    verdict: Verdict
    """`note`: neither good nor bad, or it could not be measured."""
    text: str
    """What was found; where it is bad, what to do."""

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {self.check:<{_WIDTH}}  {self.text}"
