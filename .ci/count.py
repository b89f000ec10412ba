"""Counts the tests of a JUnit report, and names the skips that are not allowed.

    python .ci/count.py REPORT COUNTS VERSION STATUS

Writes `passed failed skipped` to the file COUNTS. VERSION is that of Python and STATUS that of pytest. The
exit status is 1 where a test failed, or was skipped for a reason that does not begin with `allowed skip:`.
"""

from __future__ import annotations

import ast
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path


def cases(report: Path) -> Iterator[ET.Element]:
    """Yield the tests of a report; none where there is no report."""
    if report.exists():
        yield from ET.parse(report).iter("testcase")


def reason_of(skip: ET.Element) -> str:
    """Return the reason of a skip, also of a module's."""
    message = skip.get("message", "")
    if message != "collection skipped":
        return message
    return str(ast.literal_eval(skip.text or "")[2]).removeprefix("Skipped: ")


def main(report: str, counts: str, version: str, status: str) -> int:
    """Count, write, print."""
    passed, failed, skipped = 0, 0, 0
    complaints = []
    for case in cases(Path(report)):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is None:
            passed += 1
        elif reason_of(skip).startswith("allowed skip:"):
            skipped += 1
        else:
            failed += 1
            complaints.append(
                f"{case.get('classname')}.{case.get('name')} was skipped, or expected to fail: "
                f"{reason_of(skip)!r}; make it run here, or begin the reason with 'allowed skip:'"
            )
    if not passed + failed + skipped:
        complaints.append("no test ran")
    if int(status) and not failed:
        complaints.append(f"pytest failed with status {status}")
    failed = failed or bool(complaints)
    Path(counts).write_text(f"{passed} {int(failed)} {skipped}\n", encoding="utf-8")
    for complaint in complaints:
        print("FAILED:", complaint)
    print(f"Python {version}: {passed} passed, {int(failed)} failed, {skipped} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
