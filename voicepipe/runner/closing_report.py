"""The closing report: for a person how a run ended, in seconds; for an engineer every seam."""

from __future__ import annotations

from collections.abc import Iterator

from voicepipe.lifecycle import RunState
from voicepipe.report import DeviceStatistics, DropReason, RunReport

__all__ = ["delays", "describe_end", "echoes", "engineers_report", "losses", "seconds", "troubles"]

_SIGNALS = {"SIGINT": "Ctrl-C"}
_LEAST_S = 0.05
"""Less is not worth a line."""
_LOSSES: dict[str, str] = {
    DropReason.MUTED: "were not heard: it spoke, or the microphone was muted",
    DropReason.MIC_OVERFLOW: "of the microphone were lost: the computer was too busy",
    DropReason.DEVICE_LOST: "were lost while a device was away or opened again",
    DropReason.INTERRUPTED: "were not played: it was interrupted",
    DropReason.CANCELLED: "were not played: it was stopped at once",
    DropReason.SHUTDOWN: "were not played: they came after the end",
    DropReason.LATE: "were left out: they came too late to be played live",
    DropReason.NEVER_STARTED: "were not played: the run never started",
}


def seconds(count_s: float) -> str:
    """Return a time as a person says it: whole seconds from ten on, tenths below."""
    return f"{count_s:.0f} s" if count_s >= 9.95 else f"{count_s:.1f} s"


def describe_end(report: RunReport) -> str:
    """Return why a run ended, in one line for a person."""
    if report.state is RunState.FAILED:
        return "failed"
    if report.state is RunState.CANCELLED:
        number = report.reason.removeprefix("a second signal, ")
        twice = number != report.reason
        why = f"{_SIGNALS.get(number, number)} twice" if twice else report.reason
        return f"stopped at once ({why})"
    if report.reason.startswith("SIG"):
        return f"stopped ({_SIGNALS.get(report.reason, report.reason)})"
    if (name := report.reason.removesuffix(" has run out")) != report.reason:
        return f'stopped at the end of "{name}"'
    return f"stopped {report.reason}" if report.reason.startswith("after ") else f"stopped: {report.reason}"


def losses(report: RunReport, rate: int) -> Iterator[str]:
    """Yield a line for every kind of audio that was not heard or not played."""
    for reason, count in report.dropped.items():
        if reason != DropReason.DRIFT and count >= _LEAST_S * rate:
            what = _LOSSES.get(reason, f"were dropped ({str(reason).replace('_', ' ')})")
            yield f"{seconds(count / rate)} {what}"


def troubles(report: RunReport) -> Iterator[str]:
    """Yield a line for every device that was lost or ran dry, and for every stage that stood still."""
    for device in report.devices:
        said = ", ".join(_troubles_of(device))
        if said:
            yield f'the {device.kind} "{device.device}" {said}'
    yield from (str(slow) for slow in report.slow)
    yield from (f"{abandoned.name} refused to stop, at {abandoned.where}" for abandoned in report.abandoned)


def _troubles_of(device: DeviceStatistics) -> Iterator[str]:
    if device.lost:
        yield "is away"
    if device.reconnections:
        yield f"was lost and came back {_times(device.reconnections)}"
    if device.underflow:
        yield f"ran dry {_times(device.underflow)}, so there were gaps"
    if device.gaps:
        count = f"{device.gaps} gap{'s' if device.gaps != 1 else ''}"
        yield f"had {count}, together {1e3 * device.gaps_s:.0f} ms: the sound for it came too slowly"


def delays(report: RunReport) -> Iterator[str]:
    """Yield a line for every speaker that played live sound."""
    for device in report.devices:
        if device.delay:
            yield f'from the microphone to the speaker "{device.device}": {device.delay}'


def echoes(report: RunReport) -> Iterator[str]:
    """Yield a line for every microphone whose echo was measured, and the cure where it was hardly reduced."""
    for device in report.devices:
        echo = device.echo
        if echo is not None and echo.erle_db is not None:
            cure = f": {echo.advice}" if echo.is_low else ""
            yield f"{echo.figures}{cure}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def engineers_report(report: RunReport) -> Iterator[str]:
    """Yield the run in samples and blocks: reason, seams, drops and devices."""
    yield f"run {report.run_id} {report.state.value} after {report.seconds:.3f} s: {report.reason}"
    yield from (f"  seam {seam}" for seam in report.seams if seam.taken or seam.dropped_frames)
    lost = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items() if count > 0)
    made = -sum(count for count in report.dropped.values() if count < 0)
    yield f"  dropped samples: {lost or 'none'}" + (f"; made: {made}" if made else "")
    yield from (f"  {device}" for device in report.devices)
    yield from (f"  error in {error.stage or 'the run'}: {error.message}" for error in report.errors)
