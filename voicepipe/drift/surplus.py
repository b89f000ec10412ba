"""Live sound that waits before a speaker for longer than it needs to: how much of it to leave out.

While a program stands still, the speaker runs dry, and what the microphone heard meanwhile comes later, at
once. From then on all that is heard would be late by as long as the program stood, for good. So the delay
is watched. Where it has grown, and the queue before the speaker has not needed the more for a second, the
more is left out.
"""

from __future__ import annotations

import math
from collections import deque

from voicepipe.checks import check_number

__all__ = ["TOLERANCE_S", "Surplus"]

PENDING_S = 3.0
"""After so long a delay that was not cut is needed."""
SLOT_S = 0.2
SLOTS = 5
"""Audio that has not been needed for so many slots, about a second in all, is not needed."""
GAP_S = 1.2
"""After a longer pause a new stretch of sound begins. A stage may give a second of audio, once a second."""
TOLERANCE_S = 0.008
"""So much later nobody minds."""
JUMP_S = 0.003
"""The delay grows by less within a slot where two clocks differ, and by more where the speaker ran dry."""
HELD_SLOTS = 10
"""A delay that has been shorter for so many slots, 2 s in all, is the usual one from then on."""
FOLLOW_PPM = 1_000.0
"""The speed at which the usual delay follows, where the difference of the clocks is corrected elsewhere."""
HICCUP_S = 0.04
"""A dry run of up to so long comes of a busy processor, and may come again at once."""
HICCUPS = 3
"""After so many of them ..."""
HICCUPS_WITHIN_S = 10.0
"""... within so long, each after the one before had been made good, ..."""
STEADY_WITHIN_S = 60.0
"""... or within so long where the delay is longer anyway, ..."""
RAISE_S = 0.008
"""... the delay is longer by so much, or by a block where it is steady. Else it would be cut for ever."""
MOST_RAISE_S = 0.06
"""A queue that would need even more runs dry now and then: the delay would be worse."""
REMEMBER_S = 300.0
"""The time after which a raise that nothing has needed is taken back."""


class _Slot:
    """The least delay, and the least that could have been left out, of the pieces of a while."""

    __slots__ = ("delay_s", "spare_s")

    def __init__(self) -> None:
        self.delay_s = self.spare_s = math.inf


