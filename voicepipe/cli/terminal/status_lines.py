"""The lines under a running program: level, voice detection, and the devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from voicepipe.audio.level import Level
from voicepipe.cli.terminal.screen import Screen
from voicepipe.cli.terminal.wrapping import cells, wrap
from voicepipe.report import DeviceStatistics, EchoState
from voicepipe.run.task import PipelineTask

if TYPE_CHECKING:
    from voicepipe.speech.stretch import Judgement  # it brings numpy, which --live can do without

__all__ = ["bar", "beside", "devices_line", "echo_line", "level_line", "with_protection"]

_BESIDE_BAR = 48
"""Cells of the line beside the bar."""
_NOISE = 12
"""Cells of the noise floor, which is shown where there is room."""
_NARROWEST, _WIDEST = 10, 60
_SCORE = 11
"""Cells of the score, which is shown where there is room."""
_RANGE_DB = 72.0
_NARROW = 66
"""A terminal with less cells has a line for each device."""
_MARGIN = 3
"""Cells of a line that stay free."""
_BESIDE_NAME = 22
"""Cells that a device needs beside its name."""


def level_line(
    screen: Screen, at_s: float, level: Level, peak_db: float, judged: Judgement | None, doing: str
) -> str:
    """Return time, level, noise and score.

    Args:
        judged: the result of the last window; None: there is no voice detection.
        doing: a word for the state of the program. It goes before the result; clipping goes before both.
    """
    room = screen.columns - _BESIDE_BAR
    shows_score = room >= _NARROWEST
    room += 0 if shows_score else _SCORE
    shows_noise = room - _NOISE >= _NARROWEST
    width = min(_WIDEST, max(_NARROWEST, room - _NOISE * shows_noise))
    meter = bar(level.rms_db, peak_db, None if judged is None else judged.noise_db, width)
    noise = "" if judged is None or not shows_noise else f" noise {judged.noise_db:5.1f}"
    score = "" if judged is None or not shows_score else f"{noise} score {judged.score:4.2f}"
    if not doing and judged is not None and judged.speaking:
        doing = "speech"
    colour = _COLOURS.get("clipped" if level.clipped else doing)
    doing = "clipped" if level.clipped else doing
    if colour is not None:
        meter, doing = screen.paint(meter, colour), screen.paint(doing, colour)
    return f"{at_s:8.1f} s {max(-99.9, level.rms_db):5.1f} dB |{meter}|{score} {doing}"


_COLOURS = {"clipped": "red", "speech": "green", "speaking": "cyan"}


def bar(level_db: float, peak_db: float, noise_db: float | None, width: int) -> str:
    """Return a level as a bar over 72 dB, with marks at the noise floor and at the last peak."""

    def cell(db: float) -> int:
        return min(width, max(0, round((db + _RANGE_DB) / _RANGE_DB * width)))

    cells = [*("#" * cell(level_db)).ljust(width)]
    for mark, db in ((":", noise_db), ("|", peak_db)):
        if db is not None and 0 < cell(db) <= width:
            cells[cell(db) - 1] = mark
    return "".join(cells)


def devices_line(screen: Screen, devices: Iterable[DeviceStatistics]) -> str:
    """Return each device's name, latency and troubles; in lines of their own on a narrow terminal."""
    there = list(devices)
    narrow = screen.columns < _NARROW
    room = max(8, screen.columns // (1 if narrow else max(1, len(there))) - _BESIDE_NAME)
    return ("\n" if narrow else "   ").join(_device(screen, device, room) for device in there)


def with_protection(greeting: str, task: PipelineTask | None) -> str:
    """Return a greeting with the protection from the program's own sound behind its first line."""
    report = task.report if task is not None else None
    echoes = [device.echo for device in report.devices if device.echo is not None] if report else []
    first, *others = greeting.split("\n")
    return "\n".join([first, *(echo.announcement for echo in echoes), *others])


def echo_line(screen: Screen, devices: Iterable[DeviceStatistics]) -> str:
    """Return the figures of the echo, and the cure where it is hardly reduced; empty: there is no echo."""
    there = [device.echo for device in devices if device.echo is not None]
    return "   ".join(_echo(screen, echo) for echo in there)


def _echo(screen: Screen, echo: EchoState) -> str:
    if not echo.is_low:
        return echo.figures
    lines = wrap(f"{echo.figures}: {echo.advice}", screen.columns - _MARGIN).split("\n")
    return "\n".join(screen.paint(line, "yellow") for line in lines)


def beside(screen: Screen, *parts: str) -> str:
    """Return the parts in one line where they fit, or else in lines of their own."""
    there = [part for part in parts if part]
    line = "   ".join(there)
    return line if "\n" not in line and cells(line) < screen.columns - _MARGIN else "\n".join(there)


def _device(screen: Screen, device: DeviceStatistics, room: int) -> str:
    name = device.device if len(device.device) <= room else f"{device.device[: room - 1]}…"
    if device.lost:
        return screen.paint(f'{device.kind} "{name}" is lost', "red")
    troubles = screen.paint(f" ({device.troubles})", "yellow") if device.troubles else ""
    return f'{device.kind} "{name}" {1e3 * device.latency_s:.0f} ms{troubles}'
