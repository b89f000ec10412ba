"""How much live audio waits for longer than it needs to, told from times alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from voicepipe.drift.surplus import HICCUPS, MOST_RAISE_S, RAISE_S, REMEMBER_S, Surplus

BLOCK_S = 0.02


@dataclass
class Queue:
    """A queue before a device that takes a block every 20 ms, and pieces of 20 ms."""

    surplus: Surplus = field(default_factory=lambda: Surplus(BLOCK_S))
    now_s: float = 0.0
    late_s: float = 0.0
    """How much later than at the beginning all is heard."""
    cuts: list[float] = field(default_factory=list)

    def run(self, seconds: float, spare_s: float | None = None, age_s: float = 0.03) -> float:
        """Let so much time pass; return how much was left out in it."""
        before = len(self.cuts)
        for _ in range(round(seconds / BLOCK_S)):
            self.now_s += BLOCK_S
            spare = self.late_s if spare_s is None else spare_s
            cut = self.surplus.observe(self.now_s, age_s + self.late_s, spare, BLOCK_S)
            if cut:
                self.late_s -= cut
                self.cuts.append(cut)
                self.surplus.left_out(cut)
        return sum(self.cuts[before:])


@pytest.mark.parametrize("late_s", [0.009, 0.02, 0.12, 1.5])
def test_as_much_as_the_delay_has_grown_is_left_out(late_s: float) -> None:
    queue = Queue()
    assert queue.run(5.0) == 0.0
    queue.late_s += late_s
    assert queue.run(1.3) == pytest.approx(late_s)
    assert queue.run(10.0) == 0.0


def test_a_little_is_left_as_it_is() -> None:
    queue = Queue()
    queue.run(5.0)
    queue.late_s = 0.0079
    assert queue.run(10.0) == 0.0


def test_a_delay_that_the_queue_needs_is_left_as_it_is() -> None:
    """A stage has become slower: all comes later, and nothing waits."""
    queue = Queue()
    queue.run(5.0)
    assert queue.run(20.0, spare_s=0.0, age_s=0.4) == 0.0


def test_a_long_queue_whose_delay_never_grew_is_left_as_it_is() -> None:
    """A stage catches up: its pieces are younger as the queue grows."""
    queue = Queue()
    queue.run(5.0, spare_s=0.0, age_s=0.5)
    assert queue.run(10.0, spare_s=0.47, age_s=0.5) == 0.0


def test_a_queue_that_is_long_from_the_start_keeps_one_piece() -> None:
    queue = Queue(late_s=0.3)
    assert queue.run(5.0) == pytest.approx(0.28)


@pytest.mark.parametrize("late_s", [0.04, 0.33, 1.5])
def test_a_program_that_stood_still_as_it_began_keeps_one_piece_too(late_s: float) -> None:
    """All that was heard meanwhile comes at once, and nothing waited before the first of it."""
    queue = Queue()
    pieces = round(late_s / BLOCK_S)
    for n in range(pieces):
        queue.surplus.observe(queue.now_s, 0.03 + late_s, n * BLOCK_S, BLOCK_S)
    queue.late_s = late_s
    assert queue.run(2.0) == pytest.approx(late_s - BLOCK_S)


def test_a_delay_that_has_been_shorter_for_long_is_the_usual_one() -> None:
    queue = Queue(late_s=0.03)
    queue.run(5.0)
    queue.late_s = 0.0
    queue.run(7.0)
    queue.late_s = 0.03
    assert queue.run(2.0) == pytest.approx(0.03)


def test_a_delay_that_was_shorter_for_a_moment_is_not() -> None:
    queue = Queue(late_s=0.03)
    queue.run(5.0)
    queue.late_s = 0.0
    queue.run(1.0)
    queue.late_s = 0.03
    assert queue.run(5.0) == 0.0


def test_two_clocks_without_a_compensator_are_cut_and_do_not_count_as_hiccups() -> None:
    queue = Queue()
    for _ in range(300):
        queue.late_s += 0.001
        queue.run(0.5)
    assert queue.late_s < 0.01
    assert queue.surplus.raised_s == 0.0


def test_with_one_the_usual_delay_follows_a_slow_change_and_a_standstill_is_cut() -> None:
    queue = Queue(Surplus(BLOCK_S, follows=True))
    for _ in range(200):
        queue.late_s += 0.0001
        assert queue.run(0.2) == 0.0
    queue.late_s += 0.1
    assert queue.run(2.0) == pytest.approx(0.1, abs=0.002)


def hiccup(queue: Queue, seconds: float = 0.03) -> float:
    """The queue runs dry for so long, and the surplus is left out."""
    queue.run(0.1, spare_s=0.0)
    queue.late_s += seconds
    return queue.run(1.3)


@pytest.mark.parametrize(("follows", "kept_s"), [(False, RAISE_S), (True, BLOCK_S)])
def test_of_the_third_hiccup_some_is_kept(follows: bool, kept_s: float) -> None:
    queue = Queue(Surplus(BLOCK_S, follows=follows))
    queue.run(5.0)
    cuts = [hiccup(queue) for _ in range(HICCUPS)]
    assert cuts == pytest.approx([0.03, 0.03, 0.03 - kept_s])
    assert queue.surplus.raised_s == pytest.approx(kept_s)
    for _ in range(20):
        hiccup(queue)
    assert queue.surplus.raised_s <= MOST_RAISE_S + 1e-9


@pytest.mark.parametrize(("follows", "pause_s"), [(False, 10.0), (True, 60.0)])
def test_hiccups_that_come_seldom_are_made_good_each_time(follows: bool, pause_s: float) -> None:
    queue = Queue(Surplus(BLOCK_S, follows=follows))
    queue.run(5.0)
    assert [hiccup(queue) + queue.run(pause_s / 2) for _ in range(6)] == pytest.approx([0.03] * 6, abs=0.002)


def test_a_standstill_is_no_hiccup() -> None:
    queue = Queue()
    queue.run(5.0)
    assert [hiccup(queue, 0.1) for _ in range(6)] == pytest.approx([0.1] * 6)


def test_a_raise_that_nothing_has_needed_is_taken_back() -> None:
    queue = Queue()
    queue.run(5.0)
    for _ in range(HICCUPS):
        hiccup(queue)
    assert queue.run(REMEMBER_S - 10.0) == 0.0
    assert queue.run(20.0) == pytest.approx(0.0), "it is little"
    assert queue.surplus.raised_s == 0.0


def test_behind_a_burst_of_standstills_it_is_left_out_in_one_piece() -> None:
    queue = Queue()
    queue.run(5.0)
    queue.late_s = 0.5
    queue.run(0.4)
    queue.run(0.1, spare_s=0.1)
    queue.run(1.5)
    assert queue.cuts == pytest.approx([0.5])


def test_after_a_pause_it_looks_anew_and_the_usual_delay_is_still_known() -> None:
    queue = Queue()
    queue.run(5.0)
    queue.now_s += 10.0
    queue.late_s = 0.2
    assert queue.run(0.7) == 0.0
    assert queue.run(1.0) == pytest.approx(0.2)


@pytest.mark.parametrize("block_s", [-0.1, 2, float("nan")])
def test_a_block_out_of_bounds_is_refused(block_s: float) -> None:
    with pytest.raises(ValueError, match="block_s"):
        Surplus(block_s)
