"""Bugs to plant in what becomes of live sound that is late, each with the test or seed that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["LATE_MUTANTS"]

LATE_MUTANTS = (
    Mutant(
        "live sound is late for good",
        "Playback._take_live",
        "if surplus:\n    self._leave_out(surplus)",
        "pass",
    ),
    Mutant("what was made is left out as late", "_longest_live_part", "chunk.live", "True"),
    Mutant(
        "live sound is left out to the last sample",
        "Surplus._look",
        "min(delay_s - self.usual_s, spare_s - self.raised_s)",
        "delay_s",
    ),
    Mutant(
        "bursts of live sound are left out",
        "Surplus._look",
        "min(slot.spare_s for slot in self._slots)",
        "max(slot.spare_s for slot in self._slots)",
    ),
    Mutant("what is late is not counted", "Source.leave_out", "self.dropped[reason] += left_out", "pass"),
    Mutant(
        "what is late is counted twice",
        "Source.leave_out",
        "self.dropped[reason] += left_out",
        "self.dropped[reason] += 2 * left_out",
    ),
    Mutant(
        "what is late of what comes is not counted",
        "Playback._take_live",
        "voice.refuse(gone, DropReason.LATE)",
        "pass",
    ),
    Mutant(
        "what is late is taken back from a wrong position",
        "DeviceQueue.leave_out",
        "self._take_back(at)",
        "self._take_back(at + 7)",
    ),
    Mutant(
        "the rest of what is late is forgotten",
        "LiveVoice.note_left_out",
        "self._owed = of - samples",
        "pass",
    ),
    Mutant(
        "the usual delay is longer after one dry run",
        "Surplus._less_what_hiccups_need",
        "len(hiccups) >= HICCUPS",
        "True",
    ),
    Mutant(
        "a change of what was played is told beside its place",
        "Source.advance",
        "self._tell(PlayedChange(piece.at, *piece.chunk.change))",
        "self._tell(PlayedChange(position, *piece.chunk.change))",
    ),
    Mutant(
        "a change of what was played is told twice",
        "cut_chunk",
        "chunk._replace(data=chunk.data[size:], change=None)",
        "chunk._replace(data=chunk.data[size:])",
    ),
    Mutant(
        "a change of what was played forgets the one before",
        "leave_out",
        "count + told",
        "count",
    ),
    Mutant(
        "a delay that was shorter for a while is never usual",
        "Surplus._settle",
        "self.usual_s = min(self.usual_s, max(self._held))",
        "pass",
    ),
)
