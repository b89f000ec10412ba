"""An echo that comes when the canceller does not look for it, as no time stamp tells of its delay."""

from __future__ import annotations

from collections import deque

from voicepipe.canceller.echo_delay import EchoDelay

__all__ = ["DelayWatch"]

HOPS = 5
"""The hops of 50 ms after which it looks again."""
LEFT = 0.25
"""The part of the microphone's power, -6 dB, that is left in the words where a canceller looks elsewhere."""
FIRST_S, LAST_S = 0.001, 0.15
"""The echoes that it follows by itself, counted from the sound that it is given: none before, and the
reverberation behind the last one still within its reach of 0.28 s."""
USUAL_S = 0.006
"""The delay of an echo from a loudspeaker at hand, from the sound that the canceller is given on."""
AGREEING = 3
"""So many looks in a row must find the same."""
APART_S = 0.003
"""They are the same if they differ by no more than a step of the listener."""


class DelayWatch:
    """Notices that an echo is later than the canceller can follow, or earlier than its sound.

    Time stamps may be wrong, and a television has a delay that nobody tells. Then the linear filter takes
    nothing away.

    Args:
        delay: the delay of the echo at the microphone.
    """

    def __init__(self, delay: EchoDelay) -> None:
        self._delay = delay
        self._mic = self._words = 0.0
        self._hops = 0
        self._found: deque[float] = deque(maxlen=AGREEING)

    def note(self, mic: float, words: float) -> float:
        """Take the powers of a hop in which the program sounds.

        Returns:
            The time in seconds by which the canceller should look later; 0: it looks at the right place.
        """
        self._mic, self._words, self._hops = self._mic + mic, self._words + words, self._hops + 1
        if self._hops < HOPS:
            return 0.0
        is_left = self._words > LEFT * self._mic
        self._mic = self._words = 0.0
        self._hops = 0
        found = self._delay.find_from_given() if is_left else None
        if found is None or FIRST_S <= found <= LAST_S:
            self._found.clear()
            return 0.0
        self._found.append(found)
        if len(self._found) < AGREEING or max(self._found) - min(self._found) > APART_S:
            return 0.0
        self._found.clear()
        return found - USUAL_S