class Surplus:
    """Says how much to leave out. Knows no audio, only times, in seconds by one clock.

    Two things must hold. The delay is longer than usual: where it never grew, the queue is as long as the
    stage before needs it, which may give a second of audio at once, once a second. And so much has waited
    before each piece of the last second: so nothing runs dry without it.

    Args:
        block_s: seconds of audio in a block of the device.
        follows: the usual delay follows slow changes, which are corrected elsewhere.
    """

    def __init__(self, block_s: float = 0.02, *, follows: bool = False) -> None:
        self._block_s = check_number("block_s", block_s, at_least=0.0, at_most=1.0)
        self._follows = follows
        self._within_s = STEADY_WITHIN_S if follows else HICCUPS_WITHIN_S
        self.usual_s: float | None = None
        """The delay to hold; None: it is not known yet."""
        self.raised_s = 0.0
        """So much of it was added because the queue ran dry again and again."""
        self._needed_s = -math.inf
        """The time at which that was last needed."""
        self._came_s = -math.inf
        self._late_since_s = math.inf
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)
        self._slot = _Slot()
        self._turn_s = math.inf
        self._last_s: float | None = None
        """The delay of the last second, as it was last looked at."""
        self._held: deque[float] = deque(maxlen=HELD_SLOTS)
        self._waits = 0
        """The looks since there was something to leave out."""
        self._jumped = False
        """The delay has grown at once since the last cut."""
        self._hiccups: deque[float] = deque()

    @property
    def is_pending(self) -> bool:
        """True while the delay is too long, and it is not known yet if that is needed."""
        return 0.0 <= self._came_s - self._late_since_s < PENDING_S

    def observe(self, now_s: float, delay_s: float, spare_s: float, audio_s: float) -> float:
        """Look at a piece of live audio that is to be written now; return how much to leave out.

        Args:
            now_s: this moment.
            delay_s: the time from its capture until it sounds, but for what never changes.
            spare_s: the audio that waits before it, less what is meant to, and what cannot be left out.
            audio_s: its length.
        """
        if now_s - self._came_s > GAP_S:
            self.pause()
        self._came_s = now_s
        if self.usual_s is None or delay_s - self.usual_s <= TOLERANCE_S:
            self._late_since_s = math.inf
        elif self._late_since_s == math.inf:
            self._late_since_s = now_s
        turns = now_s >= self._turn_s
        if turns or not self._slots:
            self._slot = _Slot()
            self._slots.append(self._slot)
            self._turn_s = now_s + SLOT_S
            turns = turns and len(self._slots) == SLOTS
        slot = self._slot
        if delay_s < slot.delay_s:
            slot.delay_s = delay_s
        if spare_s < slot.spare_s:
            slot.spare_s = spare_s
        return self._look(now_s, audio_s) if turns else 0.0

    def pause(self) -> None:
        """Look anew at what comes next: the queue was emptied, or is another one."""
        self._slots.clear()
        self._held.clear()
        self._turn_s = math.inf

    def left_out(self, seconds: float) -> None:
        """Note that so much was left out."""
        self.pause()
        self._waits = 0
        self._jumped = False
        self._late_since_s = math.inf
        if self._last_s is not None:
            self._last_s -= seconds

    def _look(self, now_s: float, audio_s: float) -> float:
        delay_s = min(slot.delay_s for slot in self._slots)
        spare_s = min(slot.spare_s for slot in self._slots)
        if self.usual_s is None:
            self._begin(delay_s, max(audio_s, self._block_s))
        if self._last_s is not None and delay_s - self._last_s > JUMP_S:
            self._jumped = True
        self._last_s = delay_s
        self._settle(now_s, delay_s, spare_s)
        assert self.usual_s is not None
        surplus_s = min(delay_s - self.usual_s, spare_s - self.raised_s)
        if surplus_s <= TOLERANCE_S:
            self._waits = 0
            self._jumped = self._jumped and delay_s - self.usual_s > TOLERANCE_S
            return 0.0
        if self._will_grow(surplus_s, delay_s - self.usual_s):
            return 0.0
        return self._less_what_hiccups_need(now_s, surplus_s)

    def _begin(self, delay_s: float, piece_s: float) -> None:
        """Learn the usual delay. A queue that never falls below two pieces has one too many.

        Nothing waited before the very first pieces, even where they came all at once because the program
        stood still as it began.
        """
        spare_s = min(slot.spare_s for slot in list(self._slots)[1:])
        self.usual_s = delay_s - (max(0.0, spare_s - piece_s) if spare_s >= 2 * piece_s else 0.0)

    def _settle(self, now_s: float, delay_s: float, spare_s: float) -> None:
        """Let the usual delay go with one that has been shorter for long, or has changed slowly."""
        assert self.usual_s is not None
        self._held.append(delay_s)
        if len(self._held) == HELD_SLOTS:
            self.usual_s = min(self.usual_s, max(self._held))
        change_s = delay_s - self.usual_s
        if self._follows and abs(change_s) <= TOLERANCE_S:
            most_s = FOLLOW_PPM * 1e-6 * SLOT_S
            self.usual_s += max(-most_s, min(most_s, change_s))
        if spare_s < self.raised_s / 2:
            self._needed_s = now_s
        elif self.raised_s and now_s - self._needed_s > REMEMBER_S:
            self._raise(-min(self._step_s, self.raised_s), now_s)

    def _will_grow(self, surplus_s: float, late_s: float) -> bool:
        """Return True if more could be left out in one piece a little later, when an older slot has gone."""
        later_s = min(late_s, self._slots[-2].spare_s - self.raised_s)
        self._waits += 1
        return later_s > surplus_s + TOLERANCE_S and self._waits <= SLOTS

    @property
    def _step_s(self) -> float:
        return self._block_s if self._follows else RAISE_S

    def _raise(self, seconds: float, now_s: float) -> None:
        assert self.usual_s is not None
        self.usual_s += seconds
        self.raised_s += seconds
        self._needed_s = now_s
        self._hiccups.clear()

    def _less_what_hiccups_need(self, now_s: float, surplus_s: float) -> float:
        """Return the surplus, or less of it, where as little was left out twice before and was missed."""
        hiccups = self._hiccups
        if self._jumped and surplus_s <= HICCUP_S:
            hiccups.append(now_s)
            while hiccups[0] < now_s - self._within_s:
                hiccups.popleft()
            if len(hiccups) >= HICCUPS:
                kept_s = min(surplus_s, self._step_s, MOST_RAISE_S - self.raised_s)
                self._raise(kept_s, now_s)
                surplus_s -= kept_s
                self._jumped = False
        return surplus_s if surplus_s > TOLERANCE_S else 0.0
