"""`voicepipe status`: ask a running service for its state."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.report import EchoState
from voicepipe.text import printable

__all__ = ["command_line", "run"]

ANSWER_S = 5.0
_ECHO_FIELDS = {each.name for each in fields(EchoState)}


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Asks a running service for its state: tasks, devices, counters, and open resources.",
        "0 it answered, 1 no answer, 2 wrong usage",
    )
    parser.take("--name", help="name of the service; default: voicepipe")
    parser.take("--system", help="ask a service of the system, not of the user")
    parser.add_argument("--socket", metavar="PATH", help="path of the socket, in place of a name")
    parser.take("--json", help="print everything as JSON, for machines")
    return parser


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = command_line(program).parse_args(arguments)
    path = Path(given.socket) if given.socket else _path(given.name, for_system=given.system)
    try:
        answer = _ask(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        complain(program, f"no answer at {printable(path)}: {printable(why)}")
        return 1
    if given.json:
        print(json.dumps(answer, indent=1))
    else:
        print(wrap("\n".join(_lines(answer)), columns_of(sys.stdout), 4))
    return 0


def _path(name: str, *, for_system: bool) -> Path:
    folder = "/run" if for_system else os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return Path(folder) / name / "status"


def _ask(path: Path) -> dict[str, Any]:
    """Ask at this socket. Raises: OSError, ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(ANSWER_S)
        caller.connect(os.fspath(path))
        parts = list(iter(lambda: caller.recv(65_536), b""))
    answer = json.loads(b"".join(parts))
    if not isinstance(answer, dict):
        raise ValueError("not a voicepipe program")
    return answer


def _losses(task: dict[str, Any]) -> str:
    rates = [device["rate"] for device in task.get("statistics", ())] or [1]
    lost = [f"{n / rates[0]:.1f} s ({why.replace('_', ' ')})" for why, n in task.get("dropped", {}).items()]
    return ", ".join(lost) or "nothing"


def _turns(task: dict[str, Any]) -> Iterator[str]:
    """Yield a line about the turns of the conversation: their number, and the time of the last one."""
    count = task.get("turn_counts", {}).get("count", 0)
    if count:
        mean_s, last = task["turn_counts"]["seconds"] / count, task["turns"][-1]
        parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in last["parts"].items())
        yield (
            f"  turns: {count}, first sound after {mean_s:.2f} s on average; "
            f"the last after {last['seconds']:.2f} s ({parts})"
        )


def _echoes(task: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each microphone that hears an echo, and one with the cure where it must be."""
    for device in task.get("statistics", ()):
        said = device.get("echo")  # a program may be older than this command, or newer
        if said is not None:
            echo = EchoState(**{name: said[name] for name in _ECHO_FIELDS & said.keys()})
            yield f'  echo at "{device["device"]}": {echo.details}'
            if echo.is_low:
                yield f"  the echo is hardly reduced: {echo.advice}"


def _gaps(task: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each speaker whose voice had gaps."""
    for device in task.get("statistics", ()):
        if device.get("gaps"):
            together_ms = 1e3 * device["gaps_s"]
            yield f'  gaps of "{device["device"]}": {device["gaps"]}, together {together_ms:.0f} ms'


def _stamps(task: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each device whose time stamps are of little use."""
    for device in task.get("statistics", ()):
        if device.get("stamps", "good") not in ("", "good"):
            yield f'  time stamps of "{device["device"]}": {device["stamps"]}'


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"voicepipe {answer['version']}, process {answer['pid']}"
    for task in answer["tasks"]:
        yield f"{task['name']}: {task['state']}, {task.get('seconds', 0):.0f} s"
        for device in task["devices"]:
            lost_s = device["lost_s"]
            state = "works" if lost_s is None else f"away for {lost_s:.0f} s{': ' * bool(device['absent'])}"
            level = "" if device["level_db"] is None else f", {device['level_db']:.0f} dB"
            delay_s = device.get("delay_s")  # a program may be older than this command
            level += "" if delay_s is None else f", delay {1e3 * delay_s:.0f} ms"
            again = f", {device['reconnections']} reconnections"
            yield f'  {device["kind"]} "{device["device"]}": {state}{device["absent"]}{level}{again}'
        yield from _turns(task)
        yield from _echoes(task)
        yield from _gaps(task)
        yield from _stamps(task)
        yield f"  lost: {_losses(task)}"
        yield from (f"  error in {e['stage'] or 'the run'}: {e['message']}" for e in task.get("errors", []))
    counts = [f"{len(found)} {kind.replace('_', ' ')}" for kind, found in answer["census"].items() if found]
    yield f"open: {', '.join(counts) or 'nothing'}"
