"""Bugs to plant in the record of what a speaker's device took and in time stamps, each with its test."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["TAP_MUTANTS"]

TAP = "tests/backends/test_tap.py"
RECORD = "tests/backends/test_shared_record.py"
CLOCK = "tests/backends/test_block_clock.py"
SPEAKER = "tests/endpoints/test_speaker_tap.py"
PORT = "tests/devices/test_port.py"
UNTAPPED = "few of its runs tap their speakers"
ONE_PROCESS = "it has no other processes"
NO_STAMPS = "its card's times are true"

TAP_MUTANTS = (
    # -- the record --------------------------------------------------------------------
    Mutant(
        "a sample sounds when its block does, whatever the rates",
        "Tap.render",
        "sounds_s + self._position / self._written.rate - played_s",
        "sounds_s",
        f"{TAP}::test_times_hold_over_a_change_of_the_rate",
        unseen=UNTAPPED,
    ),
    Mutant(
        "the device's samples are counted at the queue's rate",
        "Tap.expect",
        "self._device_rate, self._latency_s = device_rate, latency_s",
        "self._latency_s = latency_s",
        f"{TAP}::test_times_hold_over_a_change_of_the_rate",
        unseen=UNTAPPED,
    ),
    Mutant(
        "only the first piece of a block is noted",
        "Tap.render",
        'b"".join(self._parts)',
        "self._parts[0]",
        f"{TAP}::test_times_hold_over_a_change_of_the_rate",
        unseen=UNTAPPED,
    ),
    Mutant(
        "a reader that comes late reads all there ever was",
        "SoundedRecord.add",
        "blocks.popleft()",
        "break",
        f"{TAP}::test_who_reads_late_finds_four_seconds_and_sees_the_gap",
        unseen=UNTAPPED,
    ),
    Mutant(
        "what a late reader missed leaves no gap",
        "SoundedRecord.take",
        "return self._blocks.popleft()",
        "return self._blocks.popleft()._replace(position=0)",
        f"{TAP}::test_the_record_is_what_came_out_sample_by_sample",
        unseen=UNTAPPED,
    ),
    Mutant(
        "who does not ask has a record",
        "RenderStream.__init__",
        "request.tap",
        "True",
        f"{TAP}::test_without_a_wish_there_is_no_record",
        unseen=UNTAPPED,
    ),
    Mutant(
        "a file that stood still has no gap in its record",
        "FileOutput._note",
        "block * self.info.block",
        "self._writer.num_samples",
        f"{SPEAKER}::test_a_file_tells_what_went_into_it",
        unseen=UNTAPPED,
    ),
    # -- the record of another process ---------------------------------------------------
    Mutant(
        "a block that is half written is believed",
        "SharedRecord._look",
        "check != zlib.crc32(data, zlib.crc32(entry))",
        "False",
        f"{RECORD}::test_an_entry_that_does_not_add_up_is_a_gap",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "the end of the ring cuts a block",
        "SharedRecord.add",
        "ring[: len(data) - here] = data[here:]",
        "pass",
        f"{RECORD}::test_blocks_of_any_size_fit",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "what was not read goes with the process",
        "SharedRecord.close",
        "deque(iter(self.take, None))",
        "deque()",
        f"{RECORD}::test_what_was_not_read_outlives_the_memory",
        unseen=ONE_PROCESS,
    ),
    Mutant(
        "who does not ask pays with memory",
        "record_bytes",
        "request.tap",
        "True",
        f"{RECORD}::test_nobody_pays_who_does_not_ask",
        unseen=ONE_PROCESS,
    ),
    # -- time stamps ----------------------------------------------------------------------
    Mutant(
        "a stamp of 0 is believed",
        "StampJudge.accepts",
        "stamp_s and 0.0 < delay_s <= self._most_s",
        "0.0 <= delay_s <= self._most_s",
        f"{CLOCK}::test_without_stamps_the_callbacks_and_the_latency_tell",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "stamps of another clock are believed",
        "StampJudge.accepts",
        "0.0 < delay_s <= self._most_s",
        "delay_s",
        f"{CLOCK}::test_without_stamps_the_callbacks_and_the_latency_tell",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "stamps that jump are not noticed",
        "StampJudge.accepts",
        "self._jumping += (jumps - self._jumping) / min(self._count, _MEMORY)",
        "pass",
        f"{CLOCK}::test_the_middle_one_counts_of_stamps_that_jump",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "one bad stamp is enough",
        "BlockClock.look",
        'self._recent and self.stamps in ("good", "unsteady")',
        "False",
        f"{CLOCK}::test_a_single_bad_stamp_among_good_ones_does_not_count",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "stamps that came back are never believed again",
        "StampJudge._judge",
        '_GOOD if before in ("missing", "absurd") else _BAD',
        "0.0",
        f"{CLOCK}::test_stamps_that_go_and_come_back_are_noticed",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "the last callback tells the time, though it came late",
        "CallbackLine.time_s",
        "played_s + self._least.add(played_s, now_s - played_s)",
        "now_s",
        f"{TAP}::test_without_stamps_the_earliest_callback_tells_the_time_of_all",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "the line never forgets",
        "RecentLeast.add",
        "values[0][0] < at_s - self._window_s",
        "False",
        f"{TAP}::test_the_line_follows_a_standstill_within_a_second",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "a library's clock that stood still is never followed",
        "ClockDifference.__init__",
        "RecentLeast(_WINDOW_S)",
        "RecentLeast(1e9)",
        f"{CLOCK}::test_a_library_whose_clock_stands_still_is_followed",
        unseen=NO_STAMPS,
    ),
    Mutant(
        "PipeWire's early stamps are believed",
        "BlockClock.look",
        "self._doubt.look(line_s + self._offset_s - stamp_s - difference_s)",
        "self._doubt.look(1.0)",
        f"{CLOCK}::test_a_little_delay_is_doubted_behind_pipewire",
        unseen=NO_STAMPS,
    ),
    # -- the speaker's tap --------------------------------------------------------------------
    Mutant(
        "the end of a lost stream is not fetched",
        "StreamsTap.leave",
        "self._fetch()",
        "pass",
        f"{SPEAKER}::test_a_lost_stream_is_told_to_its_end_and_the_next_one_is_another",
        unseen=UNTAPPED,
    ),
    Mutant(
        "a stream after a loss has no tap",
        "SpeakerOutput._on_found",
        "self._tap.follow(stream)",
        "pass",
        f"{SPEAKER}::test_a_lost_stream_is_told_to_its_end_and_the_next_one_is_another",
        unseen=UNTAPPED,
    ),
    Mutant(
        "another stream has the number of the one before",
        "StreamsTap.follow",
        "self._streams += 1",
        "self._streams = 0",
        f"{SPEAKER}::test_a_change_of_device_goes_on_with_the_other_one",
        unseen=UNTAPPED,
    ),
    Mutant(
        "a reader takes the blocks from all others",
        "StreamsTap.read",
        "return list(islice(blocks, max(0, after + 1 - blocks[0].number), None))",
        "return [blocks.popleft() for _ in range(len(blocks))]",
        f"{SPEAKER}::test_the_tap_tells_all_that_the_speaker_played_once_to_each_reader",
        unseen=UNTAPPED,
    ),
    Mutant(
        "a tap outlives its run",
        "SpeakerOutput.cleanup",
        "tuple(tap for tap in self._speakers.taps if tap is not self._tap)",
        "self._speakers.taps",
        f"{SPEAKER}::test_the_tap_tells_all_that_the_speaker_played_once_to_each_reader",
        unseen=UNTAPPED,
    ),
)
