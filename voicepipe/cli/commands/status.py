"""`voicepipe status`: asks a running service how it is."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from voicepipe.cli.parts.options import Parser
from voicepipe.text import printable

__all__ = ["command_line", "run"]

ANSWER_S = 5.0


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Asks a running service how it is: tasks, devices and counters, and what it has open.",
        "0 it answered, 1 it did not, 2 wrong usage",
    )
    parser.take("--name", help="of the service")
    parser.take("--system", help="it is a service of the system")
    parser.add_argument("--socket", metavar="PATH", help="or where its socket is")
    parser.take("--json", help="all of it, for machines")
    return parser


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = command_line(program).parse_args(arguments)
    path = Path(given.socket) if given.socket else _path(given.name, for_system=given.system)
    try:
        answer = _ask(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"{program}: no answer at {printable(path)}: {printable(why)}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=1) if given.json else "\n".join(_lines(answer)))
    return 0


def _path(name: str, *, for_system: bool) -> Path:
    folder = "/run" if for_system else os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return Path(folder) / name / "status"


def _ask(path: Path) -> dict[str, Any]:
    """Raises: OSError, ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(ANSWER_S)
        caller.connect(os.fspath(path))
        parts = list(iter(lambda: caller.recv(65_536), b""))
    answer = json.loads(b"".join(parts))
    if not isinstance(answer, dict):
        raise ValueError("it is no voicepipe program")
    return answer


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"voicepipe {answer['version']}, process {answer['pid']}"
    for task in answer["tasks"]:
        yield f"{task['name']}: {task['state']}, {task.get('seconds', 0):.0f} s"
        for device in task["devices"]:
            lost_s = device["lost_s"]
            how = "works" if lost_s is None else f"away for {lost_s:.0f} s{': ' * bool(device['absent'])}"
            level = "" if device["level_db"] is None else f", {device['level_db']:.0f} dB"
            again = f", {device['reconnections']} reconnections"
            yield f"  {device['kind']} {device['device']}: {how}{device['absent']}{level}{again}"
        dropped = ", ".join(f"{count} {why}" for why, count in task.get("dropped", {}).items())
        yield f"  dropped samples: {dropped or 'none'}"
        yield from (f"  error in {e['stage'] or 'the run'}: {e['message']}" for e in task.get("errors", []))
    counts = [f"{len(found)} {kind.replace('_', ' ')}" for kind, found in answer["census"].items() if found]
    yield f"open: {', '.join(counts) or 'nothing'}"
