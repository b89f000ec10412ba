"""The closing report of a program: for a person in seconds, with `--report` for an engineer in samples."""

from __future__ import annotations

import dataclasses

import pytest

from voicepipe import DeviceStatistics, DropReason, RunReport, RunState, SeamReport
from voicepipe.runner.closing_report import delays, describe_end, engineers_report, losses, seconds, troubles

SPEAKER = DeviceStatistics(
    *("the speaker", "speaker", "USB Audio", False, 16_000, 1, 9, 9, 0, 0, 0, 0.0, 0, 0.0, 0.04)
)


def report(
    state: RunState = RunState.ENDED, reason: str = "SIGINT", dropped: dict[str, int] | None = None
) -> RunReport:
    dropped = dropped or {}
    seam = SeamReport("the microphone device", 16_000, 16_000 - sum(dropped.values()), 0, dropped)
    return RunReport("echo", state, reason, 2.0, (seam,), (SPEAKER,))


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (RunState.ENDED, "SIGINT", "stopped (Ctrl-C)"),
        (RunState.ENDED, "SIGTERM", "stopped (SIGTERM)"),
        (RunState.ENDED, "after 1 s", "stopped after 1 s"),
        (RunState.ENDED, "note.wav has run out", 'stopped at the end of "note.wav"'),
        (RunState.ENDED, "the speaker x is lost", "stopped: the speaker x is lost"),
        (RunState.CANCELLED, "a second signal, SIGINT", "stopped at once (Ctrl-C twice)"),
        (
            RunState.CANCELLED,
            "SIGTERM, and 310 s were not enough to end",
            "stopped at once (SIGTERM, and 310 s were not enough to end)",
        ),
        (RunState.FAILED, "the recording failed", "failed"),
    ],
)
def test_it_says_why_it_stopped(state: RunState, reason: str, said: str) -> None:
    assert describe_end(report(state, reason)) == said


def test_a_time_is_said_as_a_person_says_it() -> None:
    assert [seconds(s) for s in (0.0, 4.75, 9.94, 9.96, 70.58)] == ["0.0 s", "4.8 s", "9.9 s", "10 s", "71 s"]


def test_what_was_lost_is_said_in_seconds() -> None:
    lost = report(dropped={DropReason.MUTED: 19_200, DropReason.CANCELLED: 8_000, DropReason.DRIFT: -560})
    assert list(losses(lost, 16_000)) == [
        "1.2 s were not heard: it spoke, or the microphone was muted",
        "0.5 s were not played: it was stopped at once",
    ]
    assert list(losses(report(dropped={DropReason.MUTED: 100}), 16_000)) == [], "it is not worth a line"


def test_every_reason_has_words_of_its_own() -> None:
    reasons = [value for name, value in vars(DropReason).items() if name.isupper() and value != "drift"]
    for reason in reasons:
        (line,) = losses(report(dropped={str(reason): 16_000}), 16_000)
        assert "_" not in line


def test_a_device_that_had_troubles_is_named() -> None:
    assert list(troubles(report())) == []
    bad = dataclasses.replace(report(), devices=(dataclasses.replace(SPEAKER, underflow=2, reconnections=1),))
    assert list(troubles(bad)) == [
        'the speaker "USB Audio" was lost and came back once, ran dry twice, so there were gaps'
    ]


def test_gaps_and_the_delay_are_said_in_milliseconds() -> None:
    speaker = dataclasses.replace(SPEAKER, gaps=36, gaps_s=0.92, delay_s=0.0312, longest_delay_s=0.0449)
    live = dataclasses.replace(report(), devices=(speaker,))
    assert list(troubles(live)) == [
        'the speaker "USB Audio" had 36 gaps, together 920 ms: the sound for it came too slowly'
    ]
    assert list(delays(live)) == [
        'from the microphone to the speaker "USB Audio": delay 31 ms, at most 45 ms'
    ]
    assert "  the speaker: delay 31 ms, at most 45 ms" in str(live)
    assert "gaps 36 (920 ms)" in str(live)
    assert list(delays(report())) == []


def test_an_engineer_gets_every_seam_in_samples() -> None:
    lines = list(engineers_report(report(dropped={DropReason.MUTED: 100})))
    assert lines[0] == "run echo ended after 2.000 s: SIGINT"
    assert "  seam the microphone device: 16000 in, 15900 out, 0 held, dropped: 100 muted" in lines
    assert "  dropped samples: 100 muted" in lines
