"""Every sample of a seam came out, is held, or was dropped for a reason."""

from __future__ import annotations

import random

import pytest

from voicepipe import AudioFrame, DropReason, Frame, OutputAudioFrame, SeamReport, SystemFrame, TextFrame
from voicepipe.pipeline.ledger import Ledger

SPEECH = OutputAudioFrame(bytes(640))  # 320 samples
STEREO = AudioFrame(bytes(640), channels=2)  # 160 samples
REASONS = sorted(DropReason)


class Alarm(SystemFrame):
    pass


def test_the_reasons_are_those_of_the_accounting() -> None:
    assert REASONS == [
        "cancelled",
        "coalesced",
        "device_lost",
        "drift",
        "interrupted",
        "late",
        "mic_overflow",
        "muted",
        "never_started",
        "overflow",
        "processor_error",
        "shutdown",
        "upstream_overflow",
    ]


def test_a_new_ledger_is_empty_and_balanced() -> None:
    report = Ledger().report("ear")
    assert report == SeamReport("ear", taken=0, given=0, held=0)
    assert report.balanced


def test_dropped_audio_counts_in_samples_and_as_a_frame() -> None:
    ledger = Ledger()
    ledger.taken += 320 + 160
    ledger.drop(SPEECH, DropReason.INTERRUPTED)
    ledger.drop(STEREO, DropReason.INTERRUPTED)
    assert ledger.dropped == {"interrupted": 480}
    assert ledger.dropped_frames == {"interrupted": 2}
    assert ledger.report("ear").balanced


@pytest.mark.parametrize("frame", [TextFrame("a"), Alarm(), AudioFrame(b"")])
def test_a_dropped_frame_without_audio_counts_as_a_frame_and_needs_no_samples(frame: Frame) -> None:
    ledger = Ledger()
    ledger.drop(frame, DropReason.CANCELLED)
    ledger.refuse(frame, DropReason.CANCELLED)
    report = ledger.report("ear")
    assert report.dropped_frames == {"cancelled": 2}
    assert sum(report.dropped.values()) == 0
    assert (report.taken, report.balanced) == (0, True)


def test_a_refused_frame_comes_in_and_is_dropped_at_once() -> None:
    ledger = Ledger()
    ledger.refuse(SPEECH, DropReason.SHUTDOWN)
    report = ledger.report("mouth")
    assert (report.taken, report.dropped, report.dropped_frames) == (320, {"shutdown": 320}, {"shutdown": 1})
    assert report.balanced


def test_reasons_are_counted_apart() -> None:
    ledger = Ledger()
    for reason in REASONS:
        ledger.refuse(SPEECH, reason)
    ledger.refuse(STEREO, REASONS[0])
    assert ledger.report("ear").dropped == dict.fromkeys(REASONS, 320) | {REASONS[0]: 480}


@pytest.mark.parametrize(
    ("taken", "given", "held", "dropped", "balanced"),
    [
        (100, 100, 0, {}, True),
        (100, 50, 30, {"muted": 15, "drift": 5}, True),
        (100, 99, 0, {}, False),
        (100, 100, 1, {}, False),
        (100, 100, 0, {"muted": 1}, False),
        (0, 0, 0, {}, True),
    ],
)
def test_a_seam_is_balanced_when_what_came_in_is_accounted_for(
    taken: int, given: int, held: int, dropped: dict[str, int], balanced: bool
) -> None:
    assert SeamReport("ear", taken, given, held, dropped).balanced is balanced


def test_a_report_is_of_its_moment() -> None:
    ledger = Ledger()
    ledger.refuse(SPEECH, DropReason.MUTED)
    before = ledger.report("ear")
    ledger.refuse(SPEECH, DropReason.MUTED)
    assert (before.taken, before.dropped, before.dropped_frames) == (320, {"muted": 320}, {"muted": 1})
    assert before != ledger.report("ear")


def test_a_report_reads_well() -> None:
    report = SeamReport("ear", 100, 50, 30, {"muted": 15, "drift": 5})
    assert str(report) == "ear: 100 in, 50 out, 30 held, dropped: 15 muted, 5 drift"
    assert str(SeamReport("ear", 100, 100, 0)) == "ear: 100 in, 100 out, 0 held, dropped: none"


@pytest.mark.parametrize("seed", range(20))
def test_a_ledger_is_balanced_at_every_moment(seed: int) -> None:
    choose = random.Random(seed)
    ledger = Ledger()
    inside: list[AudioFrame] = []
    for _ in range(200):
        frame = AudioFrame(bytes(2 * choose.randrange(50)))
        match choose.choice(("take", "give", "drop", "refuse")):
            case "take":
                ledger.taken += frame.num_samples
                inside.append(frame)
            case "give" if inside:
                ledger.given += inside.pop(0).num_samples
            case "drop" if inside:
                ledger.drop(inside.pop(), choose.choice(REASONS))
            case "refuse":
                ledger.refuse(frame, choose.choice(REASONS))
            case _:
                pass
        assert ledger.report("ear", sum(f.num_samples for f in inside)).balanced
