"""Bugs to plant in what is read of files and of the system, each with the test that must turn red."""

from __future__ import annotations

from long.mutant import Mutant

__all__ = ["FILE_MUTANTS"]

WAV = "tests/audio/test_wav_kinds.py"
NO_FILES = "the simulation reads no files"

FILE_MUTANTS = (
    Mutant(
        "a WAV file's block align is believed",
        "encoding_of",
        "-(-bits // 8)",
        "align // max(1, channels)",
        f"{WAV}::test_a_wrong_block_align_is_not_believed",
        unseen=NO_FILES,
    ),
    Mutant(
        "24 bits in four bytes are always taken for packed",
        "Encoding.settle",
        "not self.is_doubtful",
        "True",
        f"{WAV}::test_24_bits_in_four_bytes_are_told_by_the_audio",
        unseen=NO_FILES,
    ),
    Mutant(
        "a WAV file that is cut off is not said",
        "_remarks_on_cut",
        "says != has",
        "False",
        f"{WAV}::test_a_file_that_is_cut_off_is_read_and_said",
        unseen=NO_FILES,
    ),
    Mutant(
        "the second of two joined WAV files is not looked for",
        "_Walk._end_of_audio",
        "_is_placeholder(claimed) and (second := self._second_file(start)) is not None",
        "False",
        f"{WAV}::test_joined_files_whose_lengths_nobody_wrote_are_said_too",
        unseen=NO_FILES,
    ),
    Mutant(
        "an odd chunk of a WAV file always has its padding",
        "_Walk._is_unpadded",
        "_is_kind(ahead[:4]) and ahead[1:5] not in (b'fmt ', b'data')",
        "False",
        f"{WAV}::test_a_chunk_of_odd_length_may_lack_its_padding",
        unseen=NO_FILES,
    ),
    Mutant(
        "RIFX is read as RIFF",
        "_Walk._begin",
        "(order, base + 8 + self._number(head[4:8], order))",
        "('<', base + 8 + self._number(head[4:8], order))",
        f"{WAV}::test_either_byte_order_gives_the_same",
        unseen=NO_FILES,
    ),
)
