"""The choice of a protection, and the way to half-duplex and back."""

from __future__ import annotations

import pytest

from voicepipe.canceller.protection import FallBack, ProtectionWish
from voicepipe.report import EchoState, Protection


@pytest.mark.parametrize(
    ("cancel", "mute", "shares_air", "cancels", "otherwise", "may_fall_back"),
    [
        (None, None, True, True, "half-duplex", True),
        (None, None, False, False, None, True),
        (True, None, True, True, "half-duplex", True),
        (True, None, False, True, "headphones", True),
        (True, False, True, True, "headphones", False),
        (False, None, True, False, "half-duplex", True),
        (False, None, False, False, None, True),
        (False, False, True, False, "headphones", False),
        (False, True, True, False, "half-duplex", True),
        (False, True, False, False, "half-duplex", True),
        (None, True, True, False, "half-duplex", True),
        (None, True, False, False, "half-duplex", True),
        (None, False, True, True, "headphones", False),
        (None, False, False, False, None, False),
    ],
)
def test_wishes_decide(
    cancel: bool | None,
    mute: bool | None,
    shares_air: bool,
    cancels: bool,
    otherwise: Protection | None,
    may_fall_back: bool,
) -> None:
    wish = ProtectionWish(cancel, mute, shares_air)
    assert wish.cancels is cancels
    assert wish.may_fall_back is may_fall_back
    expected = None if otherwise is None else EchoState(otherwise, "a reason")
    assert wish.without_canceller("a reason") == expected


@pytest.mark.parametrize(
    ("windows", "in_force"),
    [
        ([9, 9], False),
        ([9, 9, 9], True),
        ([9, 9, 10, 9, 9], False),
        ([9, 9, 30, 9, 9, 9], True),
        ([9, 9, 9, 14, 14], True),
        ([9, 9, 9, 14, 14, 14], False),
        ([9, 9, 9, 14, 13, 14, 14], True),
        ([9, 9, 9, 9, 9, 9, 12, 12, 12], True),
        ([9, 9, 9, 14, 14, 14, 9, 9], False),
        ([-3, -3, -3, 60, 60, 60, -3, -3, -3], True),
    ],
)
def test_three_windows_in_a_row_decide(windows: list[float], in_force: bool) -> None:
    fall_back, changes = FallBack(), 0
    for erle_db in windows:
        changes += fall_back.judge(erle_db)
    assert fall_back.is_in_force is in_force
    assert changes % 2 == in_force
